//! Asks the lane what stands in its open windows.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use sluicegate_engine::lane::{Look, OpenWindows, Refusal, WindowsAsked};
use sluicegate_engine::status::Phase;

use super::PipelineHandle;

/// Why open windows cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum WindowsError {
    /// Raw rows go through.
    #[error(
        "pipeline `{pipeline}` has no windows and no keys: its rows go to the sinks as they come"
    )]
    NoWindows {
        /// The pipeline.
        pipeline: String,
    },
    /// There is no open lane.
    #[error("pipeline `{pipeline}` {why}: its open windows can be seen when it runs")]
    NotOpen {
        /// The pipeline.
        pipeline: String,
        /// A clause about it.
        why: String,
    },
    /// The pipeline does not run, and will not without a restart.
    #[error("pipeline `{pipeline}` is {phase}: it has no open windows to show")]
    NotRunning {
        /// The pipeline.
        pipeline: String,
        /// Its phase, for a sentence.
        phase: Phase,
    },
    /// The lane ended meanwhile.
    #[error("the lane of pipeline `{pipeline}` ended before it answered: ask again when it runs")]
    Lost {
        /// The pipeline.
        pipeline: String,
    },
    /// Others ask as well.
    #[error(
        "open windows of pipeline `{pipeline}` are being asked for already: ask again in a moment"
    )]
    Busy {
        /// The pipeline.
        pipeline: String,
    },
}

impl PipelineHandle {
    /// The open groups as the running module sees them now, between two turns. Nothing changes by that.
    ///
    /// # Errors
    ///
    /// See [`WindowsError`].
    pub async fn open_windows(&self, asked: WindowsAsked) -> Result<OpenWindows, WindowsError> {
        let pipeline = self.name().to_string();
        if self.config.stateful_stage().is_none() {
            return Err(WindowsError::NoWindows { pipeline });
        }
        let phase = self.status().phase;
        match phase {
            Phase::Running | Phase::Isolating | Phase::Paused => {}
            Phase::Opening | Phase::Standby | Phase::BackingOff => {
                return Err(WindowsError::NotOpen { pipeline, why: format!("is {phase}") });
            }
            Phase::Finished | Phase::Stopped | Phase::Halted => {
                return Err(WindowsError::NotRunning { pipeline, phase });
            }
        }
        let (reply, answer) = oneshot::channel();
        match self.ports.looks.try_send(Look { asked, reply }) {
            Ok(()) => self.ports.bell.ring(),
            Err(TrySendError::Full(_)) => return Err(WindowsError::Busy { pipeline }),
            Err(TrySendError::Closed(_)) => return Err(WindowsError::Lost { pipeline }),
        }
        match answer.await {
            Ok(Ok(open)) => Ok(open),
            Ok(Err(Refusal::NotOpen(awaited))) => {
                Err(WindowsError::NotOpen { pipeline, why: awaited.to_string() })
            }
            Ok(Err(refusal)) => {
                Err(WindowsError::NotOpen { pipeline, why: format!("does not say: {refusal}") })
            }
            Err(_) => Err(WindowsError::Lost { pipeline }),
        }
    }
}
