//! Wakes a thread that waits for several things at once.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rung from any thread by whoever has news for the one thread that waits. It says nothing but that: who was woken looks at all
/// that it waits for. A ring that comes while nobody waits is heard by the next wait. Clones are the same bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rung: AtomicBool,
    /// Held by the one who waits from its look at `rung` until it sleeps.
    falling_asleep: Mutex<()>,
    woken: Condvar,
}

impl Bell {
    /// There is news. Never waits for anything that takes long, so that callbacks may ring.
    pub fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::SeqCst) {
            drop(self.falling_asleep());
            self.0.woken.notify_one();
        }
    }

    /// Waits until it is rung. False if it was not within `at_most`.
    pub fn wait(&self, at_most: Duration) -> bool {
        let mut has_rung = false;
        let nothing = |(): &mut ()| {
            has_rung = self.0.rung.swap(false, Ordering::SeqCst);
            !has_rung
        };
        let waited = self.0.woken.wait_timeout_while(self.falling_asleep(), at_most, nothing);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        has_rung
    }

    /// Forgets rings. Before a look at all that may have rung: what rings during the look is heard.
    pub fn hush(&self) {
        self.0.rung.store(false, Ordering::SeqCst);
    }

    fn falling_asleep(&self) -> MutexGuard<'_, ()> {
        // There is nothing in it.
        self.0.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("rung", &self.0.rung).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_ring_is_heard_once_whether_it_comes_before_the_wait_or_during_it() {
        let bell = Bell::default();
        assert!(!bell.wait(Duration::ZERO));
        bell.ring();
        bell.ring();
        assert!(bell.wait(LONG));
        assert!(!bell.wait(Duration::from_millis(1)));
        bell.ring();
        bell.hush();
        assert!(!bell.wait(Duration::ZERO));
    }

    /// Each of many rings wakes a wait that would last for an hour: one that is lost hangs the test.
    #[test]
    fn no_ring_is_lost_between_a_look_and_the_sleep() {
        let (bell, answer) = (Bell::default(), Bell::default());
        let (rings, answers) = (bell.clone(), answer.clone());
        let ringing = std::thread::spawn(move || {
            for _ in 0..10_000 {
                rings.ring();
                assert!(answers.wait(LONG));
            }
        });
        for _ in 0..10_000 {
            assert!(bell.wait(LONG));
            answer.ring();
        }
        ringing.join().unwrap();
    }
}
