//! Exact decimals: an unscaled 64-bit integer and a number of digits behind the point.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits of the longest decimal that a column can hold.
pub const DIGITS_MAX: u32 = 18;

/// An exact decimal of at most 18 digits: `12.34` is 1234 with scale 2.
///
/// Comparison is by value: `1.5` equals `1.50`. Arithmetic is checked and exact: what has more than 18 digits is
/// `None`, never rounded and never wrapped.
///
/// ```
/// use sluicegate_sdk::Decimal;
/// let price: Decimal = "12.34".parse().unwrap();
/// assert_eq!(price.checked_add(Decimal::new(6, 1)).unwrap().to_string(), "12.94");
/// assert_eq!(price.rescale(1), None); // 12.3 would lose a digit
/// assert!(price > 12 && price < Decimal::from(100));
/// ```
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Decimal {
    unscaled: i64,
    // As wide as its neighbour: a decimal that is written as a word and a byte and read as two words stalls the
    // processor for ten nanoseconds.
    scale: u64,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { unscaled: 0, scale: 0 };

    /// The decimal `unscaled / 10^scale`. Panics if `scale` is more than 18.
    #[inline]
    pub const fn new(unscaled: i64, scale: u8) -> Self {
        assert!(scale as u32 <= DIGITS_MAX, "a decimal has at most 18 digits behind the point");
        Self { unscaled, scale: scale as u64 }
    }

    /// The number without its point: 1234 of `12.34`.
    #[inline]
    pub const fn unscaled(self) -> i64 {
        self.unscaled
    }

    /// As [`new`](Self::new), with a scale that was checked before: once a batch instead of once a row.
    #[inline(always)]
    pub(crate) const fn of_column(unscaled: i64, scale: u8) -> Self {
        Self { unscaled, scale: scale as u64 }
    }

    /// Without its sign.
    #[inline]
    pub const fn abs(self) -> Self {
        Self { unscaled: self.unscaled.saturating_abs(), scale: self.scale }
    }

    /// Digits behind the point.
    #[inline]
    pub const fn scale(self) -> u8 {
        self.scale as u8
    }

    /// The same value with `scale` digits behind the point. None if it would lose a digit that is not zero, or
    /// has more than 18 digits.
    #[inline(always)]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        let scale = u64::from(scale);
        if scale == self.scale { Some(self) } else { self.rescale_slow(scale) }
    }

    #[cold]
    fn rescale_slow(self, scale: u64) -> Option<Self> {
        if scale > u64::from(DIGITS_MAX) {
            return None;
        }
        let factor = POWERS[scale.abs_diff(self.scale) as usize];
        if scale < self.scale {
            let exact = self.unscaled % factor == 0;
            return exact.then_some(Self { unscaled: self.unscaled / factor, scale });
        }
        let unscaled = self.unscaled.checked_mul(factor)?;
        fits(unscaled, DIGITS_MAX).then_some(Self { unscaled, scale })
    }

    /// The sum, with the scale of the more exact of the two. None if it has more than 18 digits.
    #[inline(always)]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.scale != other.scale {
            return self.add_slow(other);
        }
        let unscaled = self.unscaled.checked_add(other.unscaled)?;
        fits(unscaled, DIGITS_MAX).then_some(Self { unscaled, scale: self.scale })
    }

    #[cold]
    fn add_slow(self, other: Self) -> Option<Self> {
        let scale = self.scale().max(other.scale());
        self.rescale(scale)?.checked_add(other.rescale(scale)?)
    }

    /// The difference, with the scale of the more exact of the two. None if it has more than 18 digits.
    #[inline]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self { unscaled: other.unscaled.checked_neg()?, ..other })
    }

    /// The product with an integer, with the same scale. None if it has more than 18 digits.
    #[inline]
    pub fn checked_mul(self, factor: i64) -> Option<Self> {
        let unscaled = self.unscaled.checked_mul(factor)?;
        fits(unscaled, DIGITS_MAX).then_some(Self { unscaled, ..self })
    }

    /// The nearest double. Not exact: for statistics, not for money.
    #[inline]
    pub fn to_f64(self) -> f64 {
        self.unscaled as f64 / POWERS[self.scale as usize] as f64
    }

    /// Compares with a decimal of a larger scale.
    #[inline]
    fn cmp_finer(self, finer: Self) -> Ordering {
        let digits = (finer.scale - self.scale) as usize;
        if self.unscaled.unsigned_abs() <= LARGEST[digits] {
            (self.unscaled * POWERS[digits]).cmp(&finer.unscaled)
        } else {
            // With as many digits behind the point it would exceed 64 bits, and so every value that does not.
            self.unscaled.cmp(&0)
        }
    }
}

