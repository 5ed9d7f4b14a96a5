//! The table of late rows: the row as it stood before the window, the window that it missed, and the watermark that
//! judged it (DESIGN.md D14).

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::plugin::WindowBounds;
use crate::schema::timestamp_type;
use crate::time::EventTime;

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

/// The rows of a batch, each with its window and watermark.
///
/// Panics if there are not as many windows and watermarks as rows.
pub fn late_rows(
    rows: &RecordBatch,
    windows: &[WindowBounds],
    watermarks: &[EventTime],
) -> RecordBatch {
    let times = |times: Vec<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))
    };
    let reasons = windows.iter().zip(watermarks).map(|(window, watermark)| {
        let behind = watermark.micros().saturating_sub(window.end);
        format!("the watermark was {} past the end of its window", Micros(behind))
    });
    let reasons: StringArray = reasons.map(Some).collect();
    let mut columns = rows.columns().to_vec();
    columns.push(times(windows.iter().map(|window| window.start).collect()));
    columns.push(times(windows.iter().map(|window| window.end).collect()));
    columns.push(times(watermarks.iter().map(|watermark| watermark.micros()).collect()));
    columns.push(Arc::new(reasons));
    RecordBatch::try_new(schema(&rows.schema()), columns)
        .expect("as many windows and watermarks as rows")
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
