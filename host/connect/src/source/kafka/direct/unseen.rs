//! For how long nobody sees what becomes of records: the lane says it with each poll, and the threads that fetch ask for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate_model::time::Clock;

/// Clones are the same.
#[derive(Clone)]
pub(super) struct Unseen {
    clock: Clock,
    /// By the monotonic clock, µs.
    until: Arc<AtomicU64>,
}

impl Unseen {
    /// Somebody may see it at once.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, until: Arc::default() }
    }

    /// Nobody sees before then, by the monotonic clock, what comes from now on.
    pub(super) fn set(&self, until: Duration) {
        let micros = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.until.store(micros, Ordering::Relaxed);
    }

    /// For how long nobody sees what comes now.
    pub(super) fn left(&self) -> Duration {
        let until = Duration::from_micros(self.until.load(Ordering::Relaxed));
        until.saturating_sub(self.clock.monotonic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unseen_until_then_is_unseen_for_less_and_less() {
        let clock = Clock::manual(0);
        let unseen = Unseen::new(clock.clone());
        let (now, ms) = (clock.monotonic(), Duration::from_millis);
        assert_eq!(unseen.left(), Duration::ZERO, "nobody has said anything");
        unseen.set(now + ms(100));
        let asks = unseen.clone();
        assert_eq!(asks.left(), ms(100));
        clock.advance(ms(60));
        assert_eq!(asks.left(), ms(40));
        clock.advance(ms(60));
        assert_eq!(asks.left(), Duration::ZERO);
        unseen.set(Duration::MAX);
        assert!(asks.left() > ms(1_000_000), "nobody looks");
    }
}
