//! Windows that the watermark has passed, between two turns, a bounded run at a time.
//!
//! ```text
//!  watermark of the lane ─► groups that are due, by window and key ─► evaluate (by key shard) ─► sinks
//!                           ├──────┼──────┼─ ─ ─┤
//!                                         └ the step has had its time: the rest is due in the next one
//! ```
//!
//! What is due at a watermark is as much as the data have made it, and evaluating it takes as long as the plugin likes.
//! So a step fires what it has time for. Then commands are heard and epochs are committed, and no record is read until
//! the rest has fired. Putting what is due into its order is cut as well. Rows come in the same order however it is cut. A barrier between two runs is as good as any: a
//! group that has fired is not due any more, in memory as in the state that is stored.
//!
//! Of sliding windows a run is a window, because its panes are merged at once: to the state it is as if the watermark
//! went from end to end. How far it has come so is stored with it.

use super::aggregate::{Aggregate, CondemnedGroup};
use super::runs::each_run;
use super::shape::{Fired, Until, Way};
use super::{Windows, Worker};
use crate::lane::LaneError;
use crate::lane::logic::{Effect, Effects, Given};
use crate::lane::pool::Pool;
use sluicegate_model::time::{Watermark, thread_cpu_nanos};
use sluicegate_state::window::RunSize;
use sluicegate_state::window::firing::GROUPS_PER_CALL;
use sluicegate_state::window::snapshot::{FiredGroups, FiredSoFar};

/// CPU time that a step gives to windows, ns: a command waits no longer.
const STEP_NANOS: u64 = 100_000_000;

/// CPU time that a run should take, ns.
const RUN_NANOS: u64 = 50_000_000;

/// Groups of a worker in the first run of a module, before it is known how long they take.
const GROUPS_FIRST: usize = 16;

/// Groups that a worker sorts at a time, before others are heard: some milliseconds of work.
const SORTED: usize = 16_384;

/// How far the windows of a lane have fired.
#[derive(Debug)]
pub(super) struct Firing {
    /// The watermark up to which all have.
    fired: Watermark,
    /// That up to which they are firing, as long as some are left.
    target: Option<Watermark>,
    /// And how far the groups of those that are left, if some have fired.
    fired_groups: Option<FiredGroups>,
    /// Groups of a worker in the next run.
    groups: usize,
    groups_max: usize,
    /// Groups that a worker sorts at a time.
    sorted: usize,
    /// CPU time of a step, ns.
    step_nanos: u64,
}

impl Default for Firing {
    fn default() -> Self {
        Self {
            fired: Watermark::None,
            target: None,
            fired_groups: None,
            groups: GROUPS_FIRST,
            groups_max: GROUPS_PER_CALL,
            sorted: SORTED,
            step_nanos: STEP_NANOS,
        }
    }
}

impl Firing {
    /// Windows have fired as far as the watermark had come, when it was stored.
    pub(super) fn begin_at(&mut self, watermark: Watermark) {
        self.fired = watermark;
    }

    /// Or only as far as this, and groups are left.
    pub(super) fn begin_cut(&mut self, fired: Watermark, groups: Option<FiredGroups>) {
        self.target = Some(std::mem::replace(&mut self.fired, fired));
        self.fired_groups = groups;
    }

    /// Whether groups are due that a step has left to the next one.
    pub(super) fn is_unfinished(&self) -> bool {
        self.target.is_some()
    }

    /// Whether all windows have fired up to here.
    pub(super) fn has_fired(&self, watermark: Watermark) -> bool {
        self.fired >= watermark
    }

