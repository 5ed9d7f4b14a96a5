//! Kafka topics in a pipeline: the one that records come from, those that results go to.

use std::collections::BTreeMap;
use std::fmt;

/// A Kafka topic.
#[derive(Clone, PartialEq)]
pub struct KafkaConfig {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// One topic.
    pub topic: String,
    /// Where a first run begins.
    pub start: StartPosition,
    /// Where a bounded run ends; none: never.
    pub end: Option<EndPosition>,
    /// Any other librdkafka property (SASL, TLS, fetch sizes).
    pub properties: BTreeMap<String, String>,
}

/// Properties may be secrets: their names only.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, topic, start, end, properties } = self;
        f.debug_struct("KafkaConfig")
            .field("brokers", brokers)
            .field("topic", topic)
            .field("start", start)
            .field("end", end)
            .field("properties", &properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Where a first run begins. Resolved once, in the genesis record.
#[derive(Clone, Debug, PartialEq)]
pub enum StartPosition {
    /// The oldest record there is.
    Earliest,
    /// The next record to come.
    Latest,
    /// The first record at or after this time, µs since 1970, by Kafka's timestamps.
    Timestamp(i64),
    /// Partition → offset; partitions not named begin at the earliest.
    Offsets(BTreeMap<i32, i64>),
}

/// Where a bounded run over Kafka ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndPosition {
    /// The end of each partition when the pipeline was first started.
    Latest,
}

/// A Kafka topic that results go to.
#[derive(Clone, PartialEq)]
pub struct KafkaSinkConfig {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// One topic.
    pub topic: String,
    /// Every group that changed, at every commit; otherwise results when they are final.
    pub updates: bool,
    /// Without a stage that keeps state: the columns of the message's key, after the last map, by name. None: no key.
    pub key: Option<Vec<String>>,
    /// Any other librdkafka property.
    pub properties: BTreeMap<String, String>,
}

/// Properties may be secrets: their names only.
impl fmt::Debug for KafkaSinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, topic, updates, key, properties } = self;
        f.debug_struct("KafkaSinkConfig")
            .field("brokers", brokers)
            .field("topic", topic)
            .field("updates", updates)
            .field("key", key)
            .field("properties", &properties.keys().collect::<Vec<_>>())
            .finish()
    }
}
