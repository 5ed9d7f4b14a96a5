//! Windows that the watermark has passed, between two turns, a bounded run at a time.
//!
//! ```text
//!  watermark of the lane ─► groups that are due, by window and key ─► evaluate (by key shard) ─► sinks
//!                           ├──────┼──────┼─ ─ ─┤
//!                                         └ the step has had its time: the rest is due in the next one
//! ```
//!
//! What is due at a watermark is as much as the data have made it, and evaluating it takes as long as the plugin likes. So a step
//! fires what it has time for. Then commands are heard and epochs are committed, and no record is read until the rest has fired.
//! Rows come in the same order however it is cut. A barrier between two runs is as good as any: a group that has fired is not due any
//! more, in memory as in the state that is stored.
//!
//! Of sliding windows a run is a window, because its panes are merged at once: to the state it is as if the watermark went from end to
//! end. How far it has come so is stored with it.

use crate::time::{EventTime, Watermark, thread_cpu_nanos};
use crate::window::firing::GROUPS_PER_CALL;
use crate::window::sliding::Progress;
use crate::window::state::Place;
use crate::window::{NextRun, SlideTables, Slides, WindowAssigner};

use super::fire::{Fired, close, fire_panes, fire_run};
use super::pool::Worker;
use super::{Lane, LaneError};

/// CPU time that a step gives to windows, ns: a command waits no longer.
const STEP_NANOS: u64 = 100_000_000;

/// CPU time that a run should take, ns.
const RUN_NANOS: u64 = 50_000_000;

/// Groups of a worker in the first run of a module, before it is known how long they take.
const GROUPS_FIRST: usize = 16;

/// How far the windows of a lane have fired.
#[derive(Debug)]
pub(super) struct WindowFiring {
    /// The watermark up to which all have.
    fired: Watermark,
    /// That up to which they are firing, as long as some are left.
    target: Option<Watermark>,
    /// Groups of a worker in the next run.
    groups: usize,
    groups_max: usize,
    /// CPU time of a step, ns.
    step_nanos: u64,
}

impl Default for WindowFiring {
    fn default() -> Self {
        Self {
            fired: Watermark::NONE,
            target: None,
            groups: GROUPS_FIRST,
            groups_max: GROUPS_PER_CALL,
            step_nanos: STEP_NANOS,
        }
    }
}

impl WindowFiring {
    /// Windows have fired as far as the watermark had come, when it was stored.
    pub(super) fn begin_at(&mut self, watermark: Watermark) {
        self.fired = watermark;
    }

    /// Or only as far as this, and groups are left.
    pub(super) fn begin_cut(&mut self, fired: Watermark) {
        self.target = Some(std::mem::replace(&mut self.fired, fired));
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
    pub(super) fn behind(&self, watermark: Watermark) -> Option<Watermark> {
        (self.fired < watermark).then_some(self.fired)
    }

    /// Nothing is known yet of how long the plugin takes.
    pub(super) fn begin_small(&mut self) {
        self.groups = GROUPS_FIRST.min(self.groups_max);
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
        self.begin_small();
    }
}

impl Lane {
    /// Fires what the watermark has passed, and corrects what has fired and has changed. What there is no time for in this step is
    /// left to the next one.
    pub(super) fn fire_windows(&mut self, watermark: Watermark) -> Result<(), LaneError> {
        let Some(windows) = self.plan.windows else { return Ok(()) };
        let mut nanos_left = self.pool.window_firing.step_nanos;
        while self.pool.window_firing.is_unfinished() || self.has_windows_due(windows, watermark) {
            let target = *self.pool.window_firing.target.get_or_insert(watermark);
            let started = thread_cpu_nanos();
            let nanos = match windows {
                WindowAssigner::Slides(slides) if slides.overlap() => {
                    self.fire_sliding(&slides, target)?
                }
                _ => self.fire_groups(windows, target)?,
            };
            self.pool.report_steps(self.desk.metrics());
            let nanos = nanos + (thread_cpu_nanos() - started);
            nanos_left = nanos_left.saturating_sub(nanos.max(1));
            if nanos_left == 0 || self.desk.outside.stop.is_overdue() {
                break;
            }
        }
        Ok(())
    }

    fn has_windows_due(&self, windows: WindowAssigner, watermark: Watermark) -> bool {
        let fired = self.pool.window_firing.fired;
        let has_corrections = |worker: &Worker| match windows {
            WindowAssigner::Slides(slides) if slides.overlap() => {
                SlideTables::has_corrections(&slides, &worker.state, fired)
            }
            _ => has_due(worker, windows, (fired, fired)),
        };
        fired < watermark
            || self.plan.lateness > 0 && self.pool.workers().iter().any(has_corrections)
    }

