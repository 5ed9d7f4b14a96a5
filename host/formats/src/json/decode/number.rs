//! Exact numbers from their text: decimals, integers, times as numbers. Nothing goes through a float.

/// 10⁰ … 10¹⁸: every power of ten that an i64 holds.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10⁰ … 10³⁸: every power of ten that an i128 holds.
const LONG_POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Why a text is no value of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFault {
    /// Not written as a number at all.
    NotANumber,
    /// A number with a sentence about what does not fit.
    Unfit(&'static str),
}

/// The value of a decimal number × 10^`scale`, below 10^`precision`. `text` is a JSON number, or the content of a
/// string; an exponent is allowed, zeros that carry no value are too.
#[inline]
pub(super) fn decimal(text: &[u8], precision: u8, scale: u8) -> Result<i64, NumberFault> {
    let (unscaled, fraction) = match plain(text) {
        Some(number) => number,
        None => return short_decimal(text, precision, scale),
    };
    if fraction > usize::from(scale) {
        return short_decimal(text, precision, scale);
    }
    unscaled
        .checked_mul(POWERS[usize::from(scale) - fraction])
        .filter(|value| fits(*value, precision))
        .ok_or(NumberFault::Unfit(TOO_LONG))
}

#[cold]
fn short_decimal(text: &[u8], precision: u8, scale: u8) -> Result<i64, NumberFault> {
    slow_decimal(text, scale, |value| {
        i64::try_from(value).ok().filter(|value| fits(*value, precision))
    })
}

/// As [`decimal`], of more than 18 digits.
#[inline]
pub(super) fn long_decimal(text: &[u8], precision: u8, scale: u8) -> Result<i128, NumberFault> {
    if let Some((digits, fraction)) = plain(text)
        && let Some(shift) = usize::from(scale).checked_sub(fraction)
    {
        let value = i128::from(digits).checked_mul(LONG_POWERS[shift]);
        let fitting = value.filter(|value| long_fits(*value, precision));
        return fitting.ok_or(NumberFault::Unfit(TOO_LONG));
    }
    slow_decimal(text, scale, |value| long_fits(value, precision).then_some(value))
}

/// A number as most are written: no exponent, at most 18 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainNumber {
    /// Its digits as an integer.
    pub(super) digits: i64,
    /// How many of them stand behind the point; none: there is no point.
    pub(super) fraction: Option<usize>,
}

/// The number of JSON that begins at `at`, and where it ends. None if it is written in any other way, or is `-0`.
#[inline(always)]
pub(super) fn leading(bytes: &[u8], at: usize) -> Option<(PlainNumber, usize)> {
    let negative = bytes.get(at) == Some(&b'-');
    let start = at + usize::from(negative);
    let (whole, mut end) = digits(bytes, start, 0);
    let mut count = end - start;
    // A zero before other digits is no JSON.
    if count == 0 || count > 1 && bytes[start] == b'0' {
        return None;
    }
    let (mut value, mut fraction) = (whole, None);
    if bytes.get(end) == Some(&b'.') {
        let point = end;
        (value, end) = digits(bytes, point + 1, whole);
        let behind = end - point - 1;
        if behind == 0 {
            return None;
        }
        fraction = Some(behind);
        count += behind;
    }
    if count > 18 || negative && value == 0 || matches!(bytes.get(end), Some(b'e' | b'E')) {
        return None;
    }
    let digits = if negative { value.wrapping_neg() } else { value };
    Some((PlainNumber { digits, fraction }, end))
}

/// Appends the digits from `at` on to `value`, which is worthless beyond 18 of them. Eight bytes at a time, as long
/// as there are so many.
#[inline(always)]
fn digits(bytes: &[u8], mut at: usize, mut value: i64) -> (i64, usize) {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight) ^ u64::from_ne_bytes([b'0'; 8]);
        // The highest bit of every byte above 9; beyond the first of them perhaps of others.
        let other = (word.wrapping_add(u64::from_ne_bytes([0x76; 8])) | word)
            & u64::from_ne_bytes([0x80; 8]);
        let count = other.trailing_zeros() as usize / 8;
        if count == 0 {
            return (value, at);
        }
        // What follows them makes room for zeros in front.
        let digits = word << (64 - 8 * count);
        value = value.wrapping_mul(POWERS[count]).wrapping_add(eight_digits(digits));
        at += count;
        if count < 8 {
            return (value, at);
        }
    }
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        at += 1;
    }
    (value, at)
}

