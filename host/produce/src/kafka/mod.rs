//! Sends events to a Kafka topic, each with its key: as fast as the brokers take them, or at a rate.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::event::{Event, TimeUnit};
use sluicegate_librdkafka::AllDown;
use sluicegate_model::time::Clock;

/// How long the brokers may take to say what they know of the topic.
const METADATA_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to wait for room in the queue before asking whether to stop.
const ROOM_WAIT: Duration = Duration::from_millis(10);
/// Between two looks at the clock when sending at a rate: 50 small bursts a second look even.
const PACE_WAIT: Duration = Duration::from_millis(20);
/// Asked to stop, so long for what is in the queue.
const STOP_FLUSH: Duration = Duration::from_secs(10);
/// Between two looks at the signal and the number of events.
const LOOK_EVERY: u64 = 1_024;
/// Records that wait for a broker: about a second of the fastest stream.
const QUEUE_RECORDS: &str = "500000";
/// Their bytes, in KiB: bounds memory.
const QUEUE_KBYTES: &str = "131072";

/// Where to send to.
#[derive(Clone, Debug)]
pub struct KafkaTarget {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// Create the topic with so many partitions if it is not there.
    pub partitions: Option<i32>,
    /// Any other property of librdkafka.
    pub properties: BTreeMap<String, String>,
}

/// How fast to send, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'p> {
    /// Events a second by the clock; none: as fast as the brokers take them.
    pub rate: Option<u64>,
    /// The clock.
    pub clock: &'p Clock,
    /// Set from outside when it is enough.
    pub stop: &'p AtomicBool,
}

/// What became of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Acknowledged by the brokers.
    pub delivered: u64,
    /// Given up, or still in the queue when there was no more time.
    pub lost: u64,
    /// Why the first of them was lost.
    pub reason: Option<String>,
}

/// Sending did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// A property that librdkafka does not know or take.
    #[error("configure the producer")]
    Configuration(#[source] Box<KafkaError>),
    /// No broker answered.
    #[error("ask brokers `{brokers}` for topic `{topic}`; is one running there?")]
    Unreachable {
        /// As given.
        brokers: String,
        /// As given.
        topic: String,
        /// librdkafka's words.
        source: Box<KafkaError>,
    },
    /// The topic is not there.
    #[error("topic `{topic}` does not exist; create it, or give --partitions N to have it created")]
    NoTopic {
        /// As given.
        topic: String,
    },
    /// The topic is not there and could not be created.
    #[error("create topic `{topic}`: {reason}")]
    Creation {
        /// As given.
        topic: String,
        /// The broker's words.
        reason: String,
    },
}

/// What librdkafka reports while sending.
#[derive(Debug, Default)]
struct Reports {
    lost: AtomicU64,
    reason: Mutex<Option<String>>,
    is_warned: AtomicBool,
    all_down: AllDown,
}

impl Reports {
    /// Keeps the first reason.
    fn lose(&self, records: u64, reason: impl FnOnce() -> String) {
        self.lost.fetch_add(records, Ordering::Relaxed);
        let mut first = self.reason.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert_with(reason);
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        sluicegate_librdkafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.all_down.note(&error);
        // The client goes on trying and repeats itself; one line is enough.
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, reason, "brokers have a problem; trying on");
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.lose(1, || error.to_string());
        }
    }
}

/// A producer whose topic is there.
pub struct KafkaSender {
    producer: BaseProducer<Reports>,
    topic: String,
    brokers: String,
}

impl KafkaSender {
    /// Connects, and creates the topic if it is to be.
    ///
    /// # Errors
    /// [`ProduceError`]: nothing was sent.
    pub fn connect(target: &KafkaTarget) -> Result<Self, ProduceError> {
        let mut config = ClientConfig::new();
        config.set_log_level(sluicegate_librdkafka::LEVEL);
        config
            .set("bootstrap.servers", &target.brokers)
            .set("client.id", "sluicegate-produce")
            .set("compression.type", "lz4")
            .set("enable.idempotence", "true")
            // The partitioner of the Java client, so that both put a key into the same partition.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "10")
            .set("batch.num.messages", "20000")
            .set("queue.buffering.max.messages", QUEUE_RECORDS)
            .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
            // What is delivered is what was not lost: no event per record.
            .set("delivery.report.only.error", "true");
        for (name, value) in &target.properties {
            config.set(name, value);
        }
        let producer: BaseProducer<Reports> = config
            .create_with_context(Reports::default())
            .map_err(|error| ProduceError::Configuration(Box::new(error)))?;
        let sender =
            Self { producer, topic: target.topic.clone(), brokers: target.brokers.clone() };
        match (sender.partitions(target)?, target.partitions) {
            (0, None) => Err(ProduceError::NoTopic { topic: target.topic.clone() }),
            (0, Some(partitions)) => {
                create_topic(&config, &target.topic, partitions)?;
                Ok(sender)
            }
            (there, Some(asked)) if there != asked => {
                tracing::warn!(
                    topic = target.topic,
                    there,
                    asked,
                    "the topic exists with other partitions"
                );
                Ok(sender)
            }
            _ => Ok(sender),
        }
    }

