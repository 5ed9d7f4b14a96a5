//! A topic of one test: made, filled record by record in a known order, and read back whole for the oracle.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::eventually;

const TIMEOUT: Duration = Duration::from_secs(60);

/// What the producer sends at most, and a topic for large records takes; others take a megabyte.
const RECORD_BYTES_MAX: &str = "16000000";

/// A topic of its own for one test.
pub struct Topic {
    /// Its name; nobody else has it.
    pub name: String,
    /// `host:port` of the broker.
    pub brokers: String,
    /// How many partitions it has.
    pub partitions: i32,
    producer: BaseProducer,
}

/// Names and values in their order; a value may be missing.
pub type HeaderList = Vec<(String, Option<Vec<u8>>)>;

fn headers(message: &BorrowedMessage<'_>) -> HeaderList {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
}

/// A record as the topic has it.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// Number of its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The broker's or the producer's timestamp, ms since 1970.
    pub timestamp_ms: i64,
    /// The key, if it has one.
    pub key: Option<Vec<u8>>,
    /// The bytes; empty for a tombstone.
    pub value: Vec<u8>,
    /// The headers.
    pub headers: HeaderList,
}

impl StoredRecord {
    /// The first header of that name, which must be there and text.
    pub fn header(&self, name: &str) -> &str {
        let value =
            self.headers.iter().find(|(found, _)| found == name).and_then(|one| one.1.as_ref());
        std::str::from_utf8(value.unwrap_or_else(|| panic!("no header `{name}`"))).unwrap()
    }
}

impl Topic {
    /// Makes a topic whose name begins with `label`.
    pub fn create(brokers: &str, label: &str, partitions: i32) -> Self {
        let topic = Self::existing(brokers, &unique(label), partitions);
        topic.make();
        topic
    }

    /// The same, for records of [`RECORD_BYTES_MAX`].
    pub fn create_for_large(brokers: &str, label: &str, partitions: i32) -> Self {
        Self::create_with(brokers, label, partitions, &[("max.message.bytes", RECORD_BYTES_MAX)])
    }

    /// The same, with settings of Kafka's for topics.
    pub fn create_with(
        brokers: &str,
        label: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self::existing(brokers, &unique(label), partitions);
        topic.make_with(settings);
        topic
    }

    /// The same, and each of three brokers has all of it.
    pub fn create_replicated(
        brokers: &str,
        label: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self::existing(brokers, &unique(label), partitions);
        topic.make_on(settings, TopicReplication::Fixed(3));
        topic
    }

    /// The same with one partition, which these brokers have, by their numbers. One of them that has it is enough.
    pub fn create_on(
        brokers: &str,
        label: &str,
        replicas: &[i32],
        settings: &[(&str, &str)],
    ) -> Self {
        let topic = Self::existing(brokers, &unique(label), 1);
        let settings = [settings, &[("min.insync.replicas", "1")]].concat();
        topic.make_on(&settings, TopicReplication::Variable(&[replicas]));
        topic
    }

    /// Makes a topic that is only known by its name.
    pub fn make(&self) {
        self.make_with(&[]);
    }

    fn make_with(&self, settings: &[(&str, &str)]) {
        self.make_on(settings, TopicReplication::Fixed(1));
    }

    fn make_on(&self, settings: &[(&str, &str)], replication: TopicReplication<'_>) {
        let Self { name, brokers, partitions, .. } = self;
        // The sales of the tests are years old; the broker is to keep them all the same.
        let new = NewTopic::new(name, *partitions, replication).set("retention.ms", "-1");
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let made = asked(admin(brokers).create_topics([&new], &AdminOptions::new()));
        assert!(made[0].is_ok(), "create topic `{name}`: {made:?}");
        self.wait_until_shown();
    }

    /// A name that no topic has.
    pub fn unused(label: &str) -> String {
        unique(label)
    }

