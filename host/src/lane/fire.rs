//! Windows that the watermark has passed → result rows: key, outputs of the aggregate, bounds of the window.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::plugin::WindowBounds;
use crate::plugin::outcome::GroupRefusal;
use crate::plugin::runner::StageRunner;
use crate::time::Watermark;
use crate::varlen::Varlen;
use crate::window::firing::{Firing, GROUPS_PER_CALL};
use crate::window::merged::{Merged, RefusedMerge};
use crate::window::sliding::{Progress, Told};
use crate::window::{GroupPlace, Slides, WindowAssigner, key};

use super::pieces::by_key_bytes;
use super::plan::Plan;
use super::pool::Worker;
use super::runs::Place;

/// A group whose accumulator the plugin could not merge or evaluate.
#[derive(Debug)]
pub(super) struct CondemnedGroup {
    /// Which of the two.
    pub(super) step: &'static str,
    pub(super) bounds: WindowBounds,
    pub(super) key: Vec<u8>,
    pub(super) state: Vec<u8>,
    pub(super) refusal: GroupRefusal,
}

/// Result rows and what could not become one.
#[derive(Default)]
pub(super) struct Results {
    pub(super) batches: Vec<RecordBatch>,
    /// Of each batch the window and the encoded key of each row, for sorting.
    keys: Vec<(Vec<WindowBounds>, Varlen)>,
    /// All rows in the order of window and key, when they are sorted.
    order: Vec<Place>,
    pub(super) condemned: Vec<CondemnedGroup>,
}

/// What fires at a watermark, and, if that is wanted, what is closed by it.
#[derive(Default)]
pub(super) struct Fired {
    pub(super) results: Results,
    /// All groups of the windows that fired before and take no more rows. Without corrections empty: results are the last
    /// word.
    pub(super) closed: Results,
}

/// Fires a run of a worker's groups: those that are due up to `last`. What comes of them, and how many they were.
pub(super) fn fire_run(
    worker: &mut Worker,
    plan: &Plan,
    windows: WindowAssigner,
    last: Option<&GroupPlace>,
) -> (Results, usize) {
    let Worker { state, sessions, aggregate, .. } = worker;
    let firing = match windows {
        WindowAssigner::Slides(_) | WindowAssigner::Global { .. } => state.fire_run(last),
        WindowAssigner::Sessions(_) => sessions.fire_run(last),
    };
    let mut results = Results::default();
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    evaluate(runner, plan, &firing, &mut results);
    results.sort();
    (results, firing.len())
}

