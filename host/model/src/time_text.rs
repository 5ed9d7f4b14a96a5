//! Moments and days from their text: RFC 3339, times without a zone, and formats that a pipeline declares.

use std::fmt::Write;
use std::ops::Range;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, NaiveDate, NaiveTime};

use crate::time::civil;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Days since 1970 of `YYYY-MM-DD`; a year beyond 9999 or before 0 has a sign, as we write it ourselves.
pub fn days(text: &str) -> Option<i32> {
    if text.starts_with(['+', '-']) {
        return civil::read_date(text);
    }
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(bytes, 0..4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, digits(bytes, 5..7)?, digits(bytes, 8..10)?)?;
    Some(date.to_epoch_days())
}

fn digits(bytes: &[u8], range: Range<usize>) -> Option<u32> {
    bytes.get(range)?.iter().try_fold(0_u32, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

/// Microseconds since 1970 of an RFC 3339 time; what is finer is dropped towards the past. A year beyond 9999 or before
/// 0 has a sign, as we write it ourselves.
pub fn rfc3339(text: &str) -> Option<i64> {
    if text.starts_with(['+', '-']) {
        return civil::read_time(text, rfc3339);
    }
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    // The parser takes a second 60 in any minute, as a second of more than 1e9 ns.
    let is_leap = time.timestamp_subsec_nanos() >= 1_000_000_000;
    (!is_leap || is_last_of_a_day(time.timestamp() + 1)).then(|| time.timestamp_micros())
}

/// Whether the second before `second` (since 1970, UTC) may be followed by a second 60: only the last of a day is.
fn is_last_of_a_day(second: i64) -> bool {
    second.rem_euclid(SECONDS_PER_DAY) == 0
}

/// Microseconds since 1970 of a time whose zone may be absent: `2026-11-21T10:00:00.5`, with a blank instead of the
/// `T`, a comma instead of the point, and without seconds. `zone` is the offset from UTC, in seconds, of a text that
/// has none; one with a zone (`Z`, `UTC`, `+02:00`, `+0200`, `+02`) has its own. What is finer is dropped towards the
/// past.
pub fn local(text: &str, zone: i32) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?.as_bytes();
    let (hour, minute) = (digits(rest, 0..2)?, digits(rest, 3..5)?);
    if rest[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let (second, rest) = match &rest[5..] {
        [b':', rest @ ..] => (digits(rest, 0..2)?, &rest[2..]),
        rest => (0, rest),
    };
    let (micros, rest) = fraction(rest)?;
    let offset = if rest.is_empty() { zone } else { offset(std::str::from_utf8(rest).ok()?)? };
    let minutes = i64::from(days(date)?) * (SECONDS_PER_DAY / 60) + i64::from(hour * 60 + minute);
    let seconds = minutes * 60 + i64::from(second) - i64::from(offset);
    let is_second = second < 60 || second == 60 && is_last_of_a_day(seconds);
    is_second.then(|| seconds * MICROS_PER_SECOND + micros)
}

/// The microseconds of a fraction at the beginning of `text`, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else { return Some((0, text)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = rest.split_at(length);
    let kept = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    let micros = kept.fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
    (length > 0).then_some((micros, rest))
}

/// Seconds that a zone is ahead of UTC: `Z`, `UTC`, `+02:00`, `-0330`, `+02`. None for anything else, names of zones
/// among it.
pub fn offset(text: &str) -> Option<i32> {
    let text = text.strip_prefix(' ').unwrap_or(text);
    if matches!(text, "Z" | "z" | "UTC") {
        return Some(0);
    }
    let (sign, rest) = match text.as_bytes() {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let minute = match rest {
        [_, _] => 0,
        [_, _, b':', _, _] => digits(rest, 3..5)?,
        [_, _, _, _] => digits(rest, 2..4)?,
        _ => return None,
    };
    let hour = digits(rest, 0..2)?;
    let seconds = i32::try_from(hour * 3600 + minute * 60).ok()?;
    (hour <= 23 && minute <= 59).then_some(sign * seconds)
}

/// How a pipeline says that its times or days are written, by the letters of `strftime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    items: Vec<Item<'static>>,
}

impl TimeFormat {
    /// # Errors
    /// What is wrong, to stand behind the format: it is none, or a text in it does not tell the day.
    pub fn new(format: &str) -> Result<Self, String> {
        if !format.contains('%') {
            return Err("has no letter of strftime: write \"%Y-%m-%d %H:%M:%S\" for what others \
                        call yyyy-MM-dd HH:mm:ss"
                .to_owned());
        }
        let items = StrftimeItems::new(format).parse_to_owned();
        let items = items.map_err(|_| "has a letter that strftime does not know".to_owned())?;
        let format = Self { items };
        // Written and read again, a day of which no two parts are the same number.
        let sample = DateTime::from_timestamp(1_015_218_367, 0).expect("a time of the year 2002");
        let mut text = String::new();
        let written = write!(text, "{}", sample.format_with_items(format.items.iter()));
        let read = written.ok().and_then(|()| format.days(&text));
        match read == Some(sample.date_naive().to_epoch_days()) {
            true => Ok(format),
            false => {
                Err("does not tell the day: a year, a month and a day belong to it".to_owned())
            }
        }
    }

    /// Microseconds since 1970; without a time of day it is midnight, without a zone that of `zone`, in seconds.
    pub fn micros(&self, text: &str, zone: i32) -> Option<i64> {
        let parsed = self.parse(text)?;
        let offset = parsed.offset().unwrap_or(zone);
        let time = match parsed.to_naive_datetime_with_offset(offset) {
            Ok(time) => time,
            Err(_) if parsed.hour_mod_12().is_none() && parsed.minute().is_none() => {
                parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN)
            }
            Err(_) => return None,
        };
        let ahead = i64::from(offset) * MICROS_PER_SECOND;
        time.and_utc().timestamp_micros().checked_sub(ahead)
    }

    /// Days since 1970-01-01, less than 0 before it. None: the text is not such a date.
    pub fn days(&self, text: &str) -> Option<i32> {
        Some(self.parse(text)?.to_naive_date().ok()?.to_epoch_days())
    }

    fn parse(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        Some(parsed)
    }
}
