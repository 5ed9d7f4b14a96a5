//! What librdkafka tells: its log, its errors, and whether offsets reach the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Statistics, TopicPartitionList};

use super::knowledge::Knowledge;

/// Receives librdkafka's events. Belongs to one client.
pub(super) struct Context {
    knowledge: Arc<Knowledge>,
    commit_fails: AtomicBool,
}

impl Context {
    /// Of the client that `knowledge` is about.
    pub(super) fn new(knowledge: Arc<Knowledge>) -> Self {
        Self { knowledge, commit_fails: AtomicBool::new(false) }
    }
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
