//! Open groups as they stand, for somebody who asks: evaluated on copies, with the module that runs, within bounds. Nothing of the
//! state changes, so results are the same whether anybody asks or not.

use arrow::record_batch::RecordBatch;

use super::aggregate::{Aggregate, Results};
use crate::lane::asked::WindowsAsked;
use crate::lane::logic::wanted::is_wanted;
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_state::window::OpenGroup;
use sluicegate_state::window::firing::Firing;
use sluicegate_state::window::groups::GroupTable;

/// CPU time that a look may take of each worker, ns. A call of the module that has begun comes to its end.
pub(in crate::lane) const LOOK_NANOS: u64 = 50_000_000;
/// Bytes of the rows that a look makes, about.
pub(in crate::lane) const LOOK_BYTES: usize = 4 << 20;
/// Groups that are found before they are evaluated.
const FOUND_AT_ONCE: usize = 256;

/// What somebody asked for, and what a worker has found of it.
pub(super) struct Looking<'a> {
    asked: &'a WindowsAsked,
    /// By the CPU clock of the worker's thread, ns.
    end: u64,
    /// Groups of the next call: one, until it is known how long they take.
    step: usize,
    /// That wait to be evaluated.
    found: Firing,
    is_enough: bool,
    /// Not all groups are found.
    is_cut: bool,
    /// Groups that were evaluated, or are not wanted.
    seen: usize,
    results: Results,
}

impl<'a> Looking<'a> {
    /// Nothing is found yet. On the thread of the worker.
    pub(super) fn new(asked: &'a WindowsAsked, nanos: u64) -> Self {
        Self {
            asked,
            end: thread_cpu_nanos().saturating_add(nanos),
            step: 1,
            found: Firing::default(),
            is_enough: false,
            is_cut: false,
            seen: 0,
            results: Results::default(),
        }
    }

    /// Whether no more groups are to be looked at.
    pub(super) fn is_enough(&self) -> bool {
        self.is_enough
    }

    /// A group that is open.
    pub(super) fn find(&mut self, aggregate: &mut Aggregate<'_>, group: OpenGroup<'_>) {
        self.found.push(group);
        if self.found.len() == FOUND_AT_ONCE {
            self.evaluate(aggregate);
        }
    }

    /// Evaluates what was found and is wanted.
    pub(super) fn evaluate(&mut self, aggregate: &mut Aggregate<'_>) {
        let found = std::mem::take(&mut self.found);
        let wanted = self.wanted(aggregate, (0..found.len()).map(|group| found.keys.value(group)));
        self.seen += found.len() - wanted.len();
        let mut wanted = wanted.into_iter().peekable();
        while wanted.peek().is_some() && self.goes_on() {
            let mut firing = Firing::default();
            for group in wanted.by_ref().take(self.step) {
                firing.push(found.group(group));
            }
            self.seen += firing.len();
            aggregate.evaluate(&firing, &mut self.results);
            self.step *= 2;
        }
        self.goes_on();
    }

    /// So many groups were looked at and are not evaluated: nobody wants them, or others stand for them.
    pub(super) fn pass_over(&mut self, groups: usize) {
        self.seen += groups;
    }

    /// There are more groups than can be found. Those that were are evaluated.
    pub(super) fn cut(&mut self) {
        self.is_cut = true;
    }

    /// How many rows are asked for.
    pub(super) fn rows_max(&self) -> usize {
        self.asked.rows
    }

    /// Evaluates the keys of a window, which `evaluate` is given some at a time.
    pub(super) fn evaluate_window(
        &mut self,
        keys: &GroupTable,
        mut evaluate: impl FnMut(&GroupTable, &mut Results),
    ) {
        let mut ids = 0..keys.len() as u32;
        while !ids.is_empty() && self.goes_on() {
            let mut some = GroupTable::default();
            for id in ids.by_ref().take(self.step) {
                some.find_or_insert(keys.hash(id), keys.key(id));
            }
            self.seen += some.len();
            evaluate(&some, &mut self.results);
            self.step *= 2;
        }
    }

    /// All that was found, and how many of so many groups were not looked at.
    pub(super) fn end(mut self, aggregate: &mut Aggregate<'_>, groups: usize) -> (Results, usize) {
        self.evaluate(aggregate);
        let is_part = self.is_enough || self.is_cut;
        let left_out = if is_part { groups.saturating_sub(self.seen) } else { 0 };
        let mut results = self.results;
        // A group that cannot be evaluated yet is no dead letter: it may be when its window fires.
        results.condemned.clear();
        results.sort();
        (results, left_out)
    }

    /// Which of some keys are wanted, as indexes.
    pub(super) fn wanted<'k>(
        &self,
        aggregate: &Aggregate<'_>,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) -> Vec<usize> {
        is_wanted(&aggregate.plan.grouped, self.asked, keys)
    }

    /// Whether there is room and time for another call.
    pub(super) fn goes_on(&mut self) -> bool {
        let rows: usize = self.results.batches.iter().map(RecordBatch::num_rows).sum();
        let bytes: usize =
            self.results.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        // A module that fails on open groups is not asked for the others.
        let fails = !self.results.condemned.is_empty();
        let is_full = rows >= self.asked.rows || bytes >= LOOK_BYTES;
        self.is_enough |= is_full || fails || thread_cpu_nanos() >= self.end;
        !self.is_enough
    }
}
