//! The topic of one sink: a producer that keeps the order, and leaves nothing out, or fails as a whole (O5).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::{Message, OutboxError, PartitionCount};
use crate::config::KafkaSinkConfig;

/// How long the brokers may take to say what they know of the topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for room in the queue, or for acknowledgements, before looking up again.
const POLL: Duration = Duration::from_millis(20);

/// What the rules rest on.
const FIXED: [(&str, &str); 4] = [
    ("enable.idempotence", "true"),
    // A message that the brokers refuse stops those behind it.
    ("enable.gapless.guarantee", "true"),
    // Never given up: the epoch is committed.
    ("message.timeout.ms", "0"),
    ("delivery.report.only.error", "true"),
];

/// What a user may change.
const DEFAULTS: [(&str, &str); 3] = [
    ("compression.type", "lz4"),
    // Messages that wait for a broker, in memory a second time beside the epoch's text.
    ("queue.buffering.max.kbytes", "32768"),
    // A broker that comes back is seen within this, not within ten seconds.
    ("reconnect.backoff.max.ms", "2000"),
];

/// What librdkafka reports while sending.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Why the first message was given up.
    lost: Mutex<Option<String>>,
    /// What the client complained about last.
    complaint: Mutex<Option<String>>,
}

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        *locked(&self.complaint) = Some(format!("{reason} ({error})"));
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            locked(&self.lost).get_or_insert_with(|| error.to_string());
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topic of a sink.
pub(super) struct TopicProducer {
    pub(super) sink: Arc<str>,
    topic: String,
    brokers: String,
    config: ClientConfig,
    producer: BaseProducer<Reports>,
    pub(super) partitions: PartitionCount,
}

impl TopicProducer {
    /// Makes the client. Brokers that are away are no error yet.
    pub(super) fn new(
        sink: &Arc<str>,
        kafka: &KafkaSinkConfig,
        client_id: &str,
    ) -> Result<Self, OutboxError> {
        let config = client_config(&kafka.brokers, &kafka.properties, client_id);
        let refused = |error: KafkaError| OutboxError::Refused {
            sink: sink.to_string(),
            reason: match error {
                KafkaError::ClientConfig(_, reason, key, _) => {
                    format!("property `{key}` is refused by librdkafka: {reason}")
                }
                error => error.to_string(),
            },
        };
        Ok(Self {
            sink: Arc::clone(sink),
            topic: kafka.topic.clone(),
            brokers: kafka.brokers.clone(),
            producer: config.create_with_context(Reports::default()).map_err(refused)?,
            config,
            partitions: PartitionCount::new(1.into()),
        })
    }

    /// Asks the brokers for the topic.
    ///
    /// # Errors
    ///
    /// What keeps it from taking messages.
    pub(super) fn look_up(&self) -> Result<u32, String> {
        let Self { topic, brokers, sink, .. } = self;
        let client = self.producer.client();
        let metadata = client.fetch_metadata(Some(topic), METADATA_TIMEOUT);
        let metadata = metadata.map_err(|error| {
            let said = locked(&client.context().complaint).take();
            let said = said.unwrap_or_else(|| error.to_string());
            format!(
                "brokers `{brokers}` of sink `{sink}` do not answer: {said}; is one running there?"
            )
        })?;
        let topic_there = metadata.topics().first();
        if let Some(error) = topic_there.and_then(|topic| topic.error()) {
            let code = RDKafkaErrorCode::from(error);
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` takes no messages: {code}; create it, or let \
                 this client write to it"
            ));
        }
        let count = topic_there.map_or(0, |topic| topic.partitions().len());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` has no partition: create it"
            ));
        }
        self.partitions.store(count, Ordering::Relaxed);
        Ok(count)
    }

    /// Puts a message into the queue. False: the queue is full; serve acknowledgements and try again.
    pub(super) fn send(
        &self,
        message: &Message<'_>,
        headers: OwnedHeaders,
    ) -> Result<bool, String> {
        let count = self.partitions.load(Ordering::Relaxed).max(1);
        let partition = i32::try_from(message.partition % count).expect("Kafka counts in 32 bits");
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic)
            .partition(partition)
            .payload(message.value)
            .headers(headers);
        if let Some(key) = message.key {
            record = record.key(key);
        }
        match self.producer.send(record) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Ok(false),
            Err((error, _)) => Err(self.refusal(message, &error.to_string())),
        }
    }

    fn refusal(&self, message: &Message<'_>, reason: &str) -> String {
        let Self { topic, sink, .. } = self;
        let bytes = message.value.len();
        let key = message.key.unwrap_or(b"none").escape_ascii();
        format!(
            "topic `{topic}` of sink `{sink}` does not take a message of {bytes} bytes with the key {key}: {reason}; if it is \
             too large, raise `max.message.bytes` of the topic and `message.max.bytes` of the sink"
        )
    }

    /// Serves acknowledgements for a moment. How many messages are still unacknowledged.
    ///
    /// # Errors
    ///
    /// Messages were given up; those that are left will not be sent either.
    pub(super) fn serve(&self) -> Result<usize, String> {
        self.producer.poll(POLL);
        let lost = locked(&self.producer.context().lost).take();
        let lost = lost.or_else(|| Some(self.producer.client().fatal_error()?.1));
        if let Some(reason) = lost {
            let Self { topic, sink, brokers, .. } = self;
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` refuses messages: {reason}; if they are too large, \
                 raise `max.message.bytes` of the topic"
            ));
        }
        Ok(usize::try_from(self.producer.in_flight_count()).unwrap_or(0))
    }

    /// What the client complained about since it was asked last.
    pub(super) fn complaint(&self) -> Option<String> {
        let said = locked(&self.producer.context().complaint).take()?;
        Some(format!("brokers `{}` of sink `{}`: {said}", self.brokers, self.sink))
    }

    /// Begins anew, with nothing in the queue: after a failure the order can only be kept from the first message on.
    pub(super) fn renew(&mut self) {
        match self.config.create_with_context(Reports::default()) {
            Ok(producer) => self.producer = producer,
            // It was made of the same properties before.
            Err(error) => {
                tracing::warn!(sink = %self.sink, %error, "the client could not be made anew")
            }
        }
    }
}

fn client_config(
    brokers: &str,
    properties: &BTreeMap<String, String>,
    client_id: &str,
) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Warning);
    config.set("client.id", client_id);
    for (key, value) in DEFAULTS {
        config.set(key, value);
    }
    for (key, value) in properties {
        config.set(key, value);
    }
    for (key, value) in FIXED {
        config.set(key, value);
    }
    config.set("bootstrap.servers", brokers);
    config
}

/// Headers that all messages of an epoch share, and the message's own.
pub(super) fn headers(shared: &OwnedHeaders, sequence: usize) -> OwnedHeaders {
    let sequence = sequence.to_string();
    shared.clone().insert(Header { key: super::SEQUENCE_HEADER, value: Some(&sequence) })
}
