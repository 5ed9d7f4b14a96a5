//! The second half of a turn of a process plugin: rows of a key in order, and what is due between them. What is due between
//! turns is the business of [`super::timers`].
//!
//! ```text
//!  row ─► key, running watermark ─► process (by key shard) ─► rows with key and event time ─► sinks
//!                                    fires what is due before each row
//!  watermark of the lane ─► what is due (by key shard) ─► on-timer, until nothing is ─► sinks
//! ```
//!
//! A row's watermark is that which judges lateness for windows: its partition's, by the records
//! before it, and never less than the lane's (docs/design/time.md#rule-2). So it makes no
//! difference to a key of one partition whether a timer fires before a row or between two turns:
//! the rules are those of `interface process-rows` in the contract.

use arrow::array::ArrayRef;

use crate::plugin::outcome::{Refusal, TimerRefusal};
use crate::plugin::process::KeyedRows;
use crate::time::thread_cpu_nanos;
use crate::varlen::Varlen;
use crate::watermark::LaneClock;

use super::emitted::{CondemnedTimer, Emitted, join};
use super::place::{Judge, Placed};
use super::plan::{Plan, ProcessStage};
use super::pool::Worker;
use super::prepare::{Prepared, Rows, project};
use super::share::Share;
use super::turn::{left, settle_fates};
use super::update::RefusedRow;
use super::{Lane, LaneError};

impl Lane {
    /// Processes the rows that are left, and writes what the plugin emits for them.
    pub(super) fn process(
        &mut self,
        prepared: Vec<Prepared>,
        judges: &[Judge],
    ) -> Result<Vec<(Prepared, Placed)>, LaneError> {
        let (plan, lane_clock) = (&self.plan, self.intake.clock());
        let items: Vec<(&Prepared, &Judge)> = prepared.iter().zip(judges).collect();
        let placed = self.pool.each_item(&items, |_, (prepared, judge)| {
            place(plan, lane_clock, &prepared.rows, **judge)
        });
        let (placed, watermarks): (Vec<Placed>, Vec<Vec<i64>>) = placed.into_iter().unzip();
        let mut chunks: Vec<_> = prepared.into_iter().zip(placed).collect();
        for (prepared, placed) in &mut chunks {
            settle_fates(prepared, placed);
        }
        let workers = self.pool.len();
        let results = self.pool.each_worker(|number, worker| {
            process_owned(worker, plan, (&chunks, &watermarks), &Share::new(number, workers))
        });
        self.pool.not_broken_off()?;
        let (refused, emitted): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let stage = &self.plan.process.as_ref().expect(STAGE).stage;
        let mut refused: Vec<RefusedRow> = refused.into_iter().flatten().collect();
        refused.sort_unstable_by_key(|refused| (refused.chunk, refused.row));
        for RefusedRow { chunk, row, refusal } in refused {
            chunks[chunk].0.condemn(row, stage, refusal);
        }
        self.take_emitted(emitted)?;
        Ok(chunks)
    }

    pub(super) fn take_emitted(&mut self, emitted: Vec<Emitted>) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        let runs = join(&emitted);
        let condemned: Vec<CondemnedTimer> =
            emitted.into_iter().flat_map(|emitted| emitted.condemned).collect();
        if !condemned.is_empty() {
            self.ledger.dirty = true;
            let stage = &self.plan.process.as_ref().expect(STAGE).stage;
            self.outputs.write_condemned_timers(stage, &condemned)?;
        }
        for rows in &runs {
            self.ledger.dirty = true;
            self.desk.fired(rows);
            self.outputs.write_results(rows, None, self.ledger.next_epoch())?;
        }
        self.desk.metrics().steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }
}

pub(super) const STAGE: &str = "only a plan with a process plugin comes here";

/// Key and watermark of each row that is left: no row is late.
fn place(plan: &Plan, clock: &LaneClock, rows: &Rows, judge: Judge) -> (Placed, Vec<i64>) {
    let mut placed = Placed { rows: left(rows), ..Placed::default() };
    let watermark = |row: &u32| judge.watermark(rows.before[*row as usize], clock);
    let watermarks = placed.rows.iter().map(watermark).collect();
    let columns: Vec<ArrayRef> =
        plan.key.iter().map(|column| ArrayRef::clone(rows.batch.column(*column))).collect();
    placed.set_keys(&columns);
    (placed, watermarks)
}