/// Powers of ten.
const POWERS: [i64; DIGITS_MAX as usize + 1] = {
    let mut powers = [1; DIGITS_MAX as usize + 1];
    let mut digits = 1;
    while digits < powers.len() {
        powers[digits] = powers[digits - 1] * 10;
        digits += 1;
    }
    powers
};

/// What can be multiplied with a power of ten and still has 64 bits.
const LARGEST: [u64; DIGITS_MAX as usize + 1] = {
    let mut largest = [0; DIGITS_MAX as usize + 1];
    let mut digits = 0;
    while digits < largest.len() {
        largest[digits] = i64::MAX.unsigned_abs() / POWERS[digits].unsigned_abs();
        digits += 1;
    }
    largest
};

/// Whether `unscaled` has at most `digits` digits.
#[inline]
pub(crate) fn fits(unscaled: i64, digits: u32) -> bool {
    unscaled.unsigned_abs() < 10_u64.pow(digits)
}

impl Ord for Decimal {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale || self.unscaled == 0 || other.unscaled == 0 {
            self.unscaled.cmp(&other.unscaled)
        } else if self.scale < other.scale {
            self.cmp_finer(*other)
        } else {
            other.cmp_finer(*self).reverse()
        }
    }
}

impl PartialOrd for Decimal {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

/// Conversions and comparisons with integers, which are all exact.
macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Decimal {
            #[inline]
            fn from(value: $integer) -> Self {
                Self { unscaled: value.into(), scale: 0 }
            }
        }

        impl PartialEq<$integer> for Decimal {
            #[inline]
            fn eq(&self, other: &$integer) -> bool {
                *self == Self::from(*other)
            }
        }

        impl PartialOrd<$integer> for Decimal {
            #[inline]
            fn partial_cmp(&self, other: &$integer) -> Option<Ordering> {
                self.partial_cmp(&Self::from(*other))
            }
        }

        impl PartialEq<Decimal> for $integer {
            #[inline]
            fn eq(&self, other: &Decimal) -> bool {
                Decimal::from(*self) == *other
            }
        }

        impl PartialOrd<Decimal> for $integer {
            #[inline]
            fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
                Decimal::from(*self).partial_cmp(other)
            }
        }
    )*};
}

// Not `u64`: half of its values have no place in 64 bits with a sign.
integers!(i8 i16 i32 i64 u8 u16 u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = self.unscaled.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let one = POWERS[self.scale as usize].unsigned_abs();
        write!(f, "{sign}{}.{:0width$}", digits / one, digits % one, width = self.scale as usize)
    }
}

impl FromStr for Decimal {
    type Err = String;

    /// Takes `-12.34`: digits, optionally a point with digits behind it, at most 18 in all.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no decimal like `12.34` with at most 18 digits");
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(wrong());
        }
        let fraction = if digits.contains('.') { fraction } else { "" };
        let scale = fraction.len() as u64;
        let sign = if text.starts_with('-') { "-" } else { "" };
        let unscaled: i64 = format!("{sign}{whole}{fraction}").parse().map_err(|_| wrong())?;
        if scale > u64::from(DIGITS_MAX) || !fits(unscaled, DIGITS_MAX) {
            return Err(wrong());
        }
        Ok(Self { unscaled, scale })
    }
}
