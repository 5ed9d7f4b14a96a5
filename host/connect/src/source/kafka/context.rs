//! What librdkafka tells: its log, its errors, and whether offsets reach the group.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Statistics, TopicPartitionList};

use super::knowledge::Knowledge;
use super::showing::{News, Showing};
use sluicegate_librdkafka::AllDown;

/// Receives librdkafka's events. Clones are one: a client that is made again goes on with it.
#[derive(Clone)]
pub(super) struct Context {
    knowledge: Arc<Knowledge>,
    showing: Arc<Mutex<Showing>>,
    /// Offsets that are on their way to the group.
    on_their_way: Arc<AtomicUsize>,
    pub(super) all_down: Arc<AllDown>,
}

impl Context {
    /// Of the client that `knowledge` is about.
    pub(super) fn new(knowledge: Arc<Knowledge>) -> Self {
        Self {
            knowledge,
            showing: Arc::default(),
            on_their_way: Arc::default(),
            all_down: Arc::default(),
        }
    }

    /// A client is made, which knows the brokers by their addresses only.
    pub(super) fn begins(&self) {
        self.knowledge.broker.store(-1, Relaxed);
    }

    /// Wakes who watches the topic.
    pub(super) fn look_now(&self) {
        self.knowledge.look_now();
    }

    /// Offsets do not reach the group, for a reason that is no word of librdkafka's.
    pub(super) fn cannot_show(&self) {
        self.tell(|showing| showing.note(Some(None)));
    }

    /// Offsets are about to be sent to the group.
    pub(super) fn is_showing(&self) {
        self.on_their_way.fetch_add(1, Relaxed);
    }

    /// They have come there, or will not.
    pub(super) fn has_shown(&self) {
        self.on_their_way.fetch_sub(1, Relaxed);
    }

    /// Whether an answer of the group is to come.
    pub(super) fn shows(&self) -> bool {
        self.on_their_way.load(Relaxed) > 0
    }

    /// Whether a person was told that offsets do not reach the group.
    #[cfg(test)]
    pub(super) fn is_told(&self) -> bool {
        self.showing.lock().unwrap().is_told()
    }

    /// The brokers have answered a look. Tells if offsets have not reached the group for long.
    pub(super) fn answered(&self) {
        let now = self.knowledge.clock.monotonic();
        self.tell(|showing| showing.answered(now));
    }

    fn tell(&self, news: impl FnOnce(&mut Showing) -> Option<News>) {
        match news(&mut self.showing.lock().unwrap_or_else(PoisonError::into_inner)) {
            None => {}
            Some(News::IsWell) => tracing::info!("offsets are shown to the group again"),
            Some(News::Fails(code)) => {
                let error = code.map_or("unknown".to_owned(), |code| code.to_string());
                tracing::warn!(
                    error,
                    "offsets not shown to the group: lag dashboards will be wrong, results will not"
                );
            }
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        sluicegate_librdkafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
        self.all_down.note(&error);
        let code = error.rdkafka_error_code();
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            // «All brokers are down» follows the error that says why.
            self.knowledge.note_error(reason);
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
        self.has_shown();
        if let Err(error) = &result {
            tracing::debug!(%error, "offsets not shown to the group");
        }
        let failed = result.as_ref().err().map(KafkaError::rdkafka_error_code);
        self.tell(|showing| showing.note(failed));
    }
}