    /// Fires the next run of groups of windows that do not overlap; if there are none, closes the windows that take no more rows.
    /// The CPU time of the worker that took longest, ns.
    fn fire_groups(
        &mut self,
        windows: WindowAssigner,
        target: Watermark,
    ) -> Result<u64, LaneError> {
        let (plan, firing) = (&self.plan, &self.pool.window_firing);
        let (time, max) = ((firing.fired, target), firing.groups);
        if !self.pool.workers().iter().any(|worker| has_due(worker, windows, time)) {
            return self.close_windows(windows, target);
        }
        let next = self.pool.each_worker(|_, worker| next_run(worker, windows, time, max));
        if next.iter().all(|next| next.groups == 0) {
            return self.close_windows(windows, target);
        }
        let last = next.into_iter().filter_map(|next| next.last).min();
        let fired = self.pool.each_worker(|_, worker| {
            timed(worker, |worker| fire_run(worker, plan, windows, last.as_ref()))
        });
        self.pool.not_broken_off()?;
        let (fired, nanos): (Vec<_>, Vec<u64>) = fired.into_iter().unzip();
        let (results, groups): (Vec<_>, Vec<usize>) = fired.into_iter().unzip();
        let nanos = nanos.into_iter().max().unwrap_or(0);
        self.pool.window_firing.learn(groups.into_iter().max().unwrap_or(0), nanos);
        self.ledger.dirty = true;
        self.write_fired(results)?;
        Ok(nanos)
    }

    fn close_windows(
        &mut self,
        windows: WindowAssigner,
        target: Watermark,
    ) -> Result<u64, LaneError> {
        let plan = &self.plan;
        let how = (target, self.outputs.outbox.takes_updates());
        let is_closing = |worker: &Worker| has_closed(worker, windows, (target, plan.lateness));
        let mut nanos = 0;
        if self.pool.workers().iter().any(is_closing) {
            let closed = self
                .pool
                .each_worker(|_, worker| timed(worker, |worker| close(worker, plan, windows, how)));
            self.pool.not_broken_off()?;
            let (closed, times): (Vec<_>, Vec<u64>) = closed.into_iter().unzip();
            nanos = times.into_iter().max().unwrap_or(0);
            self.write_closed(&closed)?;
        } else {
            for worker in self.pool.workers_mut() {
                close(worker, plan, windows, how);
            }
        }
        self.have_fired(target, target);
        Ok(nanos)
    }

    /// Fires the next of sliding windows.
    fn fire_sliding(&mut self, slides: &Slides, target: Watermark) -> Result<u64, LaneError> {
        let (plan, before) = (&self.plan, self.pool.window_firing.fired);
        let workers = self.pool.workers().iter();
        let ends =
            workers.filter_map(|worker| SlideTables::next_end(slides, &worker.state, before));
        let end = ends.min().map(EventTime).filter(|end| target.has_passed(*end));
        let now = end.map_or(target, Watermark::at);
        let tells_closed = self.outputs.outbox.takes_updates();
        let progress = Progress { before, now, lateness: plan.lateness, tells_closed };
        let fired = self.pool.each_worker(|_, worker| {
            timed(worker, |worker| fire_panes(worker, plan, slides, progress))
        });
        self.pool.not_broken_off()?;
        let (fired, nanos): (Vec<Fired>, Vec<u64>) = fired.into_iter().unzip();
        let (results, closed): (Vec<_>, Vec<_>) =
            fired.into_iter().map(|Fired { results, closed }| (results, closed)).unzip();
        self.write_closed(&closed)?;
        self.write_fired(results)?;
        self.have_fired(now, target);
        Ok(nanos.into_iter().max().unwrap_or(0))
    }

    /// All windows have fired up to a watermark, on the way to another.
    fn have_fired(&mut self, now: Watermark, target: Watermark) {
        let firing = &mut self.pool.window_firing;
        self.ledger.dirty |= firing.fired < now;
        firing.fired = now;
        if now == target {
            firing.target = None;
        }
    }
}

/// What work on a worker gives, and the CPU time that it took, ns.
fn timed<T>(worker: &mut Worker, work: impl FnOnce(&mut Worker) -> T) -> (T, u64) {
    let started = thread_cpu_nanos();
    let done = work(worker);
    let nanos = thread_cpu_nanos() - started;
    worker.nanos.window += nanos;
    (done, nanos)
}

/// Whether a place is due on the way from one watermark to another.
fn is_due(
    windows: WindowAssigner,
    (before, now): (Watermark, Watermark),
) -> impl Fn(&Place) -> bool {
    move |place| match windows {
        WindowAssigner::Global { trigger } => now.has_crossed(trigger, before),
        _ => now.has_passed(EventTime(place.bounds.end)),
    }
}

fn has_due(worker: &Worker, windows: WindowAssigner, time: (Watermark, Watermark)) -> bool {
    match windows {
        WindowAssigner::Sessions(_) => worker.sessions.has_due(time.1),
        _ => worker.state.has_due(is_due(windows, time)),
    }
}

fn next_run(
    worker: &mut Worker,
    windows: WindowAssigner,
    time: (Watermark, Watermark),
    max: usize,
) -> NextRun {
    match windows {
        WindowAssigner::Sessions(_) => worker.sessions.next_run(time.1, max),
        _ => worker.state.next_run(is_due(windows, time), max),
    }
}

/// Whether closing windows is work. If it is not, they are closed all the same: what is remembered of sessions is forgotten.
fn has_closed(worker: &Worker, windows: WindowAssigner, (now, lateness): (Watermark, i64)) -> bool {
    match windows {
        WindowAssigner::Sessions(_) => worker.sessions.has_due(now),
        WindowAssigner::Global { .. } => now == Watermark::END,
        WindowAssigner::Slides(_) => worker.state.has_closed(now, lateness),
    }
}
