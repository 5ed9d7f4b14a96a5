//! A thread that can be waited for, whoever runs it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Result};

use super::stage::Join;

/// The handle of a thread. Dropped, the thread goes on.
pub struct Thread<T> {
    kind: Kind<T>,
}

enum Kind<T> {
    System(JoinHandle<T>),
    Staged { join: Join, slot: Slot<T> },
}

impl<T> Thread<T> {
    pub(super) fn of_system(handle: JoinHandle<T>) -> Self {
        Self { kind: Kind::System(handle) }
    }

    pub(super) fn staged(join: Join, slot: Slot<T>) -> Self {
        Self { kind: Kind::Staged { join, slot } }
    }

    /// Waits for the end of the thread.
    ///
    /// # Errors
    ///
    /// What it panicked with.
    pub fn join(self) -> Result<T> {
        match self.kind {
            Kind::System(handle) => handle.join(),
            Kind::Staged { join, slot } => {
                join();
                slot.take().unwrap_or_else(|| Err(Box::new("the thread was killed")))
            }
        }
    }

    /// Whether the thread has come to its end.
    pub fn is_finished(&self) -> bool {
        match &self.kind {
            Kind::System(handle) => handle.is_finished(),
            Kind::Staged { slot, .. } => slot.is_filled(),
        }
    }
}

impl<T> fmt::Debug for Thread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thread")
    }
}

/// Where a thread on a stage leaves what came of it.
pub(super) struct Slot<T>(Arc<Mutex<Option<Result<T>>>>);

impl<T> Slot<T> {
    /// Does the work. A panic is kept for whoever joins, and goes on: the stage may have made it.
    pub(super) fn fill(&self, work: impl FnOnce() -> T) {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(done) => *self.lock() = Some(Ok(done)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn take(&self) -> Option<Result<T>> {
        self.lock().take()
    }

    fn is_filled(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Result<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
