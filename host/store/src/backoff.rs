//! How long to wait before what is outside is asked again: a store, brokers, whatever a lane is opened with.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Waits that double from the first to the longest, each shortened by up to half at random, so that those which failed
/// together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    random: SmallRng,
}

/// A hiccup of a store is over by then.
const STORE_FIRST: Duration = Duration::from_millis(100);
/// A store that is back is noticed within this time; an outage costs two requests a minute and lane.
const STORE_LONGEST: Duration = Duration::from_secs(30);

impl Backoff {
    /// The same seed gives the same waits.
    pub fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, next: first, random: SmallRng::seed_from_u64(seed) }
    }

    /// For requests to a store.
    pub fn of_store(seed: u64) -> Self {
        Self::new(STORE_FIRST, STORE_LONGEST, seed)
    }

    /// At random between half and all of a time that doubles from call to call up to the longest.
    pub fn wait(&mut self) -> Duration {
        self.wait_at_most(self.longest)
    }

    /// The next wait, where none is to be longer than `limit`; what comes after goes on from there.
    pub fn wait_at_most(&mut self, limit: Duration) -> Duration {
        let whole = self.next.min(limit);
        self.next = (whole * 2).min(self.longest);
        whole.mul_f64(self.random.random_range(0.5..=1.0))
    }

    /// What was asked has gone well for a while: it begins with the first wait again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::new(FIRST, LONGEST, 7);
        let waits: Vec<Duration> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2);
        assert!(waits[10..].iter().all(|wait| *wait >= LONGEST / 2));
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }

    #[test]
    fn a_limit_holds_for_the_wait_and_those_after_go_on_from_it() {
        let mut backoff = Backoff::new(FIRST, LONGEST, 7);
        let limit = Duration::from_secs(10);
        assert!((0..20).all(|_| backoff.wait_at_most(limit) <= limit));
        assert!(backoff.wait() <= 2 * limit);
    }

    #[test]
    fn those_that_failed_together_do_not_come_back_together() {
        let waits = |seed| {
            let mut backoff = Backoff::new(FIRST, LONGEST, seed);
            (0..4).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
    }
}
