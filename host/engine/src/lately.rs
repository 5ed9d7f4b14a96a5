//! What became a dead letter and what was late since the last commit, in short, for people who look. It is in no table yet, and
//! counts are since the lane was opened. Published with the status: nobody waits for a lane to read it.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use serde::Serialize;
use serde_json::Value;

use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::letter::{Letter, short};
use sluicegate_formats::json::encode::json_value;
use sluicegate_model::time::EventTime;

/// Bytes of a text in a late row.
const CELL_BYTES_MAX: usize = 1 << 10;

/// The last of what is not committed.
#[derive(Clone, Debug, Default)]
pub struct Lately {
    /// Newest first. Of a pipeline without a table of dead letters also those of earlier epochs.
    pub letters: Vec<Arc<Uncommitted<Letter>>>,
    /// Others of the same epochs, which are older.
    pub letters_left_out: u64,
    /// Reasons of dead letters since the lane was opened, the most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// Dead letters with other reasons than those.
    pub other_reasons: u64,
    /// Newest first. Of a pipeline without a table of late rows also those of earlier epochs.
    pub late: Vec<Arc<Uncommitted<LateRow>>>,
    /// Others of the same epochs.
    pub late_left_out: u64,
}

/// A row that becomes true with an epoch.
#[derive(Clone, Debug)]
pub struct Uncommitted<T> {
    /// With whose commit it gets into its table.
    pub epoch: Epoch,
    /// In the order in which they came, since the lane was opened.
    pub number: u64,
    /// What became a dead letter or came late.
    pub row: T,
}

/// How often dead letters had a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// As in the dead-letter table.
    pub kind: String,
    /// The stage, `sluicegate`, or a sink.
    pub stage: String,
    /// Of the first of them; the others say the same but for words with digits.
    pub reason: String,
    /// Dead letters with it since the lane was opened.
    pub count: u64,
}

/// A row that came after its windows.
#[derive(Clone, Debug, PartialEq)]
pub struct LateRow {
    /// By the names of its columns, as they stood before the windows.
    pub cells: Vec<(Arc<str>, Value)>,
    /// Of the first window that it missed.
    pub window_start: Option<EventTime>,
    /// Where that window ended, which the watermark had passed.
    pub window_end: Option<EventTime>,
    /// The watermark that the row was too late for.
    pub watermark: Option<EventTime>,
    /// How late it was, in words.
    pub reason: Option<String>,
}

impl LateRow {
    /// A row of the table of late rows.
    pub fn read(rows: &RecordBatch, row: usize) -> Self {
        let time = |name: &str| {
            let column = rows.column_by_name(name)?;
            let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            times.is_valid(row).then(|| EventTime(times.value(row)))
        };
        let reason = || {
            let column = rows.column_by_name("late_reason")?.as_string_opt::<i32>()?;
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let fields = rows.schema_ref().fields();
        let own = fields.len().saturating_sub(ADDED);
        let cell = |column: usize| {
            let value = match json_value(rows.column(column), row) {
                Value::String(text) => Value::from(short(&text, CELL_BYTES_MAX)),
                value => value,
            };
            (Arc::from(fields[column].name().as_str()), value)
        };
        Self {
            cells: (0..own).map(cell).collect(),
            window_start: time("window_start"),
            window_end: time("window_end"),
            watermark: time("watermark"),
            reason: reason(),
        }
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        let cell = |(name, value): &(Arc<str>, Value)| {
            let text = value.as_str().map_or(0, str::len);
            size_of::<(Arc<str>, Value)>() + name.len() + text
        };
        let cells: usize = self.cells.iter().map(cell).sum();
        size_of::<Self>() + cells + self.reason.as_ref().map_or(0, String::len)
    }
}

/// Columns that the table has behind those of the row.
const ADDED: usize = 4;
