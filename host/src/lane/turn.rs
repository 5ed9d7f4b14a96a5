//! A turn: decode, filter, map, judge, update, fire, sink. One direction, top to bottom; parallel
//! inside a step, joined before the next (docs/design/decisions.md#a-turn).

use std::collections::VecDeque;
use std::time::Duration;

use crate::chain::record::Fates;
use crate::config::SourceConfig;
use crate::source::{HEAD_BYTES, NextOffset, Position, RecordBlock};
use crate::time::{EventTime, thread_cpu_nanos};
use crate::window::WindowAssigner;

use super::Lane;
use super::LaneError;
use super::budget::Budget;
use super::place::{Judge, LateRow, Placed, place};
use super::prepare::{Chunk, Fate, Prepared, Rows, prepare};
use super::share::Share;
use super::update::{Answers, RefusedRow, update};

/// Records of a poll that no turn has taken yet: those before them made as much as a turn may hold.
pub(super) struct Left {
    blocks: Vec<RecordBlock>,
    /// In order, none before the first block that is not done.
    chunks: VecDeque<Chunk>,
    /// Blocks before this one are done.
    done: usize,
}

impl Lane {
    /// Takes the records of one poll through all steps. Afterwards they are in the windows or in the open files; or, if
    /// they make more than a turn may hold, the first of them are, and the others are left for the next turns. How many
    /// records it took.
    pub(super) fn turn(&mut self, blocks: Vec<RecordBlock>) -> Result<usize, LaneError> {
        let now = self.clock.monotonic();
        self.note_pause(&blocks, now);
        let chunks = self.cut(&blocks, now);
        let bytes = blocks.iter().map(|block| block.values.bytes.len() as u64).sum();
        self.outside.metrics.read_bytes.add(bytes);
        self.take_run(Left { blocks, chunks, done: 0 })
    }

    /// Takes as many of the records that are left as a turn may hold.
    pub(super) fn turn_over_the_rest(&mut self) -> Result<usize, LaneError> {
        match self.left.take() {
            Some(left) => self.take_run(left),
            None => Ok(0),
        }
    }

    fn take_run(&mut self, mut left: Left) -> Result<usize, LaneError> {
        self.outside.trial.begin(&left.blocks);
        let now = self.clock.monotonic();
        let mut prepared = self.prepare_run(&mut left)?;
        let judges = self.observe(&mut prepared, now);
        self.warn_of_unit(&prepared);
        let chunks = match self.plan.windows {
            Some(windows) => self.window(windows, prepared, &judges)?,
            None if self.plan.process.is_some() => self.process(prepared, &judges)?,
            None => prepared.into_iter().map(|prepared| self.accept_all(prepared)).collect(),
        };
        let count = |fates: Fates, (prepared, _): &(Prepared, Placed)| {
            fates.plus(self.partitions.count(prepared.chunk.partition, &prepared.fates))
        };
        let fates = chunks.iter().fold(Fates::default(), count);
        self.move_positions(&mut left, now);
        self.sink_rows(&left.blocks, &chunks)?;
        self.report_turn(&left.blocks, &fates, now);
        self.left = Some(left).filter(|left| !left.chunks.is_empty());
        self.outside.trial.end();
        Ok(usize::try_from(fates.read).unwrap_or(usize::MAX))
    }

    /// Prepares chunks from the first on, as many as the budget suffices for, at least one. Chunks that make too much are
    /// halved; a record that makes too much by itself is refused.
    fn prepare_run(&mut self, left: &mut Left) -> Result<Vec<Prepared>, LaneError> {
        let (plan, clock, trial) = (&self.plan, &self.clock, &self.outside.trial);
        let mut run: Vec<Chunk> = left.chunks.iter().cloned().collect();
        while !run.is_empty() {
            let single = matches!(&*run, [chunk] if chunk.records.len() == 1);
            let budget = Budget::new(plan.made_bytes_max, single);
            let prepared = self.pool.each_item(&run, |worker, chunk| {
                prepare(worker, plan, clock, &left.blocks, chunk, (trial, &budget))
            });
            self.not_broken_off()?;
            let prepared: Vec<Prepared> = prepared.into_iter().map_while(|chunk| chunk).collect();
            if !prepared.is_empty() {
                left.chunks.drain(..prepared.len());
                return Ok(prepared);
            }
            if run.len() == 1 {
                left.halve_first();
            }
            run = left.chunks.iter().take(1).cloned().collect();
        }
        Ok(Vec::new())
    }

    /// Moves the positions of the partitions behind what was taken.
    fn move_positions(&mut self, left: &mut Left, now: Duration) {
        let first = left.chunks.front();
        let done = first.map_or(left.blocks.len(), |chunk| chunk.block);
        for block in &left.blocks[left.done..done] {
            let index = self.partitions.index(&block.partition, now);
            self.partitions.processed(index, &block.next);
        }
        left.done = done;
        if let Some(Chunk { block, partition, records }) = first
            && records.start > 0
        {
            let block = &left.blocks[*block];
            let next_offset = NextOffset::at(block.offsets[records.start]);
            // For files it says how the bytes before the end of the block begin, not those before this place.
            let leader_epoch = match self.config.source {
                SourceConfig::Files(_) if next_offset.get() < HEAD_BYTES as i64 => None,
                _ => block.next.leader_epoch,
            };
            let next = Position { next_offset, leader_epoch, ended: false, ..block.next.clone() };
            self.partitions.processed(*partition, &next);
        }
    }