/// The number that eight bytes of 0 to 9 write, the first of them lowest.
#[inline(always)]
fn eight_digits(word: u64) -> i64 {
    /// Every second pair of digits.
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let word = word.wrapping_mul(10).wrapping_add(word >> 8);
    let high = (word & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (word >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (high.wrapping_add(low) >> 32).cast_signed()
}

impl PlainNumber {
    /// × 10^`scale`, if that is an integer without cutting anything, below 10^`precision`.
    #[inline(always)]
    pub(super) fn scaled(self, precision: u8, scale: u8) -> Option<i64> {
        let shift = usize::from(scale).checked_sub(self.fraction.unwrap_or(0))?;
        let value = self.digits.checked_mul(*POWERS.get(shift)?)?;
        fits(value, precision).then_some(value)
    }

    /// The same for more than 18 digits.
    #[inline]
    pub(super) fn long_scaled(self, precision: u8, scale: u8) -> Option<i128> {
        let shift = usize::from(scale).checked_sub(self.fraction.unwrap_or(0))?;
        let value = i128::from(self.digits).checked_mul(*LONG_POWERS.get(shift)?)?;
        long_fits(value, precision).then_some(value)
    }

    /// Itself, if it is an integer, be it written as `5.0`.
    #[inline]
    pub(super) fn integer(self) -> Option<i64> {
        match self.fraction {
            None => Some(self.digits),
            Some(fraction) => {
                let one = POWERS[fraction];
                (self.digits % one == 0).then_some(self.digits / one)
            }
        }
    }

    /// The nearest double. None if finding it takes more than one division of exact doubles.
    #[inline]
    pub(super) fn float(self) -> Option<f64> {
        match self.fraction {
            None => Some(self.digits as f64),
            Some(fraction) if self.digits.unsigned_abs() < 1 << 53 => {
                Some(self.digits as f64 / POWERS[fraction] as f64)
            }
            Some(_) => None,
        }
    }
}

#[inline]
fn fits(value: i64, precision: u8) -> bool {
    precision > 18 || value.unsigned_abs() < POWERS[usize::from(precision)].unsigned_abs()
}

#[inline]
fn long_fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < LONG_POWERS[usize::from(precision)].unsigned_abs()
}

/// A number of units of 10^`digits` µs since 1970 as microseconds; what is finer is dropped towards the past.
#[inline]
pub(super) fn micros(text: &[u8], digits: u8) -> Result<i64, NumberFault> {
    let too_far = NumberFault::Unfit(match digits {
        6 => {
            "which is too far from 1970: if it is in microseconds, declare it as timestamp(us); nanoseconds are int64"
        }
        _ => {
            "which is too far from 1970: are these nanoseconds? Let the sender write microseconds, or declare it as int64"
        }
    });
    if let Some((value, fraction)) = plain(text)
        && let Some(shift) = usize::from(digits).checked_sub(fraction)
    {
        return value.checked_mul(POWERS[shift]).ok_or(too_far);
    }
    let number = Parsed::read(text).ok_or(NumberFault::NotANumber)?;
    number.times_power64(i64::from(digits)).map(|(micros, _)| micros).ok_or(too_far)
}

/// An integer, be it written as `5.0` or `1e3`.
#[inline]
pub(super) fn integer(text: &[u8]) -> Result<i64, NumberFault> {
    if let Some((value, 0)) = plain(text) {
        return Ok(value);
    }
    let number = Parsed::read(text).ok_or(NumberFault::NotANumber)?;
    match number.times_power64(0) {
        Some((value, true)) => Ok(value),
        Some((_, false)) => Err(NumberFault::NotANumber),
        None => Err(NumberFault::Unfit("which needs more than 64 bits")),
    }
}

/// The nearest double of a text that is written like a number of JSON.
pub(super) fn float(text: &str) -> Option<f64> {
    Parsed::read(text.as_bytes())?;
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The ordinary number: a sign, at most 18 characters of digits with or without a point. Its digits as an integer,
/// and how many stand behind the point. None: it needs the careful way.
#[inline]
fn plain(text: &[u8]) -> Option<(i64, usize)> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0_i64;
    let mut point = None;
    for (index, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() && index > 0 && index + 1 < digits.len() => point = Some(index),
            _ => return None,
        }
    }
    let fraction = point.map_or(0, |point| digits.len() - 1 - point);
    Some((if negative { -value } else { value }, fraction))
}

