//! What one epoch makes durable, frozen at the barrier: a retry stores the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::record::{PinnedModule, RecordKind, SourceState};
use super::shape::{FileStatistics, TableShape};
use sluicegate_model::time::Watermark;

/// Everything that one epoch makes durable, frozen at the barrier.
#[derive(Clone, Debug)]
pub struct FrozenEpoch {
    /// [`RecordKind::Genesis`] for the first record of a chain, else [`RecordKind::Data`].
    pub kind: RecordKind,
    /// Positions up to which the rest holds everything.
    pub source: SourceState,
    /// Of the lane, at the barrier.
    pub watermark: Watermark,
    /// The open groups; none if there are none.
    pub state: Option<FrozenState>,
    /// Of all tables, late rows and dead letters included.
    pub files: Vec<EncodedFile>,
    /// Messages for Kafka topics; none if there are none. The ones of the record before are delivered (C8).
    pub outbox: Option<FrozenOutbox>,
    /// What each stage runs from here on.
    pub modules: Vec<PinnedModule>,
    /// What the state depends on, by part and in words, as [`ChainRecord::config`](super::record::ChainRecord::config)
    /// has it.
    pub config: BTreeMap<String, String>,
}

/// The open groups as bytes.
#[derive(Clone, Debug)]
pub struct FrozenState {
    /// In the lane's own layout (docs/design/decisions.md#d8); compressed before they are stored.
    pub bytes: Vec<u8>,
    /// How many groups they hold.
    pub groups: u64,
}

/// The messages of an epoch for Kafka topics.
#[derive(Clone, Debug)]
pub struct FrozenOutbox {
    /// What the outbox reads; compressed before it is stored.
    pub text: Bytes,
    /// How many messages it holds.
    pub messages: u64,
}

/// A finished file that is not yet in the store. The bytes are frozen: a retry puts the same ones.
#[derive(Clone, Debug)]
pub struct EncodedFile {
    /// Names the folder among [`LaneStorage::tables`](super::LaneStorage::tables).
    pub table: Arc<str>,
    /// Below the table's folder, for one day: `date=2026-11-21`. None: in the table's folder itself.
    pub folder: Option<String>,
    /// The values of its rows in columns that it does not hold, as text; none for null. That of the folder is not among them.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// A whole Parquet file, footer included.
    pub bytes: Bytes,
    /// Rows in `bytes`, as the record will count them.
    pub rows: u64,
    /// Smallest and largest event time (window start for results) in it, µs.
    pub event_time_range: Option<(i64, i64)>,
    /// The columns of its table, if that has a log.
    pub shape: Option<Arc<TableShape>>,
    /// What readers of that log may know of the file; empty without one.
    pub statistics: FileStatistics,
}

/// The columns of the tables with a log that have files.
pub(super) fn shapes_of(files: &[EncodedFile]) -> BTreeMap<String, TableShape> {
    let shape = |file: &EncodedFile| Some((file.table.to_string(), file.shape.as_deref()?.clone()));
    files.iter().filter_map(shape).collect()
}
