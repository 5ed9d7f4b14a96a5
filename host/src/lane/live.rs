//! Live results: the groups that changed since last time, evaluated on copies, for whoever listens. They are
//! labelled as not yet committed (DESIGN.md D17). Nobody listening costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal64Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::status::LiveResults;
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;
use crate::window::firing::Firing;
use crate::window::groups::GroupTable;
use crate::window::{SlideTables, Slides, WindowAssigner};

use super::fire::{Results, evaluate, evaluate_merged, join};
use super::plan::Plan;
use super::pool::Worker;
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
    fired: Vec<RecordBatch>,
}

impl Live {
    /// Results of windows that fired are shown like any other change, once more and for the last time.
    pub(super) fn fired(&mut self, rows: &RecordBatch) {
        let waiting: usize = self.fired.iter().map(RecordBatch::num_rows).sum();
        if waiting < LiveResults::ROWS_MAX {
            self.fired.push(rows.slice(0, rows.num_rows().min(LiveResults::ROWS_MAX - waiting)));
        }
    }
}

impl Lane {
    /// Sends what changed, if somebody listens and it is time.
    pub(super) fn show_live(&mut self) -> Result<(), LaneError> {
        let now = self.clock.monotonic();
        if now < self.live.next {
            return Ok(());
        }
        self.live.next = now + EVERY;
        let fired = std::mem::take(&mut self.live.fired);
        if self.outside.live.receiver_count() == 0 || self.plan.is_raw() {
            return Ok(());
        }
        let plan = &self.plan;
        let share = LiveResults::ROWS_MAX.div_ceil(self.pool.len());
        let watermark = self.partitions.clock().watermark();
        let results = match self.plan.windows {
            Some(windows) => self.pool.each_worker(|_, worker| match windows {
                WindowAssigner::Slides(slides) if slides.overlap() => {
                    changed_panes(worker, plan, &slides, watermark, share)
                }
                WindowAssigner::Slides(_) | WindowAssigner::Global { .. } => {
                    changed(worker, plan, share)
                }
                WindowAssigner::Sessions(_) => changed_sessions(worker, plan, share),
            }),
            // A process plugin emits what is final; there is nothing to look at before.
            None => Vec::new(),
        };
        let left_out: usize = self.pool.workers().iter().map(Worker::changed_len).sum();
        let mut batches = fired;
        batches.extend(join(&self.plan, &results));
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let rows: Vec<Vec<Value>> =
            batches.iter().flat_map(json_rows).take(LiveResults::ROWS_MAX).collect();
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

/// Evaluates at most `max` of the worker's changed groups, newest windows first.
fn changed(worker: &mut Worker, plan: &Plan, max: usize) -> Results {
    let mut results = Results::default();
    let Worker { state, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    let mut left = max;
    for window in state.windows_mut().iter_mut().rev() {
        let ids = window.groups.take_changed(left);
        left -= ids.len();
        let firing = Firing::of(window.place.bounds, &window.groups, &ids);
        evaluate(runner, plan, &firing, &mut results);
    }
    // A group that cannot be evaluated yet is no dead letter: it may be when its window fires.
    results.condemned.clear();
    results
}

/// Evaluates the sessions in which at most `max` keys are now.
fn changed_sessions(worker: &mut Worker, plan: &Plan, max: usize) -> Results {
    let mut results = Results::default();
    let Worker { sessions, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    evaluate(runner, plan, &sessions.take_changed(max), &mut results);
    results.condemned.clear();
    results
}

/// Evaluates the changed groups of sliding windows: of the windows that see a change the one that fires next.
fn changed_panes(
    worker: &mut Worker,
    plan: &Plan,
    slides: &Slides,
    watermark: Watermark,
    max: usize,
) -> Results {
    let Worker { state, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    let mut left = max.min(LOOKUPS_MAX / state.windows().len().max(1)).max(1);
    let mut changed: BTreeMap<i128, GroupTable> = BTreeMap::new();
    for pane in state.windows_mut().iter_mut().rev() {
        let next = slides.next_window(pane.place.bounds.start, pane.place.skipped, watermark);
        let ids = pane.groups.take_changed(left);
        left -= ids.len();
        let keys = changed.entry(next).or_default();
        for id in ids {
            keys.find_or_insert(pane.groups.hash(id), pane.groups.key(id));
        }
    }
    let mut results = Results::default();
    for (window, keys) in changed {
        let mut merge = |left: &Varlen, right: &Varlen| runner.merge(left, right);
        let mut merged = SlideTables::keys_of_window(slides, state, window, &keys, &mut merge);
        merged.set_revisions(|hash, key| state.revision(window, hash, key));
        evaluate_merged(runner, plan, slides.bounds(window), &merged, &mut results);
    }
    results.condemned.clear();
    results
}

fn json_rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let cell = |row: usize| batch.columns().iter().map(|column| json_value(column, row)).collect();
    (0..batch.num_rows()).map(cell).collect()
}

/// Decimals and integers are exact: a decimal is text, as JSON's numbers are not.
fn json_value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal64(..) => {
            Value::from(column.as_primitive::<Decimal64Type>().value_as_string(row))
        }
        DataType::Timestamp(..) => Value::from(
            EventTime(column.as_primitive::<TimestampMicrosecondType>().value(row)).to_string(),
        ),
        _ => Value::from(
            arrow::util::display::array_value_to_string(column, row)
                .unwrap_or_else(|error| error.to_string()),
        ),
    }
}
