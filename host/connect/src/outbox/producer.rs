//! The topic of one sink: a producer that keeps the order and leaves nothing out, or fails as a whole (O5).

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
use sluicegate_librdkafka::AllDown;
use sluicegate_pipeline::{KafkaSinkConfig, forbidden};

/// How long the brokers may take to say what they know of the topic. A stop waits as long at most.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a topic is looked up again when a lane is opened, up to a second each time: the first connection of a client
/// may take longer than one look-up, and the next opening has a new client.
const LOOK_UPS: usize = 5;

/// What the rules rest on.
const FIXED: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    // One request at a time, or a message can be lost in silence: a broker takes whatever sequence comes first from a producer
    // that it does not know yet. If the first request fails for a moment and one behind it is taken, librdkafka believes
    // the first to be there as well (`rd_kafka_dr_implicit_ack`).
    ("max.in.flight", "1"),
    // A message that the brokers refuse stops those behind it.
    ("enable.gapless.guarantee", "true"),
    // Never given up: the epoch is committed.
    ("message.timeout.ms", "0"),
    ("delivery.report.only.error", "true"),
];

/// What a user may change: each with the names that it has.
const DEFAULTS: [(&[&str], &str); 3] = [
    (&["compression.codec", "compression.type"], "lz4"),
    // Messages that wait for a broker, in memory a second time beside the epoch's text.
    (&["queue.buffering.max.kbytes"], "32768"),
    // A broker that comes back is seen within this, not within ten seconds.
    (&["reconnect.backoff.max.ms"], "2000"),
];

/// What librdkafka reports while sending.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Why the first message was given up.
    lost: Mutex<Option<KafkaError>>,
    /// What the client complained about last.
    complaint: Mutex<Option<String>>,
    all_down: AllDown,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        sluicegate_librdkafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.all_down.note(&error);
        *locked(&self.complaint) = Some(format!("{reason} ({error})"));
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            locked(&self.lost).get_or_insert_with(|| error.clone());
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
    /// None after a failure, until it is made anew.
    producer: Option<BaseProducer<Reports>>,
    pub(super) partitions: PartitionCount,
}

impl TopicProducer {
    /// Makes the client. Brokers that are away are no error yet.
    pub(super) fn new(
        sink: &Arc<str>,
        kafka: &KafkaSinkConfig,
        client_id: &str,
    ) -> Result<Self, OutboxError> {
        let outside = kafka.properties.keys().find_map(|key| Some((key, forbidden(key)?)));
        if let Some((key, why)) = outside {
            let reason = format!("property `{key}` in its `properties` is refused: {why}");
            return Err(OutboxError::Refused { sink: sink.to_string(), reason });
        }
        let config = client_config(&kafka.brokers, &kafka.properties, client_id);
        let mut topic = Self {
            sink: Arc::clone(sink),
            topic: kafka.topic.clone(),
            brokers: kafka.brokers.clone(),
            producer: None,
            config,
            partitions: PartitionCount::new(1.into()),
        };
        let reason = |error: KafkaError| match error {
            KafkaError::ClientConfig(_, reason, key, _) => format!(
                "property `{key}` in its `properties` is refused by librdkafka: {reason}; its CONFIGURATION.md lists all"
            ),
            error => error.to_string(),
        };
        match topic.client() {
            Ok(_) => Ok(topic),
            Err(error) => {
                Err(OutboxError::Refused { sink: sink.to_string(), reason: reason(error) })
            }
        }
    }

    /// The client, made anew if the last one failed.
    fn client(&mut self) -> Result<&BaseProducer<Reports>, KafkaError> {
        if self.producer.is_none() {
            self.producer = Some(self.config.create_with_context(Reports::default())?);
        }
        Ok(self.producer.as_ref().expect("made a moment ago"))
    }

    /// Forgets the client with all that is in its queue: after a failure the order can only be kept by beginning again with
    /// the first message.
    pub(super) fn forget(&mut self) {
        self.producer = None;
    }

    /// Looks the topic up for the first time.
    ///
    /// # Errors
    ///
    /// [`OutboxError::Unreachable`].
    pub(super) fn reach(&mut self, given_up: &dyn Fn() -> bool) -> Result<(), OutboxError> {
        let mut found = self.look_up();
        for _ in 0..LOOK_UPS {
            if found.is_ok() || given_up() {
                break;
            }
            found = self.look_up();
        }
        found.map(drop).map_err(OutboxError::Unreachable)
    }

