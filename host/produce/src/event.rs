//! What can be produced: an event as the key and the JSON value of a record, written by hand into buffers that are
//! used again.

/// An event of one of the generators.
pub trait Event {
    /// Appends the record's key.
    fn write_key(&self, out: &mut Vec<u8>);

    /// Appends the record's value: JSON, or what the event's defect makes of it. There is never a line break in it.
    fn write_value(&self, unit: TimeUnit, out: &mut Vec<u8>);
}

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

impl TimeUnit {
    /// Appends a moment, given in microseconds since 1970, as a number of this unit.
    pub(super) fn write(self, micros: i64, out: &mut Vec<u8>) {
        let time = match self {
            Self::Seconds => micros.div_euclid(1_000_000),
            Self::Millis => micros.div_euclid(1_000),
            Self::Micros => micros,
        };
        write_signed(time, out);
    }
}

/// Two digits behind the point, always.
pub(super) fn write_price(hundredths: i64, out: &mut Vec<u8>) {
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

pub(super) fn write_number(mut number: u64, out: &mut Vec<u8>) {
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
