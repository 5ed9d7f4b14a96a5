//! Why a lane does not run a module that somebody has activated.

use std::fmt;

use sluicegate_sandbox::plugin::PluginError;

use super::plan::PlanError;

/// Why a lane does not run a module. What runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The pipeline has no such stage.
    #[error("this pipeline has no stage `{0}`")]
    NoStage(String),
    /// The module does not fit its place.
    #[error(transparent)]
    Unfit(#[from] PlanError),
    /// The module could not take over the open state.
    #[error(
        "`migrate` of module `{module}` failed on a state of version {from}: {source}; what runs goes on"
    )]
    Migration {
        /// The module's name.
        module: String,
        /// Version of the state that there is.
        from: u32,
        /// What its `migrate` did.
        source: PluginError,
    },
    /// There is no open lane at the moment.
    #[error("{0}")]
    NotOpen(Awaited),
    /// The lane has come to its end.
    #[error("the pipeline has come to its end")]
    Ended,
}

/// What a pipeline without an open lane waits for: a clause about the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Modules that nobody has uploaded yet.
    Modules,
    /// The chain, the state, the topics: it is being opened.
    Opening,
    /// The source must say where a first run begins.
    Source,
    /// Another instance that runs it.
    Standby,
    /// The supervisor opens it again in a moment.
    NextLife,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modules => "waits for its modules: upload them, and it begins",
            Self::Opening => "is being opened",
            Self::Source => "still waits for its source",
            Self::Standby => "stands by while another instance runs it",
            Self::NextLife => "has failed and waits to be opened again",
        })
    }
}
