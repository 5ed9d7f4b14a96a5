//! Exact decimals: an unscaled integer and a number of digits behind the point.
//!
//! There are two, because what is short is many: a [`Decimal`] of 18 digits is a word, adds with one instruction and
//! lies in nine bytes of a plain state. A [`Decimal38`] is four times as dear and holds what a sum of many may become.

mod arithmetic;
mod comparison;
mod text;

use serde::{Deserialize, Serialize};

/// An exact decimal of at most 18 digits: `12.34` is 1234 with scale 2.
///
/// Comparison is by value: `1.5` equals `1.50`. Arithmetic is checked and exact: what has more than 18 digits is
/// `None`, never rounded and never wrapped. [`Decimal38`] is the one for longer numbers, and for sums that may become
/// longer.
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

/// An exact decimal of at most 38 digits, as many as a decimal of Spark, Arrow or SQL can have.
///
/// Everything that a [`Decimal`] does, it does with 38 digits; and a `Decimal` is made one with `from` and `into`.
///
/// ```
/// use sluicegate_sdk::{Decimal, Decimal38};
/// let (price, mut total): (Decimal, Decimal38) = ("12.34".parse().unwrap(), Decimal38::from(10_u64.pow(19)));
/// total = total.checked_add(price.into()).unwrap();
/// assert_eq!(total.to_string(), "10000000000000000012.34");
/// assert!(total > price);
/// assert_eq!(Decimal::try_from(total), Err("the number has more than 18 digits"));
/// ```
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Decimal38 {
    unscaled: i128,
    // A word for the same reason.
    scale: u64,
}

arithmetic::arithmetic!(Decimal, i64, u64, 18);
arithmetic::arithmetic!(Decimal38, i128, u128, 38);
text::text!(Decimal, i64, 18);
text::text!(Decimal38, i128, 38);
comparison::ordering!(Decimal);
comparison::ordering!(Decimal38);
// Not `u64` for the shorter one: half of its values have no place in 64 bits with a sign.
comparison::integers!(Decimal: i8 i16 i32 i64 u8 u16 u32);
comparison::integers!(Decimal38: i8 i16 i32 i64 u8 u16 u32 u64);
comparison::compared!(Decimal38 with Decimal);

impl From<Decimal> for Decimal38 {
    #[inline]
    fn from(value: Decimal) -> Self {
        Self { unscaled: value.unscaled.into(), scale: value.scale }
    }
}

impl TryFrom<Decimal38> for Decimal {
    type Error = &'static str;

    /// Digits count as they are written: `1.00` has three.
    #[inline]
    fn try_from(value: Decimal38) -> Result<Self, &'static str> {
        let unscaled = i64::try_from(value.unscaled).ok();
        let unscaled = unscaled.filter(|unscaled| Self::fits(*unscaled, Self::DIGITS_MAX));
        match unscaled {
            Some(unscaled) if value.scale <= u64::from(Self::DIGITS_MAX) => {
                Ok(Self { unscaled, scale: value.scale })
            }
            _ => Err("the number has more than 18 digits"),
        }
    }
}
