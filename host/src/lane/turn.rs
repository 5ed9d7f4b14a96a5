//! A turn: decode, filter, map, judge, update, fire, sink. One direction, top to bottom; parallel inside a step,
//! joined before the next (DESIGN.md §3).

use crate::chain::record::Fates;
use crate::source::RecordBlock;
use crate::time::{EventTime, thread_cpu_nanos};

use crate::window::WindowAssigner;

use super::Lane;
use super::LaneError;
use super::place::{Judge, LateRow, Placed, place};
use super::prepare::{Chunk, Fate, Prepared, Rows, prepare};
use super::share::Share;
use super::update::{Answers, RefusedRow, update};

impl Lane {
    /// Takes the records of one poll through all steps. Afterwards they are in the windows or in the open files.
    pub(super) fn turn(&mut self, blocks: &[RecordBlock]) -> Result<(), LaneError> {
        self.outside.trial.begin(blocks);
        let now = self.clock.monotonic();
        self.note_pause(blocks, now);
        let chunks = self.cut(blocks, now);
        let (plan, trial) = (&self.plan, &self.outside.trial);
        let prepared = self.pool.each_item(&chunks, |worker, chunk| {
            prepare(worker, plan, &self.clock, blocks, chunk, trial)
        });
        self.not_broken_off()?;
        let judges = self.observe(&prepared, now);
        let chunks = match self.plan.windows {
            Some(windows) => self.window(windows, prepared, &judges)?,
            None if self.plan.process.is_some() => self.process(prepared, &judges)?,
            None => prepared.into_iter().map(|prepared| self.accept_all(prepared)).collect(),
        };
        let count = |fates: Fates, (prepared, _): &(Prepared, Placed)| {
            fates.plus(self.partitions.count(prepared.chunk.partition, &prepared.fates))
        };
        let fates = chunks.iter().fold(Fates::default(), count);
        for block in blocks {
            let index = self.partitions.index(&block.partition, now);
            self.partitions.processed(index, block);
        }
        self.sink_rows(blocks, &chunks)?;
        self.report_turn(blocks, &fates, now);
        self.outside.trial.end();
        Ok(())
    }

    /// Cuts the blocks into chunks of one partition each, small enough to share among the workers and large enough
    /// that a plugin's call costs little per row.
    fn cut(&mut self, blocks: &[RecordBlock], now: std::time::Duration) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for (block, records) in blocks.iter().enumerate() {
            let partition = self.partitions.index(&records.partition, now);
            for start in (0..records.len()).step_by(self.plan.limits.rows) {
                let end = records.len().min(start + self.plan.limits.rows);
                chunks.push(Chunk { block, partition, records: start..end });
            }
        }
        chunks
    }

    /// Moves the partitions' clocks over the chunks, in order. Answers with who judges the rows of each chunk:
    /// the watermark before its first record.
    fn observe(&mut self, prepared: &[Prepared], now: std::time::Duration) -> Vec<Judge> {
        let judge = |prepared: &Prepared| {
            let clock = self.partitions.clock_mut();
            let partition = prepared.chunk.partition;
            let before = clock.partitions()[partition].max_event_time;
            let judge = Judge::new(before, clock.watermark());
            clock.observe(partition, prepared.max_event_time.map(EventTime), now);
            if before.is_none() {
                self.partitions.look_at_first(partition);
            }
            judge
        };
        prepared.iter().map(judge).collect()
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
        let Answers { refused, late, condemned } = self.update(&chunks);
        self.not_broken_off()?;
        for (chunk, row) in late {
            chunks[chunk].1.late.push(row);
        }
        for (prepared, placed) in &mut chunks {
            placed.set_late_apart();
            settle_fates(prepared, placed);
        }
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
