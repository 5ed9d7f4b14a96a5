//! What is known of the topic and the brokers: which topic it is, its partitions and where they end, trouble, and
//! librdkafka's own words about it.
//!
//! A thread of its own asks, because the answer may take seconds when a broker is away and a turn must not wait for it. A
//! *look* is one round of questions; what it saw holds for the time at which it asked.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Statistics, TopicPartitionList};

use super::kafka_ask;
use super::kafka_stall::TooLarge;
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::time::Clock;

/// How often the topic is looked at while all is well, if nobody says another time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often the topic is asked for while it or the brokers are away.
const TROUBLE_REFRESH: Duration = Duration::from_secs(1);

/// How long one question about the topic may take; librdkafka reconnects meanwhile.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Receives librdkafka's events. Belongs to one client.
pub(super) struct Context {
    knowledge: Arc<Knowledge>,
    commit_fails: AtomicBool,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
        // Attempts to connect fail every second or two while a broker is away. The lane says it once.
        let is_connection = matches!(facility, "FAIL" | "ERROR" | "REQTMOUT" | "METADATA");
        match level {
            Emerg | Alert | Critical => tracing::error!(target: "kafka", facility, "{message}"),
            Error | Warning if !is_connection => {
                tracing::warn!(target: "kafka", facility, "{message}");
            }
            Error | Warning | Notice | Info => {
                tracing::debug!(target: "kafka", facility, "{message}");
            }
            Debug => tracing::trace!(target: "kafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
        let code = error.rdkafka_error_code();
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            // «All brokers are down» follows the error that says why.
            let mut state = self.knowledge.lock();
            state.last_error = Some(reason.to_owned());
            if TooLarge::says(reason) {
                let at = self.knowledge.clock.monotonic();
                state.too_large = Some(TooLarge { at, words: reason.to_owned() });
            }
        }
        self.knowledge.look_now();
    }

    fn stats(&self, _: Statistics) {}

