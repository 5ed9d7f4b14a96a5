//! What a lane makes of prepared rows and of time that passes.
//!
//! ```text
//!  prepared rows ─► update ─► judged: accepted, late, refused     ┐
//!  watermark ─────► advance ─► effects: rows, updates, what failed ┘─► the lane applies them
//! ```
//!
//! A [`Logic`] is made in one place, by what the pipeline file says; whoever runs it speaks to a [`Kind`] and does not
//! ask which. It owns the plugins with state, their instances and the state itself. It writes nothing and commits
//! nothing: what it makes it hands to [`Effects`], and rows that it is given stay as they are. So a second one over the
//! same prepared rows can run beside it, and what it makes be compared and thrown away.

mod judged;
mod keyed;
pub(in crate::lane) mod migrate;
mod pieces;
mod placed;
mod raw;
mod share;
mod wanted;
mod windows;

use std::ops::{Deref, DerefMut};

use arrow::record_batch::RecordBatch;

use crate::counters::LaneMetrics;
use crate::stop::Stop;
use sluicegate_chain::FrozenState;
use sluicegate_model::time::Watermark;
use sluicegate_state::watermark::LaneClock;
use sluicegate_state::window::snapshot::SnapshotError;

use super::LaneError;
use super::asked::WindowsAsked;
use super::plan::{FittedStage, LogicPlan, Plan};
use super::pool::Pool;
use super::rows::Prepared;
use super::trial::Trial;
use keyed::Keyed;
use raw::Raw;
use windows::Windows;

pub(in crate::lane) use judged::Judged;
pub(in crate::lane) use keyed::emitted::CondemnedTimer;
pub(in crate::lane) use placed::Judge;
pub(in crate::lane) use windows::aggregate::CondemnedGroup;

/// What a lane makes of its rows.
pub(super) enum Logic {
    /// Rows go to the sinks as they are.
    Raw(Raw),
    /// Rows are added to the groups of windows, which fire.
    Windows(Windows),
    /// Rows and timers of a key go to a plugin that keeps state.
    Keyed(Keyed),
}

/// What every kind of logic does.
pub(super) trait Kind: Send {
    /// The stage that keeps state, if one does.
    fn stage(&self) -> Option<&FittedStage>;

    /// Takes the rows of a turn, which stay as they are. Judges each, and adds those that are accepted to what it
    /// keeps. One answer a chunk.
    ///
    /// # Errors
    ///
    /// [`LaneError::BrokenOff`] if the turn was; nothing that came of it may be used.
    fn update(
        &mut self,
        given: &Given<'_>,
        turn: &Turn<'_>,
        effects: &mut dyn Effects,
    ) -> Result<Vec<Judged>, LaneError>;

    /// Fires what the watermark has passed, whether it has moved or not. What there is no time for is left to the next
    /// call.
    fn advance(
        &mut self,
        _given: &Given<'_>,
        _watermark: Watermark,
        _effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        Ok(())
    }

    /// Whether something is due that [`Kind::advance`] has left to its next call. No rows may come before that.
    fn is_firing(&self) -> bool {
        false
    }

    /// Fires everything: the input has ended, and the watermark is at the end of time. False if there is more than a
    /// call has time for.
    fn finish(
        &mut self,
        _given: &Given<'_>,
        _effects: &mut dyn Effects,
    ) -> Result<bool, LaneError> {
        Ok(true)
    }

    /// Tells those that want updates what has changed since the last barrier and has not fired.
    fn tell_changes(
        &mut self,
        _given: &Given<'_>,
        _effects: &mut dyn Effects,
    ) -> Result<(), LaneError> {
        Ok(())
    }

    /// At most `max` groups that have changed since they were shown last and have not fired, evaluated on copies.
    fn show(&mut self, _given: &Given<'_>, _max: usize) -> Changed {
        Changed::default()
    }

    /// Open groups that somebody asks for, evaluated on copies within bounds, and how many were not looked at. None: there are no
    /// such things. Nothing changes by it.
    fn open(&mut self, _given: &Given<'_>, _asked: &WindowsAsked) -> Option<(RecordBatch, usize)> {
        None
    }

    /// Goes on where the watermark had come when a checkpoint was made, with state or without.
    fn begin_at(&mut self, _watermark: Watermark) {}

    /// What a checkpoint stores, if there is anything. Nothing changes by it.
    fn encode(&mut self, _pool: &Pool, _freezing: Freezing) -> Option<FrozenState> {
        None
    }

    /// Whether a checkpoint can store what has changed since the last one, and that is less than all.
    fn has_delta(&self) -> bool {
        false
    }

    /// A checkpoint stores what was encoded last: from here on something changes. Or there was nothing to store.
    fn set_saved(&mut self, _is_stored: bool) {}

    /// Takes up the pieces that checkpoints have stored, at least one, the oldest first, in the layout in which they lie there.
    ///
    /// # Errors
    ///
    /// The bytes are no state of this kind.
    fn restore(
        &mut self,
        pool: &Pool,
        watermark: Watermark,
        pieces: &[Vec<u8>],
    ) -> Result<(), SnapshotError>;

