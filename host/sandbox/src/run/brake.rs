//! Lets a turn end early: somebody waits for the lane while its plugins keep failing, or take their time, and such a turn may
//! take minutes.
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

/// CPU time that plugins have taken since the turn began, of all workers.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of calls that went well and of those that failed.
    pub calls: Duration,
    /// Of those that trapped, took too long or answered wrongly; part of `calls`.
    pub failing: Duration,
}

struct Inner {
    /// Whether a turn that has cost so much is to end.
    wanted: Box<dyn Fn(Effort) -> bool + Send + Sync>,
    /// A turn is under way.
    in_turn: AtomicBool,
    /// CPU time of this turn's calls, and of those that failed.
    calls_nanos: AtomicU64,
    failing_nanos: AtomicU64,
    pulled: AtomicBool,
}

impl Brake {
    /// A brake that is pulled when `wanted` says so of what a turn has cost. It is asked before each call.
    pub fn new(wanted: impl Fn(Effort) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            wanted: Box::new(wanted),
            in_turn: AtomicBool::new(false),
            calls_nanos: AtomicU64::new(0),
            failing_nanos: AtomicU64::new(0),
            pulled: AtomicBool::new(false),
        }))
    }

    /// A turn begins: from now on it may be broken off.
    pub fn begin_turn(&self) {
        self.0.pulled.store(false, Ordering::Relaxed);
        self.0.calls_nanos.store(0, Ordering::Relaxed);
        self.0.failing_nanos.store(0, Ordering::Relaxed);
        self.0.in_turn.store(true, Ordering::Relaxed);
    }

    /// A turn has ended. Whatever calls are made before the next begins come to their end.
    pub fn end_turn(&self) {
        self.0.in_turn.store(false, Ordering::Relaxed);
    }

    /// What the last turn has cost.
    pub fn effort(&self) -> Effort {
        let of = |nanos: &AtomicU64| Duration::from_nanos(nanos.load(Ordering::Relaxed));
        Effort { calls: of(&self.0.calls_nanos), failing: of(&self.0.failing_nanos) }
    }

    /// Whether the turn was broken off.
    pub fn is_pulled(&self) -> bool {
        self.0.pulled.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self, nanos: u64) {
        self.0.calls_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, nanos: u64) {
        self.0.failing_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whether the next call is not to be made.
    pub(crate) fn holds(&self) -> bool {
        if self.is_pulled() {
            return true;
        }
        let wanted = self.0.in_turn.load(Ordering::Relaxed) && (self.0.wanted)(self.effort());
        if wanted {
            self.0.pulled.store(true, Ordering::Relaxed);
        }
        wanted
    }
}

impl Default for Brake {
    /// A brake that never ends a turn.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brake").field("pulled", &self.is_pulled()).finish_non_exhaustive()
    }
}
