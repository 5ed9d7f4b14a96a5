//! How a lane ends, and why it cannot go on.

use crate::memory::Crowded;
use sluicegate_chain::ChainError;
use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::SinkError;
use sluicegate_connect::source::SourceError;
use sluicegate_model::dead_letter::DeadLetterKind;

/// How a lane ended when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEnd {
    /// The bounded input was read to its end, every window and timer has fired, and that is committed.
    Finished,
    /// It was asked to stop, and stopped after a last commit.
    Stopped,
    /// It was asked to stop, and stopped without a last commit: it was not open, or the commit took too long.
    CutShort,
}

impl std::fmt::Display for LaneEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished: the input was read to its end",
            Self::Stopped => "stopped after a last commit",
            Self::CutShort => {
                "stopped without a last commit: the next start goes on from the one before"
            }
        })
    }
}

/// A lane that cannot go on. Everything since the last record is dropped; opening it again replays it.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The source ended.
    #[error("source failed")]
    Source(#[from] SourceError),
    /// Rows could not be encoded.
    #[error("sink failed")]
    Sink(#[from] SinkError),
    /// Another writer has taken our slot of the chain: we are fenced.
    #[error("epoch {epoch} of the chain was written by `{by}`: another instance owns this lane")]
    Fenced {
        /// The slot.
        epoch: Epoch,
        /// Who wrote it.
        by: String,
    },
    /// Another instance leads, or this one showed no sign of life for too long.
    #[error("this instance leads no more: {0}")]
    SteppedDown(String),
    /// A plugin kept failing, and somebody waited for the lane.
    #[error("a turn of failing calls was broken off, because somebody waits for the lane")]
    BrokenOff,
    /// The store will not take a record, and trying again will not help.
    #[error("commit failed")]
    Commit(#[source] ChainError),
    /// Nobody writes the log of a table any more.
    #[error(
        "writing the log of the table at {url} panicked, which is a fault of Sluicegate: the host's log has it"
    )]
    LogEnded {
        /// Of the table.
        url: String,
    },
    /// A copy of its chain writes to a table.
    #[error("{0}")]
    Copied(String),
    /// A plugin does not fit a topic of updates.
    #[error(transparent)]
    SeveralRows(#[from] SeveralRows),
    /// A plugin failed, and the pipeline file wants to halt then.
    #[error(
        "stage `{stage}` failed ({kind}): {reason}; nothing of it is committed, because the pipeline file says \
         `failures.{policy} = \"halt\"`: name a mended plugin, or write \"dead-letter\" there, and start again"
    )]
    PluginFailed {
        /// `id` of the stage in the pipeline file.
        stage: String,
        /// As the dead-letter table would have it.
        kind: DeadLetterKind,
        /// For a person.
        reason: String,
        /// The key under `[failures]`.
        policy: &'static str,
    },
    /// Open windows are larger than `limits.state_bytes`.
    #[error(
        "open windows hold {bytes} bytes, `limits.state_bytes` allows {limit}: raise it, or use shorter windows or fewer keys"
    )]
    StateTooLarge {
        /// What they hold.
        bytes: u64,
        /// What they may.
        limit: u64,
    },
    /// States, and the copies that checkpoints make of them, do not fit into the memory of the process.
    #[error("{0}")]
    Crowded(Crowded),
}

/// Rows that a topic of updates cannot tell apart.
#[derive(Debug, thiserror::Error)]
#[error(
    "sink `{sink}` sends updates, which take the place of each other by key and window, and stage `{stage}` makes several rows of a group: write `emit = \"final\"`"
)]
pub struct SeveralRows {
    /// `id` of the sink in the pipeline file.
    pub sink: String,
    /// `id` of the stage in the pipeline file.
    pub stage: String,
}
