//! The aggregate of a worker, and what it makes of groups: result rows of key, outputs and bounds of the window.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::lane::logic::pieces::by_key_bytes;
use crate::lane::plan::WindowsPlan;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::refusal::{GroupRefusal, RefusalKind};
use sluicegate_model::time::EventTime;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_sandbox::run::runner::AggregateRunner;
use sluicegate_state::window::OpenGroup;
use sluicegate_state::window::firing::{Firing, GROUPS_PER_CALL};
use sluicegate_state::window::key;
use sluicegate_state::window::merged::{Merged, MergedGroup, RefusedMerge};

/// A group whose accumulator the plugin could not merge or evaluate.
#[derive(Debug)]
pub(in crate::lane) struct CondemnedGroup {
    /// Which of the two.
    pub(in crate::lane) step: DeadLetterKind,
    pub(in crate::lane) bounds: WindowBounds,
    pub(in crate::lane) key: Vec<u8>,
    pub(in crate::lane) state: Vec<u8>,
    pub(in crate::lane) refusal: GroupRefusal,
}

/// Result rows and what could not become one.
#[derive(Default)]
pub(in crate::lane) struct Results {
    pub(in crate::lane) batches: Vec<RecordBatch>,
    /// Of each batch the window and the encoded key of each row, for sorting.
    keys: Vec<(Vec<WindowBounds>, Varlen)>,
    /// All rows in the order of window and key, when they are sorted.
    order: Vec<ResultRow>,
    pub(in crate::lane) condemned: Vec<CondemnedGroup>,
}

/// A row of the results of a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResultRow {
    /// Its batch among those of its worker.
    pub(super) batch: u32,
    /// Its place there.
    pub(super) row: u32,
}

/// The plugin of a worker, with what it is given.
pub(super) struct Aggregate<'a> {
    pub(super) plan: &'a WindowsPlan,
    pub(super) runner: &'a mut AggregateRunner,
    /// What the groups made the host say, if they are condemned for it: they are not evaluated.
    pub(super) panicked: Option<&'a str>,
}

impl Aggregate<'_> {
    /// Evaluates the groups of a window that were merged from others.
    pub(super) fn evaluate_merged(
        &mut self,
        bounds: WindowBounds,
        merged: &Merged,
        results: &mut Results,
    ) {
        let mut firing = Firing::default();
        for MergedGroup { key, state, revision } in merged.iter() {
            match state {
                Ok(state) => firing.push(OpenGroup { bounds, key, state, revision }),
                Err(refused) => results.condemn_merge(bounds, key, refused),
            }
            if firing.len() == GROUPS_PER_CALL {
                self.evaluate(&firing, results);
                firing = Firing::default();
            }
        }
        self.evaluate(&firing, results);
    }

    /// Evaluates groups; the state does not change.
    pub(super) fn evaluate(&mut self, firing: &Firing, results: &mut Results) {
        if firing.is_empty() {
            return;
        }
        if let Some(panic) = self.panicked {
            return results.condemn_all(firing, panic);
        }
        let answer = self.runner.evaluate(&firing.bounds, &firing.states);
        for refusal in answer.refusals {
            let group = refusal.group as usize;
            results.condemned.push(CondemnedGroup {
                step: DeadLetterKind::Evaluate,
                bounds: firing.bounds[group],
                key: firing.keys.value(group).to_vec(),
                state: firing.states.value(group).to_vec(),
                refusal,
            });
        }
        if answer.batch.num_rows() == 0 {
            return;
        }
        let key = |group: &u32| firing.keys.value(*group as usize);
        // Any number of rows of a group get its key, and that may be long.
        for part in by_key_bytes(answer.groups.iter().map(|group| key(group).len())) {
            let of_part = &answer.groups[part.clone()];
            let keys: Varlen = of_part.iter().map(key).collect();
            let groups: Vec<usize> = of_part.iter().map(|group| *group as usize).collect();
            let outputs = answer.batch.slice(part.start, part.len());
            results.batches.push(result_rows(self.plan, firing, &groups, &keys, &outputs));
            results.keys.push((groups.iter().map(|group| firing.bounds[*group]).collect(), keys));
        }
    }
}

impl Results {
    /// Sorts the rows by window and key. Rows of one group keep the plugin's order.
    pub(super) fn sort(&mut self) {
        let rows = |(batch, (_, keys)): (u32, &(_, Varlen))| {
            (0..keys.len() as u32).map(move |row| ResultRow { batch, row })
        };
        let mut order: Vec<ResultRow> = (0..).zip(&self.keys).flat_map(rows).collect();
        // Groups that are due come in this order; merged tables keep that of their keys' arrival.
        if !order.is_sorted_by_key(|row| self.place(*row)) {
            order.sort_by(|a, b| self.place(*a).cmp(&self.place(*b)));
        }
        self.order = order;
    }

    /// Window and key of a row.
    pub(super) fn place(&self, ResultRow { batch, row }: ResultRow) -> (WindowBounds, &[u8]) {
        let (bounds, keys) = &self.keys[batch as usize];
        (bounds[row as usize], keys.value(row as usize))
    }

    /// The rows as they were sorted.
    pub(super) fn order(&self) -> &[ResultRow] {
        &self.order
    }

    /// Groups that made the host panic.
    fn condemn_all(&mut self, firing: &Firing, panic: &str) {
        for (group, bounds) in (0..).zip(&firing.bounds) {
            self.condemned.push(CondemnedGroup {
                step: DeadLetterKind::HostPanic,
                bounds: *bounds,
                key: firing.keys.value(group as usize).to_vec(),
                state: firing.states.value(group as usize).to_vec(),
                refusal: GroupRefusal { group, kind: RefusalKind::Trap, reason: panic.to_owned() },
            });
        }
    }

    /// Both accumulators are kept as dead letters, the earlier first.
    fn condemn_merge(&mut self, bounds: WindowBounds, key: &[u8], refused: &RefusedMerge) {
        for state in [&refused.left, &refused.right] {
            self.condemned.push(CondemnedGroup {
                step: DeadLetterKind::Merge,
                bounds,
                key: key.to_vec(),
                state: state.clone(),
                refusal: refused.refusal.clone(),
            });
        }
    }
}

/// One row per group of `groups`, an index into `firing`.
fn result_rows(
    plan: &WindowsPlan,
    firing: &Firing,
    groups: &[usize],
    keys: &Varlen,
    outputs: &RecordBatch,
) -> RecordBatch {
    let mut columns: Vec<ArrayRef> =
        key::decode(&plan.grouped.key_fields, keys.iter().collect::<Vec<_>>().into_iter());
    columns.extend(outputs.columns().iter().map(Arc::clone));
    let mut push_bound = |bound: fn(&WindowBounds) -> EventTime| {
        let times = groups.iter().map(|group| bound(&firing.bounds[*group]).micros());
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        columns.push(Arc::new(times));
    };
    if plan.has_bounds {
        push_bound(|bounds| bounds.start);
        push_bound(|bounds| bounds.end);
    }
    if plan.corrects {
        let revisions = groups.iter().map(|group| firing.revisions[*group].cast_signed());
        columns.push(Arc::new(Int64Array::from_iter_values(revisions)));
    }
    let rows = outputs.num_rows();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&plan.grouped.output), columns, &options)
        .expect("the plan's output is made of key, outputs and bounds")
}
