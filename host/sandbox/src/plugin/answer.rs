//! What a plugin is asked and what it answers, as Arrow and checked. Filters, maps and aggregates are given a batch;
//! a keyed plugin also the times of its rows, and state and timers of the groups they touch.

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;

use sluicegate_model::time::EventTime;
use sluicegate_model::timers::KeyedGroups;
use sluicegate_model::varlen::Varlen;

/// A row that a plugin refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Row of the batch of the call.
    pub row: u32,
    /// The plugin's words, at most 1,024 bytes.
    pub reason: String,
}

/// What a filter answered to one batch; checked.
#[derive(Debug)]
pub struct FilterAnswer {
    /// One bit a row; false where the row was rejected.
    pub keep: BooleanBuffer,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What a map answered to one batch; checked.
#[derive(Debug)]
pub struct MapAnswer {
    /// The new rows, with the columns of `outputs` only.
    pub batch: RecordBatch,
    /// For each new row its source; never descending.
    pub source_rows: Vec<u32>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What an aggregate answered to `update`.
#[derive(Debug)]
pub struct UpdateAnswer {
    /// The accumulators, in the order given.
    pub states: Varlen,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What an aggregate answered to `evaluate`.
#[derive(Debug)]
pub struct EvaluateAnswer {
    /// Result rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each row the group it belongs to; never descending.
    pub groups: Vec<u32>,
}

/// Rows of a keyed plugin with what the host knows of them. `batch` holds exactly the plugin's inputs. The columns beside it
/// are lent: a call of some rows copies nothing before the contract's lists are made.
#[derive(Clone, Debug)]
pub struct KeyedRows<'r> {
    /// Columns in the order of the description's `inputs`.
    pub batch: RecordBatch,
    /// Event time of each row.
    pub times: &'r [EventTime],
    /// Watermark of each row; [`EventTime::MIN`] for none.
    pub watermarks: &'r [EventTime],
    /// Whether the time to live of each row's group is over at its watermark.
    pub expired: &'r [bool],
    /// For each row its group, as an index into the groups given beside them.
    pub groups: &'r [u32],
}

/// What a keyed plugin answered to rows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedAnswer {
    /// The groups, in the order given.
    pub groups: KeyedGroups,
    /// New rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each new row the row it belongs to; never descending.
    pub source_rows: Vec<u32>,
    /// For each new row its event time.
    pub times: Vec<EventTime>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What a keyed plugin answered to timers.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerAnswer {
    /// The groups, in the order given.
    pub groups: KeyedGroups,
    /// New rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each new row its group; never descending.
    pub of: Vec<u32>,
}
