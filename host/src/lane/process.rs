//! The second half of a turn of a process plugin, and its timers: rows of a key in order, and what is due between them.
//!
//! ```text
//!  row ─► key, running watermark ─► process (by key shard) ─► rows with key and event time ─► sinks
//!                                    fires what is due before each row
//!  watermark of the lane ─► what is due (by key shard) ─► on-timer, until nothing is ─► sinks
//! ```
//!
//! A row's watermark is that which judges lateness for windows: its partition's, by the records before it, and never
//! less than the lane's (SEMANTICS.md rule 2). So it makes no difference to a key of one partition whether a timer
//! fires before a row or between two turns: the rules are those of `interface process-rows` in the contract.

use arrow::array::ArrayRef;

use crate::plugin::outcome::{Refusal, TimerRefusal};
use crate::plugin::process::{KeyedGroups, KeyedRows, Timer};
use crate::plugin::process_run::{FIRINGS_MAX, too_many};
use crate::stop::Stop;
use crate::time::{Watermark, thread_cpu_nanos};
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

/// Keys whose timers fire in one call: few enough that their states are small beside a turn.
const KEYS_PER_FIRING: usize = 8_192;

impl Lane {
    /// Processes the rows that are left, and writes what the plugin emits for them.
    pub(super) fn process(
        &mut self,
        prepared: Vec<Prepared>,
        judges: &[Judge],
    ) -> Result<Vec<(Prepared, Placed)>, LaneError> {
        let (plan, lane_clock) = (&self.plan, self.partitions.clock());
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
        self.not_broken_off()?;
        let (refused, emitted): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let stage = &self.plan.process.as_ref().expect(STAGE).stage;
        for RefusedRow { chunk, row, refusal } in refused.into_iter().flatten() {
            chunks[chunk].0.condemn(row, stage, refusal);
        }
        self.take_emitted(emitted)?;
        Ok(chunks)
    }

    /// Fires what the watermark has passed, whether it moved or not: a row may have set a timer in the past.
    pub(super) fn fire_timers(&mut self, watermark: Watermark) -> Result<(), LaneError> {
        let Watermark::At(watermark) = watermark else { return Ok(()) };
        self.pool.workers_mut().iter_mut().for_each(|worker| worker.keyed.tidy());
        if !self.pool.workers().iter().any(|worker| worker.keyed.has_due(watermark.0)) {
            return Ok(());
        }
        let (plan, stop) = (&self.plan, &self.outside.stop);
        let emitted = self.pool.each_worker(|_, worker| {
            let (started, mut emitted) = (thread_cpu_nanos(), Emitted::default());
            fire_due(worker, plan, watermark.0, stop, &mut emitted);
            worker.nanos.window += thread_cpu_nanos() - started;
            emitted
        });
        self.not_broken_off()?;
        self.take_emitted(emitted)
    }

    /// The end of input: what is due at the largest watermark that a partition reached, then every timer that is left,
    /// once. Which partition ended first makes no difference to either.
    pub(super) fn fire_last_timers(&mut self) -> Result<(), LaneError> {
        let clock = self.partitions.clock();
        let own = (0..clock.partitions().len()).map(|partition| clock.own(partition));
        if let Some(largest) = own.max() {
            self.fire_timers(largest)?;
        }
        let (plan, stop) = (&self.plan, &self.outside.stop);
        let emitted = self.pool.each_worker(|_, worker| {
            let mut emitted = Emitted::default();
            fire_all_once(worker, plan, stop, &mut emitted);
            worker.keyed.clear();
            emitted
        });
        self.take_emitted(emitted)
    }

    fn take_emitted(&mut self, emitted: Vec<Emitted>) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        let rows = join(&self.plan, &emitted);
        let condemned: Vec<CondemnedTimer> =
            emitted.into_iter().flat_map(|emitted| emitted.condemned).collect();
        if !condemned.is_empty() {
            self.write_condemned_timers(&condemned)?;
        }
        let Some(rows) = rows else { return Ok(()) };
        self.dirty = true;
        self.live.fired(&rows);
        self.outputs.write_results(&rows, None, self.epoch.next())?;
        self.outside.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }
}

