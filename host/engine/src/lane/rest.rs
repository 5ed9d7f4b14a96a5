//! How long a lane may sleep while nothing comes.
//!
//! Records, commands, outcomes and whoever listens ring the bell (docs/design/decisions.md#d3). What does not ring has a time at
//! which it is due, and the lane wakes then: a barrier, a status that is behind, a partition that falls idle.

use std::time::Duration;

use super::intake::left::Left;
use super::{Lane, LaneError};
use crate::pulse::PULSE_EVERY;

impl Lane {
    /// Sleeps until records come, or anything else.
    pub(super) fn poll(&mut self) -> Result<Left, LaneError> {
        let blocks = self.intake.poll(self.rest(), self.unseen_until())?;
        self.ledger.dirty |= self.intake.has_jumped();
        if !blocks.is_empty() {
            self.desk.begin_turn(self.clock.monotonic());
        }
        Ok(self.intake.cut(blocks))
    }

    /// Nobody sees before then what a turn makes, by the monotonic clock. Of an epoch in flight the outcome is waited for: logs,
    /// messages and answers follow it.
    pub(super) fn unseen_until(&self) -> Duration {
        if self.desk.awaits_barrier() || self.ledger.is_behind(&self.outputs) {
            return Duration::ZERO;
        }
        self.ledger.barrier_at().min(self.desk.unseen_until())
    }

    /// Until something is due, if nobody rings before.
    fn rest(&self) -> Duration {
        let due = [self.ledger.due(), self.desk.due(), self.intake.due()];
        let now = self.clock.monotonic();
        let rest = |due: Duration| due.saturating_sub(now).min(PULSE_EVERY);
        due.into_iter().flatten().min().map_or(PULSE_EVERY, rest)
    }
}
