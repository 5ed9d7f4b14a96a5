//! How large turns are while a stage's plugin keeps failing or takes its time.
//!
//! After a turn that was long the next ones are given fewer records, so that each is short, nothing of it is refused
//! for its neighbours, and commits go on.

use std::time::Duration;

use sluicegate_sandbox::run::brake::Effort;

use crate::lane::pool::LONG_TURN;

/// CPU time that the failed calls of one turn should take at most.
const PER_TURN: Duration = Duration::from_millis(500);

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
        if failing <= PER_TURN && calls <= LONG_TURN {
            return Self(self.0.saturating_mul(2));
        }
        let fits = |limit: Duration, took: Duration| {
            let fits = records as u128 * limit.as_nanos() / took.max(limit).as_nanos();
            usize::try_from(fits).unwrap_or(usize::MAX).max(1)
        };
        Self(fits(PER_TURN, failing).min(fits(LONG_TURN, calls)))
    }
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
