//! Rows by the day or the hour of their event time.

use std::borrow::Cow;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;

use sluicegate_chain::paths::date_value;
use sluicegate_model::partition::PartitionBy;

const HOUR_MICROS: i64 = 3_600_000_000;
const HOURS_A_DAY: i64 = 24;

/// How long the times of one file may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Hour,
}

impl Unit {
    /// None for a table whose files do not go by time.
    pub(super) fn of(partition_by: &[PartitionBy]) -> Option<Self> {
        match partition_by {
            by if by.contains(&PartitionBy::Hour) => Some(Self::Hour),
            by if by.contains(&PartitionBy::Date) => Some(Self::Day),
            _ => None,
        }
    }

    fn micros(self) -> i64 {
        match self {
            Self::Day => HOUR_MICROS * HOURS_A_DAY,
            Self::Hour => HOUR_MICROS,
        }
    }

    fn period_of(self, micros: i64) -> Period {
        Period { unit: self, number: micros.div_euclid(self.micros()) }
    }
}

/// A day or an hour, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    unit: Unit,
    /// Since 1970.
    number: i64,
}

impl Period {
    /// Its day, as tables write it; the nearest that fits for times 5.8 million years away.
    pub(super) fn date(self) -> String {
        let day = match self.unit {
            Unit::Day => self.number,
            Unit::Hour => self.number.div_euclid(HOURS_A_DAY),
        };
        date_value(i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX }))
    }

    /// Its hour within the day.
    pub(super) fn hour(self) -> i64 {
        match self.unit {
            Unit::Day => 0,
            Unit::Hour => self.number.rem_euclid(HOURS_A_DAY),
        }
    }
}

/// The rows of a period.
pub(super) struct OfPeriod<'a> {
    pub(super) period: Period,
    pub(super) rows: RecordBatch,
    /// Of each row, µs.
    pub(super) times: Cow<'a, [i64]>,
}

/// The rows of each period with their times, by period, each in the order they had. Rows of one period are not copied.
pub(super) fn split_by_period<'a>(
    rows: &RecordBatch,
    times: &'a [i64],
    unit: Unit,
) -> Vec<OfPeriod<'a>> {
    assert_eq!(rows.num_rows(), times.len(), "a time for each row");
    let number_of = |time: i64| unit.period_of(time).number;
    let Some(first) = times.first().copied().map(number_of) else { return Vec::new() };
    let period = |number| Period { unit, number };
    if times.iter().all(|time| number_of(*time) == first) {
        let (rows, times) = (rows.clone(), Cow::Borrowed(times));
        return vec![OfPeriod { period: period(first), rows, times }];
    }
    let mut order: Vec<(i64, u32)> = times.iter().copied().map(number_of).zip(0..).collect();
    order.sort_unstable(); // by period, then by row
    let of_period = order.chunk_by(|left, right| left.0 == right.0).map(|run| {
        let picked: UInt32Array = run.iter().map(|(_, row)| *row).collect::<Vec<u32>>().into();
        let rows = take_record_batch(rows, &picked).expect("the indexes are those of its rows");
        let times = run.iter().map(|(_, row)| times[*row as usize]).collect();
        OfPeriod { period: period(run[0].0), rows, times: Cow::Owned(times) }
    });
    of_period.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours_begin_at_midnight_utc_also_before_1970() {
        let day = |micros| Unit::Day.period_of(micros).date();
        let hour = |micros| {
            let period = Unit::Hour.period_of(micros);
            (period.date(), period.hour())
        };
        let text = |date: &str, hour| (date.to_owned(), hour);
        assert_eq!((day(0), day(-1)), ("1970-01-01".to_owned(), "1969-12-31".to_owned()));
        assert_eq!(day(HOUR_MICROS * 24 - 1), "1970-01-01");
        assert_eq!(hour(HOUR_MICROS * 24 - 1), text("1970-01-01", 23));
        assert_eq!(hour(HOUR_MICROS * 24), text("1970-01-02", 0));
        assert_eq!(hour(-1), text("1969-12-31", 23));
        assert_eq!(hour(i64::MIN).0, "0001-01-01");
        assert_eq!((hour(i64::MAX).0, day(i64::MAX)), (day(i64::MAX), "9999-12-31".to_owned()));
    }
}
