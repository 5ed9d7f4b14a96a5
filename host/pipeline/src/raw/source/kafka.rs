//! `[source.kafka]` as it was written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::scalar::Properties;

/// Records of a Kafka topic.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawKafkaSource {
    /// A Kafka topic.
    #[schemars(required)]
    pub(crate) kafka: Option<RawKafka>,
}

/// A Kafka topic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawKafka {
    /// The brokers to ask first, as `host:port`, separated by commas. More than one, so that a start does not
    /// depend on a single machine.
    #[schemars(example = &"127.0.0.1:9092")]
    pub(crate) brokers: String,
    /// The topic. All its partitions are read; new ones are found while running.
    #[schemars(example = &"sales")]
    pub(crate) topic: String,
    /// Where the first run begins. It is resolved once and kept in the chain: later runs continue where the last
    /// commit stands. Default `"earliest"`, because it leaves nothing out.
    ///
    /// * `"earliest"` or `"latest"`: of each partition.
    /// * `{ timestamp = "2026-11-21T00:00:00Z" }`: the first record at or after that time, by Kafka's timestamps.
    /// * `{ offsets = { 0 = 17 } }`: by partition. Partitions not named begin at the earliest.
    #[serde(default = "RawStart::earliest")]
    #[schemars(example = json!({"timestamp": "2026-11-21T00:00:00Z"}))]
    pub(crate) start: RawStart,
    /// Where a bounded run ends: `"latest"` is the end of each partition when the pipeline was first started. That
    /// includes records of transactions that were open then: the run waits until they are committed or aborted.
    /// Partitions that the topic is given later are left out. Default: none; the pipeline runs until it is stopped.
    #[serde(default)]
    #[schemars(example = &"latest")]
    pub(crate) end: Option<RawEnd>,
    /// What to do when a position is lost: retention has deleted records before they were read, or the topic was
    /// deleted and created again. Default `"halt"`, because results that leave something out look like all others.
    ///
    /// * `"halt"`: the pipeline stops and says what is the matter, until somebody moves the position.
    /// * `"earliest"`: it goes on at the earliest record that is there and was not read, and keeps the jump in the chain.
    #[serde(default)]
    #[schemars(example = &"earliest")]
    pub(crate) on_data_loss: RawOnDataLoss,
    /// The consumer group that is told what was committed, so that dashboards show the lag. It decides nothing: positions
    /// are kept in the chain. `""` tells nobody. Default: `sluicegate-` and the pipeline's name, because
    /// a group that is called like the pipeline may belong to somebody else.
    #[serde(default)]
    #[schemars(example = &"billing-lag")]
    pub(crate) group: Option<String>,
    /// Who reads the records. Results are the same. Default `"auto"`, because it costs the least that is possible everywhere.
    ///
    /// * `"auto"`: `"direct"` where that can read, otherwise `"librdkafka"`. The log and the status say which one, and why.
    /// * `"direct"`: connections of Sluicegate's own, for a fraction of the cost. They need Kafka 2.7 or later, and know TLS, SASL
    ///   by PLAIN and SCRAM, and `client.rack`. Properties that they do not know are refused, and what they cannot read is an error.
    /// * `"librdkafka"`: Kafka's client for C.
    #[serde(default)]
    #[schemars(example = &"librdkafka")]
    pub(crate) fetch: RawFetchWay,
    /// Any other property of librdkafka (SASL, TLS, fetch sizes), by its own name. `${env:NAME}` in a value is
    /// replaced by that variable of the environment, so that no secret stands in the file. Properties that
    /// Sluicegate sets itself are refused. Default: none.
    #[serde(default)]
    #[schemars(
        example = json!({"security.protocol": "SASL_SSL", "sasl.password": "${env:KAFKA_PASSWORD}"})
    )]
    pub(crate) properties: Properties,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawStart {
    Earliest,
    Latest,
    Timestamp(String),
    Offsets(BTreeMap<String, i64>),
}

impl RawStart {
    fn earliest() -> Self {
        Self::Earliest
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawEnd {
    Latest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawFetchWay {
    #[default]
    Auto,
    Direct,
    Librdkafka,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawOnDataLoss {
    #[default]
    Halt,
    Earliest,
}
