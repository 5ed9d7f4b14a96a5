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
    },
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl LogError {
    /// Whether trying again may help by itself.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store { failure, .. } => *failure != StoreFailure::Impossible,
            Self::Refused { .. } => false,
            Self::Chain(error) => error.may_pass(),
        }
    }

    pub(super) fn store(what: &str, location: &Location, error: &object_store::Error) -> Self {
        let explanation = explain(what, location, error);
        Self::Store { explanation, failure: StoreFailure::of(error) }
    }

    pub(super) fn refused(location: &Location, reason: impl Into<String>) -> Self {
        Self::Refused { url: location.url.clone(), reason: reason.into() }
    }
}
