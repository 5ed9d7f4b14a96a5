//! An event of the auction house as the key and the JSON value of a record.

use super::{Action, Channel, Defect, NexmarkEvent};
use crate::event::{Event, TimeUnit, write_number, write_price};

const NAMES: [&str; 8] = ["Ada", "Boris", "Chidi", "Dora", "Emil", "Fatma", "Goran", "Hana"];
const SURNAMES: [&str; 8] =
    ["Abrams", "Berg", "Costa", "Duran", "Eder", "Fischer", "Gupta", "Holm"];
/// A city and its state.
const CITIES: [(&str, &str); 8] = [
    ("Phoenix", "AZ"),
    ("Los Angeles", "CA"),
    ("San Francisco", "CA"),
    ("Boise", "ID"),
    ("Portland", "OR"),
    ("Bend", "OR"),
    ("Seattle", "WA"),
    ("Cheyenne", "WY"),
];
const HOT_CHANNELS: [&str; 4] = ["Apple", "Baidu", "Facebook", "Google"];

impl Event for NexmarkEvent {
    /// The user's id.
    fn write_key(&self, out: &mut Vec<u8>) {
        write_number(self.user, out);
    }

    /// `{"event":"bid","user":1001,"ts":1767225600000,"bid":{"auction":1003,"price":4.20,"channel":"Apple",`
    /// `"extra":"zvkwmqcbaxyu"}}`.
    fn write_value(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        if self.defect == Some(Defect::NoObject) {
            out.extend_from_slice(b"[\"");
            out.extend_from_slice(self.event().as_bytes());
            out.extend_from_slice(b"\"]");
            return;
        }
        let begin = out.len();
        out.push(b'{');
        if self.defect != Some(Defect::NoEvent) {
            write_text("event", self.event(), out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"user\":");
        write_number(self.user, out);
        match self.defect {
            Some(Defect::NoTime) => {}
            Some(Defect::WordAsTime) => out.extend_from_slice(b",\"ts\":\"yesterday\""),
            _ => {
                out.extend_from_slice(b",\"ts\":");
                unit.write(self.time_micros, out);
            }
        }
        out.extend_from_slice(b",\"");
        out.extend_from_slice(self.event().as_bytes());
        out.extend_from_slice(b"\":{");
        self.write_action(unit, out);
        out.extend_from_slice(b"}}");
        if self.defect == Some(Defect::Truncated) {
            let half = (out.len() - begin) / 2;
            out.truncate(begin + half);
        }
    }
}

impl NexmarkEvent {
    pub(super) fn event(&self) -> &'static str {
        match self.action {
            Action::Person { .. } => "person",
            Action::Auction { .. } => "auction",
            Action::Bid { .. } => "bid",
        }
    }

    fn write_action(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        match self.action {
            Action::Person { traits } => write_person(traits as usize, out),
            Action::Auction { id, category, initial_hundredths, seconds } => {
                out.extend_from_slice(b"\"id\":");
                write_number(id, out);
                out.extend_from_slice(b",\"category\":");
                write_number(category.into(), out);
                out.extend_from_slice(b",\"initial\":");
                write_price(initial_hundredths, out);
                out.extend_from_slice(b",\"expires\":");
                let open = i64::from(seconds) * 1_000_000;
                unit.write(self.time_micros.saturating_add(open), out);
            }
            Action::Bid { auction, price_hundredths, channel, extra } => {
                out.extend_from_slice(b"\"auction\":");
                write_number(auction, out);
                out.extend_from_slice(b",\"price\":");
                write_price(price_hundredths, out);
                out.extend_from_slice(b",\"channel\":\"");
                match channel {
                    Channel::Hot(hot) => {
                        out.extend_from_slice(HOT_CHANNELS[hot as usize % 4].as_bytes());
                    }
                    Channel::Numbered(number) => {
                        out.extend_from_slice(b"channel-");
                        write_number(number.into(), out);
                    }
                }
                out.extend_from_slice(b"\",\"extra\":\"");
                write_letters(extra, out);
                out.push(b'"');
            }
        }
    }
}

fn write_person(traits: usize, out: &mut Vec<u8>) {
    let (name, surname) = (NAMES[traits % 8], SURNAMES[traits / 8 % 8]);
    let (city, state) = CITIES[traits / 64 % 8];
    out.extend_from_slice(b"\"name\":\"");
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    out.extend_from_slice(surname.as_bytes());
    out.extend_from_slice(b"\",");
    write_text("city", city, out);
    out.push(b',');
    write_text("state", state, out);
}

/// A field whose text needs no escapes.
fn write_text(name: &str, text: &str, out: &mut Vec<u8>) {
    for part in ["\"", name, "\":\"", text, "\""] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Twelve letters: 26 to the power of 13 is more than 64 bits hold.
fn write_letters(mut extra: u64, out: &mut Vec<u8>) {
    for _ in 0..12 {
        out.push(b'a' + u8::try_from(extra % 26).expect("below 26"));
        extra /= 26;
    }
}
