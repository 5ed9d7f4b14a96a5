//! Exact numbers from their text: decimals, integers, times as numbers. Nothing goes through a float.

/// 10⁰ … 10¹⁸: every power of ten that an i64 holds.
pub(super) const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10⁰ … 10³⁸: every power of ten that an i128 holds.
pub(super) const LONG_POWERS: [i128; 39] = {
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

#[inline]
pub(super) fn fits(value: i64, precision: u8) -> bool {
    precision > 18 || value.unsigned_abs() < POWERS[usize::from(precision)].unsigned_abs()
}

#[inline]
pub(super) fn long_fits(value: i128, precision: u8) -> bool {
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
