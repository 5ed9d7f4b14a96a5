//! How the outside is heard while a stage's plugin keeps failing, and how large turns are then.
//!
//! A plugin that is slow to fail, on one row in a hundred, can hold a turn for minutes. Its failed calls are timed. When they have
//! taken a while, the status says so, and whoever asks for another module, or for the end, has the turn broken off:
//! everything since the last commit is dropped, the lane is opened again, and the command is the first thing that
//! it takes. Later turns are given fewer records, so that each is short, nothing of it is refused for its neighbours,
//! and commits go on.

use std::sync::Arc;
use std::time::Duration;

use crate::plugin::brake::Brake;
use crate::status::{LaneStatus, Phase};

use super::Outside;

/// CPU time of the failed calls of a turn from which on it is worth telling. Some thousand traps, or a few endless loops.
const WORTH_TELLING: Duration = Duration::from_millis(300);
/// CPU time that the failed calls of one turn should take at most.
const PER_TURN: Duration = Duration::from_millis(500);

/// The brake of a lane's turns.
pub(super) fn brake(outside: &Outside) -> Brake {
    let Outside { stop, commands, status, pulse, .. } = outside;
    let (stop, commands, pulse) = (stop.clone(), commands.clone(), pulse.clone());
    let status = Arc::clone(status);
    Brake::new(move |failing| {
        if failing < WORTH_TELLING {
            return stop.is_overdue();
        }
        // Slow, and alive: each call has a deadline.
        pulse.beat();
        // The lane's thread waits for the turn: nobody else publishes meanwhile.
        let told = status.load();
        if told.phase == Phase::Running {
            let phase = Phase::Isolating;
            status.store(Arc::new(LaneStatus { phase, ..LaneStatus::clone(&told) }));
        }
        stop.is_asked() || commands.is_waiting()
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

    /// After a turn of so many records, whose failed calls took so much CPU time.
    pub(super) fn after(self, records: usize, failing: Duration) -> Self {
        if records == 0 {
            return self;
        }
        if failing <= PER_TURN {
            return Self(self.0.saturating_mul(2));
        }
        let fits = records as u128 * PER_TURN.as_nanos() / failing.as_nanos();
        Self(usize::try_from(fits).unwrap_or(usize::MAX).max(1))
    }
}

/// Whether the last turn spent much of its time on failures.
pub(super) fn is_isolating(brake: &Brake) -> bool {
    brake.failing() >= WORTH_TELLING
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_that_failed_for_long_is_followed_by_a_smaller_one_and_that_by_larger_ones() {
        let ms = Duration::from_millis;
        let turn_size = TurnSize::FULL.after(8_000, ms(4_000));
        assert_eq!(turn_size.of(65_536), 1_000);
        let turn_size = turn_size.after(1_000, ms(400));
        assert_eq!(turn_size.of(65_536), 2_000, "within its time");
        assert_eq!(turn_size.after(0, ms(0)).of(65_536), 2_000, "nothing was learned");
        let turn_size = turn_size.after(1, ms(60_000));
        assert_eq!(turn_size.of(65_536), 1, "one record is always taken");
        let turn_size = (0..20).fold(turn_size, |turn_size, _| turn_size.after(1, ms(0)));
        assert_eq!(turn_size.of(65_536), 65_536);
    }
}
