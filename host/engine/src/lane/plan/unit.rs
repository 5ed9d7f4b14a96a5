//! Numbers that are no times in the unit of the event time's column, and are in another one.
//!
//! ```text
//!  timestamp(ms)  1700000000         1970-01-20   as seconds       2023-11-14: most likely those
//!  timestamp(s)   1700000000000     55841-…       as milliseconds  2023-11-14
//! ```

use sluicegate_model::schema::{ColumnType, TimestampEncoding};
use sluicegate_model::time::EventTime;
use sluicegate_pipeline::{EventTimeFrom, Pipeline};

/// 2000-01-01 and 2100-01-01, µs: between them lie the times that people mean.
const LIKELY: std::ops::Range<i64> = 946_684_800_000_000..4_102_444_800_000_000;

/// The column that event times are read from.
#[derive(Clone, Debug, Default)]
pub(in crate::lane) struct TimeColumn {
    /// None: the record's timestamp is the event time.
    column: Option<(String, ColumnType)>,
}

impl TimeColumn {
    /// Of a pipeline.
    pub(in crate::lane) fn new(pipeline: &Pipeline) -> Self {
        let column = match pipeline.event_time.from {
            EventTimeFrom::Column(index) => pipeline.schema.columns.get(index),
            EventTimeFrom::RecordTimestamp => None,
        };
        Self { column: column.map(|column| (column.name.clone(), column.kind)) }
    }

    /// What an event time is called.
    pub(in crate::lane) fn what(&self) -> String {
        match &self.column {
            Some((name, _)) => format!("the event time of column `{name}`"),
            None => "the event time".to_owned(),
        }
    }

    /// Whether a time, µs, would be a likely one if its number were of another unit.
    #[inline]
    pub(in crate::lane) fn is_odd(&self, time: i64) -> bool {
        !LIKELY.contains(&time) && self.other(time).is_some()
    }

    /// A sentence about the unit for a time that is odd, else nothing; follows another sentence.
    pub(in crate::lane) fn hint(&self, time: i64) -> String {
        let Some((unit, other)) = self.other(time) else { return String::new() };
        let unit = ColumnType::Timestamp(unit);
        format!("; its number as {unit} is {}: declare the column so", EventTime(other))
    }

    /// The same for the log.
    pub(in crate::lane) fn warning(&self, time: i64) -> Option<String> {
        let (name, kind) = self.column.as_ref()?;
        let (unit, other) = self.other(time)?;
        let unit = ColumnType::Timestamp(unit);
        Some(format!(
            "the event time column `{name}` is declared as {kind}, by which a record is of {}; its number as {unit} is {}: \
             if that is right, declare the column as \"{unit}\"",
            EventTime(time),
            EventTime(other),
        ))
    }

    fn other(&self, time: i64) -> Option<(TimestampEncoding, i64)> {
        let Some((_, ColumnType::Timestamp(encoding))) = self.column else { return None };
        likely_unit(encoding, time)
    }
}

/// The unit in which the number of a time would be a likely one, and which time, µs. None: the time is likely itself,
/// or in no unit.
fn likely_unit(declared: TimestampEncoding, time: i64) -> Option<(TimestampEncoding, i64)> {
    use TimestampEncoding::{UnixMicros, UnixMillis, UnixSeconds};
    let digits = declared.digits()?;
    if LIKELY.contains(&time) {
        return None;
    }
    let number = time / 10_i64.pow(u32::from(digits));
    [UnixSeconds, UnixMillis, UnixMicros].into_iter().find_map(|unit| {
        let micros = number.checked_mul(10_i64.pow(u32::from(unit.digits()?)))?;
        LIKELY.contains(&micros).then_some((unit, micros))
    })
}

#[cfg(test)]
mod tests {
    use super::TimestampEncoding::{Rfc3339, UnixMicros, UnixMillis, UnixSeconds};
    use super::*;

    /// 2023-11-14T22:13:20Z, s.
    const NOVEMBER: i64 = 1_700_000_000;

    #[test]
    fn a_number_that_is_a_time_in_another_unit_names_it() {
        let november = NOVEMBER * 1_000_000;
        let cases = [
            (UnixMillis, NOVEMBER * 1_000, UnixSeconds),
            (UnixMicros, NOVEMBER, UnixSeconds),
            (UnixMicros, NOVEMBER * 1_000, UnixMillis),
            (UnixSeconds, NOVEMBER * 1_000 * 1_000_000, UnixMillis),
            (UnixMillis, NOVEMBER * 1_000_000 * 1_000, UnixMicros),
        ];
        for (declared, time, unit) in cases {
            assert_eq!(likely_unit(declared, time), Some((unit, november)), "{declared:?} {time}");
        }
    }

    #[test]
    fn times_that_people_mean_are_left_alone() {
        for declared in [UnixSeconds, UnixMillis, UnixMicros, Rfc3339] {
            // 2023, 1970, a second and an hour later, 1950, 1999, 2150, 9999, and the ends of time.
            let seconds =
                [NOVEMBER, 0, 1, -631_152_000, 946_684_799, 5_680_281_600, 253_402_300_799];
            for time in seconds.map(|seconds| seconds * 1_000_000) {
                assert_eq!(likely_unit(declared, time), None, "{declared:?} {time}");
            }
            assert_eq!(likely_unit(declared, i64::MAX), None);
            assert_eq!(likely_unit(declared, i64::MIN), None);
        }
        assert_eq!(likely_unit(Rfc3339, NOVEMBER * 1_000), None);
    }

    #[test]
    fn the_warning_names_the_column_and_the_unit() {
        let column = |kind| TimeColumn { column: Some(("ts".to_owned(), kind)) };
        let millis = column(ColumnType::Timestamp(UnixMillis));
        assert!(millis.is_odd(NOVEMBER * 1_000) && !millis.is_odd(NOVEMBER * 1_000_000));
        assert_eq!(
            millis.warning(NOVEMBER * 1_000).unwrap(),
            "the event time column `ts` is declared as timestamp(ms), by which a record is of 1970-01-20T16:13:20Z; its \
             number as timestamp(s) is 2023-11-14T22:13:20Z: if that is right, declare the column as \"timestamp(s)\""
        );
        assert_eq!(
            millis.hint(NOVEMBER * 1_000),
            "; its number as timestamp(s) is 2023-11-14T22:13:20Z: declare the column so"
        );
        assert_eq!(millis.hint(NOVEMBER * 1_000_000), "");
        assert_eq!(TimeColumn::default().warning(NOVEMBER * 1_000), None);
    }
}
