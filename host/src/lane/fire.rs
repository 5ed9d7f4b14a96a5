//! Windows that the watermark has passed → result rows: key, outputs of the aggregate, bounds of the window.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::plugin::WindowBounds;
use crate::plugin::outcome::GroupRefusal;
use crate::plugin::runner::StageRunner;
use crate::varlen::Varlen;
use crate::window::groups::GroupTable;
use crate::window::key;
use crate::window::state::OpenWindow;

use super::plan::Plan;
use super::pool::Worker;

/// Groups of one `evaluate`: few enough that their accumulators and results are small beside a turn.
const GROUPS_PER_EVALUATE: usize = 8_192;

/// Groups to evaluate: a window and some of its groups.
#[derive(Clone, Copy)]
pub(super) struct Selected<'a> {
    pub(super) bounds: WindowBounds,
    pub(super) groups: &'a GroupTable,
    pub(super) ids: &'a [u32],
}

/// A group whose accumulator the plugin could not evaluate.
#[derive(Debug)]
pub(super) struct CondemnedGroup {
    pub(super) bounds: WindowBounds,
    pub(super) key: Vec<u8>,
    pub(super) state: Vec<u8>,
    pub(super) refusal: GroupRefusal,
}

/// Result rows and what could not become one.
#[derive(Default)]
pub(super) struct Results {
    pub(super) batches: Vec<RecordBatch>,
    /// The encoded key of each row, for sorting.
    keys: Vec<Varlen>,
    pub(super) condemned: Vec<CondemnedGroup>,
}

/// Evaluates windows that fired, with the worker that owned them.
pub(super) fn evaluate_fired(worker: &mut Worker, plan: &Plan, fired: &[OpenWindow]) -> Results {
    let mut results = Results::default();
    for window in fired {
        let ids: Vec<u32> = window.groups.ids().collect();
        let runner = worker.aggregate.as_mut().expect("windows have an aggregate");
        let selected = Selected { bounds: window.bounds, groups: &window.groups, ids: &ids };
        evaluate(runner, plan, selected, &mut results);
    }
    results
}

/// Evaluates groups, on copies of their accumulators: the state does not change.
pub(super) fn evaluate(
    runner: &mut StageRunner,
    plan: &Plan,
    selected: Selected<'_>,
    results: &mut Results,
) {
    let Selected { bounds, groups, ids } = selected;
    for ids in ids.chunks(GROUPS_PER_EVALUATE) {
        let states: Varlen = ids.iter().map(|id| groups.state(*id)).collect();
        let answer = runner.evaluate(&vec![bounds; ids.len()], &states);
        for refusal in answer.refusals {
            let id = ids[refusal.group as usize];
            let (key, state) = (groups.key(id).to_vec(), groups.state(id).to_vec());
            results.condemned.push(CondemnedGroup { bounds, key, state, refusal });
        }
        if answer.batch.num_rows() == 0 {
            continue;
        }
        let keys: Varlen =
            answer.groups.iter().map(|group| groups.key(ids[*group as usize])).collect();
        results.batches.push(result_rows(plan, bounds, &keys, &answer.batch));
        results.keys.push(keys);
    }
}

fn result_rows(
    plan: &Plan,
    bounds: WindowBounds,
    keys: &Varlen,
    outputs: &RecordBatch,
) -> RecordBatch {
    let rows = outputs.num_rows();
    let mut columns: Vec<ArrayRef> =
        key::decode(&plan.key_fields, keys.iter().collect::<Vec<_>>().into_iter());
    columns.extend(outputs.columns().iter().map(Arc::clone));
    for bound in [bounds.start, bounds.end] {
        let column = TimestampMicrosecondArray::from_value(bound, rows).with_timezone("UTC");
        columns.push(Arc::new(column));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&plan.output), columns, &options)
        .expect("the plan's output is made of key, outputs and bounds")
}

/// Joins the results of all workers, ascending by window and key, so that the rows of a file do not depend on the
/// number of workers. None if there are none.
pub(super) fn join(plan: &Plan, results: &[Results]) -> Option<RecordBatch> {
    let batches: Vec<&RecordBatch> = results.iter().flat_map(|results| &results.batches).collect();
    if batches.is_empty() {
        return None;
    }
    let all =
        concat_batches(&plan.output, batches).expect("all results have the plan's output schema");
    let keys: Vec<&[u8]> =
        results.iter().flat_map(|results| &results.keys).flat_map(Varlen::iter).collect();
    let starts = all.column(all.num_columns() - 2);
    let starts =
        arrow::array::AsArray::as_primitive::<arrow::datatypes::TimestampMicrosecondType>(starts);
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    // Stable: rows of one group keep the plugin's order.
    order.sort_by_key(|row| (starts.value(*row as usize), keys[*row as usize]));
    let order = UInt32Array::from(order);
    Some(take_record_batch(&all, &order).expect("the order names rows of the batch"))
}
