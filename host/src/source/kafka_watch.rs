//! What is known of the topic and the brokers: partitions, trouble, and librdkafka's own words about both.
//!
//! A thread of its own asks for the topic's metadata, because the answer may take seconds when a broker is away and
//! a turn must not wait for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Statistics, TopicPartitionList};

/// How often new partitions are looked for while all is well: a topic grows rarely, and half a minute of delay for
/// the first records of a new partition is no loss.
const PARTITIONS_REFRESH: Duration = Duration::from_secs(30);

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
            self.knowledge.lock().last_error = Some(reason.to_owned());
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

/// Shared by the source, librdkafka's callbacks and the watching thread.
pub(super) struct Knowledge {
    topic: String,
    brokers: String,
    state: Mutex<State>,
    looked: Condvar,
    wake: SyncSender<()>,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Of the topic, as of the last answer; none before the first. Kafka numbers them from 0.
    partitions: Option<i32>,
    trouble: Option<String>,
    last_error: Option<String>,
}

impl Knowledge {
    /// Nothing yet, and the end of the channel that [`watch`] listens to.
    pub(super) fn new(topic: &str, brokers: &str) -> (Arc<Self>, Receiver<()>) {
        // One pending wish to look is as good as many.
        let (wake, woken) = sync_channel(1);
        let knowledge = Self {
            topic: topic.to_owned(),
            brokers: brokers.to_owned(),
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

    /// How many partitions the topic has.
    pub(super) fn partitions(&self) -> Option<i32> {
        self.lock().partitions
    }

    /// As [`Knowledge::partitions`], waiting for the first answer.
    pub(super) fn wait_for_partitions(&self, at_most: Duration) -> Option<i32> {
        let unknown = |state: &mut State| state.partitions.is_none();
        let waited = self.looked.wait_timeout_while(self.lock(), at_most, unknown);
        waited.expect("nobody panics while holding it").0.partitions
    }

    /// Why nothing comes, if the reason is the brokers or the topic.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    fn learn(&self, seen: Result<i32, String>) {
        let mut state = self.lock();
        match seen {
            Ok(partitions) => {
                state.partitions = Some(partitions);
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

    /// Asks for the topic once.
    fn look(&self, consumer: &BaseConsumer<Context>) -> Result<i32, String> {
        let metadata = consumer
            .fetch_metadata(Some(&self.topic), METADATA_TIMEOUT)
            .map_err(|error| self.unreachable(&error))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        let error = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let count = topic.map_or(0, |topic| topic.partitions().len());
        match error {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(self.missing())
            }
            Some(error) => Err(format!("topic `{}` cannot be read: {error}", self.topic)),
            None if count == 0 => Err(self.missing()),
            None => Ok(i32::try_from(count).expect("Kafka counts partitions in 32 bits")),
        }
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

/// Starts the thread that keeps `knowledge` fresh until [`Knowledge::stop`].
pub(super) fn watch(
    knowledge: Arc<Knowledge>,
    consumer: Arc<BaseConsumer<Context>>,
    woken: Receiver<()>,
) -> std::io::Result<()> {
    let body = move || {
        while !knowledge.stop.load(Ordering::Relaxed) {
            let seen = knowledge.look(&consumer);
            let pause = if seen.is_ok() { PARTITIONS_REFRESH } else { TROUBLE_REFRESH };
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
