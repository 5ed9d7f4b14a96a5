//! What is known of the topic and the brokers: which topic it is, its partitions and where they end, trouble, and
//! librdkafka's own words about it. The watching thread writes it, the source reads it.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stall::TooLarge;
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::time::{Clock, LookPace};
use sluicegate_runtime::Bell;

/// How often the topic is looked at while all is well, if nobody says another time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What one look has seen of the topic.
#[derive(Debug)]
pub(super) struct Seen {
    /// 1 for the first look of the client that was answered.
    pub(super) look: u64,
    /// Kafka numbers them from 0.
    pub(super) partitions: i32,
    /// As far as the brokers tell.
    pub(super) identity: SourceIdentity,
    /// Of each partition the high watermark, records of open transactions included; none if its leader did not answer.
    pub(super) ends: Vec<Option<i64>>,
    /// Monotonic time before the first question.
    pub(super) at: Duration,
}

/// Shared by the source, librdkafka's callbacks and the watching thread.
pub(super) struct Knowledge {
    pub(super) topic: String,
    pub(super) topic_c: CString,
    pub(super) brokers: String,
    pub(super) clock: Clock,
    /// Wakes who reads.
    bell: Bell,
    pace: Mutex<LookPace>,
    /// Records have come since the last look.
    is_heard: AtomicBool,
    /// The next look comes later than usual, because none have.
    is_late: AtomicBool,
    /// The number of the broker that answered last; negative if none did.
    pub(super) broker: AtomicI32,
    state: Mutex<State>,
    looked: Condvar,
    wake: SyncSender<()>,
    pub(super) stop: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By the last look that was answered; none before the first.
    seen: Option<Arc<Seen>>,
    trouble: Option<String>,
    /// An answer that was larger than librdkafka takes.
    too_large: Option<TooLarge>,
    last_error: Option<String>,
}

impl Knowledge {
    /// Nothing yet, and the end of the channel that [`super::watch::watch`] listens to.
    pub(super) fn new(
        topic: &str,
        topic_c: CString,
        brokers: &str,
        clock: Clock,
        bell: Bell,
    ) -> (Arc<Self>, Receiver<()>) {
        // One pending wish to look is as good as many.
        let (wake, woken) = sync_channel(1);
        let knowledge = Self {
            topic: topic.to_owned(),
            topic_c,
            brokers: brokers.to_owned(),
            clock,
            bell,
            pace: Mutex::new(LookPace::steady(LOOK_EVERY)),
            is_heard: AtomicBool::new(false),
            is_late: AtomicBool::new(false),
            broker: AtomicI32::new(-1),
            state: Mutex::default(),
            looked: Condvar::new(),
            wake,
            stop: AtomicBool::new(false),
        };
        (Arc::new(knowledge), woken)
    }

