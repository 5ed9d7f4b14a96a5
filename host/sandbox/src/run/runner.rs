//! Runs the plugin of a stage over batches: cuts them into calls, survives every fault, says which rows are guilty.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;

use super::accumulators::GroupStates;
use super::brake::Brake;
use super::calls::{Calls, GuestKind, RunnerStats};
use super::coded;
use super::cut::{RowBytes, next_groups, slice};
use super::isolate::{self, Budget, Haste};
use super::made::{Made, admit};
use super::outcome::{
    EvaluateOutcome, FilterOutcome, MapOutcome, Refused, UpdateOutcome, index, refusable,
};
use crate::plugin::guest::{AggregateGuest, FilterGuest, KeyedGuest, MapGuest, StatefulGuest};
use crate::plugin::{Plugin, PluginError};
use sluicegate_model::call::CallLimits;
use sluicegate_model::refusal::{MergeOutcome, Refusal, RefusalKind};
use sluicegate_model::time::Clock;
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

/// Runs one stage on one worker. It makes an instance when it needs one, and throws it away after any failure.
///
/// Whatever the plugin does, each row or group comes out either answered or refused, and those answered are as if
/// the refused had never been there.
pub struct StageRunner<G: ?Sized> {
    pub(crate) calls: Calls<G>,
    pub(crate) budget: Budget,
    pub(crate) bytes_max: usize,
    /// Halved when a call fails as a whole and none of its rows does: it was too large for this plugin.
    pub(crate) rows_max: usize,
    pub(crate) groups_max: usize,
    pub(crate) firings_max: u32,
}

/// Runs a filter: each row goes on, is dropped or is refused.
pub type FilterRunner = StageRunner<dyn FilterGuest>;
/// Runs a map: each row becomes any number of rows.
pub type MapRunner = StageRunner<dyn MapGuest>;
/// Runs an aggregate: updates, merges and evaluates accumulators that the caller keeps.
pub type AggregateRunner = StageRunner<dyn AggregateGuest>;
/// Runs a keyed plugin; its calls stand in [`super::keyed`].
pub type KeyedRunner = StageRunner<dyn KeyedGuest>;

/// Takes the state of any plugin that has one to another layout.
pub type MigrationRunner = StageRunner<dyn StatefulGuest>;

impl<G: GuestKind + ?Sized> StageRunner<G> {
    /// A runner without an instance yet.
    pub fn new(plugin: &Plugin, limits: &CallLimits) -> Self {
        Self {
            calls: Calls::new(plugin),
            budget: Budget::new(Clock::system(), Brake::default()),
            bytes_max: limits.bytes,
            rows_max: limits.rows,
            groups_max: limits.rows,
            firings_max: limits.key_firings,
        }
    }

    /// The same, counting the minutes of its circuit breaker by this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.budget = Budget::new(clock, self.budget.brake);
        self
    }

    /// The same, ending early when the brake is pulled.
    #[must_use]
    pub fn with_brake(mut self, brake: Brake) -> Self {
        self.calls.set_brake(brake.clone());
        self.budget.brake = brake;
        self
    }

    /// The same, whose failed calls cost what this says.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_cpu(mut self, cpu: super::calls::CpuTime) -> Self {
        self.calls.set_cpu(cpu);
        self
    }

    /// With the configuration that every instance of this runner gets.
    pub fn plugin(&self) -> &Plugin {
        self.calls.plugin()
    }

    /// Sums since the runner was made, over all its instances.
    pub fn stats(&self) -> RunnerStats {
        self.calls.stats()
    }

    /// Calls for all rows, part by part; `settle` sees the parts in ascending order.
    fn each_part<A>(
        &mut self,
        rows: &RecordBatch,
        call: impl Fn(&mut G, Range<usize>, &RecordBatch) -> Result<A, PluginError>,
        mut settle: impl FnMut(Range<usize>, Result<A, Refused>),
    ) {
        let bytes = RowBytes::new(rows);
        let mut start = 0;
        while start < rows.num_rows() {
            let part = bytes.next(start, rows.num_rows(), self.rows_max, self.bytes_max);
            start = part.end;
            let course = isolate::attempt(
                part,
                &mut self.budget,
                |part, haste| {
                    self.calls.call(part.len(), haste, |guest| {
                        let rows = rows_of(rows, &part);
                        call(guest, part, &rows)
                    })
                },
                |part, result| settle(part.clone(), refusable(&part, result)),
            );
            self.calls.learn(course, &mut self.rows_max);
        }
    }

    /// Calls for all groups, part by part. No record is guilty here: groups are refused
    /// (docs/design/decisions.md#d12).
    fn each_group<A>(
        &mut self,
        states: &[&Varlen],
        call: impl Fn(&mut G, &Range<usize>) -> Result<A, PluginError>,
        mut settle: impl FnMut(Range<usize>, Result<A, Refused>),
    ) {
        let mut start = 0;
        while start < states[0].len() {
            let part = next_groups(states, start, self.groups_max, self.bytes_max);
            start = part.end;
            let course = isolate::attempt(
                part,
                &mut self.budget,
                |part, haste| self.calls.call(part.len(), haste, |guest| call(guest, &part)),
                |part, result| settle(part.clone(), refusable(&part, result)),
            );
            self.calls.learn(course, &mut self.groups_max);
        }
    }
}

