//! When a lane's thread last passed its loop, or went on with long work: what liveness looks at.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluicegate_model::time::Clock;

/// How often a wait passes the loop: far less than anybody's patience.
pub const PULSE_EVERY: Duration = Duration::from_secs(1);

/// Of work that passes no loop so many steps are shown as one: they take some milliseconds.
const STRIDE: u32 = 1024;

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

    /// For long work of one thread that passes no loop, such as the restoring of a state.
    pub(crate) fn strides(&self) -> Strides<'_> {
        Strides { pulse: self, left: Cell::new(1) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_micros()).unwrap_or(ENDED - 1)
    }
}

/// Shows that long work goes on, for as long as it does: work that is stuck takes no step.
pub(crate) struct Strides<'p> {
    pulse: &'p Pulse,
    left: Cell<u32>,
}

impl Strides<'_> {
    /// A row, or something as small, is done.
    #[inline]
    pub(crate) fn step(&self) {
        match self.left.get() {
            0 | 1 => {
                self.left.set(STRIDE);
                self.pulse.beat();
            }
            left => self.left.set(left - 1),
        }
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
        let strides = pulse.strides();
        let silence_behind = |steps: u32| {
            (0..steps).for_each(|_| strides.step());
            pulse.silence()
        };
        assert_eq!(silence_behind(1), Duration::ZERO, "work that has begun");
        clock.advance(Duration::from_secs(9));
        assert_eq!(silence_behind(STRIDE - 1), Duration::from_secs(9));
        assert_eq!(silence_behind(1), Duration::ZERO, "work that goes on");
        clock.advance(Duration::from_secs(9));
        pulse.end();
        assert_eq!(pulse.silence(), Duration::ZERO);
    }
}