    /// Asks the brokers for the topic.
    ///
    /// # Errors
    ///
    /// What keeps it from taking messages.
    pub(super) fn look_up(&mut self) -> Result<u32, String> {
        let (topic, brokers, sink) =
            (self.topic.clone(), self.brokers.clone(), Arc::clone(&self.sink));
        let client = self
            .client()
            .map_err(|error| format!("the client of sink `{sink}` cannot be made: {error}"))?;
        let client = client.client();
        let metadata = client.fetch_metadata(Some(&topic), METADATA_TIMEOUT);
        let metadata = metadata.map_err(|error| {
            let said = locked(&client.context().complaint).take();
            let said = said.unwrap_or_else(|| error.to_string());
            format!(
                "brokers `{brokers}` of sink `{sink}` do not answer: {said}; is one running there?"
            )
        })?;
        let there = metadata.topics().first();
        if let Some(error) = there.and_then(|topic| topic.error()) {
            let code = RDKafkaErrorCode::from(error);
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` takes no messages: {code}; {}",
                fix_of(code)
            ));
        }
        let count = there.map_or(0, |topic| topic.partitions().len());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` has no partition: create it"
            ));
        }
        // A broker may tell of fewer than another has told of: messages were made for those.
        self.partitions.fetch_max(count, Ordering::Relaxed);
        Ok(count)
    }

    /// Puts a message into the queue of a topic with `count` partitions. False: the queue is full; serve
    /// acknowledgements and try again.
    pub(super) fn send(
        &self,
        message: &Message<'_>,
        headers: OwnedHeaders,
        count: u32,
    ) -> Result<bool, String> {
        let Self { topic, sink, .. } = self;
        let producer = self.producer.as_ref().expect("looked up before");
        if message.partition >= count {
            return Err(format!(
                "a message of sink `{sink}` was made for partition {} of topic `{topic}`, which has {count} now: \
                 if it was created again, give it as many as it had",
                message.partition
            ));
        }
        let partition = i32::try_from(message.partition).expect("Kafka counts in 32 bits");
        let mut record = BaseRecord::<[u8], [u8]>::to(topic)
            .partition(partition)
            .payload(message.value)
            .headers(headers);
        if let Some(key) = message.key {
            record = record.key(key);
        }
        let refused = |reason: &str, fix: &str| {
            let key = message.key.unwrap_or(b"none").escape_ascii();
            let bytes = message.value.len();
            format!(
                "topic `{topic}` of sink `{sink}` does not take a message of {bytes} bytes with the key {key}: {reason}; {fix}"
            )
        };
        match producer.send(record) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                if producer.in_flight_count() == 0 {
                    let fix = "raise `queue.buffering.max.kbytes` in its `properties`";
                    return Err(refused("it does not fit an empty queue", fix));
                }
                Ok(false)
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                Err(refused(&error.to_string(), fix_of(code)))
            }
        }
    }

    /// Serves acknowledgements for as long as `wait`. How many messages are still unacknowledged.
    ///
    /// # Errors
    ///
    /// Messages were given up; those that are left will not be sent either.
    pub(super) fn serve(&self, wait: Duration) -> Result<usize, String> {
        let Some(producer) = &self.producer else { return Ok(0) };
        producer.poll(wait);
        let lost = locked(&producer.context().lost).take();
        let lost = lost.map(|error| {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
            (code, error.to_string())
        });
        if let Some((code, reason)) = lost.or_else(|| producer.client().fatal_error()) {
            let Self { topic, sink, brokers, .. } = self;
            return Err(format!(
                "topic `{topic}` of sink `{sink}` at brokers `{brokers}` refuses messages: {reason}; {}",
                fix_of(code)
            ));
        }
        Ok(usize::try_from(producer.in_flight_count()).unwrap_or(0))
    }

    /// Gives the client its brokers again if it has lost all of them. To be called now and then, at `now` of a monotonic clock.
    pub(super) fn mend(&self, now: Duration) {
        if let Some(producer) = &self.producer {
            producer.context().all_down.mend(producer.client(), &self.brokers, now);
        }
    }

    /// What the client complained about since it was asked last.
    pub(super) fn complaint(&self) -> Option<String> {
        let said = locked(&self.producer.as_ref()?.context().complaint).take()?;
        Some(format!("brokers `{}` of sink `{}`: {said}", self.brokers, self.sink))
    }
}

/// What somebody can do about it.
fn fix_of(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => {
            "raise `max.message.bytes` of the topic, and beyond 1 MB `message.max.bytes` in the sink's `properties`"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition => "create it",
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            "let this client write to it"
        }
        Code::InvalidRecord => "a compacted topic takes messages with a key only",
        _ => "it is tried again",
    }
}

fn client_config(
    brokers: &str,
    properties: &BTreeMap<String, String>,
    client_id: &str,
) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set_log_level(sluicegate_librdkafka::LEVEL);
    config.set("client.id", client_id);
    for (names, value) in DEFAULTS {
        if !names.iter().any(|name| properties.contains_key(*name)) {
            config.set(names[0], value);
        }
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
