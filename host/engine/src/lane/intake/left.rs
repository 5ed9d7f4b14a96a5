//! Records of a poll, cut into chunks, of which a turn takes as many as it may hold.

use std::collections::VecDeque;

use crate::lane::rows::Chunk;
use crate::lane::trial::Trial;
use sluicegate_connect::source::RecordBlock;
use sluicegate_connect::source::files::HEAD_BYTES;
use sluicegate_model::position::{NextOffset, Partition, Position};

/// Records of a poll that no turn has taken yet: those before them made as much as a turn may hold.
pub(in crate::lane) struct Left {
    blocks: Vec<RecordBlock>,
    /// In order, none before the first block that is not done.
    pub(super) chunks: VecDeque<Chunk>,
    /// Blocks before this one are done.
    done: usize,
}

impl Left {
    /// All of a poll. Cuts the blocks, each with the index of its partition, into chunks of so many rows: small enough
    /// to share among the workers and large enough that a plugin's call costs little per row.
    pub(super) fn cut(
        blocks: Vec<RecordBlock>,
        rows: usize,
        mut index: impl FnMut(&RecordBlock) -> usize,
    ) -> Self {
        let mut chunks = VecDeque::new();
        for (block, records) in blocks.iter().enumerate() {
            let partition = index(records);
            for start in (0..records.len()).step_by(rows) {
                let end = records.len().min(start + rows);
                chunks.push_back(Chunk { block, partition, records: start..end });
            }
        }
        Self { blocks, chunks, done: 0 }
    }

    /// The blocks of the poll.
    pub(in crate::lane) fn blocks(&self) -> &[RecordBlock] {
        &self.blocks
    }

    /// Cuts the chunks where records are on trial, and notes what the next turn has in hand: so many of the first
    /// chunks.
    pub(in crate::lane) fn cut_at(&mut self, trial: &Trial) -> usize {
        let most = trial.cut(&self.blocks, &mut self.chunks);
        trial.begin(&self.blocks, self.chunks.iter().take(most));
        most
    }

    /// Calls with where each partition stands behind what was taken: of a block that is done where it ends, of the one
    /// that is cut the record before which the next turn begins. What is done is named once.
    pub(super) fn pass(
        &mut self,
        are_files: bool,
        mut processed: impl FnMut(&Partition, &Position),
    ) {
        // Chunks lie in the order of their blocks, so a block is done when none of its chunks is left.
        let first = self.chunks.front();
        let done = first.map_or(self.blocks.len(), |chunk| chunk.block);
        for block in &self.blocks[self.done..done] {
            processed(&block.partition, &block.next);
        }
        self.done = done;
        if let Some(Chunk { block, records, .. }) = first
            && records.start > 0
        {
            let block = &self.blocks[*block];
            let next_offset = NextOffset::at(block.offsets[records.start]);
            // For files it says how the bytes before the end of the block begin, not those before this place.
            let leader_epoch = match are_files {
                true if next_offset.get() < HEAD_BYTES as i64 => None,
                _ => block.next.leader_epoch,
            };
            let next = Position { next_offset, leader_epoch, ended: false, ..block.next.clone() };
            processed(&block.partition, &next);
        }
    }

    /// Halves the first chunk. All are of that size then: what comes behind it is most likely alike.
    pub(super) fn halve_first(&mut self) {
        let Some(most) = self.chunks.front().map(|chunk| chunk.records.len().div_ceil(2)) else {
            return;
        };
        let halves = |chunk: Chunk| {
            let Chunk { block, partition, records } = chunk;
            let part = move |start: usize| {
                let records = start..records.end.min(start + most);
                Chunk { block, partition, records }
            };
            (records.start..records.end).step_by(most).map(part)
        };
        self.chunks = std::mem::take(&mut self.chunks).into_iter().flat_map(halves).collect();
    }
}
