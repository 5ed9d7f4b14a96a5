//! Live results: the groups that changed since last time, evaluated on copies, for whoever listens.
//! They are labelled as not yet committed (docs/design/decisions.md#d17). Nobody listening costs
//! nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;

use crate::live::{LiveResults, LiveRows};
use sluicegate_chain::record::Epoch;

use super::Desk;
use crate::lane::logic::{Changed, Given, Logic};

/// Listeners in haste get changes at most this often: ten times a second reads as «at once».
const IN_HASTE: Duration = Duration::from_millis(100);
/// The others do: an eye follows two changes a second. Each costs an evaluation of every group that changed.
const IN_CALM: Duration = Duration::from_millis(500);

/// Whether a listener wants changes ten times a second; shared by the lane and those who listen.
#[derive(Clone, Debug, Default)]
pub struct Haste(Arc<AtomicUsize>);

impl Haste {
    /// Changes come ten times a second, to all listeners, until what it gives is dropped.
    pub fn claim(&self) -> InHaste {
        self.0.fetch_add(1, Ordering::Relaxed);
        InHaste(Arc::clone(&self.0))
    }

    /// Whether a listener is in haste now.
    pub fn is_claimed(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn pace(&self) -> Duration {
        if self.is_claimed() { IN_HASTE } else { IN_CALM }
    }
}

/// A listener that is in haste.
#[derive(Debug)]
pub struct InHaste(Arc<AtomicUsize>);

impl Drop for InHaste {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What waits to be shown.
#[derive(Default)]
pub(super) struct Live {
    /// When changes were shown last, by the monotonic clock.
    shown: Option<Duration>,
    waiting: Waiting,
    /// Something may have changed since somebody was shown.
    pub(super) is_behind: bool,
}

impl Live {
    /// When changes are to be shown, if there are any and somebody listens.
    pub(super) fn due(&self, listeners: usize, haste: &Haste) -> Option<Duration> {
        self.next(listeners, haste).filter(|_| self.is_behind)
    }

    /// When changes that come now are to be shown, if somebody listens.
    pub(super) fn next(&self, listeners: usize, haste: &Haste) -> Option<Duration> {
        let next = || self.shown.map_or(Duration::ZERO, |shown| shown + haste.pace());
        (listeners > 0).then(next)
    }
}

/// Rows that fired and were not shown yet.
#[derive(Default)]
pub(in crate::lane) struct Waiting {
    /// The last [`LiveResults::ROWS_MAX`] rows or more, oldest first.
    fired: VecDeque<RecordBatch>,
    /// Rows that fired before those.
    left_out: usize,
}

impl Waiting {
    fn push(&mut self, rows: &RecordBatch) {
        let kept = rows.num_rows().min(LiveResults::ROWS_MAX);
        self.left_out += rows.num_rows() - kept;
        self.fired.push_back(rows.slice(rows.num_rows() - kept, kept));
        let mut waiting: usize = self.fired.iter().map(RecordBatch::num_rows).sum();
        // Those that fired last are worth more: the others have stood there while they were open.
        while let Some(oldest) = self.fired.front()
            && waiting - oldest.num_rows() >= LiveResults::ROWS_MAX
        {
            waiting -= oldest.num_rows();
            self.left_out += oldest.num_rows();
            self.fired.pop_front();
        }
    }
}

impl Desk {
    /// Results of windows that fired are shown like any other change, once more and for the last time.
    pub(in crate::lane) fn fired(&mut self, rows: &RecordBatch) {
        self.live.waiting.push(rows);
        self.has_news();
    }

    /// The lane ends: what changed is shown whether it is time or not, because nothing follows.
    pub(in crate::lane) fn show_at_once(&mut self) {
        self.live.shown = None;
    }

    /// Sends what changed, if somebody listens and it is time. It becomes true with `epoch`.
    pub(in crate::lane) fn show_live(
        &mut self,
        logic: &mut Logic,
        given: &Given<'_>,
        epoch: Epoch,
    ) {
        if let Some(fired) = self.take_fired() {
            let changed = logic.show(given, LiveResults::ROWS_MAX);
            self.send(fired, changed, logic.key_columns(), epoch);
        }
    }

    /// What has fired, if somebody listens and it is time to show what changed.
    pub(in crate::lane) fn take_fired(&mut self) -> Option<Waiting> {
        let now = self.clock.monotonic();
        let pace = self.outside.haste.pace();
        if self.live.shown.is_some_and(|shown| now < shown + pace) {
            return None;
        }
        self.live.shown = Some(now);
        let waiting = std::mem::take(&mut self.live.waiting);
        let is_heard = self.outside.live.receiver_count() > 0;
        self.live.is_behind &= !is_heard;
        is_heard.then_some(waiting)
    }

    /// Sends what has fired, and behind it the groups of windows that have changed and have not. Nothing
    /// to send is not sent. Rows begin with so many columns of the key, and become true with `epoch`.
    fn send(
        &self,
        waiting: Waiting,
        Changed { rows: changed, left_out }: Changed,
        key_columns: usize,
        epoch: Epoch,
    ) {
        let Waiting { fired, left_out: fired_left_out } = waiting;
        let mut batches = Vec::from(fired);
        batches.extend(changed);
        let Some(schema) = batches.first().map(RecordBatch::schema) else { return };
        let all: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if all == 0 {
            return;
        }
        let skipped = all.saturating_sub(LiveResults::ROWS_MAX);
        let gone = fired_left_out + skipped;
        // Nobody listens any more: nothing to do about it.
        let _ = self.outside.live.send(Arc::new(LiveResults {
            pipeline: self.config.name.to_string(),
            uncommitted_epoch: epoch.0,
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            key_columns,
            rows: LiveRows::last_of(batches, LiveResults::ROWS_MAX),
            rows_left_out: (left_out + gone) as u64,
            rows_gone: gone as u64,
        }));
    }
}