    /// Takes the records of a partition that lie before an offset, as retention does.
    pub fn delete_records(&self, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&self.name, partition, Offset::Offset(before)).unwrap();
        let options = AdminOptions::new();
        asked(admin(&self.brokers).delete_records(&offsets, &options));
    }

    /// A topic that is there.
    pub fn existing(brokers: &str, name: &str, partitions: i32) -> Self {
        let producer = producer(brokers);
        Self { name: name.to_owned(), brokers: brokers.to_owned(), partitions, producer }
    }

    /// Adds partitions until there are so many.
    pub fn grow(&mut self, partitions: i32) {
        let new = NewPartitions::new(&self.name, usize::try_from(partitions).unwrap());
        let made = asked(admin(&self.brokers).create_partitions([&new], &AdminOptions::new()));
        assert!(made[0].is_ok(), "grow topic `{}`: {made:?}", self.name);
        self.partitions = partitions;
        // One that has sent before would learn of them minutes later.
        self.producer = producer(&self.brokers);
        self.wait_until_shown();
    }

    /// Deletes it.
    pub fn delete(&self) {
        let deleted =
            asked(admin(&self.brokers).delete_topics(&[&self.name], &AdminOptions::new()));
        assert!(deleted[0].is_ok(), "delete topic `{}`: {deleted:?}", self.name);
    }

    /// Makes it anew under its name, after it was deleted.
    pub fn make_anew(&self) {
        eventually("the topic can be created again", || {
            let new = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(1))
                .set("retention.ms", "-1");
            let made = asked(admin(&self.brokers).create_topics([&new], &AdminOptions::new()));
            made[0].is_ok().then_some(())
        });
        self.wait_until_shown();
    }

    /// Waits until a broker tells of as many partitions: it answers that a topic is made a moment before.
    pub fn wait_until_shown(&self) {
        eventually("the broker shows the topic", || {
            let metadata = self.producer.client().fetch_metadata(Some(&self.name), TIMEOUT);
            let shown = metadata.unwrap().topics()[0].partitions().len();
            (shown == usize::try_from(self.partitions).unwrap()).then_some(())
        });
    }

    /// Appends a record to a partition; it is stored after [`Topic::flush`]. `timestamp_ms` is Kafka's timestamp.
    pub fn send(&self, partition: i32, timestamp_ms: i64, value: &[u8]) {
        self.send_with_headers(partition, timestamp_ms, value, &HeaderList::new());
    }

    /// As [`Topic::send`], with these headers.
    pub fn send_with_headers(
        &self,
        partition: i32,
        timestamp_ms: i64,
        value: &[u8],
        headers: &HeaderList,
    ) {
        self.send_with_key(partition, timestamp_ms, None, value, headers);
    }

    /// As [`Topic::send_with_headers`], with this key.
    pub fn send_with_key(
        &self,
        partition: i32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &HeaderList,
    ) {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.name)
            .partition(partition)
            .timestamp(timestamp_ms)
            .payload(value);
        record.key = key;
        if !headers.is_empty() {
            let add = |all: OwnedHeaders, (key, value): &(String, Option<Vec<u8>>)| {
                all.insert(Header { key, value: value.as_ref() })
            };
            record = record.headers(headers.iter().fold(OwnedHeaders::new(), add));
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                    record = same;
                    self.producer.poll(Duration::from_millis(20));
                }
                Err((error, _)) => panic!("send to `{}`: {error}", self.name),
            }
        }
    }

    /// Waits until everything sent is stored.
    pub fn flush(&self) {
        self.producer.flush(TIMEOUT).unwrap();
    }

    /// The whole topic as the broker has it, in the order of partition and offset.
    pub fn read_back(&self) -> Vec<StoredRecord> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", "oracle")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions {
            assignment.add_partition_offset(&self.name, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let (mut records, mut ended) = (Vec::new(), 0);
        while ended < self.partitions {
            match consumer.poll(TIMEOUT) {
                Some(Ok(message)) => records.push(StoredRecord {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp_ms: message.timestamp().to_millis().unwrap(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().unwrap_or_default().to_vec(),
                    headers: headers(&message),
                }),
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                // A connection was lost; librdkafka makes another one.
                Some(Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
                ))) => {}
                Some(Err(error)) => panic!("read `{}` back: {error}", self.name),
                None => panic!("reading `{}` back stands still", self.name),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }
}

fn unique(label: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{label}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn producer(brokers: &str) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // The order of `send` is the order of offsets, whatever the network does.
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.max.bytes", RECORD_BYTES_MAX)
        .create()
        .unwrap()
}

fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap()
}

fn asked<T>(question: impl Future<Output = KafkaResult<T>>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(question).unwrap()
}