const STAGE: &str = "only a plan with a process plugin comes here";

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

/// Fires what is due at the watermark, and what that sets, the smallest of each key first. Breaks off where a stop may not
/// wait for it.
fn fire_due(worker: &mut Worker, plan: &Plan, watermark: i64, stop: &Stop, emitted: &mut Emitted) {
    let mut due = worker.keyed.due(watermark);
    // By key: the order of calls depends on nothing that a restart forgets.
    due.sort_unstable_by(|a, b| worker.keyed.key(*a).cmp(worker.keyed.key(*b)));
    for ids in due.chunks(KEYS_PER_FIRING) {
        let mut open = ids.to_vec();
        let mut firings = 0;
        while !open.is_empty() {
            if stop.is_overdue() {
                return;
            }
            firings += 1;
            if firings > FIRINGS_MAX {
                open.iter().for_each(|id| end_chain(worker, *id, watermark, emitted));
            } else {
                fire_first(worker, plan, &open, emitted);
            }
            open.retain(|id| worker.keyed.first_due(*id, watermark).is_some());
        }
        ids.iter().for_each(|id| worker.keyed.settle(*id));
    }
}

/// Fires the first timer of each of these keys, which have one.
fn fire_first(worker: &mut Worker, plan: &Plan, ids: &[u32], emitted: &mut Emitted) {
    let Worker { keyed, process, .. } = worker;
    let mut given = KeyedGroups::default();
    let fired: Vec<Timer> = ids.iter().map(|id| keyed.take_first(*id, &mut given)).collect();
    let outcome = process.as_mut().expect(STAGE).on_timers(&fired, &given);
    for refusal in outcome.refusals {
        let group = refusal.group as usize;
        emitted.condemned.push(CondemnedTimer {
            timer: fired[group],
            key: keyed.key(ids[group]).to_vec(),
            state: given.states.value(group).to_vec(),
            kind: refusal.kind,
            reason: refusal.reason,
        });
    }
    let keys: Varlen = outcome.of.iter().map(|group| keyed.key(ids[*group as usize])).collect();
    let times: Vec<i64> = outcome.of.iter().map(|group| fired[*group as usize].time).collect();
    let order = times.clone();
    emitted.push_timed(plan, keys, &outcome.batch, times, order);
    for (index, id) in ids.iter().enumerate() {
        keyed.replace(*id, &outcome.groups, index);
    }
}

/// A key whose timers set one another without end: the one that is due is dead-lettered, and does not fire.
fn end_chain(worker: &mut Worker, id: u32, watermark: i64, emitted: &mut Emitted) {
    let Some(timer) = worker.keyed.first_due(id, watermark) else { return };
    let mut rest = KeyedGroups::default();
    worker.keyed.take_first(id, &mut rest);
    emitted.condemned.push(CondemnedTimer {
        timer,
        key: worker.keyed.key(id).to_vec(),
        state: rest.states.value(0).to_vec(),
        kind: crate::plugin::outcome::RefusalKind::Answer,
        reason: too_many().to_string(),
    });
}

/// Fires every timer once. What is set meanwhile is dropped. Breaks off where a stop may not wait for it.
fn fire_all_once(worker: &mut Worker, plan: &Plan, stop: &Stop, emitted: &mut Emitted) {
    let with_timers = |id: &u32| !worker.keyed.timers(*id).is_empty();
    let mut all: Vec<u32> = worker.keyed.ids().filter(with_timers).collect();
    all.sort_unstable_by(|a, b| worker.keyed.key(*a).cmp(worker.keyed.key(*b)));
    for ids in all.chunks(KEYS_PER_FIRING) {
        let mut open = ids.to_vec();
        while !open.is_empty() {
            if stop.is_overdue() {
                return;
            }
            let left: Vec<Vec<Timer>> =
                open.iter().map(|id| worker.keyed.timers(*id).to_vec()).collect();
            fire_first(worker, plan, &open, emitted);
            for (id, left) in open.iter().zip(&left) {
                worker.keyed.retain_timers(*id, |timer| left.binary_search(timer).is_ok());
            }
            open.retain(|id| !worker.keyed.timers(*id).is_empty());
        }
    }
}
