//! Numbers as most are written: digits with or without a point, at most 18. They are read many bytes at a time.

use super::column::Scaled;
use super::number::{LONG_POWERS, POWERS, long_fits};
use super::wide::Wide;
use super::word::{self, byte};

/// A number as most are written: no exponent, at most 18 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainNumber {
    /// Its digits as an integer.
    pub(super) digits: i64,
    /// How many of them stand behind the point; 0: there is no point.
    pub(super) fraction: u8,
}

/// Where the parts of a number without a sign end, in bytes from its beginning.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    /// Digits before the point.
    whole: usize,
    /// Digits behind it; 0: there is no point.
    fraction: usize,
    pub(super) length: usize,
}

/// The extent of a number of JSON that begins with these bytes. None: it has more than fifteen, or somebody who looks closer has
/// to tell why it is none. It stops before an exponent.
#[inline(always)]
pub(super) fn extent(wide: Wide<'_>) -> Option<Extent> {
    let digits = wide.digits();
    let whole = digits.trailing_ones() as usize;
    // A zero before other digits is no JSON.
    if whole == 0 || whole > 15 || whole > 1 && wide.byte(0) == b'0' {
        return None;
    }
    if wide.byte(whole) != b'.' {
        return Some(Extent { whole, fraction: 0, length: whole });
    }
    let fraction = (digits >> whole >> 1).trailing_ones() as usize;
    let length = whole + 1 + fraction;
    (fraction > 0 && length <= 15).then_some(Extent { whole, fraction, length })
}

/// The number of JSON that begins at `at`, and where it ends. None: it has more than fifteen bytes behind its sign, or
/// [`long`] has to tell why it is none. It stops before an exponent: whoever calls must refuse a letter there.
pub(super) fn short(bytes: &[u8], at: usize) -> Option<(PlainNumber, usize)> {
    if byte(bytes, at) != b'-' {
        return unsigned(bytes, at);
    }
    let (PlainNumber { digits, fraction }, end) = unsigned(bytes, at + 1)?;
    (digits != 0).then_some((PlainNumber { digits: -digits, fraction }, end))
}

/// The same of one without a sign.
#[inline(always)]
pub(super) fn unsigned(bytes: &[u8], at: usize) -> Option<(PlainNumber, usize)> {
    let wide = Wide::at(bytes, at)?;
    let Extent { whole, fraction, length } = extent(wide)?;
    let digits = match fraction {
        0 => unpointed(wide.number(), whole),
        _ => pointed(wide.number(), whole, length),
    };
    Some((PlainNumber { digits, fraction: fraction as u8 }, at + length))
}

/// The digits of a number of `length` bytes, of which the first `whole` stand before the point.
#[inline(always)]
fn pointed(wide: u128, whole: usize, length: usize) -> i64 {
    // Without the point they stand side by side.
    if length < 9 {
        let (word, before) = (wide as u64, (1 << (8 * whole)) - 1);
        word::number(word & before | word >> 8 & !before, length - 1)
    } else {
        let before = (1 << (8 * whole)) - 1;
        word::long_number(wide & before | wide >> 8 & !before, length - 1)
    }
}

/// The first `count` digits, at most fifteen.
#[inline(always)]
fn unpointed(wide: u128, count: usize) -> i64 {
    if count < 9 {
        word::number(wide as u64, count)
    } else {
        let more = count - 8;
        word::number(wide as u64, 8) * POWERS[more] + word::number((wide >> 64) as u64, more)
    }
}

/// As [`short`], of any length. None: it is no JSON, it is `-0`, or there are more than 18 digits.
pub(super) fn long(bytes: &[u8], at: usize) -> Option<(PlainNumber, usize)> {
    let negative = byte(bytes, at) == b'-';
    let start = at + usize::from(negative);
    let (mut value, mut end) = digits(bytes, start, 0);
    let whole = end - start;
    let mut fraction = 0;
    if byte(bytes, end) == b'.' {
        let point = end;
        (value, end) = digits(bytes, point + 1, value);
        fraction = end - point - 1;
        if fraction == 0 {
            return None;
        }
    }
    let is_json = whole == 1 || whole > 1 && byte(bytes, start) != b'0';
    if !is_json || whole + fraction > 18 || negative && value == 0 {
        return None;
    }
    let digits = if negative { value.wrapping_neg() } else { value };
    Some((PlainNumber { digits, fraction: fraction as u8 }, end))
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
    /// As the column wants it, if it fits without cutting anything.
    #[inline(always)]
    pub(super) fn scaled(self, Scaled { scale, limit, .. }: &Scaled) -> Option<i64> {
        let shift = usize::from(scale.checked_sub(self.fraction)?);
        let value = self.digits.checked_mul(*POWERS.get(shift)?)?;
        (value.unsigned_abs() < *limit).then_some(value)
    }

    /// × 10^`scale`, if that is an integer without cutting anything, below 10^`precision`.
    #[inline]
    pub(super) fn long_scaled(self, precision: u8, scale: u8) -> Option<i128> {
        let shift = usize::from(scale.checked_sub(self.fraction)?);
        let value = i128::from(self.digits).checked_mul(*LONG_POWERS.get(shift)?)?;
        long_fits(value, precision).then_some(value)
    }

    /// Itself, if it is an integer, be it written as `5.0`.
    #[inline]
    pub(super) fn integer(self) -> Option<i64> {
        match self.fraction {
            0 => Some(self.digits),
            fraction => {
                let one = POWERS[usize::from(fraction)];
                (self.digits % one == 0).then_some(self.digits / one)
            }
        }
    }

    /// The nearest double. None if finding it takes more than one division of exact doubles.
    #[inline]
    pub(super) fn float(self) -> Option<f64> {
        match self.fraction {
            0 => Some(self.digits as f64),
            fraction if self.digits.unsigned_abs() < 1 << 53 => {
                Some(self.digits as f64 / POWERS[usize::from(fraction)] as f64)
            }
            _ => None,
        }
    }
}
