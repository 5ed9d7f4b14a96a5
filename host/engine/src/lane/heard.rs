//! How the outside is heard while a stage's plugin keeps failing or takes its time, and how large turns are then.
//!
//! A plugin that is slow to fail, on one row in a hundred, can hold a turn for minutes, and so can one that is slow. Calls are timed.
//! When those that failed have taken a while, the status says so. Whoever asks for another module then, or for the end, has the
//! turn broken off:
//! everything since the last commit is dropped, the lane is opened again, and the command is the first thing that
//! it takes. Later turns are given fewer records, so that each is short, nothing of it is refused for its neighbours,
//! and commits go on. Windows and timers that fire are cut into runs for the same reason.

use std::sync::Arc;
use std::time::Duration;

use crate::status::{LaneStatus, Phase};
use sluicegate_sandbox::brake::{Brake, Effort};

use super::Outside;

/// CPU time of the failed calls of a turn from which on it is worth telling. Some thousand traps, or a few endless loops.
const WORTH_TELLING: Duration = Duration::from_millis(300);
/// CPU time of all calls of a turn, by all workers, for which nobody should have to wait.
const LONG: Duration = Duration::from_secs(1);
/// CPU time that the failed calls of one turn should take at most.
const PER_TURN: Duration = Duration::from_millis(500);

/// The brake of a lane's turns.
pub(super) fn brake(outside: &Outside) -> Brake {
    let Outside { stop, commands, status, pulse, .. } = outside;
    let (stop, commands, pulse) = (stop.clone(), commands.clone(), pulse.clone());
    let status = Arc::clone(status);
    Brake::new(move |Effort { calls, failing }| {
        let is_failing = failing >= WORTH_TELLING;
        if !is_failing && calls < LONG {
            return stop.is_overdue();
        }
        // Slow, and alive: each call has a deadline.
        pulse.beat();
        // The lane's thread waits for the turn: nobody else publishes meanwhile.
        let told = status.load();
        if is_failing && told.phase == Phase::Running {
            let phase = Phase::Isolating;
            status.store(Arc::new(LaneStatus { phase, ..LaneStatus::clone(&told) }));
        }
        // What is only slow comes to its end, if a stop can wait for it: then it is committed.
        is_failing && stop.is_asked() || stop.is_overdue() || commands.is_waiting()
    })
}

/// How many records the next turn may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnSize(usize);

impl TurnSize {
    /// As many as the limits allow.
    pub(super) const FULL: Self = Self(usize::MAX);

    /// What a module that has just taken another's place is tried on, before it is given more: that its activation is
    /// durable is seen after the first turn.
    pub(super) const ONE: Self = Self(1);

    /// The limit, or less.
    pub(super) fn of(self, limit: usize) -> usize {
        self.0.min(limit)
    }

    /// After a turn of so many records, whose calls took so much CPU time.
    pub(super) fn after(self, records: usize, Effort { calls, failing }: Effort) -> Self {
        if records == 0 {
            return self;
        }
        if failing <= PER_TURN && calls <= LONG {
            return Self(self.0.saturating_mul(2));
        }
        let fits = |limit: Duration, took: Duration| {
            let fits = records as u128 * limit.as_nanos() / took.max(limit).as_nanos();
            usize::try_from(fits).unwrap_or(usize::MAX).max(1)
        };
        Self(fits(PER_TURN, failing).min(fits(LONG, calls)))
    }
}

/// Whether the last turn spent much of its time on failures.
pub(super) fn is_isolating(brake: &Brake) -> bool {
    brake.effort().failing >= WORTH_TELLING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(millis: u64) -> Effort {
        let took = Duration::from_millis(millis);
        Effort { calls: took, failing: took }
    }

    #[test]
    fn a_turn_that_failed_for_long_is_followed_by_a_smaller_one_and_that_by_larger_ones() {
        let turn_size = TurnSize::FULL.after(8_000, failing(4_000));
        assert_eq!(turn_size.of(65_536), 1_000);
        let turn_size = turn_size.after(1_000, failing(400));
        assert_eq!(turn_size.of(65_536), 2_000, "within its time");
        assert_eq!(turn_size.after(0, failing(0)).of(65_536), 2_000, "nothing was learned");
        let turn_size = turn_size.after(1, failing(60_000));
        assert_eq!(turn_size.of(65_536), 1, "one record is always taken");
        let turn_size = (0..20).fold(turn_size, |turn_size, _| turn_size.after(1, failing(0)));
        assert_eq!(turn_size.of(65_536), 65_536);
    }

    #[test]
    fn a_turn_that_was_only_slow_is_followed_by_a_smaller_one_as_well() {
        let slow =
            |millis| Effort { calls: Duration::from_millis(millis), failing: Duration::ZERO };
        assert_eq!(TurnSize::FULL.after(8_000, slow(900)).of(65_536), 65_536);
        assert_eq!(TurnSize::FULL.after(8_000, slow(4_000)).of(65_536), 2_000);
    }
}
