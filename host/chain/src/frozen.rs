//! What one epoch makes durable, frozen at the barrier: a retry stores the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::blobs::PIECE_BYTES;
use super::merged::MergedBase;
use super::record::{PinnedModule, RecordKind, SourceState};
use super::shape::{FileStatistics, TableShape};
use sluicegate_model::partition::PartitionValues;
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

/// The open groups as bytes, in the lane's own layout (docs/design/decisions.md#d8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrozenState {
    /// What each piece begins with.
    pub header: Vec<u8>,
    /// What stands behind it. A piece is the header and some of these; which, is decided by their sizes.
    pub sections: Vec<Vec<u8>>,
    /// How many groups the state has, those that have not changed included.
    pub groups: u64,
    /// It is what has changed since the record before, whose pieces stay. If it has no sections nothing has.
    pub is_delta: bool,
    /// A base that takes the place of the first pieces, if this is a delta and they are still the first.
    pub merged: Option<MergedBase>,
}

impl FrozenState {
    /// Bytes of all sections, not compressed.
    pub fn len(&self) -> usize {
        self.sections.iter().map(Vec::len).sum()
    }

    /// Nothing but the header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What becomes one piece each. All of it in one if it is small: an older program reads a state of one piece.
    pub(super) fn cut(&self) -> Vec<&[Vec<u8>]> {
        let most = PIECE_BYTES.max(self.len() / PIECES_MAX);
        let (mut pieces, mut first, mut bytes) = (Vec::new(), 0, 0);
        for (at, section) in self.sections.iter().enumerate() {
            if bytes > 0 && bytes + section.len() > most {
                pieces.push(&self.sections[first..at]);
                (first, bytes) = (at, 0);
            }
            bytes += section.len();
        }
        if first < self.sections.len() || (pieces.is_empty() && !self.is_delta) {
            pieces.push(&self.sections[first..]);
        }
        pieces
    }
}

/// About as many pieces are made of what an epoch stores, however much it is: records stay small.
const PIECES_MAX: usize = 64;

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
    /// Of its rows in columns that it does not hold. They say in which folder it lies.
    pub partition: PartitionValues,
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
