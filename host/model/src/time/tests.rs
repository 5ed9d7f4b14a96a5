//! Clocks: what stands still, what goes on, and times as text and back.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

/// What the decoder makes of a text.
fn read(text: &str) -> Option<i64> {
    crate::time_text::rfc3339(text)
}

#[test]
fn times_are_written_over_all_of_time() {
    let written = |micros: i64| EventTime(micros).to_string();
    assert_eq!(written(0), "1970-01-01T00:00:00Z");
    assert_eq!(written(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(written(253_402_300_799_999_000), "9999-12-31T23:59:59.999Z");
    assert_eq!(written(253_402_300_800_000_000), "+10000-01-01T00:00:00Z");
    assert_eq!(written(-62_167_219_200_000_001), "-0001-12-31T23:59:59.999999Z");
    assert_eq!(written(i64::MAX), "+294247-01-10T04:00:54.775807Z");
    assert_eq!(written(i64::MIN), "-290308-12-21T19:59:05.224192Z");
    for no_time in
        ["+10000-02-30T00:00:00Z", "+10000-01-01", "+010-01-01T00:00:00Z", "+10000-1-01T00:00:00Z"]
    {
        assert_eq!(read(no_time), None, "{no_time}");
    }
    assert_eq!(read("+294247-01-10T04:00:54.775808Z"), None, "one more than there is");
    // A leap second is the last of its day, whatever the year.
    assert!(read("+10000-12-31T23:59:60Z").is_some() && read("+10000-12-31T23:58:60Z").is_none());
}

proptest! {
    #[test]
    fn times_are_read_as_they_are_written(any: i64, shift in 0..64u32) {
        let micros = any >> shift;
        let text = EventTime(micros).to_string();
        prop_assert_eq!(read(&text), Some(micros), "{}", text);
        // As before, where there was a spelling before.
        if let Some(time) = chrono::DateTime::from_timestamp_micros(micros) {
            prop_assert_eq!(text, time.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string());
        }
    }

    #[test]
    fn days_are_read_as_they_are_written(any: i32, shift in 0..32u32) {
        let days = any >> shift;
        let mut text = String::new();
        civil::write_date(days.into(), &mut text).unwrap();
        prop_assert_eq!(crate::time_text::days(&text), Some(days), "{}", text);
    }
}

/// Seconds since 1970 that the machine's wall clock shows.
static WALL: AtomicU64 = AtomicU64::new(1_000);

#[test]
fn wall_time_is_that_of_the_machine_also_after_a_suspend() {
    let wall = || UNIX_EPOCH + Duration::from_secs(WALL.load(Ordering::Relaxed));
    let clock = match Clock::system() {
        Clock::System(clock) => Clock::System(SystemClock { wall, ..clock }),
        _ => unreachable!("it was made a moment ago"),
    };
    assert_eq!(clock.wall_micros(), 1_000_000_000);
    let before = clock.monotonic();
    // Two hours for which the monotonic clock stood still.
    WALL.fetch_add(7_200, Ordering::Relaxed);
    assert_eq!(clock.wall_micros(), 8_200_000_000);
    assert!(clock.monotonic() < before + Duration::from_secs(7_200));
}