const TOO_LONG: &str = "which has too many digits before the point";

/// The careful way. `fitting`: the value as the column has it, if it has few enough digits.
#[cold]
fn slow_decimal<T>(
    text: &[u8],
    scale: u8,
    fitting: impl Fn(i128) -> Option<T>,
) -> Result<T, NumberFault> {
    let number = Parsed::read(text).ok_or(NumberFault::NotANumber)?;
    let scaled = number.times_power(i64::from(scale));
    match scaled.and_then(|(value, exact)| Some((fitting(value)?, exact))) {
        Some((value, true)) => Ok(value),
        Some((_, false)) => Err(NumberFault::Unfit("which has too many digits behind the point")),
        None => Err(NumberFault::Unfit(TOO_LONG)),
    }
}

/// A number of any length: ± `digits` × 10^`exponent`, `digits` without zeros at its end.
struct Parsed {
    negative: bool,
    digits: u128,
    exponent: i64,
    /// Digits other than zero follow below, for which there was no room.
    cut: bool,
}

impl Parsed {
    /// Reads `-? digits (. digits)? ([eE] [+-]? digits)?`.
    fn read(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut number = Self { negative, digits: 0, exponent: 0, cut: false };
        let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&text[..at], read_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
            Some(at) if at + 1 < mantissa.len() => (&mantissa[..at], &mantissa[at + 1..]),
            Some(_) => return None,
            None => (mantissa, &mantissa[..0]),
        };
        if whole.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
            return None;
        }
        let mut zeros = 0;
        for &byte in whole.iter().chain(fraction) {
            number.push_digit(byte - b'0', &mut zeros);
        }
        let fraction = i64::try_from(fraction.len()).ok()?;
        number.exponent = number.exponent.saturating_add(zeros - fraction).saturating_add(exponent);
        Some(number)
    }

    /// Zeros wait in `zeros` until a digit follows that gives them value.
    fn push_digit(&mut self, digit: u8, zeros: &mut i64) {
        if digit == 0 {
            *zeros += 1;
            return;
        }
        let shifted = match usize::try_from(*zeros + 1) {
            Ok(shift) if self.digits == 0 || shift < LONG_POWERS.len() => self
                .digits
                .checked_mul(if self.digits == 0 { 1 } else { LONG_POWERS[shift].unsigned_abs() })
                .and_then(|digits| digits.checked_add(digit.into())),
            _ => None,
        };
        match shifted {
            Some(digits) if !self.cut => {
                self.digits = digits;
                *zeros = 0;
            }
            _ => {
                self.cut = true;
                *zeros += 1;
            }
        }
    }

    /// The largest integer not above the number × 10^`power`, and whether it is exactly that. None: beyond an i64.
    fn times_power64(&self, power: i64) -> Option<(i64, bool)> {
        let (value, exact) = self.times_power(power)?;
        Some((i64::try_from(value).ok()?, exact))
    }

    /// The same beyond an i64. None: beyond an i128.
    fn times_power(&self, power: i64) -> Option<(i128, bool)> {
        if self.digits == 0 {
            return Some((0, true));
        }
        let shift = self.exponent.saturating_add(power);
        let (value, exact) = match usize::try_from(shift) {
            // What was cut is less than one here: it was cut because this multiplication would overflow otherwise.
            Ok(shift) => {
                (self.digits.checked_mul(LONG_POWERS.get(shift)?.unsigned_abs())?, !self.cut)
            }
            Err(_) => match LONG_POWERS.get(usize::try_from(shift.unsigned_abs()).ok()?) {
                Some(divisor) => {
                    let divisor = divisor.unsigned_abs();
                    (self.digits / divisor, !self.cut && self.digits.is_multiple_of(divisor))
                }
                // A u128 has 39 digits at most, and the largest of so many begins with a 3.
                None => (0, false),
            },
        };
        let value = i128::try_from(value).ok()?;
        Some((if self.negative { -value - i128::from(!exact) } else { value }, exact))
    }
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0_i64, |value, byte| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    // Half the range, so that the sums with lengths of texts stay within it.
    let value = value.min(i64::MAX / 2);
    Some(if negative { -value } else { value })
}
