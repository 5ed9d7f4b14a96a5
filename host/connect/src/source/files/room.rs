//! How much of what was read a poll hands on: records and bytes, and never less than a line.

use super::lines::Lines;
use crate::source::RecordBlock;
use sluicegate_model::position::Partition;

/// What a poll may still take, and what it has taken.
pub(super) struct Room {
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) blocks: Vec<RecordBlock>,
}

/// Lines that did not fit into the last poll.
pub(super) struct Pending {
    pub(super) partition: Partition,
    pub(super) lines: Lines,
    /// So many of them were handed on.
    pub(super) from: usize,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// The line up to which, from `from` on, the room suffices: at least one, however long.
    pub(super) fn fits_up_to(&self, lines: &Lines, from: usize) -> usize {
        let most = lines.len().min(from.saturating_add(self.records));
        let ends = &lines.values.offsets;
        let start = ends.get(from).copied().unwrap_or(0) as usize;
        if ends[most] as usize - start <= self.bytes {
            return most;
        }
        let whole =
            ends[from + 1..=most].partition_point(|end| (*end as usize - start) < self.bytes);
        (from + whole + 1).min(most)
    }
}
