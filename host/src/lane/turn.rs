//! The second half of a turn: rows are judged and added to what they belong to, and what they leave for the tables is written.
//! One direction, top to bottom; parallel inside a step, joined before the next (docs/design/decisions.md#a-turn).

use crate::source::RecordBlock;
use crate::time::thread_cpu_nanos;
use crate::window::WindowAssigner;

use super::Lane;
use super::LaneError;
use super::intake::Run;
use super::place::{Judge, LateRow, Placed, place};
use super::prepare::{Fate, Prepared, Rows};
use super::share::Share;
use super::update::{Answers, RefusedRow, update};

impl Lane {
    /// Adds rows to what they belong to.
    pub(super) fn update(&mut self, run: Run) -> Result<Vec<(Prepared, Placed)>, LaneError> {
        let Run { prepared, judges } = run;
        match self.plan.windows {
            Some(windows) => self.window(windows, prepared, &judges),
            None if self.plan.process.is_some() => self.process(prepared, &judges),
            None => Ok(prepared.into_iter().map(|prepared| self.accept_all(prepared)).collect()),
        }
    }

    /// Writes what a turn leaves for the tables: raw rows, late rows, dead letters.
    pub(super) fn sink_rows(
        &mut self,
        blocks: &[RecordBlock],
        chunks: &[(Prepared, Placed)],
    ) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        self.ledger.dirty |= !chunks.is_empty();
        let (is_raw, epoch) = (self.plan.is_raw(), self.ledger.next_epoch());
        for (prepared, placed) in chunks {
            let block = &blocks[prepared.chunk.block];
            self.outputs.write_chunk(block, (prepared, placed), is_raw, epoch)?;
        }
        self.outputs.write_dead_letters()?;
        self.desk.metrics().steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }

    /// Judges and places the rows, and adds those on time to their groups.
    fn window(
        &mut self,
        windows: WindowAssigner,
        prepared: Vec<Prepared>,
        judges: &[Judge],
    ) -> Result<Vec<(Prepared, Placed)>, LaneError> {
        let (plan, clock) = (&self.plan, self.intake.clock());
        let items: Vec<(&Prepared, &Judge)> = prepared.iter().zip(judges).collect();
        let placed = self.pool.each_item(&items, |worker, (prepared, judge)| {
            let started = thread_cpu_nanos();
            let placed = place(plan, windows, clock, &prepared.rows, **judge);
            worker.nanos.window += thread_cpu_nanos() - started;
            placed
        });
        let mut chunks: Vec<_> = prepared.into_iter().zip(placed).collect();
        let Answers { mut refused, late, condemned } = self.update_groups(&chunks);
        self.pool.not_broken_off()?;
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
            let stage = self.plan.aggregate.as_ref().expect("windows have an aggregate");
            self.outputs.write_condemned_groups(stage, &condemned)?;
        }
        Ok(chunks)
    }

    fn update_groups(&mut self, chunks: &[(Prepared, Placed)]) -> Answers {
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
