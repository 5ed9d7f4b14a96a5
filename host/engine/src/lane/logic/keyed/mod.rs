//! Keys with state and timers: a plugin is given the rows of a key in their order, and what is due between them.

pub(super) mod emitted;
mod open;
mod timers;
mod update;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;

use super::placed::Placed;
use super::windows::open::LOOK_NANOS;
use super::{Effect, Effects, Extent, Freezing, Given, Judged, Kind, States, Turn};
use crate::counters::LaneMetrics;
use crate::lane::LaneError;
use crate::lane::asked::WindowsAsked;
use crate::lane::logic::share::{Share, owner};
use crate::lane::plan::{FittedStage, KeyedPlan};
use crate::lane::pool::Pool;
use crate::lane::stage::{Running, report_stage};
use emitted::{CondemnedTimer, Emitted, join};
use sluicegate_chain::FrozenState;
use sluicegate_model::time::{Watermark, thread_cpu_nanos};
use sluicegate_sandbox::plugin::guest::KeyedGuest;
use sluicegate_state::keyed::resolve::resolve;
use sluicegate_state::keyed::{KeyedCall, KeyedTable, snapshot};
use sluicegate_state::window::snapshot::SnapshotError;
use timers::Firing;
use update::{place, update};

/// The keys of a lane.
pub(in crate::lane) struct Keyed {
    plan: KeyedPlan,
    workers: Vec<Worker>,
    firing: Firing,
    /// A checkpoint has it but for what has changed since.
    is_saved: bool,
    /// CPU time of the lane's thread for what was emitted, since the last report, ns.
    sink_nanos: u64,
}

/// What one worker owns.
struct Worker {
    plugin: Running<dyn KeyedGuest>,
    keyed: KeyedTable,
    call: KeyedCall,
    /// Keys with timers that fire now.
    due: Vec<u32>,
    /// CPU time since the last report, ns.
    nanos: u64,
}

impl Keyed {
    /// No keys yet.
    pub(super) fn new(plan: KeyedPlan, pool: &Pool) -> Self {
        let worker = |_| Worker {
            plugin: Running::of_grouped(&plan.grouped, pool),
            keyed: KeyedTable::new(plan.ttl),
            call: KeyedCall::default(),
            due: Vec::new(),
            nanos: 0,
        };
        Self {
            workers: (0..pool.len()).map(worker).collect(),
            plan,
            firing: Firing::default(),
            is_saved: false,
            sink_nanos: 0,
        }
    }

    /// Runs another plugin from now on. Keys stay.
    pub(super) fn replan(&mut self, plan: KeyedPlan, pool: &Pool) {
        for worker in &mut self.workers {
            worker.plugin = Running::of_grouped(&plan.grouped, pool);
        }
        self.plan = plan;
    }

    fn take_emitted(
        &mut self,
        emitted: Vec<Emitted>,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        let runs = join(&emitted);
        let condemned: Vec<CondemnedTimer> =
            emitted.into_iter().flat_map(|emitted| emitted.condemned).collect();
        if !condemned.is_empty() {
            let stage = &self.plan.grouped.stage;
            effects.take(Effect::Timers { stage, condemned: &condemned })?;
        }
        runs.iter().try_for_each(|rows| effects.take(Effect::Rows(rows)))?;
        self.sink_nanos += thread_cpu_nanos() - started;
        Ok(())
    }
}