    /// How far all windows have fired, if that is less far than the watermark has come.
    pub(super) fn behind(&self, watermark: Watermark) -> FiredSoFar<'_> {
        let windows = (self.fired < watermark).then_some(self.fired);
        // Of a correction the groups themselves say what is left.
        FiredSoFar { windows, groups: windows.and(self.fired_groups.as_ref()) }
    }

    /// Nothing is known yet of how long the plugin takes.
    pub(super) fn begin_small(&mut self) {
        self.groups = GROUPS_FIRST.min(self.groups_max);
    }

    /// What a worker does in the next run.
    fn size(&self) -> RunSize {
        RunSize { groups: self.groups, sorted: self.sorted }
    }

    /// Sizes the next run by what the last one took.
    fn learn(&mut self, groups: usize, nanos: u64) {
        self.groups = if nanos <= RUN_NANOS {
            self.groups.saturating_mul(2)
        } else {
            let fits = groups as u128 * u128::from(RUN_NANOS) / u128::from(nanos);
            usize::try_from(fits).unwrap_or(usize::MAX)
        };
        self.groups = self.groups.clamp(1, self.groups_max);
    }

    /// Whatever the machine's speed, a step fires all that is due, or a run of so many groups of each worker.
    #[cfg(test)]
    pub(super) fn set_step(&mut self, groups: Option<usize>) {
        self.step_nanos = if groups.is_none() { u64::MAX } else { 0 };
        self.groups_max = groups.unwrap_or(GROUPS_PER_CALL);
        // In some tests a life ends with each step: of these each comes further.
        self.sorted = groups.map_or(SORTED, |groups| if groups > 2 { 8 * groups } else { groups });
        self.begin_small();
    }
}

impl Windows {
    /// Fires what the watermark has passed, and corrects what has fired and has changed. What there is no time for in
    /// this step is left to the next one.
    pub(super) fn fire(
        &mut self,
        given: &Given<'_>,
        watermark: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        given.trial.begin_other("while windows fired or closed");
        let mut nanos_left = self.firing.step_nanos;
        while self.firing.is_unfinished() || self.is_due(watermark) {
            let target = *self.firing.target.get_or_insert(watermark);
            let started = thread_cpu_nanos();
            let nanos = self.fire_next(given, target, effects)?;
            let nanos = nanos + (thread_cpu_nanos() - started);
            // A run that the clock did not see counts as well, or a step of many such might not end.
            nanos_left = nanos_left.saturating_sub(nanos.max(1));
            if nanos_left == 0 || given.stop.is_overdue() {
                break;
            }
        }
        Ok(())
    }

    /// Rows of this turn may have changed windows that fired before. They are corrected before the next barrier,
    /// because what is to be corrected is not stored.
    fn is_due(&self, watermark: Watermark) -> bool {
        let fired = self.firing.fired;
        let has_changed = |worker: &Worker| worker.shape.has_changed(fired);
        fired < watermark || self.plan.lateness > 0 && self.workers.iter().any(has_changed)
    }

