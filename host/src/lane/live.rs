//! Live results: the groups that changed since last time, evaluated on copies, for whoever listens.
//! They are labelled as not yet committed (docs/design/decisions.md#d17). Nobody listening costs
//! nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::sink::json::json_value;
use crate::status::LiveResults;
use crate::window::{Watcher, WindowAssigner};

use super::early::early_results;
use super::pool::Worker;
use super::runs::join;
use super::{Lane, LaneError};

/// Listeners get changes at most this often: ten times a second reads as «at once».
const EVERY: Duration = Duration::from_millis(100);

/// Panes in which keys are looked up for one refresh of sliding windows: some milliseconds of work. Windows of many panes
/// show fewer keys at a time.
const LOOKUPS_MAX: usize = 50_000;

/// What waits to be shown.
#[derive(Default)]
pub(super) struct Live {
    next: Duration,
    /// The last [`LiveResults::ROWS_MAX`] rows or more, oldest first.
    fired: VecDeque<RecordBatch>,
    /// Rows that fired before those.
    left_out: usize,
}

impl Live {
    /// Results of windows that fired are shown like any other change, once more and for the last time.
    pub(super) fn fired(&mut self, rows: &RecordBatch) {
        let kept = rows.num_rows().min(LiveResults::ROWS_MAX);
        self.left_out += rows.num_rows() - kept;
        self.fired.push_back(rows.slice(rows.num_rows() - kept, kept));
        let mut waiting: usize = self.fired.iter().map(RecordBatch::num_rows).sum();
        // Those that fired last are worth more: the others have stood there while they were open.
        while let Some(oldest) = self.fired.front()
            && waiting - oldest.num_rows() >= LiveResults::ROWS_MAX
        {
            waiting -= oldest.num_rows();
            self.left_out += oldest.num_rows();
            self.fired.pop_front();
        }
    }
}

impl Lane {
    /// Sends what changed since last time: the lane ends, and nothing follows.
    pub(super) fn show_last(&mut self) {
        self.live.next = Duration::ZERO;
        if let Err(error) = self.show_live() {
            tracing::warn!(%error, "the last live results could not be made");
        }
    }

    /// Sends what changed, if somebody listens and it is time.
    pub(super) fn show_live(&mut self) -> Result<(), LaneError> {
        let now = self.clock.monotonic();
        if now < self.live.next {
            return Ok(());
        }
        self.live.next = now + EVERY;
        let fired = std::mem::take(&mut self.live.fired);
        let fired_left_out = std::mem::take(&mut self.live.left_out);
        if self.outside.live.receiver_count() == 0 || self.plan.is_raw() {
            return Ok(());
        }
        let plan = &self.plan;
        let share = LiveResults::ROWS_MAX.div_ceil(self.pool.len());
        let watermark = self.partitions.clock().watermark();
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
        let mut batches = Vec::from(fired);
        batches.extend(join(&results));
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let all: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let skipped = all.saturating_sub(LiveResults::ROWS_MAX);
        let rows: Vec<Vec<Value>> = batches.iter().flat_map(json_rows).skip(skipped).collect();
        let left_out = left_out + fired_left_out + skipped;
        // Nobody listens any more: nothing to do about it.
        let _ = self.outside.live.send(Arc::new(LiveResults {
            pipeline: self.config.name.to_string(),
            uncommitted_epoch: self.epoch.next().0,
            columns: self.plan.output.fields().iter().map(|field| field.name().clone()).collect(),
            key_columns: self.plan.key.len(),
            rows,
            rows_left_out: left_out as u64,
        }));
        Ok(())
    }
}

fn json_rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let cell = |row: usize| batch.columns().iter().map(|column| json_value(column, row)).collect();
    (0..batch.num_rows()).map(cell).collect()
}
