//! Windows and their groups: rows are added to accumulators, which fire when the watermark has passed them.

pub(super) mod aggregate;
mod apart;
mod ever;
mod firing;
mod groups;
pub(super) mod open;
mod panes;
mod place;
mod runs;
mod sessions;
mod shape;
mod tumbling;
mod update;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::judged::RefusedRow;
use super::placed::{Judge, Placed};
use super::{Changed, Effect, Effects, Extent, Freezing, Given, Judged, Kind, States, Turn};
use crate::counters::LaneMetrics;
use crate::lane::LaneError;
use crate::lane::asked::WindowsAsked;
use crate::lane::logic::share::{Share, owner};
use crate::lane::plan::{FittedStage, WindowsPlan};
use crate::lane::pool::{Cost, Pool};
use crate::lane::rows::Rows;
use crate::lane::stage::{Running, report_stage};
use aggregate::{Aggregate, CondemnedGroup, Results};
use apart::Apart;
use ever::Ever;
use firing::Firing;
use open::{LOOK_NANOS, Looking};
use panes::Panes;
use runs::{each_run, join};
use sessions::OpenSessions;
use shape::{By, Shape, Watching};
use sluicegate_chain::FrozenState;
use sluicegate_model::time::{Watermark, thread_cpu_nanos};
use sluicegate_sandbox::plugin::guest::AggregateGuest;
use sluicegate_state::shards::Shards;
use sluicegate_state::watermark::LaneClock;
use sluicegate_state::window::resolve::resolve;
use sluicegate_state::window::snapshot::{Header, SnapshotError};
use sluicegate_state::window::{Watcher, WindowAssigner, snapshot};
use tumbling::Tumbling;
use update::{Answers, update};

/// The windows of a lane.
pub(in crate::lane) struct Windows {
    plan: WindowsPlan,
    workers: Vec<Worker>,
    firing: Firing,
    /// A checkpoint has it but for what has changed since.
    is_saved: bool,
    /// CPU time of the lane's thread for results, since the last report, ns.
    sink_nanos: u64,
    /// Of groups for whoever listens.
    shown: Cost,
}

/// What one worker owns.
struct Worker {
    aggregate: Running<dyn AggregateGuest>,
    shape: Box<dyn Shape>,
    /// CPU time since the last report, ns.
    nanos: u64,
}

impl Worker {
    /// The windows, and the plugin that they are given.
    fn with_aggregate<'w>(
        &'w mut self,
        plan: &'w WindowsPlan,
    ) -> (&'w mut dyn Shape, Aggregate<'w>) {
        let Self { aggregate, shape, .. } = self;
        (shape.as_mut(), Aggregate { plan, runner: &mut aggregate.runner, panicked: None })
    }

    /// What some work gives, and the CPU time that it took, ns.
    fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, u64) {
        let started = thread_cpu_nanos();
        let done = work(self);
        let nanos = thread_cpu_nanos() - started;
        self.nanos += nanos;
        (done, nanos)
    }

    fn place(
        &mut self,
        plan: &WindowsPlan,
        clock: &LaneClock,
        rows: &Rows,
        judge: Judge,
    ) -> Placed {
        let mut placed = Placed::default();
        placed.rows.reserve(rows.len());
        self.shape.place(rows, By { judge, clock, lateness: plan.lateness }, &mut placed);
        placed.set_keys(rows, &plan.grouped.key);
        placed
    }

    /// Open groups that somebody asks for, and how many were not looked at.
    fn open(
        &mut self,
        plan: &WindowsPlan,
        asked: &WindowsAsked,
        watermark: Watermark,
    ) -> (Results, usize) {
        let (shape, mut aggregate) = self.with_aggregate(plan);
        let mut looking = Looking::new(asked, LOOK_NANOS);
        shape.open(&mut aggregate, watermark, &mut looking);
        looking.end(&mut aggregate, shape.groups_len())
    }

    fn changed(&mut self, plan: &WindowsPlan, by: Watching, max: usize) -> Results {
        let (shape, mut aggregate) = self.with_aggregate(plan);
        let mut results = shape.changed(&mut aggregate, by, max);
        // A group that cannot be evaluated yet is no dead letter: it may be when its window fires.
        results.condemned.clear();
        results.sort();
        results
    }
}

/// The windows of a plan, without rows.
fn without_rows(plan: &WindowsPlan) -> Box<dyn Shape> {
    match plan.assigner {
        WindowAssigner::Slides(slides) if slides.overlap() => Box::new(Panes::new(slides)),
        WindowAssigner::Slides(slides) => {
            Box::new(Apart::new(Tumbling { slides }, plan.lateness == 0))
        }
        WindowAssigner::Sessions(rule) => Box::new(OpenSessions::new(rule)),
        WindowAssigner::Global { trigger } => Box::new(Apart::new(Ever { trigger }, false)),
    }
}

