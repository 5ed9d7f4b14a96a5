//! The wish to end, heard by every wait and every loop of a lane.
//!
//! It is a state and not a message: whoever looks later still sees it, and nobody takes it away from the others.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use sluicegate_model::time::Clock;
use sluicegate_runtime::Bell;

/// What a lane may take for its last commit. What is not done by then is left to the next start, which goes on from the
/// commit before: a container runtime kills after ten seconds, and HTTP has requests to end.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Asked once, by anybody who has it; clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    token: CancellationToken,
    clock: Clock,
    /// By the clock's monotonic time.
    asked_at: Arc<OnceLock<Duration>>,
    /// Of the threads that sleep.
    bells: Arc<Mutex<Vec<Bell>>>,
}

impl Stop {
    /// A stop that nobody has asked for yet; `clock` counts how long a lane may still take.
    pub fn new(clock: Clock) -> Self {
        let (asked_at, bells) = (Arc::default(), Arc::default());
        Self { token: CancellationToken::new(), clock, asked_at, bells }
    }

    /// Asks everybody who listens to end. Asking again changes nothing.
    pub fn ask(&self) {
        self.asked_at.get_or_init(|| self.clock.monotonic());
        self.token.cancel();
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.iter().for_each(Bell::ring);
    }

    /// Rings this bell too when somebody asks. For ever: there is one for each pipeline.
    pub fn rings(&self, bell: &Bell) {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).push(bell.clone());
        if self.is_asked() {
            bell.ring();
        }
    }

    /// Whether somebody has asked, now or earlier: it cannot be taken back.
    pub fn is_asked(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Whether it was asked for longer than [`PATIENCE`] ago: what is not done now is left.
    pub fn is_overdue(&self) -> bool {
        let now = || self.clock.monotonic();
        self.asked_at.get().is_some_and(|asked| now().saturating_sub(*asked) >= PATIENCE)
    }

    /// Ends when somebody asks; at once if somebody has.
    pub async fn asked(&self) {
        self.token.cancelled().await;
    }

    /// For whoever listens to tokens.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_wakes_who_sleeps_whether_it_was_asked_for_before_or_after() {
        let (stop, before, after) = (Stop::new(Clock::manual(0)), Bell::default(), Bell::default());
        stop.rings(&before);
        assert!(!before.wait(Duration::ZERO));
        stop.ask();
        stop.rings(&after);
        assert!(before.wait(Duration::ZERO) && after.wait(Duration::ZERO));
    }

    #[test]
    fn a_stop_is_overdue_only_after_it_was_asked_for_and_not_at_once() {
        let clock = Clock::manual(0);
        let stop = Stop::new(clock.clone());
        clock.advance(PATIENCE * 2);
        assert!(!stop.is_asked() && !stop.is_overdue());
        stop.ask();
        assert!(stop.is_asked() && !stop.is_overdue());
        clock.advance(PATIENCE);
        stop.ask();
        assert!(stop.is_overdue(), "asking again does not begin from scratch");
    }
}
