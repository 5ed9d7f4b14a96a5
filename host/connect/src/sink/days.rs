//! Rows by the day of their event time.

use std::borrow::Cow;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;

/// Days since 1970-01-01, UTC.
pub(super) type Day = i32;

const DAY_MICROS: i64 = 86_400_000_000;

/// The day of a time in µs; the nearest that fits for times 5.8 million years away.
pub(super) fn day_of(micros: i64) -> Day {
    let day = micros.div_euclid(DAY_MICROS);
    Day::try_from(day).unwrap_or(if day < 0 { Day::MIN } else { Day::MAX })
}

/// The rows of a day.
pub(super) struct OfDay<'a> {
    pub(super) day: Day,
    pub(super) rows: RecordBatch,
    /// Of each row, µs.
    pub(super) times: Cow<'a, [i64]>,
}

/// The rows of each day with their times, by day, each in the order they had. Rows of one day are not copied.
pub(super) fn split_by_day<'a>(rows: &RecordBatch, times: &'a [i64]) -> Vec<OfDay<'a>> {
    assert_eq!(rows.num_rows(), times.len(), "a time for each row");
    let Some(first) = times.first().copied().map(day_of) else { return Vec::new() };
    if times.iter().all(|time| day_of(*time) == first) {
        let (rows, times) = (rows.clone(), Cow::Borrowed(times));
        return vec![OfDay { day: first, rows, times }];
    }
    let mut order: Vec<(Day, u32)> = times.iter().copied().map(day_of).zip(0..).collect();
    order.sort_unstable(); // by day, then by row
    let of_day = order.chunk_by(|left, right| left.0 == right.0).map(|run| {
        let picked: UInt32Array = run.iter().map(|(_, row)| *row).collect::<Vec<u32>>().into();
        let rows = take_record_batch(rows, &picked).expect("the indexes are those of its rows");
        let times = run.iter().map(|(_, row)| times[*row as usize]).collect();
        OfDay { day: run[0].0, rows, times: Cow::Owned(times) }
    });
    of_day.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_utc_also_before_1970() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(DAY_MICROS - 1), 0);
        assert_eq!(day_of(DAY_MICROS), 1);
        assert_eq!(day_of(-1), -1);
        assert_eq!((day_of(i64::MIN), day_of(i64::MAX)), (-106_751_992, 106_751_991));
    }
}
