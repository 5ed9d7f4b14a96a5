//! What a program has of its machine: threads that wait and what wakes them, tasks, and names that nobody else has.
//!
//! The engine and the chain ask a [`Runtime`] for them. In the product it is tokio's and the system's. In a simulation it is
//! a [`Stage`], which runs all threads of all instances one after the other, in an order that a seed gives.

#![forbid(unsafe_code)]

mod bell;
mod names;
mod panics;
mod stage;
mod thread;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub use bell::Bell;
pub use names::Names;
pub use panics::{Panics, panicked};
pub use stage::{Join, Stage};
use thread::Slot;
pub use thread::Thread;

/// Threads and tasks. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    System(Handle),
    Staged(Arc<dyn Stage>),
}

impl Runtime {
    /// On a stage instead of a machine.
    pub fn staged(stage: Arc<dyn Stage>) -> Self {
        Self { kind: Kind::Staged(stage) }
    }

    /// Waits on this thread until some work is done. Not for tasks.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.kind {
            Kind::System(handle) => handle.block_on(work),
            Kind::Staged(stage) => {
                let mut done = None;
                stage.block_on(std::pin::pin!(async { done = Some(work.await) }));
                done.expect("the stage returns when the work is done")
            }
        }
    }

    /// Has a task do it, beside everything else.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        match &self.kind {
            Kind::System(handle) => handle.spawn(task),
            Kind::Staged(stage) => stage.spawn(Box::pin(task)),
        }
    }

    /// Has a thread of its own do it. `stack_bytes`: none for what the system gives.
    ///
    /// # Errors
    ///
    /// The system has no thread to spare.
    pub fn thread<T: Send + 'static>(
        &self,
        name: String,
        stack_bytes: Option<usize>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Thread<T>> {
        let stage = match &self.kind {
            Kind::System(_) => {
                let mut thread = std::thread::Builder::new().name(name);
                if let Some(bytes) = stack_bytes {
                    thread = thread.stack_size(bytes);
                }
                return thread.spawn(work).map(Thread::of_system);
            }
            Kind::Staged(stage) => stage,
        };
        let slot = Slot::default();
        let filled = slot.clone();
        let join = stage.thread(name, stack_bytes, Box::new(move || filled.fill(work)))?;
        Ok(Thread::staged(join, slot))
    }
}

impl From<Handle> for Runtime {
    fn from(handle: Handle) -> Self {
        Self { kind: Kind::System(handle) }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::System(_) => "Runtime(system)",
            Kind::Staged(_) => "Runtime(stage)",
        })
    }
}

#[cfg(test)]
mod tests;
