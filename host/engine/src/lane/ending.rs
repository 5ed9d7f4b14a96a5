//! The end of a lane: what it made is committed and sent before it goes, or dropped and made again.
//!
//! A lane that ends waits until the store has its state and the topics have its messages, as long as that takes. One
//! that is asked to stop waits only a while, because opening it again reads and sends what is left.

use super::LaneEnd;
use super::ledger::Ledger;
use super::outputs::Outputs;

/// What is left to do of a lane that takes no more turns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undone {
    /// An epoch is on its way to the store.
    is_committing: bool,
    /// Messages of a committed epoch are on their way to their topics.
    is_sending: bool,
    /// A table's log lacks files of a committed epoch.
    is_publishing: bool,
    /// Something happened that no record holds yet.
    is_dirty: bool,
}

/// The next step to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastStep {
    /// Wait for the store.
    Commit,
    /// Wait for the topics.
    Send,
    /// Wait for the logs of the tables.
    Publish,
    /// Freeze what no record holds yet.
    Freeze,
    /// Nothing, or a stop may not wait for the rest of it.
    End(LaneEnd),
}

impl Undone {
    /// As it stands now.
    pub(super) fn of(ledger: &Ledger, outputs: &Outputs) -> Self {
        let is_committing = ledger.committer.in_flight();
        Self {
            is_committing,
            is_sending: outputs.is_unsent(),
            is_publishing: outputs.logs.is_behind(),
            is_dirty: ledger.dirty,
        }
    }

    /// What comes next of a lane that is to end so. A commit comes before the messages, which are those of a committed
    /// epoch.
    pub(super) fn next(self, end: LaneEnd, is_overdue: bool) -> LastStep {
        match self {
            Self { is_committing: true, .. } if is_overdue => LastStep::End(LaneEnd::CutShort),
            Self { is_committing: true, .. } => LastStep::Commit,
            // All is committed: the next opening sends it, so nothing was cut.
            Self { is_sending: true, .. } if is_overdue => LastStep::End(LaneEnd::Stopped),
            Self { is_sending: true, .. } => LastStep::Send,
            Self { is_dirty: true, .. } => LastStep::Freeze,
            // The next opening does it.
            Self { is_publishing: true, .. } if !is_overdue => LastStep::Publish,
            _ => LastStep::End(end),
        }
    }
}
