//! Timers that the watermark has passed, between two turns.
//!
//! ```text
//!  watermark of the lane ─► slices of event time ─► on-timer (by key shard), until nothing is due ─► sinks
//!                           ├────┼──┼──────┼─ ─ ─┤
//!                                         └ the step has had its time: the rest is due in the next one
//! ```
//!
//! Timers may set others, so what is due at a watermark can take as long as the plugin likes. It is fired in slices of
//! event time, the earliest first, in all shards alike; between two of them a step can end. Then commands are heard and
//! epochs are committed, and no record is read until the rest has fired. Rows come in the order of their timers however
//! it is cut; only where a single slice takes all too long it is cut inside.

use super::emitted::{CondemnedTimer, Emitted};
use super::{Keyed, Worker};
use crate::lane::LaneError;
use crate::lane::logic::{Effects, Given};
use crate::lane::plan::KeyedPlan;
use crate::stop::Stop;
use sluicegate_model::refusal::RefusalKind;
use sluicegate_model::time::{EventTime, Watermark, thread_cpu_nanos};
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::run::keyed::too_many;

/// Keys of a worker whose timers fire in one slice, and in one call: few enough that their states are small beside a
/// turn.
const KEYS_PER_SLICE: usize = 2_048;

/// CPU time that a step gives to timers, ns: a command waits no longer.
const STEP_NANOS: u64 = 100_000_000;

/// CPU time after which a single slice is cut inside, ns.
const SLICE_NANOS: u64 = 1_000_000_000;

/// How far the timers of a lane have fired.
#[derive(Debug)]
pub(super) struct Firing {
    /// The watermark up to which they are being fired, as long as some are left.
    target: Option<EventTime>,
    /// The end of a slice that was cut.
    slice: Option<EventTime>,
    /// CPU time of a step, ns.
    step_nanos: u64,
    /// Of a single slice.
    slice_nanos: u64,
}

/// What a slice of event time came to.
struct FiredSlice {
    /// Its end, if it was cut inside.
    cut: Option<EventTime>,
    /// CPU time of the worker that took longest, ns; more than 0.
    nanos: u64,
}

impl Default for Firing {
    fn default() -> Self {
        Self { target: None, slice: None, step_nanos: STEP_NANOS, slice_nanos: SLICE_NANOS }
    }
}

impl Firing {
    /// Whether timers are due that a step has left to the next one.
    pub(super) fn is_unfinished(&self) -> bool {
        self.target.is_some()
    }

    /// Whatever the machine's speed, a step fires all that is due, or a single slice of it.
    #[cfg(test)]
    pub(super) fn set_step(&mut self, fires_all: bool) {
        self.step_nanos = if fires_all { u64::MAX } else { 0 };
        self.slice_nanos = u64::MAX;
    }
}

impl Keyed {
    /// Fires what the watermark has passed, whether it moved or not: a row may have set a timer in the past. What there
    /// is no time for in this step is left to the next one.
    pub(super) fn fire_timers(
        &mut self,
        given: &Given<'_>,
        watermark: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let Watermark::At(watermark) = watermark else { return Ok(()) };
        if !self.firing.is_unfinished() {
            self.workers.iter_mut().for_each(|worker| worker.keyed.tidy());
            if !self.workers.iter().any(|worker| worker.keyed.has_due(watermark)) {
                return Ok(());
            }
            self.workers.iter_mut().for_each(|worker| worker.keyed.begin_firing());
            self.firing.target = Some(watermark);
        }
        given.trial.begin_other("while timers fired");
        let mut nanos_left = self.firing.step_nanos;
        loop {
            let Some(FiredSlice { cut, nanos }) = self.fire_slice(given, effects)? else {
                self.firing.target = None;
                return Ok(());
            };
            nanos_left = nanos_left.saturating_sub(nanos);
            self.firing.slice = cut;
            if cut.is_some() || nanos_left == 0 || given.stop.is_overdue() {
                return Ok(());
            }
        }
    }

    /// Fires the next slice. None if nothing is due any more.
    fn fire_slice(
        &mut self,
        given: &Given<'_>,
        effects: &mut dyn Effects,
    ) -> Result<Option<FiredSlice>, LaneError> {
        let Given { pool, stop, .. } = given;
        let target = self.firing.target.expect("timers are being fired");
        let end = match self.firing.slice {
            Some(end) => {
                pool.each_worker(&mut self.workers, |_, worker| worker.due = worker.keyed.due(end));
                end
            }
            None => {
                let ends = pool.each_worker(&mut self.workers, |_, worker| {
                    let (due, end) = worker.keyed.due_slice(target, KEYS_PER_SLICE);
                    worker.due = due;
                    end
                });
                let Some(end) = ends.into_iter().flatten().min() else { return Ok(None) };
                end
            }
        };
        let plan = &self.plan;
        let limit = self.firing.slice_nanos;
        let fired = pool.each_worker(&mut self.workers, |_, worker| {
            let (started, mut emitted) = (thread_cpu_nanos(), Emitted::default());
            let is_over = || thread_cpu_nanos() - started > limit || stop.is_overdue();
            let is_done = fire_due(worker, plan, end, &is_over, &mut emitted);
            let nanos = thread_cpu_nanos() - started;
            worker.nanos += nanos;
            (emitted, (is_done, nanos))
        });
        pool.not_broken_off()?;
        let (emitted, done): (Vec<Emitted>, Vec<(bool, u64)>) = fired.into_iter().unzip();
        self.take_emitted(emitted, effects)?;
        let nanos = done.iter().map(|(_, nanos)| *nanos).max().unwrap_or(0);
        let is_done = done.iter().all(|(is_done, _)| *is_done);
        Ok(Some(FiredSlice { cut: (!is_done).then_some(end), nanos: nanos.max(1) }))
    }

