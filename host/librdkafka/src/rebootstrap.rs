//! Keeps a client of librdkafka from losing its brokers for good.
//!
//! A broker is fenced after a pause: its machine slept, or was starved. It then lists no broker, not even itself, until the
//! controller takes it back. librdkafka lets go of every broker that is not listed. With the last one gone it schedules a
//! re-bootstrap (KIP-899), and the end of the same answer may call that off: `rd_kafka_handle_Metadata` stops the timer
//! that `rd_kafka_rebootstrap` has just started (2.12.1). No broker is left to ask then, so nothing ever starts it again.
#![expect(unsafe_code, reason = "calls librdkafka; the block says why it is sound")]

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::bindings::rd_kafka_brokers_add;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A broker that librdkafka has let go of still counts as known for a moment, and would not be added.
const LET_GO: Duration = Duration::from_secs(2);

/// Whether a client has said that all of its brokers are down. It belongs to one client at a time.
#[derive(Debug, Default)]
pub struct AllDown {
    is_said: AtomicBool,
    /// When that was first seen.
    since: Mutex<Option<Duration>>,
}

impl AllDown {
    /// Hears an error of the client.
    pub fn note(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.is_said.store(true, Relaxed);
        }
    }

    /// Gives the client `brokers`, its bootstrap servers, once more if all were down two seconds ago. Those that it knows are
    /// left as they are. To be called now and then, at `now` of a monotonic clock.
    pub fn mend<C: ClientContext>(&self, client: &Client<C>, brokers: &str, now: Duration) {
        if !self.is_due(now) {
            return;
        }
        let Ok(servers) = CString::new(brokers) else { return };
        // SAFETY: the client is alive, and the text ends with a zero and is copied by the call, which any thread may make.
        let added = unsafe { rd_kafka_brokers_add(client.native_ptr(), servers.as_ptr()) };
        tracing::debug!(target: "kafka", brokers, added, "all brokers were down: bootstrap servers given again");
    }

    fn is_due(&self, now: Duration) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_said.swap(false, Relaxed) {
            since.get_or_insert(now);
        }
        since.take_if(|since| now.saturating_sub(*since) >= LET_GO).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::AllDown;

    #[test]
    fn brokers_are_due_once_two_seconds_after_all_were_down() {
        let second = Duration::from_secs;
        let down = AllDown::default();
        down.note(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure));
        assert!(!down.is_due(second(1)));
        assert!(!down.is_due(second(9)), "one broker is not all");
        down.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown));
        assert!(!down.is_due(second(10)));
        down.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown));
        assert!(!down.is_due(second(11)));
        assert!(down.is_due(second(12)), "said again meanwhile, and not put off by that");
        assert!(!down.is_due(second(20)), "given once for each time");
    }
}
