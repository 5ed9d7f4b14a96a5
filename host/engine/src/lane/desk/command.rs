//! What the outside may ask of a lane, and why it is refused.

use std::fmt;
use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use sluicegate_chain::record::Epoch;
use sluicegate_sandbox::module::load::LoadedModule;
use sluicegate_sandbox::plugin::PluginError;

use crate::lane::plan::PlanError;

/// What the outside may ask of a lane. Taken between two turns.
#[derive(Debug)]
pub enum Command {
    /// Run this plugin in this stage from the next epoch on. Answered when the record of that epoch is durable.
    Activate {
        /// The stage's id.
        stage: String,
        /// Compiled, found to fit the stage.
        module: LoadedModule,
        /// How it is answered.
        reply: Reply,
    },
}

impl Command {
    /// Answers a command that a lane cannot take where it stands.
    pub(in crate::lane) fn refuse(self, refusal: Refusal) {
        let Self::Activate { reply, .. } = self;
        answer(reply, Err(refusal));
    }
}

/// The lane's end of its commands. Clones share it: one life of a lane follows the other.
#[derive(Clone, Debug)]
pub struct Commands {
    receiver: Arc<Mutex<mpsc::Receiver<Command>>>,
    /// For the next lane that is open: while none is, commands are refused.
    held: Arc<Mutex<Option<Command>>>,
}

impl Commands {
    /// What comes through a channel.
    pub fn new(commands: mpsc::Receiver<Command>) -> Self {
        Self { receiver: Arc::new(Mutex::new(commands)), held: Arc::default() }
    }

    /// The next one, if there is one.
    pub(in crate::lane) fn try_take(&self) -> Option<Command> {
        let held = self.held().take();
        held.or_else(|| self.receiver().try_recv().ok())
    }

    /// Whether there is a next one.
    pub(in crate::lane) fn is_waiting(&self) -> bool {
        !self.receiver().is_empty()
    }

    /// Keeps the next one for the next life of the lane.
    pub(in crate::lane) fn hold(&self) {
        let mut held = self.held();
        if held.is_none() {
            *held = self.receiver().try_recv().ok();
        }
    }

    /// Refuses what was kept for a lane that did not come to run: whoever asked waits, and things may have changed
    /// until one does.
    pub(crate) fn refuse_held(&self, refusal: Refusal) {
        if let Some(command) = self.held().take() {
            command.refuse(refusal);
        }
    }

    /// The next one; never if nobody is left to ask.
    pub(in crate::lane) async fn take(&self) -> Command {
        match poll_fn(|context| self.receiver().poll_recv(context)).await {
            Some(command) => command,
            None => pending().await,
        }
    }

    fn receiver(&self) -> MutexGuard<'_, mpsc::Receiver<Command>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Option<Command>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The epoch whose record pins the module, or why not.
pub type Reply = oneshot::Sender<Result<Epoch, Refusal>>;

/// Answers an activation.
pub(in crate::lane) fn answer(reply: Reply, answered: Result<Epoch, Refusal>) {
    // Whoever asked may have gone away: a record stands, and a refusal has changed nothing.
    drop(reply.send(answered));
}

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
