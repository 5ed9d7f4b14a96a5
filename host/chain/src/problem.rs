//! What keeps commits from getting through: told by the committer's thread, read by the lane.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluicegate_model::time::Clock;

/// What keeps the epoch in flight from becoming durable, as told by the thread and read by the lane. One line of
/// the log when it begins and one when it ends.
#[derive(Clone, Debug)]
pub(super) struct CommitProblem {
    clock: Clock,
    failures: Arc<AtomicU64>,
    /// When it began, by the monotonic clock, and what it is.
    current: Arc<Mutex<Option<(Duration, String)>>>,
}

impl CommitProblem {
    pub(super) fn new(clock: Clock, failures: Arc<AtomicU64>) -> Self {
        Self { clock, failures, current: Arc::default() }
    }

    pub(super) fn report(&self, text: String) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *current {
            Some((_, before)) => *before = text,
            none => {
                tracing::warn!(problem = text, "a commit does not get through; trying on");
                *none = Some((self.clock.monotonic(), text));
            }
        }
    }

    /// The commit that had failed got through, with all its requests.
    pub(super) fn clear(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, _)) = current.take() {
            let seconds = self.clock.monotonic().saturating_sub(since).as_secs();
            tracing::info!(seconds, "the commit got through");
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, text) = current.as_ref()?;
        let seconds = self.clock.monotonic().saturating_sub(*since).as_secs();
        Some(format!("not committed for {seconds} s: {text}"))
    }
}