impl FilterRunner {
    /// Which rows go on. `rows` holds exactly the plugin's input columns, here and below. Any of them that are texts may be
    /// dictionaries with `u32` codes.
    pub fn filter(&mut self, rows: &RecordBatch) -> FilterOutcome {
        let code = Arc::clone(&self.calls.plugin().code);
        let rows = &*coded::taken(rows, code.by_code(), self.bytes_max);
        let mut keep = Vec::with_capacity(1);
        let mut refusals = Vec::new();
        self.each_part(
            rows,
            |guest, _, rows| guest.filter(rows),
            |part, result| match result {
                Ok(answer) => {
                    refusals.extend(answer.rejects.into_iter().map(rejected(&part)));
                    keep.push(answer.keep);
                }
                Err(refused) => {
                    refused.rows(&part, &mut refusals);
                    keep.push(BooleanBuffer::new_unset(part.len()));
                }
            },
        );
        self.calls.count_rejects(&refusals);
        let keep = joined(keep, rows.num_rows());
        self.calls.count_rows(rows.num_rows(), keep.count_set_bits());
        FilterOutcome { keep, refusals }
    }
}

impl MapRunner {
    /// New rows of each row.
    pub fn map(&mut self, rows: &RecordBatch) -> MapOutcome {
        let mut made = Made::new(&self.calls.plugin().output_schema);
        let mut refusals = Vec::new();
        self.each_part(
            rows,
            |guest, _, rows| guest.map(rows),
            |part, result| {
                let kept = result.and_then(|answer| {
                    made.push(&part, answer.batch, answer.source_rows)?;
                    Ok(answer.rejects)
                });
                match kept {
                    Ok(rejects) => refusals.extend(rejects.into_iter().map(rejected(&part))),
                    Err(refused) => refused.rows(&part, &mut refusals),
                }
            },
        );
        self.calls.count_rejects(&refusals);
        let overflowed = made.has_overflowed();
        let (batch, source_rows) = made.finish();
        // They never descend: those of a row stand together.
        let went_on = source_rows.chunk_by(|one, next| one == next).count();
        self.calls.count_rows(rows.num_rows(), went_on);
        MapOutcome { batch, source_rows, refusals, overflowed }
    }
}

