//! Why a table's log cannot be read or written.

use sluicegate_chain::ChainError;
use sluicegate_store::Location;
use sluicegate_store::failure::{StoreFailure, explain};

/// Why a table's log cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store failed or refused.
    #[error("{explanation}")]
    Store {
        /// What was attempted, where, the store's words and the fix.
        explanation: String,
        /// Whether a repetition may help, or somebody has to do something first.
        failure: StoreFailure,
    },
    /// The table is not ours to write, or we cannot. Nothing was changed.
    #[error("the Delta table at {url} {reason}")]
    Refused {
        /// The table's folder.
        url: String,
        /// What is in the way, and the fix.
        reason: String,
        /// Of what kind that is.
        kind: Refusal,
    },
    /// Other writers took the place of each commit.
    #[error("the Delta table at {url} is written by others so fast that no commit gets through")]
    Crowded {
        /// The table's folder.
        url: String,
    },
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is something the matter with more than one table.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<LogError>),
}

/// Why a table is refused, as far as somebody acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By what stands in it, or in the way of reading it: somebody may mend that.
    Table,
    /// A chain with the same id has it, and lies elsewhere.
    Copy,
}

impl LogError {
    /// Whether trying again may help by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store { failure, .. } => *failure != StoreFailure::Impossible,
            Self::Refused { .. } => false,
            Self::Crowded { .. } => true,
            Self::Chain(error) => error.may_pass(),
            Self::Several(errors) => errors.iter().all(Self::may_pass),
        }
    }

    /// All of them as one, in their order.
    ///
    /// # Errors
    ///
    /// There is one.
    pub fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }

    pub(super) fn store(what: &str, location: &Location, error: &object_store::Error) -> Self {
        let explanation = explain(what, location, error);
        Self::Store { explanation, failure: StoreFailure::of(error) }
    }

    pub(super) fn refused(location: &Location, reason: impl Into<String>) -> Self {
        Self::Refused { url: location.url.clone(), reason: reason.into(), kind: Refusal::Table }
    }

    pub(super) fn copied(location: &Location, reason: String) -> Self {
        Self::Refused { url: location.url.clone(), reason, kind: Refusal::Copy }
    }

    /// Whether a table is refused to one of two chains of one id.
    pub fn is_of_copy(&self) -> bool {
        matches!(self, Self::Refused { kind: Refusal::Copy, .. })
    }
}
