//! What a process plugin is given and answers: rows with their times, state and timers of the groups they touch.

use arrow::record_batch::RecordBatch;

use super::Reject;

use sluicegate_model::timers::KeyedGroups;

/// Rows of a process plugin with what the host knows of them. `batch` holds exactly the plugin's inputs.
#[derive(Clone, Debug)]
pub struct KeyedRows {
    /// The columns.
    pub batch: RecordBatch,
    /// Event time of each row, µs.
    pub times: Vec<i64>,
    /// Watermark of each row, µs; `i64::MIN` for none.
    pub watermarks: Vec<i64>,
    /// Whether the time to live of each row's group is over at its watermark.
    pub expired: Vec<bool>,
    /// Group of each row.
    pub groups: Vec<u32>,
}

/// What a process plugin answered to rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessAnswer {
    /// The groups, in the order given.
    pub groups: KeyedGroups,
    /// New rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each new row the row it belongs to; never descending.
    pub source_rows: Vec<u32>,
    /// For each new row its event time.
    pub times: Vec<i64>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What a process plugin answered to timers.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerAnswer {
    /// The groups, in the order given.
    pub groups: KeyedGroups,
    /// New rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each new row its group; never descending.
    pub of: Vec<u32>,
}
