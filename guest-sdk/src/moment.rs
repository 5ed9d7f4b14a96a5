//! Moments and days, as columns hold them, and lengths of time.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A moment: microseconds since 1970-01-01T00:00:00 UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

/// A day: days since 1970-01-01.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Date(pub i32);

/// A length of time in microseconds. In a configuration: `"500ms"`, `"30s"`, `"10m"`, `"1h"`, `"7d"`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span(pub i64);

/// The units of a [`Span`] in µs, the longer names of a letter first.
const UNITS: [(&str, i64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", MICROS_PER_DAY),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "write a whole number with a unit, such as \"30s\", \"10m\" or \"1h\"".to_owned();
        let (unit, factor) =
            UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let number: i64 = text[..text.len() - unit.len()].trim().parse().map_err(|_| wrong())?;
        number.checked_mul(*factor).filter(|micros| *micros >= 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    /// In the largest unit that takes it whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |unit: &&(&str, i64)| self.0 % unit.1 == 0;
        let (unit, factor) = UNITS.iter().rev().find(whole).expect("every span is whole in µs");
        if self.0 == 0 { f.write_str("0s") } else { write!(f, "{}{unit}", self.0 / factor) }
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    /// Saturates at the end of time.
    #[inline]
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    /// Saturates at the beginning of time.
    #[inline]
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// Constructors of [`Span`] for each unit; they saturate at the longest span.
macro_rules! spans {
    ($($name:ident $factor:literal $what:literal)*) => {
        impl Span {
            $(
                #[doc = concat!("So many ", $what, ". Saturates.")]
                #[inline]
                pub const fn $name(number: i64) -> Self {
                    Self(number.saturating_mul($factor))
                }
            )*
        }
    };
}

spans! {
    from_micros 1 "microseconds"
    from_millis 1_000 "milliseconds"
    from_secs 1_000_000 "seconds"
    from_mins 60_000_000 "minutes"
    from_hours 3_600_000_000 "hours"
    from_days 86_400_000_000 "days of 24 hours"
}

impl Timestamp {
    /// The day in UTC. Saturates at the ends of `Date`, which lie beyond every calendar.
    #[inline]
    pub fn date(self) -> Date {
        let days = self.0.div_euclid(MICROS_PER_DAY);
        Date(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Microseconds from `earlier` to this moment; negative if it is the later one. Saturates.
    #[inline]
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
