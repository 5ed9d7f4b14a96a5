//! The end of a lane: what it made is committed and sent before it goes, or dropped and made again.

use std::time::Duration;

use crate::status::Phase;

use super::{Lane, LaneEnd, LaneError};

/// How long the lane looks away while the store or a topic is behind.
const COMMIT_WAIT: Duration = Duration::from_millis(20);

impl Lane {
    /// Waits a moment for the store or the topics. Nothing is dropped: records stay where they are.
    pub(super) fn wait_for_commit(&mut self) -> Result<(), LaneError> {
        self.ledger.phase = Phase::Paused;
        self.settle_epoch(COMMIT_WAIT)?;
        self.settle_outbox(COMMIT_WAIT);
        Ok(())
    }

    /// The last commits of a lane that ends: its state, and that its messages are delivered. Waits until store and topics
    /// have them, as long as that takes; a lane that is asked to stop waits only a while, because opening it again reads
    /// and sends what is left. How it ended.
    pub(super) fn last_checkpoint(&mut self, end: LaneEnd) -> Result<LaneEnd, LaneError> {
        loop {
            let is_committing = |lane: &Self| lane.ledger.committer.in_flight();
            if !self.drain(is_committing, |lane| lane.settle_epoch(COMMIT_WAIT))? {
                return Ok(self.cut_short());
            }
            let settle_outbox = |lane: &mut Self| {
                lane.settle_outbox(COMMIT_WAIT);
                Ok(())
            };
            if !self.drain(|lane| lane.outputs.is_unsent(), settle_outbox)? {
                tracing::warn!(
                    pipeline = %self.config.name,
                    "stopped before a topic took the last results; the next start sends them"
                );
                return Ok(self.ended(LaneEnd::Stopped));
            }
            if !self.ledger.dirty {
                return Ok(self.ended(end));
            }
            self.checkpoint()?;
        }
    }

    /// The end of a lane that may not wait for its last commit. What was not committed is dropped, so it is read again.
    pub(super) fn cut_short(&mut self) -> LaneEnd {
        self.ledger.warn_of_cut();
        self.ended(LaneEnd::CutShort)
    }

    fn ended(&mut self, end: LaneEnd) -> LaneEnd {
        self.ledger.phase = match end {
            LaneEnd::Finished => Phase::Finished,
            LaneEnd::Stopped | LaneEnd::CutShort => Phase::Stopped,
        };
        if end != LaneEnd::CutShort && !self.outputs.is_unsent() {
            self.ledger.committer.release();
        }
        self.publish_now();
        end
    }

    /// Settles what is under way until nothing is; false if a stop may not wait for it. The outside is told all the while.
    /// Nothing is activated in a lane that waits for its end.
    fn drain(
        &mut self,
        is_under_way: impl Fn(&Self) -> bool,
        settle: impl Fn(&mut Self) -> Result<(), LaneError>,
    ) -> Result<bool, LaneError> {
        while is_under_way(self) {
            if self.desk.outside.stop.is_overdue() {
                return Ok(false);
            }
            settle(self)?;
            self.desk.outside.pulse.beat();
            self.publish();
            self.desk.refuse_all();
        }
        Ok(true)
    }
}
