//! Why a lane cannot be opened, and whether trying again can help.

use sluicegate_chain::ChainError;
use sluicegate_chain::finished::DamagedSet;
use sluicegate_chain::modules::ModuleStoreError;
use sluicegate_connect::outbox::OutboxError;
use sluicegate_connect::source::SourceError;
use sluicegate_delta::LogError;
use sluicegate_pipeline::fingerprint::StateConflict;
use sluicegate_pipeline::fingerprint::columns::TableConflict;
use sluicegate_sandbox::module::problem::LoadError;
use sluicegate_sandbox::plugin::PluginError;
use sluicegate_state::window::snapshot;
use sluicegate_store::probe::ProbeError;

use super::found::FoundError;
use crate::lane::plan::PlanError;

/// A lane that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The chain cannot be read, or is damaged.
    #[error("open chain")]
    Chain(#[from] ChainError),
    /// The store does not do what exactly-once stands on, or could not be tried.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A module is not in the store, or not what it was.
    #[error("get module of stage `{stage}`")]
    Module {
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: Box<ModuleStoreError>,
    },
    /// A module's file cannot be read.
    #[error("read module of stage `{stage}` from `{path}`")]
    ModuleFile {
        /// The stage.
        stage: String,
        /// As resolved.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A module is refused.
    #[error("load module of stage `{stage}`")]
    Load {
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The modules do not fit the pipeline.
    #[error("fit plugins")]
    Plan(#[from] PlanError),
    /// The pipeline was changed in a way that its state does not survive.
    #[error(transparent)]
    Changed(#[from] StateConflict),
    /// A table has files with other columns.
    #[error(transparent)]
    Columns(#[from] TableConflict),
    /// A table's log cannot be read, or is not ours to write.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file in the folder of a table has other columns.
    #[error(transparent)]
    Files(#[from] FoundError),
    /// A stage names another module than its open windows were made with.
    #[error("{0}")]
    OtherModule(String),
    /// The chain's set of finished files is damaged.
    #[error(transparent)]
    Finished(#[from] DamagedSet),
    /// The source cannot be opened.
    #[error("open source")]
    Source(#[from] SourceError),
    /// Another writer has taken the first slot of the chain.
    #[error("epoch {0} of the chain was taken by another instance while we opened it")]
    Fenced(u64),
    /// The state blob is not what the chain says.
    #[error("restore state")]
    State(#[from] snapshot::SnapshotError),
    /// A topic that results go to cannot be reached.
    #[error("open outbox")]
    Outbox(#[from] OutboxError),
    /// The pipeline file names a module that cannot go on with the state of the one before.
    #[error(
        "take the open state from version {from} to that of the module that the pipeline file names"
    )]
    Migrate {
        /// Version of the state that there is.
        from: u32,
        /// Why.
        #[source]
        source: PluginError,
    },
    /// The workers' threads could not be started.
    #[error("start workers")]
    Workers(#[from] rayon::ThreadPoolBuildError),
    /// This instance has led when it began to open the lane, and does so no more.
    #[error("{0}")]
    SteppedDown(String),
    /// Asked to stop before it was open.
    #[error("stopped before it was open")]
    Stopped,
}

impl OpenError {
    /// Whether trying again could help: what lies outside may come back, what is written in files will not change.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Chain(error) | Self::Files(FoundError::Chain(error)) => error.may_pass(),
            Self::Log(error) | Self::Files(FoundError::Log(error)) => error.may_pass(),
            Self::Outbox(error) => error.may_pass(),
            Self::Probe(error) => error.may_pass(),
            Self::Source(error) => !matches!(error, SourceError::Lost(_) | SourceError::Final(_)),
            Self::Workers(_) | Self::Fenced(_) | Self::SteppedDown(_) => true,
            Self::Module { source, .. } => {
                matches!(
                    **source,
                    ModuleStoreError::Store { .. } | ModuleStoreError::Contended { .. }
                )
            }
            Self::Load { source, .. } => source.may_pass(),
            Self::ModuleFile { .. }
            | Self::Plan(_)
            | Self::Changed(_)
            | Self::Columns(_)
            | Self::Files(FoundError::Columns(_) | FoundError::HasLog { .. })
            | Self::OtherModule(_)
            | Self::State(_)
            | Self::Finished(_)
            | Self::Migrate { .. }
            | Self::Stopped => false,
        }
    }
}