    /// Of each worker every accumulator, or state of a key, that is not empty, always in the same order.
    fn states(&self) -> Vec<States<'_>> {
        Vec::new()
    }

    /// Replaces what [`Kind::states`] gives of a worker, in that order.
    fn set_states(&mut self, _worker: usize, _states: &mut dyn Iterator<Item = &[u8]>) {}

    /// Groups of windows, or keys.
    fn groups_len(&self) -> u64 {
        0
    }

    /// Bytes that they hold in memory, about; compared with `limits.state_bytes`.
    fn state_bytes(&self) -> u64 {
        0
    }

    /// Bytes beside them, as long as a firing goes on.
    fn firing_bytes(&self) -> u64 {
        0
    }

    /// Whatever the machine's speed, a step fires all that is due, or a run of so many groups of each worker.
    #[cfg(test)]
    fn set_step(&mut self, _groups: Option<usize>) {}

    /// Columns of results that are the key: the first ones.
    fn key_columns(&self) -> usize {
        0
    }

    /// Adds what its steps and plugins did since the last report.
    fn report(&mut self, _metrics: &LaneMetrics) {}
}

/// What is encoded of a logic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freezing {
    /// Of the module that made it.
    pub(super) generation: u32,
    pub(super) watermark: Watermark,
    pub(super) extent: Extent,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// What has changed since it was saved last.
    Changed,
}

/// Groups that have changed and have not fired.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) rows: Option<RecordBatch>,
    /// How many others there are, which are not among the rows.
    pub(super) left_out: usize,
}

/// States of one worker.
pub(super) type States<'s> = Box<dyn Iterator<Item = &'s [u8]> + Send + 's>;

/// What a logic is given to work with.
pub(super) struct Given<'g> {
    pub(super) pool: &'g Pool,
    /// Of the partitions.
    pub(super) clock: &'g LaneClock,
    /// Loops break off when it is overdue.
    pub(super) stop: Stop,
    /// Is told what is in hand. A logic that runs beside that of a lane has one of its own: or groups of the lane would
    /// be on trial for a panic of the other.
    pub(super) trial: Trial,
}

/// Prepared rows of a turn.
pub(super) struct Turn<'r> {
    pub(super) chunks: &'r [Prepared],
    /// Who judges the rows of each chunk.
    pub(super) judges: &'r [Judge],
}

impl Turn<'_> {
    /// How many there are.
    pub(super) fn rows(&self) -> usize {
        self.chunks.iter().map(|prepared| prepared.rows.len()).sum()
    }
}

/// What a logic makes, beside its judgement of rows.
pub(super) enum Effect<'e> {
    /// Final rows: results of windows that fired, or what a keyed plugin emits.
    Rows(&'e RecordBatch),
    /// Groups for those that want every change: of windows that take more rows, or, if they are `last`, that do not.
    Updates { rows: &'e RecordBatch, last: bool },
    /// Groups that the plugin could not merge or evaluate.
    Groups { stage: &'e FittedStage, condemned: &'e [CondemnedGroup] },
    /// Windows have fired further, which a record must hold.
    Fired,
    /// Timers that could not fire.
    Timers { stage: &'e FittedStage, condemned: &'e [CondemnedTimer] },
}

/// Who applies what a logic makes, in the order in which it comes.
pub(super) trait Effects {
    /// Takes an effect.
    fn take(&mut self, effect: Effect<'_>) -> Result<(), LaneError>;
}

impl Logic {
    /// That of a plan, without state.
    pub(super) fn new(plan: &Plan, pool: &Pool) -> Self {
        match &plan.logic {
            LogicPlan::Raw => Self::Raw(Raw),
            LogicPlan::Windows(windows) => Self::Windows(Windows::new(windows.clone(), pool)),
            LogicPlan::Keyed(keyed) => Self::Keyed(Keyed::new(keyed.clone(), pool)),
        }
    }

    /// What a checkpoint stores: what has changed, where that is possible, unless `whole` is asked for.
    pub(super) fn freeze(
        &mut self,
        pool: &Pool,
        generation: u32,
        watermark: Watermark,
        whole: bool,
    ) -> Option<FrozenState> {
        let extent = if !whole && self.has_delta() { Extent::Changed } else { Extent::Whole };
        let frozen = self.encode(pool, Freezing { generation, watermark, extent });
        self.set_saved(frozen.is_some());
        frozen
    }

    /// Runs the modules of another plan of the same pipeline from now on. The state stays.
    pub(super) fn replan(&mut self, plan: &Plan, pool: &Pool) {
        match (&mut *self, &plan.logic) {
            (Self::Windows(windows), LogicPlan::Windows(plan)) => {
                windows.replan(plan.clone(), pool);
            }
            (Self::Keyed(keyed), LogicPlan::Keyed(plan)) => keyed.replan(plan.clone(), pool),
            _ => *self = Self::new(plan, pool),
        }
    }
}

impl Deref for Logic {
    type Target = dyn Kind;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Raw(raw) => raw,
            Self::Windows(windows) => windows,
            Self::Keyed(keyed) => keyed,
        }
    }
}

impl DerefMut for Logic {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Raw(raw) => raw,
            Self::Windows(windows) => windows,
            Self::Keyed(keyed) => keyed,
        }
    }
}