    /// Looks so often while all is well.
    pub(super) fn set_pace(&self, pace: LookPace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    pub(super) fn pace(&self) -> LookPace {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records have come.
    pub(super) fn hear(&self) {
        // Either this sees that the next look is late, or who puts it off sees this: both orders are total.
        if !self.is_heard.swap(true, Ordering::SeqCst) && self.is_late.swap(false, Ordering::SeqCst)
        {
            self.look_now();
        }
    }

    /// What the last look that was answered has seen; none before the first.
    pub(super) fn seen(&self) -> Option<Arc<Seen>> {
        self.lock().seen.clone()
    }

    /// As [`Knowledge::seen`], waiting for the first answer.
    pub(super) fn wait_for_topic(&self, at_most: Duration) -> Option<Arc<Seen>> {
        let unknown = |state: &mut State| state.seen.is_none();
        let waited = self.looked.wait_timeout_while(self.lock(), at_most, unknown);
        waited.unwrap_or_else(PoisonError::into_inner).0.seen.clone()
    }

    /// Why nothing comes, if the reason is the brokers or the topic.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// The last answer that was larger than librdkafka takes, however long ago.
    pub(super) fn too_large(&self) -> Option<TooLarge> {
        self.lock().too_large.clone()
    }

    /// Takes note of what a client says of its connections.
    pub(super) fn note_error(&self, reason: &str) {
        let mut state = self.lock();
        state.last_error = Some(reason.to_owned());
        if TooLarge::says(reason) {
            let at = self.clock.monotonic();
            state.too_large = Some(TooLarge { at, words: reason.to_owned() });
        }
    }

    /// Asks for the topic soon.
    pub(super) fn look_now(&self) {
        // Full: somebody else asked already.
        let _ = self.wake.try_send(());
    }

    /// Ends the watching thread after the question it may be asking.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.look_now();
    }

    /// Until the next look, if all is well. `silence`: after how many looks no records have come.
    pub(super) fn pause(&self, silence: &mut u32) -> Duration {
        let LookPace { every, patience, in_silence } = self.pace();
        self.is_late.store(false, Ordering::SeqCst);
        if self.is_heard.swap(false, Ordering::SeqCst) {
            *silence = 0;
            return every;
        }
        *silence = silence.saturating_add(1);
        let doublings = silence.saturating_sub(patience).saturating_sub(1).min(16);
        let late = every.saturating_mul(1 << doublings).min(in_silence);
        if late <= every {
            return every;
        }
        self.is_late.store(true, Ordering::SeqCst);
        if self.is_heard.load(Ordering::SeqCst) { every } else { late }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is known stays true if somebody has panicked over it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What librdkafka said last, since a look was answered.
    pub(super) fn last_error(&self) -> Option<String> {
        self.lock().last_error.clone()
    }

    /// What the last look has come to: what it has seen, or the trouble.
    pub(super) fn learn(&self, seen: Result<Seen, String>) {
        let mut state = self.lock();
        match seen {
            Ok(seen) => {
                let look = state.seen.as_ref().map_or(1, |before| before.look + 1);
                state.seen = Some(Arc::new(Seen { look, ..seen }));
                state.last_error = None;
                state.trouble = None;
            }
            Err(trouble) => {
                // librdkafka has other words for the same trouble every few seconds; the first ones stay.
                let known = state.trouble.take();
                let is_known = known.as_deref().map(kind_of) == Some(kind_of(&trouble));
                state.trouble = if is_known { known } else { Some(trouble) };
            }
        }
        drop(state);
        self.looked.notify_all();
        self.bell.ring();
    }
}

/// What is the matter, without why.
pub(super) fn kind_of(trouble: &str) -> &str {
    trouble.split_once(": ").map_or(trouble, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_topic_is_looked_at_less_and_less_often_until_it_is_heard() {
        let (clock, bell) = (Clock::system(), Bell::default());
        let (knowledge, woken) = Knowledge::new("sales", CString::default(), "", clock, bell);
        let second = Duration::from_secs(1);
        let pace = LookPace { every: second, patience: 0, in_silence: 5 * second };
        knowledge.set_pace(pace);
        knowledge.hear();
        let mut silence = 0;
        let mut pauses =
            || -> Vec<u64> { (0..6).map(|_| knowledge.pause(&mut silence).as_secs()).collect() };
        assert_eq!(pauses(), [1, 1, 2, 4, 5, 5]);
        assert!(woken.try_recv().is_err(), "nobody has heard anything");
        knowledge.hear();
        assert!(woken.try_recv().is_ok(), "a look is overdue");
        knowledge.hear();
        assert!(woken.try_recv().is_err(), "it is told once");
        assert_eq!(pauses(), [1, 1, 2, 4, 5, 5]);
        // Where silence counts.
        knowledge.set_pace(LookPace { patience: 5, ..pace });
        knowledge.hear();
        assert!(woken.try_recv().is_ok());
        assert_eq!(pauses(), [1; 6]);
        assert_eq!(pauses(), [1, 2, 4, 5, 5, 5], "all partitions are idle");
        knowledge.set_pace(LookPace::steady(second));
        assert_eq!(pauses(), [1; 6]);
        knowledge.hear();
        assert!(woken.try_recv().is_err(), "the next look comes soon enough");
    }
}
