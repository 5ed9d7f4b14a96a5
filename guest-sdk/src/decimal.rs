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
/// ```
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Decimal {
    unscaled: i64,
    scale: u8,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { unscaled: 0, scale: 0 };

    /// The decimal `unscaled / 10^scale`. Panics if `scale` is more than 18.
    #[inline]
    pub const fn new(unscaled: i64, scale: u8) -> Self {
        assert!(scale as u32 <= DIGITS_MAX, "a decimal has at most 18 digits behind the point");
        Self { unscaled, scale }
    }

    /// The number without its point: 1234 of `12.34`.
    #[inline]
    pub const fn unscaled(self) -> i64 {
        self.unscaled
    }

    /// Digits behind the point.
    #[inline]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The same value with `scale` digits behind the point. None if it would lose a digit that is not zero, or
    /// has more than 18 digits.
    #[inline]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        if scale == self.scale { Some(self) } else { self.rescale_slow(scale) }
    }

    #[cold]
    fn rescale_slow(self, scale: u8) -> Option<Self> {
        if u32::from(scale) > DIGITS_MAX {
            return None;
        }
        if scale < self.scale {
            let factor = 10_i64.pow(u32::from(self.scale - scale));
            return (self.unscaled % factor == 0).then(|| Self::new(self.unscaled / factor, scale));
        }
        let factor = 10_i64.pow(u32::from(scale - self.scale));
        let unscaled = self.unscaled.checked_mul(factor)?;
        fits(unscaled, DIGITS_MAX).then_some(Self { unscaled, scale })
    }

    /// The sum, with the scale of the more exact of the two. None if it has more than 18 digits.
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unscaled = self.rescale(scale)?.unscaled.checked_add(other.rescale(scale)?.unscaled)?;
        fits(unscaled, DIGITS_MAX).then_some(Self { unscaled, scale })
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
        #[expect(
            clippy::cast_precision_loss,
            reason = "the method promises the nearest double, not the value"
        )]
        let unscaled = self.unscaled as f64;
        unscaled / 10_f64.powi(i32::from(self.scale))
    }

    #[cold]
    fn cmp_slow(self, other: Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        let wide = |d: Self| i128::from(d.unscaled) * 10_i128.pow(u32::from(scale - d.scale));
        wide(self).cmp(&wide(other))
    }
}

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
        } else {
            self.cmp_slow(*other)
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

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = self.unscaled.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let one = 10_u64.pow(u32::from(self.scale));
        write!(
            f,
            "{sign}{}.{:0width$}",
            digits / one,
            digits % one,
            width = usize::from(self.scale)
        )
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
        let scale = u8::try_from(fraction.len()).map_err(|_| wrong())?;
        let sign = if text.starts_with('-') { "-" } else { "" };
        let unscaled: i64 = format!("{sign}{whole}{fraction}").parse().map_err(|_| wrong())?;
        if u32::from(scale) > DIGITS_MAX || !fits(unscaled, DIGITS_MAX) {
            return Err(wrong());
        }
        Ok(Self { unscaled, scale })
    }
}
