//! Whose turn it is to compile, and whether anybody still waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often a waiting thread looks whether it is still wanted.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long somebody waits for a module: until it is there, or until they go away.
#[derive(Clone, Debug, Default)]
pub struct Patience(Option<Arc<AtomicBool>>);

/// Ends the patience when it is dropped: with a request, when its client goes away.
#[derive(Debug)]
pub struct Waiting(Arc<AtomicBool>);

impl Patience {
    /// That of a request, whose client may go away: whoever drops the second half has gone. The default is that of a
    /// lane, which has no end.
    pub fn of_request() -> (Self, Waiting) {
        let over = Arc::new(AtomicBool::new(false));
        (Self(Some(Arc::clone(&over))), Waiting(over))
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|over| over.load(Ordering::Relaxed))
    }

    fn is_of_request(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One compilation at a time for lanes and one for requests: each may take a gigabyte and a core. So no lane waits for
/// what somebody uploads.
#[derive(Default)]
pub(crate) struct Turns {
    lanes: Turn,
    requests: Turn,
}

#[derive(Default)]
struct Turn {
    taken: Mutex<bool>,
    given_back: Condvar,
}

pub(crate) struct Taken<'t>(&'t Turn);

impl Turns {
    /// Waits for the turn. None: the patience ended first.
    pub(crate) fn take(&self, patience: &Patience) -> Option<Taken<'_>> {
        let turn = if patience.is_of_request() { &self.requests } else { &self.lanes };
        let mut taken = turn.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken {
            if patience.is_over() {
                return None;
            }
            let waited = turn.given_back.wait_timeout(taken, LOOK_EVERY);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken = true;
        Some(Taken(turn))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.given_back.notify_one();
    }
}
