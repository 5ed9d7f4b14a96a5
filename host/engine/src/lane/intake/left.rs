//! Records of a poll, cut into chunks, of which a turn takes as many as it may hold.

use std::collections::VecDeque;

use crate::lane::rows::Chunk;
use crate::lane::trial::Trial;
use sluicegate_connect::source::RecordBlock;
use sluicegate_connect::source::files::HEAD_BYTES;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_pipeline::{FileOrder, SourceConfig};

/// Where several workers share a turn, the last chunks are parted into so many: whoever takes the last one keeps the others
/// waiting for as long as a part takes.
const LAST_PARTS: usize = 4;

/// But not into smaller ones than this many records: every call of a plugin has its price.
const PART_RECORDS_MIN: usize = 1_024;

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
        workers: usize,
        mut index: impl FnMut(&RecordBlock) -> usize,
    ) -> Self {
        let mut chunks = VecDeque::new();
        for (block, records) in blocks.iter().enumerate() {
            let all = Chunk { block, partition: index(records), records: 0..records.len() };
            chunks.extend(parts(all, rows));
        }
        let mut left = Self { blocks, chunks, done: 0 };
        if workers > 1 {
            left.part_last(workers);
        }
        left
    }

    /// Parts the last chunks, as many as there are workers.
    fn part_last(&mut self, workers: usize) {
        let whole = self.chunks.len().saturating_sub(workers);
        let last = self.chunks.split_off(whole);
        self.chunks.extend(last.into_iter().flat_map(|chunk| {
            let records = chunk.records.len();
            let most = records.div_ceil((records / PART_RECORDS_MIN).clamp(1, LAST_PARTS));
            parts(chunk, most)
        }));
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
        source: &SourceConfig,
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
            let says_the_same = next_offset.get() >= told_from(source);
            let leader_epoch = block.next.leader_epoch.filter(|_| says_the_same);
            let next = Position { next_offset, leader_epoch, ended: false, ..block.next.clone() };
            processed(&block.partition, &next);
        }
    }

    /// Halves the first chunk. All are of that size then: what comes behind it is most likely alike.
    pub(super) fn halve_first(&mut self) {
        let Some(most) = self.chunks.front().map(|chunk| chunk.records.len().div_ceil(2)) else {
            return;
        };
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        self.chunks = chunks.flat_map(|chunk| parts(chunk, most)).collect();
    }
}

/// The offset from which on `leader_epoch` says the same of any place in a block as of its end. Of a file that is a partition
/// it is the checksum of how the bytes before the place begin. Of a sequence it names the file that the place lies in, and
/// of a topic the epoch: blocks have one of each.
fn told_from(source: &SourceConfig) -> i64 {
    match source {
        SourceConfig::Files(files) if files.order != FileOrder::Sequential => HEAD_BYTES as i64,
        SourceConfig::Files(_) | SourceConfig::Kafka(_) => 0,
    }
}

/// The chunk in parts of `most` records; the last may have fewer.
fn parts(chunk: Chunk, most: usize) -> impl Iterator<Item = Chunk> {
    let Chunk { block, partition, records } = chunk;
    let part = move |start: usize| {
        let records = start..records.end.min(start + most);
        Chunk { block, partition, records }
    };
    (records.start..records.end).step_by(most).map(part)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use sluicegate_connect::source::Absent;
    use sluicegate_model::varlen::Varlen;
    use sluicegate_pipeline::FilesConfig;

    fn block(records: usize) -> RecordBlock {
        RecordBlock {
            partition: Partition { stream: Arc::from("sales"), number: 0 },
            values: Arc::new(std::iter::repeat_n(&b"{}"[..], records).collect::<Varlen>()),
            no_value: Absent::default(),
            keys: None,
            no_key: Absent::default(),
            offsets: (0..).take(records).collect(),
            timestamps: None,
            headers: None,
            next: Position::at(NextOffset::START),
        }
    }

    /// Of each chunk its block and records.
    fn cut(blocks: &[usize], rows: usize, workers: usize) -> Vec<(usize, Range<usize>)> {
        let blocks = blocks.iter().map(|records| block(*records)).collect();
        let left = Left::cut(blocks, rows, workers, |_| 0);
        left.chunks.into_iter().map(|chunk| (chunk.block, chunk.records)).collect()
    }

    #[test]
    fn the_last_chunks_are_parted_among_several_workers() {
        let whole = [(0, 0..8_000), (0, 8_000..9_000), (1, 0..8_000), (1, 8_000..12_000)];
        assert_eq!(cut(&[9_000, 12_000], 8_000, 1), whole);
        let mut parted = whole[..2].to_vec();
        let last = [0..2_000, 2_000..4_000, 4_000..6_000, 6_000..8_000];
        parted.extend(last.map(|records| (1, records)));
        let last = [8_000..9_334, 9_334..10_668, 10_668..12_000];
        parted.extend(last.map(|records| (1, records)));
        assert_eq!(cut(&[9_000, 12_000], 8_000, 2), parted);
    }

    fn files(order: FileOrder) -> SourceConfig {
        SourceConfig::Files(FilesConfig {
            path: "/in".to_owned(),
            name: "in".to_owned(),
            watch: None,
            order,
            finish_after: Duration::ZERO,
        })
    }

    /// What the position says of the files behind it when a turn took so many records of a block.
    fn told(source: &SourceConfig, taken: usize) -> Option<i32> {
        let mut block = block(2 * HEAD_BYTES);
        block.next.leader_epoch = Some(7);
        let mut left = Left::cut(vec![block], taken, 1, |_| 0);
        left.chunks.pop_front();
        let mut told = None;
        left.pass(source, |_, position| told = position.leader_epoch);
        told
    }

    #[test]
    fn a_position_in_a_sequence_names_its_file_wherever_the_turn_was_cut() {
        assert_eq!(told(&files(FileOrder::Sequential), 1), Some(7));
        assert_eq!(told(&files(FileOrder::Sequential), HEAD_BYTES), Some(7));
    }

    #[test]
    fn a_position_in_the_first_bytes_of_a_file_has_no_checksum_of_more() {
        for order in [FileOrder::Parallel, FileOrder::Unordered] {
            assert_eq!(told(&files(order), HEAD_BYTES - 1), None);
            assert_eq!(told(&files(order), HEAD_BYTES), Some(7));
        }
    }

    #[test]
    fn few_records_stay_together() {
        assert_eq!(cut(&[2_047, 0, 3], 8_000, 4), [(0, 0..2_047), (2, 0..3)]);
        assert_eq!(cut(&[], 8_000, 4), []);
    }
}