impl Windows {
    /// No rows yet.
    pub(super) fn new(plan: WindowsPlan, pool: &Pool) -> Self {
        let worker = |_| Worker {
            aggregate: Running::of_grouped(&plan.grouped, pool),
            shape: without_rows(&plan),
            nanos: 0,
        };
        let workers = (0..pool.len()).map(worker).collect();
        let (firing, shown) = (Firing::default(), Cost::default());
        Self { plan, workers, firing, is_saved: false, sink_nanos: 0, shown }
    }

    /// Runs another aggregate from now on. Open windows stay.
    pub(super) fn replan(&mut self, plan: WindowsPlan, pool: &Pool) {
        for worker in &mut self.workers {
            worker.aggregate = Running::of_grouped(&plan.grouped, pool);
            worker.shape.forget_derived();
        }
        self.firing.begin_small();
        self.plan = plan;
    }

    fn condemn(
        &self,
        condemned: &[CondemnedGroup],
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        if condemned.is_empty() {
            return Ok(());
        }
        effects.take(Effect::Groups { stage: &self.plan.grouped.stage, condemned })
    }
}

impl Kind for Windows {
    fn stage(&self) -> Option<&FittedStage> {
        Some(&self.plan.grouped.stage)
    }

    fn update(
        &mut self,
        given: &Given<'_>,
        turn: &Turn<'_>,
        effects: &mut dyn Effects,
    ) -> Result<Vec<Judged>, LaneError> {
        let Self { plan, workers, .. } = self;
        let items: Vec<_> = turn.chunks.iter().zip(turn.judges).collect();
        // A row's place follows from the row, so any worker takes any chunk; its group has one worker for ever.
        let hands = given.pool.for_rows(turn.rows());
        let mut placed = hands.each_item(workers, &items, |worker, (prepared, judge)| {
            worker.timed(|worker| worker.place(plan, given.clock, &prepared.rows, **judge)).0
        });
        let answers = hands.each_worker(workers, |number, worker| {
            let share = Share::new(number, given.pool.len());
            worker.timed(|worker| update(worker, plan, turn.chunks, &placed, &share)).0
        });
        given.pool.not_broken_off()?;
        let (mut all_refused, mut all_condemned) = (Vec::new(), Vec::new());
        for (chunk, Answers { refused, late, condemned }) in answers.into_iter().flatten() {
            let refused = refused.into_iter();
            all_refused.extend(refused.map(|(row, refusal)| RefusedRow { chunk, row, refusal }));
            all_condemned.extend(condemned);
            placed[chunk].late.extend(late);
        }
        placed.iter_mut().for_each(|placed| placed.set_late_apart());
        self.condemn(&all_condemned, effects)?;
        Ok(Judged::of(placed, all_refused))
    }

    fn advance(
        &mut self,
        given: &Given<'_>,
        watermark: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        self.fire(given, watermark, effects)
    }

    fn is_firing(&self) -> bool {
        self.firing.is_unfinished()
    }

    fn finish(&mut self, given: &Given<'_>, effects: &mut dyn Effects) -> Result<bool, LaneError> {
        self.fire(given, Watermark::End, effects)?;
        Ok(self.firing.has_fired(Watermark::End))
    }

    fn tell_changes(
        &mut self,
        given: &Given<'_>,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let Self { plan, workers, .. } = self;
        if !plan.tells_updates {
            return Ok(());
        }
        let by = Watching { watcher: Watcher::Outbox, watermark: given.clock.watermark() };
        let results =
            given.pool.each_worker(workers, |_, worker| worker.changed(plan, by, usize::MAX));
        each_run(given.pool, &results, |rows| effects.take(Effect::Updates { rows, last: false }))
    }

    fn show(&mut self, given: &Given<'_>, max: usize) -> Changed {
        let Self { plan, workers, shown, .. } = self;
        let share = max.div_ceil(given.pool.len());
        let by = Watching { watcher: Watcher::Live, watermark: given.clock.watermark() };
        let looked_at = |worker: &Worker| worker.shape.looked_at(share);
        let groups = workers.iter().map(|it| it.shape.changed_len().min(looked_at(it))).sum();
        // Ten times a second, most often for a few groups.
        let hands = given.pool.for_items(shown, groups);
        let results = hands.each_worker(workers, |_, worker| {
            let started = thread_cpu_nanos();
            let results = worker.changed(plan, by, looked_at(worker));
            (results, thread_cpu_nanos() - started)
        });
        let (results, nanos): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        shown.learn(groups, nanos.into_iter().sum());
        let left_out = workers.iter().map(|worker| worker.shape.changed_len()).sum();
        Changed { rows: join(&results), left_out }
    }

    fn open(&mut self, given: &Given<'_>, asked: &WindowsAsked) -> Option<(RecordBatch, usize)> {
        let Self { plan, workers, .. } = self;
        let watermark = given.clock.watermark();
        let found = given.pool.each_worker(workers, |_, worker| {
            worker.timed(|worker| worker.open(plan, asked, watermark)).0
        });
        let (results, left_out): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let empty = || RecordBatch::new_empty(Arc::clone(&plan.grouped.output));
        let rows = join(&results).unwrap_or_else(empty);
        let beyond = rows.num_rows().saturating_sub(asked.rows);
        let left_out = left_out.iter().sum::<usize>() + beyond;
        Some((rows.slice(0, rows.num_rows() - beyond), left_out))
    }