impl AggregateRunner {
    /// Adds rows to accumulators: row `i` belongs to `states[groups[i]]`. Refused rows leave no trace.
    pub fn update(&mut self, rows: &RecordBatch, groups: &[u32], states: &Varlen) -> UpdateOutcome {
        let bytes = RowBytes::new(rows);
        let end = rows.num_rows();
        let mut refusals = Vec::new();
        let mut current = GroupStates::new(states, end, self.rows_max, self.bytes_max);
        let mut start = 0;
        while start < end {
            let room = current.room_for_rows(self.bytes_max);
            let part = current.fitting(
                bytes.next(start, end, self.rows_max, room),
                groups,
                self.bytes_max,
            );
            start = part.end;
            let course = isolate::attempt(
                part,
                &mut self.budget,
                |part, haste| {
                    self.calls.call(part.len(), haste, |guest| {
                        current.update(guest, &rows_of(rows, &part), &groups[part])
                    })
                },
                |part, result| match refusable(&part, result) {
                    Ok(rejects) => refusals.extend(rejects.into_iter().map(rejected(&part))),
                    Err(refused) => refused.rows(&part, &mut refusals),
                },
            );
            self.calls.learn(course, &mut self.rows_max);
        }
        self.calls.count_rejects(&refusals);
        self.calls.count_rows(end, end - refusals.len());
        UpdateOutcome { states: current.finish(), refusals }
    }

    /// `merge(left, right)[i]` is the accumulator of the rows of both. Equally many of each.
    pub fn merge(&mut self, left: &Varlen, right: &Varlen) -> MergeOutcome {
        let mut states = Varlen::with_capacity(left.len(), left.bytes.len() + right.bytes.len());
        let mut refusals = Vec::new();
        self.each_group(
            &[left, right],
            |guest, part| guest.merge(&slice(left, part), &slice(right, part)),
            |part, result| {
                let kept = result.and_then(|merged| {
                    let room = admit(states.bytes.len(), merged.bytes.len());
                    room.map_err(|fault| Refused::by(&fault))?;
                    append(&mut states, &merged);
                    Ok(())
                });
                if let Err(refused) = kept {
                    refused.groups(&part, &mut refusals);
                    part.for_each(|_| states.end_value());
                }
            },
        );
        MergeOutcome { states, refusals }
    }

    /// Results of groups; changes nothing. `windows[i]` belongs to `states[i]`.
    pub fn evaluate(&mut self, windows: &[WindowBounds], states: &Varlen) -> EvaluateOutcome {
        let mut made = Made::new(&self.calls.plugin().output_schema);
        let mut refusals = Vec::new();
        self.each_group(
            &[states],
            |guest, part| guest.evaluate(&windows[part.clone()], &slice(states, part)),
            |part, result| {
                let kept = result.and_then(|answer| made.push(&part, answer.batch, answer.groups));
                if let Err(refused) = kept {
                    refused.groups(&part, &mut refusals);
                }
            },
        );
        let (batch, groups) = made.finish();
        EvaluateOutcome { batch, groups, refusals }
    }
}

impl MigrationRunner {
    /// Accumulators of an older version as accumulators of this one. All or none: a failure refuses the activation. `called` is
    /// told of each call that was made.
    pub fn migrate(
        &mut self,
        from_version: u32,
        states: &Varlen,
        called: impl Fn(),
    ) -> Result<Varlen, PluginError> {
        let mut migrated = Varlen::with_capacity(states.len(), states.bytes.len());
        let mut start = 0;
        while start < states.len() {
            let part = next_groups(&[states], start, self.groups_max, self.bytes_max);
            start = part.end;
            let old = slice(states, &part);
            let answer =
                self.calls.call(part.len(), Haste::None, |guest| guest.migrate(from_version, &old));
            called();
            append(&mut migrated, &answer.map_err(|failure| failure.fault)?);
        }
        Ok(migrated)
    }
}

pub(crate) fn rejected(part: &Range<usize>) -> impl Fn(crate::plugin::answer::Reject) -> Refusal {
    let start = index(part.start);
    move |reject| Refusal {
        row: start + reject.row,
        kind: RefusalKind::Rejected,
        reason: reject.reason,
    }
}

/// The rows of a part, without a copy.
fn rows_of(rows: &RecordBatch, part: &Range<usize>) -> RecordBatch {
    rows.slice(part.start, part.len())
}

fn joined(mut parts: Vec<BooleanBuffer>, rows: usize) -> BooleanBuffer {
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut all = BooleanBufferBuilder::new(rows);
    parts.iter().for_each(|part| all.append_buffer(part));
    all.finish()
}

fn append(states: &mut Varlen, more: &Varlen) {
    more.iter().for_each(|state| states.push(state));
}
