//! Kafka topics in a pipeline: the one that records come from, those that results go to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

/// Properties of librdkafka, by their own names.
#[derive(Clone, Default, PartialEq)]
pub struct ClientProperties(pub BTreeMap<String, String>);

/// Values may be secrets: names only.
impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Deref for ClientProperties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Properties of librdkafka that run or load other code, with the reason. Whoever may write a pipeline file may not
/// thereby run anything but plugins in their sandbox.
const OUTSIDE_THE_SANDBOX: [(&str, &str); 5] = [
    ("plugin.library.paths", NO_NATIVE_CODE),
    ("ssl.engine.location", NO_NATIVE_CODE),
    ("ssl.engine.id", NO_NATIVE_CODE),
    ("ssl.providers", NO_NATIVE_CODE),
    ("sasl.kerberos.kinit.cmd", "a pipeline file must not run commands"),
];
const NO_NATIVE_CODE: &str = "a pipeline file must not load native code";

/// Why no client of a pipeline takes a property, whether it reads or sends.
pub fn forbidden(property: &str) -> Option<&'static str> {
    let of = |(name, _): &&(&str, &'static str)| *name == property;
    OUTSIDE_THE_SANDBOX.iter().find(of).map(|(_, reason)| *reason)
}

/// A topic that records come from, and where a first run begins.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaConfig {
    /// The brokers to ask first: `host:port`, comma separated.
    pub brokers: String,
    /// Its partitions are all read; new ones are found while running.
    pub topic: String,
    /// Where a first run begins.
    pub start: StartPosition,
    /// Where a bounded run ends; none: never.
    pub end: Option<EndPosition>,
    /// What to do when positions are lost.
    pub on_data_loss: OnDataLoss,
    /// Who is told what was committed.
    pub group: OffsetsGroup,
    /// Who reads the records.
    pub fetch: FetchWay,
    /// Any other librdkafka property (SASL, TLS, fetch sizes).
    pub properties: ClientProperties,
}

impl KafkaConfig {
    /// What the client may have waiting, in bytes of records, if its properties say so.
    pub fn queued_bytes(&self) -> Option<u64> {
        let kibibytes = self.properties.get("queued.max.messages.kbytes")?;
        kibibytes.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
    }
}

/// Who reads the records of a topic. All else is asked of the brokers through librdkafka.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FetchWay {
    /// Connections of our own where they can read, otherwise librdkafka.
    #[default]
    Auto,
    /// Connections of our own: a fraction of the cost, and less that is supported. What they cannot read is an error.
    Direct,
    /// librdkafka, whatever brokers and security there are.
    Librdkafka,
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

/// What to do when positions are lost: retention has passed them, or there is another topic under the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDataLoss {
    /// Nothing until a person has decided.
    #[default]
    Halt,
    /// Go on at the earliest record that is there and was not read; the chain keeps the jump.
    Earliest,
}

/// The consumer group that is told what was committed, for dashboards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OffsetsGroup {
    /// `sluicegate-` and the pipeline's name.
    #[default]
    OfPipeline,
    /// The group that `source.kafka` names.
    Named(String),
    /// No offsets are told to Kafka.
    Nobody,
}

/// Where a bounded run over Kafka ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndPosition {
    /// The end of each partition when the pipeline was first started.
    Latest,
}

/// A Kafka topic that results go to.
#[derive(Clone, Debug, PartialEq)]
pub struct KafkaSinkConfig {
    /// The brokers to ask first: `host:port`, comma separated.
    pub brokers: String,
    /// Messages go to all its partitions, by their key.
    pub topic: String,
    /// Every group that changed, at every commit; otherwise results when they are final.
    pub updates: bool,
    /// Without a stage that keeps state: the columns of the message's key, after the last map, by name. None: no key.
    pub key: Option<Vec<String>>,
    /// Passed to librdkafka as written; [`forbidden`] says which are not taken.
    pub properties: ClientProperties,
}