    fn begin_at(&mut self, watermark: Watermark) {
        self.firing.begin_at(watermark);
    }

    fn encode(&mut self, pool: &Pool, freezing: Freezing) -> Option<FrozenState> {
        let Freezing { generation, watermark, extent } = freezing;
        let owners = self.workers.len();
        let encoded = pool.each_worker(&mut self.workers, |number, worker| {
            let mut sections = pool.sections();
            let stored = worker.shape.stored();
            let rows = match extent {
                Extent::Whole => snapshot::rows(stored, generation, &mut sections),
                Extent::Changed => {
                    let shards = Shards::of(|shard| owner(shard, owners) == number);
                    snapshot::delta_rows(stored, generation, shards, &mut sections);
                    u64::from(stored.has_rows())
                }
            };
            (sections.into_vec(), rows)
        });
        let rows: u64 = encoded.iter().map(|(_, rows)| rows).sum();
        let mut sections: Vec<_> = encoded.into_iter().flat_map(|(sections, _)| sections).collect();
        let stored: Vec<_> = self.workers.iter().map(|worker| worker.shape.stored()).collect();
        let rows = rows.max(u64::from(snapshot::needs_header(&stored)));
        let fired = self.firing.behind(watermark);
        let is_delta = extent == Extent::Changed;
        let (header, groups) = match extent {
            Extent::Whole => (snapshot::header(&stored, fired), rows),
            Extent::Changed => (snapshot::delta_header(&stored, fired), self.groups_len().max(1)),
        };
        if sections.is_empty() {
            // What stands in the header may have changed as well.
            sections.push(Vec::new());
        }
        (rows > 0).then_some(FrozenState { header, sections, groups, is_delta, merged: None })
    }

    fn has_delta(&self) -> bool {
        let unsaved = self.workers.iter().map(|worker| worker.shape.stored().unsaved_len());
        self.is_saved && unsaved.sum::<usize>() as u64 * 2 <= self.groups_len()
    }

    fn set_saved(&mut self, is_stored: bool) {
        self.workers.iter_mut().for_each(|worker| worker.shape.set_saved());
        self.is_saved = is_stored;
    }

    fn restore(
        &mut self,
        pool: &Pool,
        watermark: Watermark,
        pieces: &[Vec<u8>],
    ) -> Result<(), SnapshotError> {
        let Self { plan, workers, firing, .. } = self;
        let owners = workers.len();
        let headers = pool.each_worker(workers, |number, worker| {
            let strides = pool.strides();
            // Asked of each row.
            let is_mine = |shard| {
                strides.step();
                owner(shard, owners) == number
            };
            resolve(pieces, is_mine, |row| {
                plan.grouped.shard_of(row.key)?;
                worker.shape.restore(&row);
                Ok(())
            })
        });
        let headers: Vec<Header> = headers.into_iter().collect::<Result<_, _>>()?;
        let header = headers.into_iter().next().expect("there is a worker");
        // The pieces have groups that are gone by where the firing stands. When that is no longer said, a base must be there without.
        self.is_saved = header.groups.as_ref().is_none_or(|groups| !groups.for_good);
        // What had ended by then takes no more rows: the checkpoint need not hold it.
        let closed = watermark.minus(plan.lateness);
        workers.iter_mut().for_each(|worker| worker.shape.restored(header.closed, closed));
        let fired = workers.iter().flat_map(|worker| worker.shape.fired_windows()).collect();
        workers.iter_mut().for_each(|worker| worker.shape.go_on_firing(&fired));
        if let Some(fired) = header.fired {
            firing.begin_cut(fired, header.groups);
        }
        Ok(())
    }

    fn states(&self) -> Vec<States<'_>> {
        self.workers.iter().map(|worker| worker.shape.states()).collect()
    }

    fn set_states(&mut self, worker: usize, states: &mut dyn Iterator<Item = &[u8]>) {
        self.workers[worker].shape.set_states(states);
        // All of them are others.
        self.is_saved = false;
    }

    fn groups_len(&self) -> u64 {
        self.workers.iter().map(|worker| worker.shape.groups_len()).sum::<usize>() as u64
    }

    fn state_bytes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.shape.bytes()).sum::<usize>() as u64
    }

    fn firing_bytes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.shape.firing_bytes()).sum::<usize>() as u64
    }

    fn key_columns(&self) -> usize {
        self.plan.grouped.key.len()
    }

    #[cfg(test)]
    fn set_step(&mut self, groups: Option<usize>) {
        self.firing.set_step(groups);
    }

    fn report(&mut self, metrics: &LaneMetrics) {
        for worker in &mut self.workers {
            metrics.steps.window.add_nanos(std::mem::take(&mut worker.nanos));
        }
        metrics.steps.sink.add_nanos(std::mem::take(&mut self.sink_nanos));
        let done = self.workers.iter_mut().map(|worker| worker.aggregate.done());
        report_stage(&self.plan.grouped.stage, done, metrics);
    }
}