    fn stats_raw(&self, statistics: &[u8]) {
        tracing::debug!(target: "kafka", "{}", String::from_utf8_lossy(statistics));
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) => self.commit_fails.store(false, Ordering::Relaxed),
            Err(error) if self.commit_fails.swap(true, Ordering::Relaxed) => {
                tracing::debug!(%error, "offsets not shown to the group");
            }
            Err(error) => {
                tracing::warn!(%error, "offsets not shown to the group: lag dashboards will be wrong, results will not");
            }
        }
    }
}

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
    topic: String,
    topic_c: CString,
    brokers: String,
    clock: Clock,
    /// ns.
    look_every: AtomicU64,
    /// The number of the broker that answered last; negative if none did.
    broker: AtomicI32,
    state: Mutex<State>,
    looked: Condvar,
    wake: SyncSender<()>,
    stop: AtomicBool,
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
    /// Nothing yet, and the end of the channel that [`watch`] listens to.
    pub(super) fn new(
        topic: &str,
        topic_c: CString,
        brokers: &str,
        clock: Clock,
    ) -> (Arc<Self>, Receiver<()>) {
        // One pending wish to look is as good as many.
        let (wake, woken) = sync_channel(1);
        let knowledge = Self {
            topic: topic.to_owned(),
            topic_c,
            brokers: brokers.to_owned(),
            clock,
            look_every: AtomicU64::new(0),
            broker: AtomicI32::new(-1),
            state: Mutex::default(),
            looked: Condvar::new(),
            wake,
            stop: AtomicBool::new(false),
        };
        (Arc::new(knowledge), woken)
    }

    /// The context of the client that this is about.
    pub(super) fn context(self: &Arc<Self>) -> Context {
        Context { knowledge: Arc::clone(self), commit_fails: AtomicBool::new(false) }
    }

    /// Looks so often while all is well.
    pub(super) fn look_every(&self, every: Duration) {
        let nanos = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
        self.look_every.store(nanos, Ordering::Relaxed);
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

    /// Waits until there is an answer, and no trouble since.
    pub(super) fn wait_for_look(&self, at_most: Duration) {
        let unknown = |state: &mut State| state.seen.is_none() || state.trouble.is_some();
        let waited = self.looked.wait_timeout_while(self.lock(), at_most, unknown);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Why nothing comes, if the reason is the brokers or the topic.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// The last answer that was larger than librdkafka takes, however long ago.
    pub(super) fn too_large(&self) -> Option<TooLarge> {
        self.lock().too_large.clone()
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

    fn pause(&self) -> Duration {
        match self.look_every.load(Ordering::Relaxed) {
            0 => LOOK_EVERY,
            nanos => Duration::from_nanos(nanos),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is known stays true if somebody has panicked over it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, seen: Result<Seen, String>) {
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
    }

    /// One round of questions.
    fn look(&self, consumer: &BaseConsumer<Context>) -> Result<Seen, String> {
        let at = self.clock.monotonic();
        if self.broker.load(Ordering::Relaxed) < 0 {
            self.partitions(consumer)?;
        }
        // Which topic it is comes first: the question about its partitions also tells librdkafka, which would go on in another
        // topic of the same name as if it were the same.
        let topic = self.topic_id(consumer)?;
        let partitions = self.partitions(consumer)?;
        let ends = kafka_ask::ends(consumer, &self.topic, partitions, METADATA_TIMEOUT);
        let ends = ends.unwrap_or_else(|code| {
            tracing::debug!(target: "kafka", %code, "no answer about the ends of partitions");
            vec![None; usize::try_from(partitions).unwrap_or(0)]
        });
        let identity = SourceIdentity { cluster: kafka_ask::cluster_id(consumer), topic };
        Ok(Seen { look: 0, partitions, identity, ends, at })
    }

    /// None: the brokers give topics no ids.
    fn topic_id(&self, consumer: &BaseConsumer<Context>) -> Result<Option<String>, String> {
        use RDKafkaErrorCode as Code;
        // If it does not answer, the next look begins with another one.
        let broker = self.broker.swap(-1, Ordering::Relaxed);
        match kafka_ask::topic_id(consumer, &self.topic_c, broker, METADATA_TIMEOUT) {
            Ok(id) => Ok(id),
            Err(Code::UnsupportedFeature | Code::UnsupportedVersion) => Ok(None),
            Err(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Err(self.missing()),
            Err(Code::TopicAuthorizationFailed) => {
                Err(self.unreadable(Code::TopicAuthorizationFailed))
            }
            Err(code) => Err(self.unreachable(&KafkaError::Global(code))),
        }
    }

    fn partitions(&self, consumer: &BaseConsumer<Context>) -> Result<i32, String> {
        let metadata = consumer
            .fetch_metadata(Some(&self.topic), METADATA_TIMEOUT)
            .map_err(|error| self.unreachable(&error))?;
        // One that is only known by its address yet has no number.
        let answered = Some(metadata.orig_broker_id()).filter(|broker| *broker >= 0);
        let any = || metadata.brokers().first().map(|broker| broker.id());
        self.broker.store(answered.or_else(any).unwrap_or(-1), Ordering::Relaxed);
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        let error = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let count = topic.map_or(0, |topic| topic.partitions().len());
        match error {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(self.missing())
            }
            Some(error) => Err(self.unreadable(error)),
            None if count == 0 => Err(self.missing()),
            None => i32::try_from(count)
                .map_err(|_| format!("topic `{}` has {count} partitions", self.topic)),
        }
    }

    fn unreadable(&self, error: RDKafkaErrorCode) -> String {
        format!("topic `{}` cannot be read: {error}", self.topic)
    }

    fn missing(&self) -> String {
        format!("topic `{}` does not exist on `{}`: create it", self.topic, self.brokers)
    }

    fn unreachable(&self, error: &KafkaError) -> String {
        let last_error = self.lock().last_error.clone();
        let words = last_error.unwrap_or_else(|| match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        });
        // How long this attempt took, and how many were like it, is different every second.
        let words = words.split(" (after ").next().unwrap_or(&words);
        format!("broker `{}` is not reachable: {words}", self.brokers)
    }
}

/// What is the matter, without why.
fn kind_of(trouble: &str) -> &str {
    trouble.split_once(": ").map_or(trouble, |(kind, _)| kind)
}

/// What a look has seen. A panic is trouble like any other: without looks nobody would know of a topic that is another one
/// now, and the pipeline would seem well.
fn caught(topic: &str, look: impl FnOnce() -> Result<Seen, String>) -> Result<Seen, String> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
        Err(format!(
            "looking at topic `{topic}` panicked, which is a fault of Sluicegate: the log has it"
        ))
    })
}

/// Starts the thread that keeps `knowledge` fresh until [`Knowledge::stop`].
pub(super) fn watch(
    knowledge: Arc<Knowledge>,
    consumer: Arc<BaseConsumer<Context>>,
    woken: Receiver<()>,
) -> std::io::Result<()> {
    let body = move || {
        while !knowledge.stop.load(Ordering::Relaxed) {
            let seen = caught(&knowledge.topic, || knowledge.look(&consumer));
            let pause = if seen.is_ok() { knowledge.pause() } else { TROUBLE_REFRESH };
            let failed = seen.is_err();
            knowledge.learn(seen);
            match woken.recv_timeout(pause) {
                // Errors come in swarms while a broker is away; one look a second is enough then.
                Ok(()) if failed && !knowledge.stop.load(Ordering::Relaxed) => {
                    if woken.recv_timeout(TROUBLE_REFRESH) == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    std::thread::Builder::new().name("kafka-topic".to_owned()).spawn(body).map(drop)
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_look_that_panics_is_trouble_with_the_topics_name() {
        let trouble = caught("sales", || panic!("a fault")).unwrap_err();
        assert!(trouble.starts_with("looking at topic `sales` panicked"), "{trouble}");
        assert_eq!(caught("sales", || Err("away".to_owned())).unwrap_err(), "away");
    }
}
