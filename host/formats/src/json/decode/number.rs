//! Exact numbers from their text: decimals, integers, times as numbers. Nothing goes through a float.

use super::word::{self, byte};

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
    let negative = byte(bytes, at) == b'-';
    let start = at + usize::from(negative);
    let (value, whole, fraction, end) = match short(bytes, start) {
        Some(number) => number,
        None => long(bytes, start)?,
    };
    // A zero before other digits is no JSON.
    let is_json = fraction != Some(0) && (whole == 1 || whole > 1 && byte(bytes, start) != b'0');
    if !is_json || negative && value == 0 || matches!(byte(bytes, end), b'e' | b'E') {
        return None;
    }
    let digits = if negative { value.wrapping_neg() } else { value };
    Some((PlainNumber { digits, fraction }, end))
}

/// Digits with or without a point from `start` on: as an integer, how many before the point, how many behind it if there
/// is one, and where they end.
type Unsigned = (i64, usize, Option<usize>, usize);

/// Those of fewer than eight bytes, in one word. None: there are more.
#[inline(always)]
fn short(bytes: &[u8], start: usize) -> Option<Unsigned> {
    let word = word::word(bytes, start);
    let whole = word::digits(word);
    if whole >= 7 {
        return None;
    }
    let before = (1 << (8 * whole)) - 1;
    let has_point = word >> (8 * whole) & 0xff == u64::from(b'.');
    // Without the point its digits stand side by side.
    let word = if has_point { word & before | word >> 8 & !before } else { word };
    let count = word::digits(word);
    if count >= 7 {
        return None;
    }
    let fraction = has_point.then_some(count - whole);
    let value = if count == 0 { 0 } else { word::number(word, count) };
    Some((value, whole, fraction, start + count + usize::from(has_point)))
}

/// Those of any length. None: there are more than 18 digits.
#[inline(never)]
fn long(bytes: &[u8], start: usize) -> Option<Unsigned> {
    let (mut value, mut end) = digits(bytes, start, 0);
    let whole = end - start;
    let mut fraction = None;
    if byte(bytes, end) == b'.' {
        let point = end;
        (value, end) = digits(bytes, point + 1, value);
        fraction = Some(end - point - 1);
    }
    (whole + fraction.unwrap_or(0) <= 18).then_some((value, whole, fraction, end))
}

/// Appends the digits from `at` on to `value`, which is worthless beyond 18 of them.
#[inline(always)]
fn digits(bytes: &[u8], mut at: usize, mut value: i64) -> (i64, usize) {
    loop {
        let word = word::word(bytes, at);
        let count = word::digits(word);
        if count == 0 {
            return (value, at);
        }
        let more = word::number(word, count);
        value = value.wrapping_mul(POWERS[count]).wrapping_add(more);
        at += count;
        if count < 8 {
            return (value, at);
        }
    }
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
