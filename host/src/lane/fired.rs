//! What windows have when the watermark has passed them, or before that, goes to those that wait for it.

use arrow::record_batch::RecordBatch;

use crate::time::thread_cpu_nanos;
use crate::window::{Watcher, WindowAssigner};

use super::early::early_results;
use super::fire::{CondemnedGroup, Results};
use super::pool::Worker;
use super::runs::{Runs, join};
use super::{Lane, LaneError};

/// Panes in which keys are looked up for one refresh of sliding windows: some milliseconds of work. Windows of many panes
/// show fewer keys at a time.
const LOOKUPS_MAX: usize = 50_000;

impl Lane {
    /// Writes what has fired, and what could not.
    pub(super) fn write_fired(&mut self, results: Vec<Results>) -> Result<(), LaneError> {
        let started = thread_cpu_nanos();
        self.each_run(&results, |lane, rows| {
            lane.ledger.dirty = true;
            lane.desk.fired(rows);
            lane.outputs.write_results(rows, None, lane.ledger.next_epoch())
        })?;
        let condemned: Vec<CondemnedGroup> =
            results.into_iter().flat_map(|results| results.condemned).collect();
        if !condemned.is_empty() {
            self.ledger.dirty = true;
            let stage = self.plan.aggregate.as_ref().expect("windows have an aggregate");
            self.outputs.write_condemned_groups(stage, &condemned)?;
        }
        self.desk.metrics().steps.sink.add_nanos(thread_cpu_nanos() - started);
        Ok(())
    }

    /// Writes what closed windows had at the end, for the sinks that take updates.
    pub(super) fn write_closed(&mut self, closed: &[Results]) -> Result<(), LaneError> {
        self.each_run(closed, |lane, rows| {
            lane.ledger.dirty = true;
            lane.outputs.write_updates(rows, true, lane.ledger.next_epoch())
        })
    }

    /// Writes the groups that changed since the last barrier and whose windows take more rows, for the sinks that take
    /// updates.
    pub(super) fn write_updates(&mut self) -> Result<(), LaneError> {
        let Some(windows) = self.plan.windows.filter(|_| self.outputs.outbox.takes_updates())
        else {
            return Ok(());
        };
        let (plan, watermark) = (&self.plan, self.intake.clock().watermark());
        let results = self.pool.each_worker(|_, worker| {
            early_results(worker, plan, windows, (Watcher::Outbox, watermark), usize::MAX)
        });
        self.each_run(&results, |lane, rows| {
            lane.outputs.write_updates(rows, false, lane.ledger.next_epoch())
        })
    }

    /// Calls `write` with the results of all workers in order, a bounded run at a time.
    fn each_run(
        &mut self,
        results: &[Results],
        mut write: impl FnMut(&mut Self, &RecordBatch) -> Result<(), LaneError>,
    ) -> Result<(), LaneError> {
        let mut runs = Runs::of(results);
        loop {
            let gathered = runs.gather_next(&mut self.pool);
            if gathered.is_empty() {
                return Ok(());
            }
            gathered.iter().try_for_each(|rows| write(self, rows))?;
        }
    }

    /// At most `max` groups that changed since they were shown last, evaluated on copies, and how many others there are.
    pub(super) fn changed(&mut self, max: usize) -> (Option<RecordBatch>, usize) {
        let plan = &self.plan;
        let share = max.div_ceil(self.pool.len());
        let watermark = self.intake.clock().watermark();
        let results = match self.plan.windows {
            Some(windows) => self.pool.each_worker(|_, worker| {
                let keys = match windows {
                    WindowAssigner::Slides(slides) if slides.overlap() => {
                        share.min(LOOKUPS_MAX / worker.state.windows().len().max(1)).max(1)
                    }
                    _ => share,
                };
                early_results(worker, plan, windows, (Watcher::Live, watermark), keys)
            }),
            // A process plugin emits what is final; there is nothing to look at before.
            None => Vec::new(),
        };
        let left_out: usize = self.pool.workers().iter().map(Worker::changed_len).sum();
        (join(&results), left_out)
    }
}