/// Processes the rows that `worker` owns, as `share` says, chunk by chunk.
fn process_owned(
    worker: &mut Worker,
    plan: &Plan,
    (chunks, watermarks): (&[(Prepared, Placed)], &[Vec<i64>]),
    share: &Share,
) -> (Vec<RefusedRow>, Emitted) {
    let started = thread_cpu_nanos();
    let stage = plan.process.as_ref().expect(STAGE);
    let (mut refused, mut emitted) = (Vec::new(), Emitted::default());
    for (chunk, ((prepared, placed), watermarks)) in chunks.iter().zip(watermarks).enumerate() {
        let mine =
            share.of(&placed.shards).unwrap_or_else(|| (0..placed.rows.len() as u32).collect());
        if mine.is_empty() {
            continue;
        }
        let work = ChunkWork { plan, stage, chunk, prepared, placed, watermarks, mine: &mine };
        let refusals = work.process(worker, &mut emitted);
        refused.extend(refusals.into_iter().map(|(row, refusal)| RefusedRow {
            chunk,
            row,
            refusal,
        }));
    }
    worker.nanos.window += thread_cpu_nanos() - started;
    (refused, emitted)
}

/// The rows of a chunk that one worker owns.
#[derive(Clone, Copy)]
struct ChunkWork<'a> {
    plan: &'a Plan,
    stage: &'a ProcessStage,
    /// Its number in the turn.
    chunk: usize,
    prepared: &'a Prepared,
    placed: &'a Placed,
    /// Of each placed row.
    watermarks: &'a [i64],
    /// Indexes of the worker's rows among the placed ones.
    mine: &'a [u32],
}

impl ChunkWork<'_> {
    /// Answers with the rows of the chunk's batch that were refused.
    fn process(self, worker: &mut Worker, emitted: &mut Emitted) -> Vec<(u32, Refusal)> {
        let Self { placed, prepared, watermarks, mine, .. } = self;
        let Worker { keyed, keyed_call, process, .. } = worker;
        let picked: Vec<u32> = mine.iter().map(|index| placed.rows[*index as usize]).collect();
        let times: Vec<i64> = picked.iter().map(|row| prepared.rows.times[*row as usize]).collect();
        let watermarks: Vec<i64> = mine.iter().map(|index| watermarks[*index as usize]).collect();
        keyed.begin(keyed_call);
        for ((index, time), watermark) in mine.iter().zip(&times).zip(&watermarks) {
            let index = *index as usize;
            let key = placed.keys.value(index);
            keyed.touch(placed.hashes[index], key, *time, *watermark, keyed_call);
        }
        keyed.gather(keyed_call);
        let all = picked.len() == prepared.rows.batch.num_rows();
        let rows = KeyedRows {
            batch: project(
                &prepared.rows.batch,
                &self.stage.stage.inputs,
                (!all).then_some(&picked),
            ),
            times,
            watermarks,
            expired: keyed_call.expired.clone(),
            groups: keyed_call.groups.clone(),
        };
        let runner = process.as_mut().expect(STAGE);
        let outcome = runner.process(&rows, &keyed_call.given);
        let key_of = |row: &u32| placed.keys.value(mine[*row as usize] as usize);
        let keys: Varlen = outcome.source_rows.iter().map(key_of).collect();
        let place = |row: &u32| ((self.chunk as i64) << 32) | i64::from(picked[*row as usize]);
        let order = outcome.source_rows.iter().map(place).collect();
        emitted.push_rows(self.plan, &keys, &outcome.batch, outcome.times, order);
        for TimerRefusal { group, timer, state, kind, reason } in outcome.timers {
            // Any row of the group has its key.
            let row = keyed_call.groups.iter().position(|of| *of == group);
            let row = row.expect("a group was touched by a row") as u32;
            let key = key_of(&row).to_vec();
            emitted.condemned.push(CondemnedTimer { timer, key, state, kind, reason });
        }
        keyed.scatter(keyed_call, &outcome.groups);
        let refusals = outcome.refusals.into_iter();
        refusals.map(|refusal| (picked[refusal.row as usize], refusal)).collect()
    }
}
