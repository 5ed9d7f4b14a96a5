//! Arithmetic of decimals, the same for both lengths: checked, and exact or not there.

/// The arithmetic of a decimal over `$int`, which always has room for `$digits` digits.
macro_rules! arithmetic {
    ($name:ident, $int:ident, $unsigned:ident, $digits:literal) => {
        impl $name {
            /// Digits of the longest.
            pub const DIGITS_MAX: u32 = $digits;

            /// Nothing.
            pub const ZERO: Self = Self { unscaled: 0, scale: 0 };

            /// Powers of ten.
            const POWERS: [$int; $digits + 1] = {
                let mut powers = [1; $digits + 1];
                let mut digits = 1;
                while digits < powers.len() {
                    powers[digits] = powers[digits - 1] * 10;
                    digits += 1;
                }
                powers
            };

            /// What can be multiplied with a power of ten and still has its place.
            const LARGEST: [$unsigned; $digits + 1] = {
                let mut largest = [0; $digits + 1];
                let mut digits = 0;
                while digits < largest.len() {
                    largest[digits] = $int::MAX.unsigned_abs() / Self::POWERS[digits].unsigned_abs();
                    digits += 1;
                }
                largest
            };

            #[doc = concat!("The decimal `unscaled / 10^scale`. Panics if `scale` is more than ", $digits, ".")]
            #[inline]
            pub const fn new(unscaled: $int, scale: u8) -> Self {
                assert!(
                    scale as u32 <= Self::DIGITS_MAX,
                    concat!("a decimal has at most ", $digits, " digits behind the point")
                );
                Self { unscaled, scale: scale as u64 }
            }

            /// The number without its point: 1234 of `12.34`.
            #[inline]
            pub const fn unscaled(self) -> $int {
                self.unscaled
            }

            /// As [`new`](Self::new), with a scale that was checked before: once a batch instead of once a row.
            #[inline(always)]
            pub(crate) const fn of_column(unscaled: $int, scale: u8) -> Self {
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

            /// The same value with `scale` digits behind the point. None if it would lose a digit that is not zero,
            #[doc = concat!("or has more than ", $digits, " digits.")]
            #[inline(always)]
            pub fn rescale(self, scale: u8) -> Option<Self> {
                let scale = u64::from(scale);
                if scale == self.scale { Some(self) } else { self.rescale_slow(scale) }
            }

            #[cold]
            fn rescale_slow(self, scale: u64) -> Option<Self> {
                if scale > u64::from(Self::DIGITS_MAX) {
                    return None;
                }
                let factor = Self::POWERS[scale.abs_diff(self.scale) as usize];
                if scale < self.scale {
                    let exact = self.unscaled % factor == 0;
                    return exact.then_some(Self { unscaled: self.unscaled / factor, scale });
                }
                let unscaled = self.unscaled.checked_mul(factor)?;
                Self::fits(unscaled, Self::DIGITS_MAX).then_some(Self { unscaled, scale })
            }

            /// The sum, with the scale of the more exact of the two.
            #[doc = concat!("None if it has more than ", $digits, " digits.")]
            #[inline(always)]
            pub fn checked_add(self, other: Self) -> Option<Self> {
                if self.scale != other.scale {
                    return self.add_slow(other);
                }
                let unscaled = self.unscaled.checked_add(other.unscaled)?;
                Self::fits(unscaled, Self::DIGITS_MAX)
                    .then_some(Self { unscaled, scale: self.scale })
            }

            #[cold]
            fn add_slow(self, other: Self) -> Option<Self> {
                let scale = self.scale().max(other.scale());
                self.rescale(scale)?.checked_add(other.rescale(scale)?)
            }

            /// The difference, with the scale of the more exact of the two.
            #[doc = concat!("None if it has more than ", $digits, " digits.")]
            #[inline]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.checked_add(Self { unscaled: other.unscaled.checked_neg()?, ..other })
            }

            /// The product with an integer, with the same scale.
            #[doc = concat!("None if it has more than ", $digits, " digits.")]
            #[inline]
            pub fn checked_mul(self, factor: $int) -> Option<Self> {
                let unscaled = self.unscaled.checked_mul(factor)?;
                Self::fits(unscaled, Self::DIGITS_MAX).then_some(Self { unscaled, ..self })
            }

            /// The nearest double, or its neighbour. Not exact: for statistics, not for money.
            #[inline]
            pub fn to_f64(self) -> f64 {
                self.unscaled as f64 / Self::POWERS[self.scale as usize] as f64
            }

            /// Compares with a decimal of a larger scale.
            #[inline]
            fn cmp_finer(self, finer: Self) -> std::cmp::Ordering {
                let digits = (finer.scale - self.scale) as usize;
                if self.unscaled.unsigned_abs() <= Self::LARGEST[digits] {
                    (self.unscaled * Self::POWERS[digits]).cmp(&finer.unscaled)
                } else {
                    // With as many digits behind the point it would have no place, and so exceeds every value that has.
                    self.unscaled.cmp(&0)
                }
            }

            /// Whether `unscaled` has at most `digits` digits.
            #[inline]
            pub(crate) fn fits(unscaled: $int, digits: u32) -> bool {
                unscaled.unsigned_abs() < (10 as $unsigned).pow(digits)
            }
        }
    };
}

pub(super) use arithmetic;
