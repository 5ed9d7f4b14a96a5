//! How long to wait before what is outside is asked again.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Waits that double from [`Backoff::FIRST`] to [`Backoff::LONGEST`], each shortened by up to half at random so
/// that lanes which failed together do not come back together.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    random: SmallRng,
}

impl Backoff {
    /// A hiccup is over by then.
    pub const FIRST: Duration = Duration::from_millis(100);
    /// A store that is back is noticed within this time; an outage costs two requests a minute and lane.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// The same seed gives the same waits.
    pub fn new(seed: u64) -> Self {
        Self { next: Self::FIRST, random: SmallRng::seed_from_u64(seed) }
    }

    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(Self::LONGEST);
        whole.mul_f64(self.random.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Duration> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= Backoff::FIRST && waits[0] >= Backoff::FIRST / 2);
        assert!(waits[10..].iter().all(|wait| *wait >= Backoff::LONGEST / 2));
        assert!(waits.iter().all(|wait| *wait <= Backoff::LONGEST));
    }
}
