//! Lets a turn end early: somebody waits for the lane while its plugins keep failing, and a turn of failures may take
//! minutes.
//!
//! A turn that is broken off has no result. What is left of it is settled without a call, and the lane throws the whole of
//! it away before anything of it is written: it is taken again from the last commit.

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
            failing_nanos: AtomicU64::new(0),
            pulled: AtomicBool::new(false),
        }))
    }

    /// A turn begins. Returns the CPU time of the failed calls since the last began.
    pub fn begin_turn(&self) -> Duration {
        self.0.pulled.store(false, Ordering::Relaxed);
        Duration::from_nanos(self.0.failing_nanos.swap(0, Ordering::Relaxed))
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
        let failing = Duration::from_nanos(self.0.failing_nanos.load(Ordering::Relaxed));
        let wanted = (self.0.wanted)(failing);
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
