//! Parts of days and moments, against dates that are known, and every day of some centuries there and back.

use sluicegate_sdk::{Date, Span, Timestamp};

#[test]
fn known_days_have_their_parts() {
    for (days, text, weekday) in [
        (0, "1970-01-01", 4),
        (-1, "1969-12-31", 3),
        (19_782, "2024-02-29", 4),
        (20_778, "2026-11-21", 6),
        (-719_528, "0000-01-01", 6),
        (2_932_896, "9999-12-31", 5),
    ] {
        let date = Date(days);
        assert_eq!(date.to_string(), text);
        assert_eq!(date.weekday(), weekday, "{text}");
        assert_eq!(text.parse(), Ok(date));
    }
    assert_eq!((Date(20_778).year(), Date(20_778).month(), Date(20_778).day()), (2026, 11, 21));
    assert_eq!(Date(2_932_897).to_string(), "+10000-01-01");
    assert_eq!(Date(-719_529).to_string(), "-0001-12-31");
}

#[test]
fn every_day_comes_back_and_follows_the_one_before() {
    let (mut before, mut weekday) = (Date(-150_001).ymd(), Date(-150_001).weekday());
    for days in -150_000..150_000 {
        let date = Date(days);
        let (year, month, day) = date.ymd();
        assert_eq!(Date::from_ymd(year, month, day), Some(date));
        assert!((year, month, day) > before && (day == 1 || day == before.2 + 1), "{date}");
        assert_eq!(date.weekday(), weekday % 7 + 1);
        (before, weekday) = ((year, month, day), date.weekday());
    }
    for days in [i32::MIN, i32::MAX] {
        let (year, month, day) = Date(days).ymd();
        assert_eq!(Date::from_ymd(year, month, day), Some(Date(days)));
    }
}

#[test]
fn what_is_no_day_is_refused() {
    for (year, month, day) in
        [(2023, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0)]
    {
        assert_eq!(Date::from_ymd(year, month, day), None);
    }
    assert_eq!(Date::from_ymd(i32::MAX, 1, 1), None);
    for text in ["2024-1-01", "2024/01/01", "2024-02-30", "", "+024-01-01", "2024-01-01T"] {
        let refused = text.parse::<Date>().unwrap_err();
        assert_eq!(refused, format!("`{text}` is not a day like `2026-11-21`"));
    }
}

#[test]
fn moments_have_the_parts_of_utc() {
    let at = Timestamp(1_795_255_230_500_000);
    assert_eq!(at.to_string(), "2026-11-21T10:00:30.500Z");
    assert_eq!((at.hour(), at.minute(), at.second(), at.microsecond()), (10, 0, 30, 500_000));
    assert_eq!((at + Span::from_micros(1)).to_string(), "2026-11-21T10:00:30.500001Z");
    assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
    // At the ends of time too.
    assert!(Timestamp(i64::MAX).to_string().starts_with("+294247-01-10T04:00:54"));
    assert!(Timestamp(i64::MIN).to_string().starts_with("-290308-12-21T19:59:05"));
}

#[test]
fn lengths_of_time_have_units() {
    assert_eq!(Span::from_secs(90), Span(90_000_000));
    assert_eq!(Span::from_hours(36).to_string(), "36h");
    assert_eq!(Span::from_days(1), Span::from_mins(1_440));
    assert_eq!(Span::from_millis(i64::MAX), Span(i64::MAX));
}