    /// Cuts the blocks into chunks of one partition each, small enough to share among the workers and large enough
    /// that a plugin's call costs little per row.
    fn cut(&mut self, blocks: &[RecordBlock], now: Duration) -> VecDeque<Chunk> {
        let mut chunks = VecDeque::new();
        for (block, records) in blocks.iter().enumerate() {
            let partition = self.partitions.index(&records.partition, now);
            for start in (0..records.len()).step_by(self.plan.limits.rows) {
                let end = records.len().min(start + self.plan.limits.rows);
                chunks.push_back(Chunk { block, partition, records: start..end });
            }
        }
        chunks
    }

    /// Moves the partitions' clocks over the chunks, in order, and takes the rows out that jump. Answers with who judges the
    /// rows of each chunk: the watermark before its first record.
    fn observe(&mut self, prepared: &mut [Prepared], now: Duration) -> Vec<Judge> {
        let plan = &self.plan;
        let judge = |prepared: &mut Prepared| {
            let partition = prepared.chunk.partition;
            let before = self.partitions.known(partition);
            let doubted = plan.jump.judge(prepared, plan, before);
            self.partitions.doubt(partition, doubted);
            let clock = self.partitions.clock_mut();
            let judge = Judge::new(before.max, clock.watermark());
            clock.observe(partition, prepared.max_event_time.map(EventTime), now);
            if before.max.is_none() {
                self.partitions.look_at_first(partition);
            }
            judge
        };
        prepared.iter_mut().map(judge).collect()
    }

    /// Judges and places the rows, and adds those on time to their groups.
    fn window(
        &mut self,
        windows: WindowAssigner,
        prepared: Vec<Prepared>,
        judges: &[Judge],
    ) -> Result<Vec<(Prepared, Placed)>, LaneError> {
        let (plan, clock) = (&self.plan, self.partitions.clock());
        let items: Vec<(&Prepared, &Judge)> = prepared.iter().zip(judges).collect();
        let placed = self.pool.each_item(&items, |worker, (prepared, judge)| {
            let started = thread_cpu_nanos();
            let placed = place(plan, windows, clock, &prepared.rows, **judge);
            worker.nanos.window += thread_cpu_nanos() - started;
            placed
        });
        let mut chunks: Vec<_> = prepared.into_iter().zip(placed).collect();
        let Answers { mut refused, late, condemned } = self.update(&chunks);
        self.not_broken_off()?;
        for (chunk, row) in late {
            chunks[chunk].1.late.push(row);
        }
        for (prepared, placed) in &mut chunks {
            placed.set_late_apart();
            settle_fates(prepared, placed);
        }
        refused.sort_unstable_by_key(|refused| (refused.chunk, refused.row));
        for RefusedRow { chunk, row, refusal } in refused {
            let stage = self.plan.aggregate.as_ref().expect("windows have an aggregate");
            chunks[chunk].0.condemn(row, stage, refusal);
        }
        if !condemned.is_empty() {
            self.write_condemned_groups(&condemned)?;
        }
        Ok(chunks)
    }

    fn update(&mut self, chunks: &[(Prepared, Placed)]) -> Answers {
        let plan = &self.plan;
        let workers = self.pool.len();
        let answers = self.pool.each_worker(|number, worker| {
            update(worker, plan, chunks, &Share::new(number, workers))
        });
        let mut all = Answers::default();
        for Answers { refused, late, condemned } in answers {
            all.refused.extend(refused);
            all.late.extend(late);
            all.condemned.extend(condemned);
        }
        all
    }

    /// Without windows every row that is left is accepted.
    fn accept_all(&self, mut prepared: Prepared) -> (Prepared, Placed) {
        let placed = Placed { rows: left(&prepared.rows), ..Placed::default() };
        settle_fates(&mut prepared, &placed);
        (prepared, placed)
    }
}

impl Left {
    /// Halves the first chunk. All are of that size then: what comes behind it is most likely alike.
    fn halve_first(&mut self) {
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

pub(super) fn left(rows: &Rows) -> Vec<u32> {
    match &rows.picked {
        Some(picked) => picked.clone(),
        None => (0..rows.batch.num_rows() as u32).collect(),
    }
}

pub(super) fn settle_fates(prepared: &mut Prepared, placed: &Placed) {
    // The usual chunk: nothing was mapped, every record has one row, and nothing was refused.
    for row in &placed.rows {
        let record = prepared.rows.record(*row as usize);
        prepared.raise(record, Fate::Accepted);
    }
    for LateRow { row, .. } in &placed.late {
        let record = prepared.rows.record(*row as usize);
        prepared.raise(record, Fate::Late);
    }
}