    /// Fires the next run; if nothing is due, closes the windows that take no more rows. The CPU time of the worker
    /// that took longest, ns.
    fn fire_next(
        &mut self,
        given: &Given<'_>,
        target: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<u64, LaneError> {
        let Self { plan, workers, firing, .. } = self;
        let way = Way { before: firing.fired, now: target };
        // The first group of all workers, and no other.
        let alone = given.trial.tries_groups();
        let size = firing.size();
        let size = RunSize { groups: if alone { 1 } else { size.groups }, ..size };
        // Threads are woken only for something that is due: at most watermarks nothing is.
        let next = match workers.iter().any(|worker| worker.shape.has_due(way)) {
            true => given.pool.each_worker(workers, |_, worker| {
                worker.timed(|worker| worker.shape.next_run(way, size))
            }),
            false => Vec::new(),
        };
        let sorting = next.iter().map(|(_, nanos)| *nanos).max().unwrap_or(0);
        // All fire up to where the first of their runs ends, so that rows come in one order whatever the number of
        // workers.
        let Some(until) = next.into_iter().filter_map(|(until, _)| until).min() else {
            return self.close(given, way, effects);
        };
        let panicked = match until {
            Until::Sorting => return Ok(sorting),
            Until::Time(_) => None,
            Until::Group(_) | Until::All => given.trial.begin_groups(until.group(), alone),
        };
        let fired = given.pool.each_worker(workers, |_, worker| {
            worker.timed(|worker| {
                let (shape, aggregate) = worker.with_aggregate(plan);
                let mut aggregate = Aggregate { panicked: panicked.as_deref(), ..aggregate };
                shape.fire(&mut aggregate, way, &until)
            })
        });
        given.pool.not_broken_off()?;
        let nanos = fired.iter().map(|(_, nanos)| *nanos).max().unwrap_or(0);
        let groups = fired.iter().map(|(fired, _)| fired.groups).max().unwrap_or(0);
        firing.learn(groups, nanos);
        let last = fired.iter().filter_map(|(fired, _)| fired.last.clone()).max();
        if let Some(last) = last {
            let for_good = workers.iter().all(|worker| worker.shape.fires_once());
            firing.fired_groups = Some(FiredGroups { last, for_good });
        }
        // Also a run without a row has moved the state, and a record must say how far.
        effects.take(Effect::Fired)?;
        self.hand_over(given.pool, fired, effects)?;
        given.trial.end_groups();
        if let Until::Time(now) = until {
            self.have_fired(now, target, effects)?;
        }
        Ok(sorting + nanos)
    }

    fn close(
        &mut self,
        given: &Given<'_>,
        way: Way,
        effects: &mut dyn Effects,
    ) -> Result<u64, LaneError> {
        let Self { plan, workers, .. } = self;
        let close = |worker: &mut Worker| {
            worker.timed(|worker| {
                let (shape, mut aggregate) = worker.with_aggregate(plan);
                shape.close(&mut aggregate, way)
            })
        };
        let closed = match workers.iter().any(|it| it.shape.is_closing(way.now, plan.lateness)) {
            true => given.pool.each_worker(workers, |_, worker| close(worker)),
            false => workers.iter_mut().map(close).collect(),
        };
        given.pool.not_broken_off()?;
        let nanos = closed.iter().map(|(_, nanos)| *nanos).max().unwrap_or(0);
        self.hand_over(given.pool, closed, effects)?;
        given.trial.end_firing();
        self.have_fired(way.now, way.now, effects)?;
        Ok(nanos)
    }

    fn hand_over(
        &mut self,
        pool: &Pool,
        fired: Vec<(Fired, u64)>,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        let fired = fired.into_iter().map(|(Fired { results, closed, .. }, _)| (results, closed));
        let (results, closed): (Vec<_>, Vec<_>) = fired.unzip();
        each_run(pool, &closed, |rows| effects.take(Effect::Updates { rows, last: true }))?;
        each_run(pool, &results, |rows| effects.take(Effect::Rows(rows)))?;
        let condemned: Vec<CondemnedGroup> =
            results.into_iter().flat_map(|results| results.condemned).collect();
        self.condemn(&condemned, effects)?;
        self.sink_nanos += thread_cpu_nanos() - started;
        Ok(())
    }

    /// All windows have fired up to a watermark, on the way to another.
    fn have_fired(
        &mut self,
        now: Watermark,
        target: Watermark,
        effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        let has_moved = self.firing.fired < now;
        self.firing.fired = now;
        self.firing.fired_groups = None;
        if now == target {
            self.firing.target = None;
        }
        if has_moved { effects.take(Effect::Fired) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_as_long_as_the_groups_before_it_allow() {
        let mut firing = Firing::default();
        assert_eq!(firing.groups, GROUPS_FIRST, "nothing is known yet");
        firing.learn(16, RUN_NANOS);
        assert_eq!(firing.groups, 32, "within its time");
        // A tenth of a second each.
        firing.learn(32, 32 * 100_000_000);
        assert_eq!(firing.groups, 1, "one group always fires");
        (0..20).for_each(|_| firing.learn(1, 0));
        assert_eq!(firing.groups, GROUPS_PER_CALL);
        // Few groups were due: what each took counts, not how many might have been.
        firing.learn(10, 2 * RUN_NANOS);
        assert_eq!(firing.groups, 5);
        (0..20).for_each(|_| firing.learn(1, 0));
        firing.begin_small();
        assert_eq!(firing.groups, GROUPS_FIRST, "of another module nothing is known");
    }
}
