//! Somebody asks what stands in the open groups. It is answered between two turns, and never takes much of the lane: how long a
//! look may take is bounded, and the next one waits for ten times as long as the last one took.

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use tokio::sync::{mpsc, oneshot};

use super::Desk;
use crate::lane::LaneError;
use crate::lane::asked::WindowsAsked;
use crate::lane::logic::{Given, Logic};
use crate::lane::refusal::Refusal;
use sluicegate_chain::record::Epoch;
use sluicegate_model::time::Watermark;

/// The part of its time that a lane gives to looks: one in so many.
const PART: u32 = 10;

/// Open groups: window and key, or keys with state.
#[derive(Clone, Debug)]
pub struct OpenWindows {
    /// The epoch that they would be part of.
    pub uncommitted_epoch: Epoch,
    /// The watermark of the lane when it answered.
    pub watermark: Watermark,
    /// The key, then what the module makes of the group now, then the bounds of its window. Of keys: their state in bytes, how many
    /// timers, and the next of them.
    pub rows: RecordBatch,
    /// Columns of the key: the first ones.
    pub key_columns: usize,
    /// Groups, or keys, that there are.
    pub groups: u64,
    /// Those that were not looked at, for want of room or time.
    pub left_out: u64,
}

/// A question, and where its answer goes.
#[derive(Debug)]
pub struct Look {
    /// Which groups, and how many.
    pub asked: WindowsAsked,
    /// Where the answer goes; whoever asked may be gone by then.
    pub reply: oneshot::Sender<Result<OpenWindows, Refusal>>,
}

impl Look {
    /// Answers. Whoever asked may have gone away.
    pub(in crate::lane) fn answer(self, answer: Result<OpenWindows, Refusal>) {
        drop(self.reply.send(answer));
    }

    /// Whether somebody still waits.
    pub(in crate::lane) fn is_awaited(&self) -> bool {
        !self.reply.is_closed()
    }
}

impl Desk {
    /// Answers somebody who asks what stands in the open groups: evaluated on copies, between two turns. They would be part
    /// of `epoch`.
    ///
    /// # Errors
    ///
    /// [`LaneError::BrokenOff`]: the module took too long over it.
    pub(in crate::lane) fn show_open(
        &mut self,
        look: Look,
        logic: &mut Logic,
        given: &Given<'_>,
        epoch: Epoch,
    ) -> Result<(), LaneError> {
        given.trial.begin_other("while open windows were shown");
        let began = self.clock.monotonic();
        let shown = logic.open(given, &look.asked);
        given.pool.not_broken_off()?;
        self.end_look(began);
        // Nobody asks a pipeline that has no groups.
        let Some((rows, left_out)) = shown else { return Ok(()) };
        let answer = OpenWindows {
            uncommitted_epoch: epoch,
            watermark: given.clock.watermark(),
            rows,
            key_columns: logic.key_columns(),
            groups: logic.groups_len(),
            left_out: left_out as u64,
        };
        look.answer(Ok(answer));
        Ok(())
    }
}

/// The lane's end of the questions. Clones share it: one life of a lane follows the other. They are no commands: nobody who only
/// looks has a turn broken off.
#[derive(Clone, Debug)]
pub struct Looks(Arc<Mutex<mpsc::Receiver<Look>>>);

impl Looks {
    /// What comes through a channel.
    pub fn new(looks: mpsc::Receiver<Look>) -> Self {
        Self(Arc::new(Mutex::new(looks)))
    }

    /// The next one that somebody still waits for, if there is one.
    pub(in crate::lane) fn try_take(&self) -> Option<Look> {
        let mut looks = self.receiver();
        std::iter::from_fn(|| looks.try_recv().ok()).find(Look::is_awaited)
    }

    /// Whether there is one.
    pub(in crate::lane) fn is_waiting(&self) -> bool {
        !self.receiver().is_empty()
    }

    /// The next one; never if nobody is left to ask.
    pub(in crate::lane) async fn take(&self) -> Look {
        match poll_fn(|context| self.receiver().poll_recv(context)).await {
            Some(look) => look,
            None => pending().await,
        }
    }

    fn receiver(&self) -> MutexGuard<'_, mpsc::Receiver<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the next look may begin.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Duration,
}

impl Pace {
    pub(super) fn is_due(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// When the next may be answered.
    pub(super) fn next(&self) -> Duration {
        self.next
    }

    /// A look began and ended.
    pub(super) fn took(&mut self, began: Duration, ended: Duration) {
        self.next = ended + ended.saturating_sub(began) * (PART - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_take_a_tenth_of_the_lane_however_often_somebody_asks() {
        let mut pace = Pace::default();
        let at = Duration::from_millis;
        assert!(pace.is_due(at(0)));
        pace.took(at(100), at(150));
        assert!(!pace.is_due(at(599)));
        assert!(pace.is_due(at(600)));
    }
}