/// Closes the windows that take no more rows at this watermark. What they had at the end, if somebody is to be told.
pub(super) fn close(
    worker: &mut Worker,
    plan: &Plan,
    windows: WindowAssigner,
    (now, tells_closed): (Watermark, bool),
) -> Results {
    let mut closed = Results::default();
    let Worker { state, sessions, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    match windows {
        // Of all time the end of input is the end, and nothing else.
        WindowAssigner::Global { .. } if now != Watermark::END => {}
        WindowAssigner::Slides(_) | WindowAssigner::Global { .. } => {
            if tells_closed && plan.corrects {
                let tell = |firing: &Firing| evaluate(runner, plan, firing, &mut closed);
                state.each_closing(now, plan.lateness, tell);
            }
            state.close(now, plan.lateness);
        }
        WindowAssigner::Sessions(rule) => sessions.close(rule, (now, plan.lateness)),
    }
    // What cannot be evaluated has been a dead letter since the window fired.
    closed.condemned.clear();
    closed.sort();
    closed
}

/// Fires sliding windows up to a watermark.
pub(super) fn fire_panes(
    worker: &mut Worker,
    plan: &Plan,
    slides: &Slides,
    progress: Progress,
) -> Fired {
    let Fired { mut results, mut closed } = Fired::default();
    let Worker { state, slide_tables, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    let runner = std::cell::RefCell::new(runner);
    // Merging a window and evaluating it take turns.
    let mut merge = |left: &Varlen, right: &Varlen| runner.borrow_mut().merge(left, right);
    slide_tables.fire(slides, state, progress, &mut merge, |bounds, merged, told| {
        let to = if told == Told::Closed { &mut closed } else { &mut results };
        evaluate_merged(&mut runner.borrow_mut(), plan, bounds, &merged, to);
    });
    // What cannot be evaluated has been a dead letter since the window fired.
    closed.condemned.clear();
    results.sort();
    closed.sort();
    Fired { results, closed }
}

/// Evaluates the groups of a window that were merged from others.
pub(super) fn evaluate_merged(
    runner: &mut StageRunner,
    plan: &Plan,
    bounds: WindowBounds,
    merged: &Merged,
    results: &mut Results,
) {
    let mut firing = Firing::default();
    for (key, state, revision) in merged.iter() {
        match state {
            Ok(state) => firing.push(bounds, key, state, revision),
            Err(refused) => results.condemn_merge(bounds, key, refused),
        }
        if firing.len() == GROUPS_PER_CALL {
            evaluate(runner, plan, &firing, results);
            firing = Firing::default();
        }
    }
    evaluate(runner, plan, &firing, results);
}

impl Results {
    /// Sorts the rows by window and key. Rows of one group keep the plugin's order.
    pub(super) fn sort(&mut self) {
        let rows = |(batch, (_, keys)): (u32, &(_, Varlen))| {
            (0..keys.len() as u32).map(move |row| (batch, row))
        };
        let mut order: Vec<Place> = (0..).zip(&self.keys).flat_map(rows).collect();
        if !order.is_sorted_by_key(|row| self.place(*row)) {
            order.sort_by(|a, b| self.place(*a).cmp(&self.place(*b)));
        }
        self.order = order;
    }

    /// Window and key of a row.
    pub(super) fn place(&self, (batch, row): Place) -> ((i64, i64), &[u8]) {
        let (bounds, keys) = &self.keys[batch as usize];
        let WindowBounds { start, end } = bounds[row as usize];
        ((start, end), keys.value(row as usize))
    }

    /// The rows as they were sorted.
    pub(super) fn order(&self) -> &[Place] {
        &self.order
    }

    /// Both accumulators are kept as dead letters, the earlier first.
    fn condemn_merge(&mut self, bounds: WindowBounds, key: &[u8], refused: &RefusedMerge) {
        for state in [&refused.left, &refused.right] {
            self.condemned.push(CondemnedGroup {
                step: "merge",
                bounds,
                key: key.to_vec(),
                state: state.clone(),
                refusal: refused.refusal.clone(),
            });
        }
    }
}

/// Evaluates groups; the state does not change.
pub(super) fn evaluate(
    runner: &mut StageRunner,
    plan: &Plan,
    firing: &Firing,
    results: &mut Results,
) {
    if firing.is_empty() {
        return;
    }
    let answer = runner.evaluate(&firing.bounds, &firing.states);
    for refusal in answer.refusals {
        let group = refusal.group as usize;
        results.condemned.push(CondemnedGroup {
            step: "evaluate",
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
        results.batches.push(result_rows(plan, firing, &groups, &keys, &outputs));
        results.keys.push((groups.iter().map(|group| firing.bounds[*group]).collect(), keys));
    }
}

/// One row per group of `groups`, an index into `firing`.
fn result_rows(
    plan: &Plan,
    firing: &Firing,
    groups: &[usize],
    keys: &Varlen,
    outputs: &RecordBatch,
) -> RecordBatch {
    let mut columns: Vec<ArrayRef> =
        key::decode(&plan.key_fields, keys.iter().collect::<Vec<_>>().into_iter());
    columns.extend(outputs.columns().iter().map(Arc::clone));
    let mut push_bound = |bound: fn(&WindowBounds) -> i64| {
        let times = groups.iter().map(|group| bound(&firing.bounds[*group]));
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        columns.push(Arc::new(times));
    };
    if plan.has_bounds() {
        push_bound(|bounds| bounds.start);
        push_bound(|bounds| bounds.end);
    }
    if plan.corrects {
        let revisions = groups.iter().map(|group| firing.revisions[*group].cast_signed());
        columns.push(Arc::new(Int64Array::from_iter_values(revisions)));
    }
    let rows = outputs.num_rows();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&plan.output), columns, &options)
        .expect("the plan's output is made of key, outputs and bounds")
}
