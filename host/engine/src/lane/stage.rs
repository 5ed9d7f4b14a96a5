//! Filters and maps over the rows of a chunk.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;

use crate::counters::LaneMetrics;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::refusal::Refusal;
use sluicegate_sandbox::plugin::guest::{FilterGuest, MapGuest};
use sluicegate_sandbox::run::brake::Brake;
use sluicegate_sandbox::run::calls::{GuestKind, RunnerStats};
use sluicegate_sandbox::run::cut::RowBytes;
use sluicegate_sandbox::run::runner::StageRunner;

use super::budget::Budget;
use super::plan::{FittedStage, Grouped};
use super::pool::Pool;
use super::rows::codes::Codes;
use super::rows::{Prepared, Rows, project};

/// A plugin of one worker, and what it had done at the last report.
pub(super) struct Running<G: ?Sized> {
    pub(super) runner: StageRunner<G>,
    reported: RunnerStats,
}

/// What the plugin of a worker has done: by now, and by the last report.
pub(super) struct Done {
    now: RunnerStats,
    before: RunnerStats,
}

impl<G: GuestKind + ?Sized> Running<G> {
    /// Nothing done yet.
    pub(super) fn new(stage: &FittedStage, limits: &CallLimits, brake: &Brake) -> Self {
        let runner = stage.runner(limits).with_brake(brake.clone());
        Self { runner, reported: RunnerStats::default() }
    }

    /// The plugin of one worker that keeps state by key.
    pub(super) fn of_grouped(grouped: &Grouped, pool: &Pool) -> Self {
        Self::new(&grouped.stage, &grouped.limits, pool.brake())
    }

    /// What it has done since the last report, which this is.
    pub(super) fn done(&mut self) -> Done {
        let now = self.runner.stats();
        Done { now, before: std::mem::replace(&mut self.reported, now) }
    }
}

/// The plugin of one worker for one of the stages before the last.
pub(super) enum Step {
    Filter(Running<dyn FilterGuest>),
    Map(Running<dyn MapGuest>),
}

impl Step {
    /// Nothing done yet.
    pub(super) fn new(stage: &FittedStage, limits: &CallLimits, brake: &Brake) -> Self {
        match stage.kind {
            PluginKind::Map => Self::Map(Running::new(stage, limits, brake)),
            _ => Self::Filter(Running::new(stage, limits, brake)),
        }
    }

    /// As [`Running::done`].
    pub(super) fn done(&mut self) -> Done {
        match self {
            Self::Filter(filter) => filter.done(),
            Self::Map(map) => map.done(),
        }
    }
}

/// Adds to the counters of a stage what its workers' plugins did since the last report.
pub(super) fn report_stage(
    stage: &FittedStage,
    workers: impl Iterator<Item = Done>,
    metrics: &LaneMetrics,
) {
    let Some(metrics) = metrics.running(&stage.id) else { return };
    let mut memory = 0;
    for Done { now, before } in workers {
        memory += now.memory_bytes;
        metrics.calls.add(now.calls - before.calls);
        metrics.rows.add(now.rows - before.rows);
        metrics.given.add(now.given - before.given);
        metrics.dropped.add(now.dropped - before.dropped);
        metrics.cpu.add_nanos(now.cpu_nanos - before.cpu_nanos);
        metrics.traps.add(now.traps - before.traps);
        metrics.deadlines.add(now.deadlines - before.deadlines);
        metrics.bad_answers.add(now.answers - before.answers);
        metrics.broken.add(now.broken - before.broken);
        metrics.rejects.add(now.rejects - before.rejects);
        metrics.unheard.add(now.unheard - before.unheard);
    }
    metrics.memory_bytes.set(memory);
}

impl FittedStage {
    /// Runs a filter or map over the rows that are left of a chunk. False: it makes more than the budget has left, and
    /// the chunk is of no use.
    pub(super) fn apply(&self, step: &mut Step, prepared: &mut Prepared, budget: &Budget) -> bool {
        match step {
            Step::Map(map) => {
                let input = prepared.rows.project(&self.inputs);
                let answer = map.runner.map(&input);
                let bytes = refused_bytes(&answer.refusals)
                    + answer.batch.get_array_memory_size()
                    + self.inherited_bytes(&prepared.rows, &answer.source_rows);
                let fits = budget.take(bytes) && (!answer.overflowed || budget.refuses());
                if !fits && !budget.refuses() {
                    return false;
                }
                if !fits {
                    prepared.condemn_too_large(self, bytes, budget.bytes_max());
                    return true;
                }
                prepared.condemn_each(self, answer.refusals);
                self.replace_rows(prepared, &answer.batch, &answer.source_rows);
            }
            Step::Filter(filter) => {
                let by_code = self.plugin.code.by_code();
                let input = prepared.rows.project_coded(&self.inputs, by_code);
                let answer = filter.runner.filter(&input);
                if !budget.take(refused_bytes(&answer.refusals)) && !budget.refuses() {
                    return false;
                }
                prepared.condemn_each(self, answer.refusals);
                prepared.rows.keep(&answer.keep);
            }
        }
        true
    }

    /// Bytes of the columns that new rows take over from their sources.
    fn inherited_bytes(&self, old: &Rows, source_rows: &[u32]) -> usize {
        let made = &self.plugin.output_schema;
        let inherited =
            self.output.fields().iter().filter(|field| made.index_of(field.name()).is_err());
        let columns = inherited.filter_map(|field| old.batch.schema().index_of(field.name()).ok());
        let Ok(inherited) = old.batch.project(&columns.collect::<Vec<_>>()) else { return 0 };
        let sizes = RowBytes::new(&inherited);
        let bytes = |row: &u32| {
            let row = old.nth(*row) as usize;
            // Event time, watermark and record travel with each row.
            sizes.of(&(row..row + 1)) + 2 * size_of::<i64>() + size_of::<u32>()
        };
        source_rows.iter().map(bytes).sum()
    }

    /// The rows that a map made take the place of those it was given. They inherit event time,
    /// partition and offset of their source (docs/design/decisions.md#d2), and the columns that the
    /// map does not make.
    fn replace_rows(&self, prepared: &mut Prepared, made: &RecordBatch, source_rows: &[u32]) {
        let old = &prepared.rows;
        let sources: Vec<u32> = source_rows.iter().map(|row| old.nth(*row)).collect();
        let inherit = |name: &str| -> ArrayRef {
            let column = old
                .batch
                .schema()
                .index_of(name)
                .expect("kept columns are columns of the rows before");
            Arc::clone(project(&old.batch, &[column], Some(&sources)).column(0))
        };
        let columns = self.output.fields().iter().map(|field| {
            made.column_by_name(field.name()).map_or_else(|| inherit(field.name()), Arc::clone)
        });
        let options =
            arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(sources.len()));
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&self.output),
            columns.collect(),
            &options,
        )
        .expect("the answer was checked against the plugin's outputs");
        let pick = |values: &[i64]| sources.iter().map(|row| values[*row as usize]).collect();
        prepared.rows = Rows {
            batch,
            picked: None,
            codes: Codes::default(),
            records: Some(sources.iter().map(|row| old.record(*row as usize)).collect()),
            first: old.first,
            times: pick(&old.times),
            before: pick(&old.before),
        };
    }
}

/// Bytes of the reasons of refused rows.
fn refused_bytes(refusals: &[Refusal]) -> usize {
    refusals.iter().map(|refusal| refusal.reason.len() + size_of::<Refusal>()).sum()
}
