//! The calendar of moments and days: parts, text and back, by the Gregorian calendar in UTC.

use std::fmt;
use std::str::FromStr;

use crate::moment::{Date, Timestamp};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Days from 0000-03-01, where the years of the arithmetic begin, to 1970-01-01.
const TO_1970: i64 = 719_468;
/// After 400 years the calendar repeats itself.
const DAYS_PER_ERA: i64 = 146_097;

impl Date {
    /// The day of a year, a month (1 to 12) and a day (1 to 31). None if there is no such day, or it lies beyond all that
    /// a `Date` can hold.
    ///
    /// ```
    /// use sluicegate_sdk::Date;
    /// let day = Date::from_ymd(2024, 2, 29).unwrap();
    /// assert_eq!((day.to_string(), day.weekday()), ("2024-02-29".to_owned(), 4));
    /// assert_eq!(Date::from_ymd(2023, 2, 29), None);
    /// ```
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        // Years that begin in March have their leap day at the end.
        let year_of_march = i64::from(year) - i64::from(month <= 2);
        let (era, year_of_era) = (year_of_march.div_euclid(400), year_of_march.rem_euclid(400));
        let month_of_march = i64::from((month + 9) % 12);
        let day_of_year = (153 * month_of_march + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let date = Self(i32::try_from(era * DAYS_PER_ERA + day_of_era - TO_1970).ok()?);
        // The 31st of a month that has none would be another day.
        (date.ymd() == (year, month, day)).then_some(date)
    }

    /// Year, month (1 to 12) and day (1 to 31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let days = i64::from(self.0) + TO_1970;
        let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month_of_march = (5 * day + 2) / 153;
        let day = day - (153 * month_of_march + 2) / 5 + 1;
        let month = (month_of_march + 2) % 12 + 1;
        let year = year + era * 400 + i64::from(month <= 2);
        // 2^31 days are less than six million years, and months and days are small.
        (year as i32, month as u32, day as u32)
    }

    /// The year.
    #[inline]
    pub fn year(self) -> i32 {
        self.ymd().0
    }

    /// The month, 1 to 12.
    #[inline]
    pub fn month(self) -> u32 {
        self.ymd().1
    }

    /// The day of the month, 1 to 31.
    #[inline]
    pub fn day(self) -> u32 {
        self.ymd().2
    }

    /// The day of the week: 1 is Monday, 7 is Sunday.
    #[inline]
    pub fn weekday(self) -> u32 {
        // 1970 began on a Thursday.
        ((i64::from(self.0) + 3).rem_euclid(7) + 1) as u32
    }
}

impl Timestamp {
    /// Seconds of the day in UTC, 0 to 86399.
    #[inline]
    fn second_of_day(self) -> u32 {
        self.0.div_euclid(MICROS_PER_SECOND).rem_euclid(SECONDS_PER_DAY) as u32
    }

    /// The hour in UTC, 0 to 23.
    #[inline]
    pub fn hour(self) -> u32 {
        self.second_of_day() / 3_600
    }

    /// The minute, 0 to 59.
    #[inline]
    pub fn minute(self) -> u32 {
        self.second_of_day() / 60 % 60
    }

    /// The second, 0 to 59.
    #[inline]
    pub fn second(self) -> u32 {
        self.second_of_day() % 60
    }

    /// The microseconds behind the second, 0 to 999999.
    #[inline]
    pub fn microsecond(self) -> u32 {
        self.0.rem_euclid(MICROS_PER_SECOND) as u32
    }
}

impl fmt::Display for Date {
    /// `2026-11-21`. Years beyond four digits have a sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        match year {
            0..=9_999 => write!(f, "{year:04}-{month:02}-{day:02}"),
            _ => write!(f, "{year:+05}-{month:02}-{day:02}"),
        }
    }
}

impl FromStr for Date {
    type Err = String;

    /// Takes `2026-11-21`.
    fn from_str(text: &str) -> Result<Self, String> {
        let part = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?
        };
        let is_dashed =
            text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        let parts = (part(0..4), part(5..7), part(8..10));
        let date = match parts {
            (Some(year), Some(month), Some(day)) if is_dashed => {
                i32::try_from(year).ok().and_then(|year| Self::from_ymd(year, month, day))
            }
            _ => None,
        };
        date.ok_or_else(|| format!("`{text}` is not a day like `2026-11-21`"))
    }
}

impl fmt::Display for Timestamp {
    /// `2026-11-21T10:00:00Z`, with milliseconds or microseconds if there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = (self.hour(), self.minute(), self.second());
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}", self.date())?;
        match self.microsecond() {
            0 => f.write_str("Z"),
            micros if micros % 1_000 == 0 => write!(f, ".{:03}Z", micros / 1_000),
            micros => write!(f, ".{micros:06}Z"),
        }
    }
}
