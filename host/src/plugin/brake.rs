//! Lets a turn end early: somebody waits for the lane while its plugins keep failing, and a turn of failures may take
//! minutes.
//!
//! A turn that is broken off has no result. What is left of it is settled without a call, and the lane throws the whole of
//! it away before anything of it is committed: it is taken again from the last commit.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// One for all workers of a lane. Cheap to clone.
#[derive(Clone)]
pub struct Brake(Arc<Inner>);

struct Inner {
    /// Whether a turn whose failed calls have taken so much CPU time is to end.
    wanted: Box<dyn Fn(Duration) -> bool + Send + Sync>,
    /// A turn is under way.
    in_turn: AtomicBool,
    /// CPU time of this turn's failed calls.
    failing_nanos: AtomicU64,
    pulled: AtomicBool,
}

impl Brake {
    /// A brake that is pulled when `wanted` says so of the CPU time that the failed calls of a turn have taken. It is asked
    /// before each call.
    pub fn new(wanted: impl Fn(Duration) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            wanted: Box::new(wanted),
            in_turn: AtomicBool::new(false),
            failing_nanos: AtomicU64::new(0),
            pulled: AtomicBool::new(false),
        }))
    }

    /// A turn begins: from now on it may be broken off.
    pub fn begin_turn(&self) {
        self.0.pulled.store(false, Ordering::Relaxed);
        self.0.failing_nanos.store(0, Ordering::Relaxed);
        self.0.in_turn.store(true, Ordering::Relaxed);
    }

    /// A turn has ended. Whatever calls are made before the next begins, for a checkpoint or a live view, come to their
    /// end.
    pub fn end_turn(&self) {
        self.0.in_turn.store(false, Ordering::Relaxed);
    }

    /// CPU time that the failed calls of the last turn have taken.
    pub fn failing(&self) -> Duration {
        Duration::from_nanos(self.0.failing_nanos.load(Ordering::Relaxed))
    }

    /// Whether the turn was broken off.
    pub fn is_pulled(&self) -> bool {
        self.0.pulled.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self, nanos: u64) {
        self.0.failing_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whether the next call is not to be made.
    pub(super) fn holds(&self) -> bool {
        if self.is_pulled() {
            return true;
        }
        let wanted = self.0.in_turn.load(Ordering::Relaxed) && (self.0.wanted)(self.failing());
        if wanted {
            self.0.pulled.store(true, Ordering::Relaxed);
        }
        wanted
    }
}

impl Default for Brake {
    /// Never pulled.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brake").field("pulled", &self.is_pulled()).finish_non_exhaustive()
    }
}
