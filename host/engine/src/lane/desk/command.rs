//! What the outside may ask of a lane, and why it is refused.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use sluicegate_chain::record::Epoch;
use sluicegate_sandbox::module::loaded::LoadedModule;

use crate::lane::refusal::Refusal;

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