impl Kind for Keyed {
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
        let hands = given.pool.for_rows(turn.rows());
        let placed = hands.each_item(workers, &items, |_, (prepared, judge)| {
            place(plan, given.clock, &prepared.rows, **judge)
        });
        let answers = hands.each_worker(workers, |number, worker| {
            let share = Share::new(number, given.pool.len());
            update(worker, plan, turn.chunks, &placed, &share)
        });
        given.pool.not_broken_off()?;
        let (refused, emitted): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        self.take_emitted(emitted, effects)?;
        let placed: Vec<Placed> = placed.into_iter().map(|it| it.placed).collect();
        Ok(Judged::of(placed, refused.into_iter().flatten().collect()))
    }

    fn advance(
        &mut self,
        given: &Given<'_>,
        watermark: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        // The end of all input fires every timer, once.
        if given.clock.all_ended() {
            return Ok(());
        }
        self.fire_timers(given, watermark, effects)
    }

    fn is_firing(&self) -> bool {
        self.firing.is_unfinished()
    }

    fn finish(&mut self, given: &Given<'_>, effects: &mut dyn Effects) -> Result<bool, LaneError> {
        self.fire_last_timers(given, effects)?;
        Ok(true)
    }

    fn open(&mut self, given: &Given<'_>, asked: &WindowsAsked) -> Option<(RecordBatch, usize)> {
        let Self { plan, workers, .. } = self;
        let grouped = &plan.grouped;
        let found = given.pool.each_worker(workers, |_, worker| {
            open::keys(grouped, &worker.keyed, asked, LOOK_NANOS)
        });
        let (rows, seen): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let rows =
            concat_batches(&open::schema(grouped), &rows).expect("rows of one schema, and few");
        let all = self.groups_len() as usize;
        let seen = seen.iter().sum::<usize>() - rows.num_rows().saturating_sub(asked.rows);
        Some((rows.slice(0, rows.num_rows().min(asked.rows)), all.saturating_sub(seen)))
    }

    fn encode(&mut self, pool: &Pool, freezing: Freezing) -> Option<FrozenState> {
        let Freezing { generation, extent, .. } = freezing;
        let sections = pool.each_worker(&mut self.workers, |_, worker| {
            let mut sections = pool.sections();
            match extent {
                Extent::Whole => drop(snapshot::rows(&worker.keyed, generation, &mut sections)),
                Extent::Changed => snapshot::delta_rows(&worker.keyed, generation, &mut sections),
            }
            sections.into_vec()
        });
        let is_delta = extent == Extent::Changed;
        let header = if is_delta { snapshot::delta_header() } else { snapshot::header() };
        let (sections, groups) = (sections.into_iter().flatten().collect(), self.groups_len());
        (groups > 0).then_some(FrozenState { header, sections, groups, is_delta, merged: None })
    }

    fn has_delta(&self) -> bool {
        let tables = || self.workers.iter().map(|worker| &worker.keyed);
        let unsaved = tables().map(KeyedTable::unsaved_len).sum::<usize>() as u64;
        self.is_saved && unsaved * 2 <= self.groups_len() && !tables().any(KeyedTable::is_cleared)
    }

    fn set_saved(&mut self, is_stored: bool) {
        self.workers.iter_mut().for_each(|worker| worker.keyed.set_saved());
        self.is_saved = is_stored;
    }

    fn restore(
        &mut self,
        pool: &Pool,
        _watermark: Watermark,
        pieces: &[Vec<u8>],
    ) -> Result<(), SnapshotError> {
        let Self { plan, workers, .. } = self;
        let owners = workers.len();
        let restored = pool.each_worker(workers, |number, worker| {
            let strides = pool.strides();
            // Asked of each row.
            let is_mine = |shard| {
                strides.step();
                owner(shard, owners) == number
            };
            resolve(pieces, is_mine, |row| {
                plan.grouped.shard_of(row.key)?;
                worker.keyed.restore(&row);
                Ok(())
            })
        });
        self.is_saved = true;
        restored.into_iter().collect()
    }

    fn states(&self) -> Vec<States<'_>> {
        let workers = self.workers.iter();
        workers.map(|worker| Box::new(worker.keyed.states()) as States<'_>).collect()
    }

    fn set_states(&mut self, worker: usize, mut states: &mut dyn Iterator<Item = &[u8]>) {
        self.workers[worker].keyed.set_states(&mut states);
        // All of them are others.
        self.is_saved = false;
    }

    fn groups_len(&self) -> u64 {
        self.workers.iter().map(|worker| worker.keyed.len()).sum::<usize>() as u64
    }

    fn state_bytes(&self) -> u64 {
        self.workers.iter().map(|worker| worker.keyed.bytes()).sum::<usize>() as u64
    }

    #[cfg(test)]
    fn set_step(&mut self, groups: Option<usize>) {
        self.firing.set_step(groups.is_none());
    }

    fn key_columns(&self) -> usize {
        self.plan.grouped.key.len()
    }

    fn report(&mut self, metrics: &LaneMetrics) {
        for worker in &mut self.workers {
            metrics.steps.window.add_nanos(std::mem::take(&mut worker.nanos));
        }
        metrics.steps.sink.add_nanos(std::mem::take(&mut self.sink_nanos));
        let done = self.workers.iter_mut().map(|worker| worker.plugin.done());
        report_stage(&self.plan.grouped.stage, done, metrics);
    }
}
