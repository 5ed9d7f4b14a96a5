//! Days and moments as text, over all of time: years beyond 9999 and before 0 have a sign, as in ISO 8601, and what is
//! written is read again.

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * 1_000_000;
/// 2000-01-01.
const BASE_DAY: i64 = 10_957;

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Date {
    year: i64,
    /// From 1 on.
    month: u32,
    /// From 1 on.
    day: u32,
}

/// The date of a number of days since 1970-01-01.
fn date_of(days: i64) -> Date {
    // Counted from a 1 March at the beginning of 400 years: leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date { year, month: month as u32, day: day as u32 }
}

/// The inverse of [`date_of`]; none if there is no such day.
fn days_of(date: Date) -> Option<i64> {
    let Date { year, month, day } = date;
    let year_from_march = year - i64::from(month <= 2);
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (date_of(days) == date).then_some(days)
}

/// `YYYY-MM-DD` of a number of days since 1970.
pub fn write_date(days: i64, f: &mut impl fmt::Write) -> fmt::Result {
    let mut line = Line::new();
    line.date(days, f)?;
    line.write_to(f)
}

/// RFC 3339 in UTC of microseconds since 1970, with as many digits behind the point as chrono writes: none, 3 or 6.
pub fn write_time(micros: i64, f: &mut impl fmt::Write) -> fmt::Result {
    let mut line = Line::new();
    line.date(micros.div_euclid(MICROS_PER_DAY), f)?;
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, micros) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    line.number(b'T', seconds / 3_600, 2);
    line.number(b':', seconds / 60 % 60, 2);
    line.number(b':', seconds % 60, 2);
    match micros {
        0 => {}
        micros if micros % 1_000 == 0 => line.number(b'.', micros / 1_000, 3),
        micros => line.number(b'.', micros, 6),
    }
    line.push(b'Z');
    line.write_to(f)
}

/// A moment as it is written, digit by digit: results have two in each row, and formatting by [`fmt`] takes several times as long.
struct Line {
    bytes: [u8; 32],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 32], length: 0 }
    }

    /// A year that has a sign goes to `f` at once.
    fn date(&mut self, days: i64, f: &mut impl fmt::Write) -> fmt::Result {
        let Date { year, month, day } = date_of(days);
        match u32::try_from(year) {
            Ok(year) if year < 10_000 => self.digits(year, 4),
            _ => write!(f, "{year:+05}")?,
        }
        self.number(b'-', month, 2);
        self.number(b'-', day, 2);
        Ok(())
    }

    /// So many digits of a number, with what stands before them.
    fn number(&mut self, before: u8, number: u32, digits: usize) {
        self.push(before);
        self.digits(number, digits);
    }

    fn digits(&mut self, mut number: u32, digits: usize) {
        self.length += digits;
        for place in 1..=digits {
            self.bytes[self.length - place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn write_to(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(str::from_utf8(&self.bytes[..self.length]).expect("digits and signs are ASCII"))
    }
}

/// Days since 1970 of a date whose year has a sign, and what follows it.
fn signed_date(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (year, rest) = rest.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u32>().ok())?
    };
    if !(4..=7).contains(&year.len()) || month.len() != 2 {
        return None;
    }
    let year = sign * i64::from(number(year)?);
    let days = days_of(Date { year, month: number(month)?, day: number(day)? })?;
    Some((days, rest))
}

/// Days since 1970 of a date whose year has a sign: what [`write_date`] writes where four digits do not do.
pub fn read_date(text: &str) -> Option<i32> {
    let (days, rest) = signed_date(text)?;
    rest.is_empty().then(|| i32::try_from(days).ok())?
}

/// Microseconds since 1970 of a time whose year has a sign and which is RFC 3339 otherwise: what [`write_time`] writes
/// where four digits do not do. `rfc3339` reads times with other years.
pub fn read_time(text: &str, rfc3339: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let (days, rest) = signed_date(text)?;
    let base = i128::from(rfc3339(&format!("2000-01-01{rest}"))?);
    let micros = base + i128::from(days - BASE_DAY) * i128::from(MICROS_PER_DAY);
    i64::try_from(micros).ok()
}