    /// The end of input: what is due at the largest watermark that a partition reached, then every timer that is left,
    /// once. Which partition ended first makes no difference to either.
    pub(super) fn fire_last_timers(
        &mut self,
        given: &Given<'_>,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let Given { pool, clock, stop, .. } = given;
        let own = (0..clock.partitions().len()).map(|partition| clock.own(partition));
        if let Some(largest) = own.max() {
            // What an earlier watermark has left comes first.
            for _ in 0..2 {
                self.fire_timers(given, largest, effects)?;
                while self.firing.is_unfinished() && !given.stop.is_overdue() {
                    self.fire_timers(given, largest, effects)?;
                }
            }
        }
        let plan = &self.plan;
        let emitted = pool.each_worker(&mut self.workers, |_, worker| {
            let mut emitted = Emitted::default();
            fire_all_once(worker, plan, stop, &mut emitted);
            worker.keyed.clear();
            emitted
        });
        pool.not_broken_off()?;
        self.take_emitted(emitted, effects)
    }
}

/// Fires what is due until `end` of the worker's keys that are due, and what that sets, the smallest of each key first.
/// False if it took too long: the rest is still due.
fn fire_due(
    worker: &mut Worker,
    plan: &KeyedPlan,
    end: EventTime,
    is_over: &dyn Fn() -> bool,
    emitted: &mut Emitted,
) -> bool {
    let mut due = std::mem::take(&mut worker.due);
    // By key: the order of calls depends on nothing that a restart forgets.
    due.sort_unstable_by(|a, b| worker.keyed.key(*a).cmp(worker.keyed.key(*b)));
    let mut open = due.clone();
    open.retain(|id| worker.keyed.first_due(*id, end).is_some());
    let most = worker.plugin.runner.firings_max();
    let mut is_done = true;
    while is_done && !open.is_empty() {
        for ids in open.chunks(KEYS_PER_SLICE) {
            let (going, endless): (Vec<u32>, Vec<u32>) =
                ids.iter().partition(|id| worker.keyed.count_firing(**id) <= most);
            endless.iter().for_each(|id| end_chain(worker, *id, end, emitted));
            if !going.is_empty() {
                fire_first(worker, plan, &going, emitted);
            }
            if is_over() {
                is_done = false;
                break;
            }
        }
        open.retain(|id| worker.keyed.first_due(*id, end).is_some());
    }
    due.iter().for_each(|id| worker.keyed.settle(*id));
    is_done || open.is_empty()
}

/// Fires the first timer of each of these keys, which have one.
fn fire_first(worker: &mut Worker, plan: &KeyedPlan, ids: &[u32], emitted: &mut Emitted) {
    let Worker { keyed, plugin, .. } = worker;
    let mut given = KeyedGroups::default();
    let fired: Vec<Timer> = ids.iter().map(|id| keyed.take_first(*id, &mut given)).collect();
    let outcome = plugin.runner.on_timers(&fired, &given);
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
    let times: Vec<EventTime> =
        outcome.of.iter().map(|group| fired[*group as usize].time).collect();
    let order = times.iter().map(|time| time.micros()).collect();
    emitted.push_timed(&plan.grouped, keys, &outcome.batch, times, order);
    for (index, id) in ids.iter().enumerate() {
        keyed.replace(*id, &outcome.groups, index);
    }
}

/// A key whose timers set one another without end: the one that is due is dead-lettered, and does not fire.
fn end_chain(worker: &mut Worker, id: u32, watermark: EventTime, emitted: &mut Emitted) {
    let Some(timer) = worker.keyed.first_due(id, watermark) else { return };
    let mut rest = KeyedGroups::default();
    worker.keyed.take_first(id, &mut rest);
    emitted.condemned.push(CondemnedTimer {
        timer,
        key: worker.keyed.key(id).to_vec(),
        state: rest.states.value(0).to_vec(),
        kind: RefusalKind::Answer,
        reason: too_many(worker.plugin.runner.firings_max()).to_string(),
    });
}

/// Fires every timer once. What is set meanwhile is dropped. Breaks off where a stop may not wait for it.
fn fire_all_once(worker: &mut Worker, plan: &KeyedPlan, stop: &Stop, emitted: &mut Emitted) {
    let with_timers = |id: &u32| !worker.keyed.timers(*id).is_empty();
    let mut all: Vec<u32> = worker.keyed.ids().filter(with_timers).collect();
    all.sort_unstable_by(|a, b| worker.keyed.key(*a).cmp(worker.keyed.key(*b)));
    for ids in all.chunks(KEYS_PER_SLICE) {
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
