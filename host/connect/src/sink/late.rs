//! The table of late rows: the row as it stood before the window, the first window that it missed,
//! and the watermark that judged it (docs/design/decisions.md#d14).

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use sluicegate_model::schema::timestamp_type;
use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

/// Whose watermark judged a row: whichever of the two was further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JudgedBy {
    /// Its own partition's, made by the records before it.
    Partition,
    /// The lane's: its partition was idle, or was found late, and time went on without it.
    Lane,
}

/// What a late row came too late for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The first of its windows.
    pub first: WindowBounds,
    /// End of the last of them: the watermark had passed it.
    pub last_end: EventTime,
    /// Windows that the row belongs to and that are closed; a sliding row belongs to several.
    pub windows: u32,
    /// It touches an open session of its key, which would have covered a closed one with it.
    pub covers: bool,
    /// The watermark that judged it.
    pub watermark: EventTime,
    /// Whether the lane's or a partition's watermark passed the windows.
    pub by: JudgedBy,
}

/// The columns: those of the rows, then `window_start`, `window_end`, `watermark` and `late_reason`.
pub fn schema(rows: &SchemaRef) -> SchemaRef {
    let added = [
        Field::new("window_start", timestamp_type(), false),
        Field::new("window_end", timestamp_type(), false),
        Field::new("watermark", timestamp_type(), false),
        Field::new("late_reason", DataType::Utf8, false),
    ];
    let fields = rows.fields().iter().map(Arc::clone).chain(added.into_iter().map(Arc::new));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of a batch, each with what it missed.
///
/// Panics if there are not as many of each.
pub fn late_rows(rows: &RecordBatch, missed: &[Missed]) -> RecordBatch {
    let times = |time: fn(&Missed) -> EventTime| -> ArrayRef {
        let times = missed.iter().map(|missed| time(missed).0).collect::<Vec<_>>();
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    };
    let reasons: StringArray = missed.iter().map(|missed| Some(reason(missed))).collect();
    let mut columns = rows.columns().to_vec();
    columns.push(times(|missed| missed.first.start));
    columns.push(times(|missed| missed.first.end));
    columns.push(times(|missed| missed.watermark));
    columns.push(Arc::new(reasons));
    RecordBatch::try_new(schema(&rows.schema()), columns).expect("something missed for every row")
}

fn reason(missed: &Missed) -> String {
    let behind = Micros(missed.watermark.0.saturating_sub(missed.last_end.0));
    let whose = match missed.by {
        JudgedBy::Partition => "the watermark of its partition",
        JudgedBy::Lane => "the lane's watermark, which its partition's was behind,",
    };
    let window = match missed.windows {
        1 => "its window".to_owned(),
        windows => format!("the last of its {windows} windows"),
    };
    let covers = match missed.covers {
        true => "; the session that it touches would cover a closed one with it",
        false => "",
    };
    format!("{whose} was {behind} past the end of {window}{covers}")
}

/// A span of time for a person.
struct Micros(i64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000));
        match micros {
            0 => write!(f, "{seconds} s"),
            _ => write!(f, "{seconds}.{:03} s", micros / 1_000),
        }
    }
}
