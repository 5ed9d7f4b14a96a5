//! A sale as the key and the JSON value of a record, written by hand into a buffer that is used again.

use super::{Defect, Sale};

/// How `ts` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whole seconds since 1970; the fraction is cut off.
    Seconds,
    /// Whole milliseconds since 1970.
    Millis,
    /// Microseconds since 1970.
    Micros,
}

impl Sale {
    /// Appends the record's key: the name of the store.
    pub fn write_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.is_kiosk { b"kiosk-" } else { b"store-" });
        write_number(u64::from(self.store), out);
    }

    /// Appends the record's value, `{"store":"store-7","item":"item-3","price":4.20,"ts":1795258807}`, or what its
    /// defect makes of it. There is never a line break in it.
    pub fn write_value(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        let begin = out.len();
        match self.defect {
            None => self.write_fields(unit, out),
            Some(Defect::Truncated) => {
                self.write_fields(unit, out);
                let half = (out.len() - begin) / 2;
                out.truncate(begin + half);
            }
            Some(Defect::NoTime) => {
                self.write_store(out);
                self.write_item_and_price(out);
                out.push(b'}');
            }
            Some(Defect::WordAsTime) => {
                self.write_store(out);
                self.write_item_and_price(out);
                out.extend_from_slice(b",\"ts\":\"yesterday\"}");
            }
            Some(Defect::WordAsPrice) => {
                self.write_store(out);
                out.extend_from_slice(b",\"price\":\"cheap\"");
                self.write_time(unit, out);
            }
            Some(Defect::NoObject) => {
                out.extend_from_slice(b"[\"");
                self.write_key(out);
                out.extend_from_slice(b"\",");
                write_price(self.price_hundredths, out);
                out.push(b']');
            }
            Some(Defect::NoUtf8) => {
                out.extend_from_slice(b"{\"store\":\"\xff\xfe\"");
                self.write_item_and_price(out);
                self.write_time(unit, out);
            }
        }
    }

    fn write_fields(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        self.write_store(out);
        self.write_item_and_price(out);
        self.write_time(unit, out);
    }

    fn write_store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"store\":\"");
        self.write_key(out);
        out.push(b'"');
    }

    fn write_item_and_price(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"item\":\"item-");
        write_number(u64::from(self.item), out);
        out.extend_from_slice(b"\",\"price\":");
        write_price(self.price_hundredths, out);
    }

    fn write_time(&self, unit: TimeUnit, out: &mut Vec<u8>) {
        let time = match unit {
            TimeUnit::Seconds => self.time_micros.div_euclid(1_000_000),
            TimeUnit::Millis => self.time_micros.div_euclid(1_000),
            TimeUnit::Micros => self.time_micros,
        };
        out.extend_from_slice(b",\"ts\":");
        write_signed(time, out);
        out.push(b'}');
    }
}

/// Two digits behind the point, always.
fn write_price(hundredths: i64, out: &mut Vec<u8>) {
    if hundredths < 0 {
        out.push(b'-');
    }
    let hundredths = hundredths.unsigned_abs();
    write_number(hundredths / 100, out);
    let rest = hundredths % 100;
    out.extend_from_slice(&[b'.', digit(rest / 10), digit(rest % 10)]);
}

fn write_signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    write_number(number.unsigned_abs(), out);
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    // u64::MAX has 20 digits.
    let mut digits = [0; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = digit(number % 10);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

/// The character of a number below ten.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number).expect("a digit is below ten")
}
