//! What a stage made of a batch: rows that went on, and rows that were refused, with the reason.

use std::ops::Range;

use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;

use super::isolate::PartOutcome;
use crate::plugin::PluginError;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;

use sluicegate_model::refusal::{GroupRefusal, Refusal, RefusalKind};

/// What a filter made of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterOutcome {
    /// One bit a row; false where the row was refused.
    pub keep: BooleanBuffer,
    /// Ascending by row, one per row.
    pub refusals: Vec<Refusal>,
}

/// What a map made of a batch.
#[derive(Clone, Debug)]
pub struct MapOutcome {
    /// The new rows, with the plugin's output columns only.
    pub batch: RecordBatch,
    /// For each new row its source; never descending. Refused rows have no new rows.
    pub source_rows: Vec<u32>,
    /// Ascending by row, one per row.
    pub refusals: Vec<Refusal>,
    /// Rows were refused only because those before them had made too much: fewer at a time would do.
    pub overflowed: bool,
}

/// What an aggregate made of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateOutcome {
    /// The accumulators, in the order given; refused rows left no trace in them.
    pub states: Varlen,
    /// Ascending by row, one per row.
    pub refusals: Vec<Refusal>,
}

/// What an aggregate made of groups.
#[derive(Clone, Debug)]
pub struct EvaluateOutcome {
    /// Any number of rows per group, with the plugin's output columns.
    pub batch: RecordBatch,
    /// For each row its group; never descending. Refused groups have no rows.
    pub groups: Vec<u32>,
    /// Ascending by group.
    pub refusals: Vec<GroupRefusal>,
}

/// What a keyed plugin made of a batch.
#[derive(Clone, Debug)]
pub struct KeyedOutcome {
    /// The groups, in the order given; refused rows and timers left no trace in them.
    pub groups: KeyedGroups,
    /// New rows, with the plugin's output columns only.
    pub batch: RecordBatch,
    /// For each new row its source; never descending.
    pub source_rows: Vec<u32>,
    /// For each new row its event time.
    pub times: Vec<EventTime>,
    /// Ascending by row, one per row.
    pub refusals: Vec<Refusal>,
    /// Timers that were due before a row and could not fire.
    pub timers: Vec<TimerRefusal>,
}

/// What a keyed plugin made of timers.
#[derive(Clone, Debug)]
pub struct TimerOutcome {
    /// The groups, in the order given.
    pub groups: KeyedGroups,
    /// New rows, with the plugin's output columns only.
    pub batch: RecordBatch,
    /// For each new row its group; never descending.
    pub of: Vec<u32>,
    /// The groups whose timer could not fire, ascending.
    pub refusals: Vec<GroupRefusal>,
}

/// A timer that is to be dead-lettered with the state of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRefusal {
    /// Index of the group among those given.
    pub group: u32,
    /// As the plugin had set it: time and id.
    pub timer: Timer,
    /// State of the group before the timer fired, as the plugin wrote it.
    pub state: Vec<u8>,
    /// What became of the call in which the timer fired.
    pub kind: RefusalKind,
    /// The plugin's words or the trap, for a person.
    pub reason: String,
}

pub(crate) fn kind_of(fault: &PluginError) -> RefusalKind {
    match fault {
        // An instance that cannot be made any more is as good as one that trapped.
        PluginError::Trap(_) | PluginError::Refused(_) => RefusalKind::Trap,
        PluginError::Deadline { .. } => RefusalKind::Deadline,
        PluginError::Answer(_) => RefusalKind::Answer,
    }
}

/// Why a part of the work was refused.
pub(crate) struct Refused {
    kind: RefusalKind,
    reason: String,
}

/// The answer of a part, or the words for those in it.
pub(crate) fn refusable<A>(part: &Range<usize>, result: PartOutcome<A>) -> Result<A, Refused> {
    match result {
        PartOutcome::Done(answer) => Ok(answer),
        PartOutcome::Condemned(fault) => Err(Refused::by(&fault)),
        PartOutcome::Broken(fault) => Err(Refused {
            kind: RefusalKind::Breaker,
            reason: format!(
                "refused together with {} others, the plugin fails too often to find the guilty: {fault}",
                part.len() - 1
            ),
        }),
    }
}

impl Refused {
    pub(crate) fn by(fault: &PluginError) -> Self {
        Self { kind: kind_of(fault), reason: fault.to_string() }
    }

    pub(crate) fn rows(self, part: &Range<usize>, refusals: &mut Vec<Refusal>) {
        let Self { kind, reason } = self;
        refusals.extend(part.clone().map(|row| Refusal {
            row: index(row),
            kind,
            reason: reason.clone(),
        }));
    }

    pub(crate) fn groups(self, part: &Range<usize>, refusals: &mut Vec<GroupRefusal>) {
        let Self { kind, reason } = self;
        refusals.extend(part.clone().map(|group| GroupRefusal {
            group: index(group),
            kind,
            reason: reason.clone(),
        }));
    }
}

/// A row or group as outcomes count them.
pub(crate) fn index(row: usize) -> u32 {
    u32::try_from(row).expect("batches are bounded far below 2³² rows")
}