    /// How many partitions the topic has; 0: it is not there.
    fn partitions(&self, target: &KafkaTarget) -> Result<i32, ProduceError> {
        let client = self.producer.client();
        let metadata = client.fetch_metadata(Some(&target.topic), METADATA_TIMEOUT);
        let metadata = metadata.map_err(|source| ProduceError::Unreachable {
            brokers: target.brokers.clone(),
            topic: target.topic.clone(),
            source: Box::new(source),
        })?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(partitions).unwrap_or(i32::MAX))
    }

    /// Sends every event until there is none or it is asked to stop, then waits for the brokers. `progress` hears now
    /// and then how many were handed over.
    pub fn send(
        self,
        events: impl Iterator<Item = impl Event>,
        unit: TimeUnit,
        pace: &Pace<'_>,
        mut progress: impl FnMut(u64),
    ) -> Sent {
        let stop = pace.stop;
        let begin = pace.clock.monotonic();
        let (mut key, mut value) = (Vec::with_capacity(32), Vec::with_capacity(128));
        let mut handed_over = 0;
        for event in events {
            if let Some(rate) = pace.rate {
                self.wait_for_turn(handed_over, rate, begin, pace, &mut progress);
            } else if handed_over % LOOK_EVERY == 0 {
                progress(handed_over);
                self.serve(Duration::ZERO, pace.clock);
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            key.clear();
            value.clear();
            event.write_key(&mut key);
            event.write_value(unit, &mut value);
            if !self.hand_over(&key, &value, pace) {
                break;
            }
            handed_over += 1;
        }
        progress(handed_over);
        self.finish(handed_over, pace)
    }

    /// Hears for as long as `wait` what became of records and brokers.
    fn serve(&self, wait: Duration, clock: &Clock) {
        self.producer.poll(wait);
        let all_down = &self.producer.context().all_down;
        all_down.mend(self.producer.client(), &self.brokers, clock.monotonic());
    }

    /// Returns when the event after `handed_over` ones is due, or when asked to stop.
    fn wait_for_turn(
        &self,
        handed_over: u64,
        rate: u64,
        begin: Duration,
        pace: &Pace<'_>,
        progress: &mut impl FnMut(u64),
    ) {
        loop {
            let elapsed = pace.clock.monotonic().saturating_sub(begin);
            let due = elapsed.as_micros() * u128::from(rate) / 1_000_000;
            if due >= u128::from(handed_over) || pace.stop.load(Ordering::Relaxed) {
                return;
            }
            progress(handed_over);
            self.serve(PACE_WAIT, pace.clock);
        }
    }

    /// Puts a record into the queue, waiting for room. False: it is not in the queue, because of a stop or for good.
    fn hand_over(&self, key: &[u8], value: &[u8], pace: &Pace<'_>) -> bool {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return true,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    if pace.stop.load(Ordering::Relaxed) {
                        return false;
                    }
                    record = refused;
                    self.serve(ROOM_WAIT, pace.clock);
                }
                Err((error, _)) => {
                    self.producer.context().lose(0, || error.to_string());
                    return false;
                }
            }
        }
    }

    /// Waits until every record is acknowledged or given up; after a stop only [`STOP_FLUSH`].
    fn finish(self, handed_over: u64, pace: &Pace<'_>) -> Sent {
        let mut waited = Duration::ZERO;
        let step = Duration::from_millis(100);
        while self.producer.in_flight_count() > 0 {
            if pace.stop.load(Ordering::Relaxed) {
                waited += step;
            }
            if waited > STOP_FLUSH {
                break;
            }
            // A failure of the flush is that records are left: the count says so.
            let _ = self.producer.flush(step);
            self.serve(Duration::ZERO, pace.clock);
        }
        self.producer.poll(Duration::ZERO);
        let reports = self.producer.context();
        let queued = u64::try_from(self.producer.in_flight_count()).unwrap_or(0);
        if queued > 0 {
            reports.lose(queued, || "not acknowledged in time".to_owned());
        }
        let lost = reports.lost.load(Ordering::Relaxed);
        let reason =
            reports.reason.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        Sent { delivered: handed_over.saturating_sub(lost), lost, reason }
    }
}

fn create_topic(config: &ClientConfig, topic: &str, partitions: i32) -> Result<(), ProduceError> {
    let failed = |reason: String| ProduceError::Creation { topic: topic.to_owned(), reason };
    let mut config = config.clone();
    // A property of producers only; other clients warn about it.
    for name in
        ["delivery.report.only.error", "partitioner", "compression.type", "enable.idempotence"]
    {
        config.remove(name);
    }
    let admin: AdminClient<_> =
        config.create().map_err(|error| ProduceError::Configuration(Box::new(error)))?;
    // -1: the broker's default replication.
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().operation_timeout(Some(METADATA_TIMEOUT));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let created = runtime.block_on(admin.create_topics([&topic], &options));
    for result in created.map_err(|error| failed(error.to_string()))? {
        match result {
            // Somebody else was quicker.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(failed(code.to_string())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
