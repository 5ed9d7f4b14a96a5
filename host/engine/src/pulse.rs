//! When a lane's thread last passed its loop: what liveness looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate_model::time::Clock;

/// How often a wait passes the loop: far less than anybody's patience.
pub const PULSE_EVERY: Duration = Duration::from_secs(1);

/// A thread that has ended owes nobody a beat.
const ENDED: u64 = u64::MAX;

/// Clones are the same thread's.
#[derive(Clone, Debug)]
pub struct Pulse {
    clock: Clock,
    /// Microseconds of the clock's monotonic time.
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// Of a thread that begins now.
    pub fn new(clock: Clock) -> Self {
        let pulse = Self { clock, last: Arc::default() };
        pulse.beat();
        pulse
    }

    /// Says that the loop is passed, now. From any thread.
    pub fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// The thread ends, and will not be missed.
    pub fn end(&self) {
        self.last.store(ENDED, Ordering::Relaxed);
    }

    /// How long the loop was not passed; zero for a thread that has ended.
    pub fn silence(&self) -> Duration {
        Duration::from_micros(self.now().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_micros()).unwrap_or(ENDED - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_silent_from_its_last_beat_to_its_end() {
        let clock = Clock::manual(0);
        let pulse = Pulse::new(clock.clone());
        clock.advance(Duration::from_secs(9));
        assert_eq!(pulse.silence(), Duration::from_secs(9));
        pulse.clone().beat();
        assert_eq!(pulse.silence(), Duration::ZERO);
        clock.advance(Duration::from_secs(9));
        pulse.end();
        assert_eq!(pulse.silence(), Duration::ZERO);
    }
}
