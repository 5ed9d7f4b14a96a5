//! `[source]` as it was written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::duration::DurationText;
use crate::config::scalar::Properties;

/// Where records come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSource {
    /// What kind of source it is. Its settings stand in the section of that name, `[source.kafka]` or
    /// `[source.files]`.
    #[schemars(example = &"kafka")]
    pub(crate) r#type: RawSourceType,
    /// A Kafka topic.
    #[serde(default)]
    pub(crate) kafka: Option<RawKafka>,
    /// Files with one JSON object a line.
    #[serde(default)]
    pub(crate) files: Option<RawFiles>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawSourceType {
    Kafka,
    Files,
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
pub(crate) enum RawOnDataLoss {
    #[default]
    Halt,
    Earliest,
}

/// Files with one JSON object a line (NDJSON).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFiles {
    /// A file, or a folder: a path (relative to the folder of this file) or a URL: `s3://…`, `gs://…`, `az://…`.
    /// In a folder every file is read that ends in `.json`, `.jsonl` or `.ndjson`, at any depth, also with `.gz` or
    /// `.zst` behind it. What else lies there is left out, and a warning says so once.
    #[schemars(example = &"s3://bucket/sales/")]
    pub(crate) path: String,
    /// Look for new files, and for what was added to files, this often and never end. A line is read when its line end
    /// is there. Default: none; what is there is read, every window fires, and the run ends. A last line without line
    /// end is read then, too.
    #[serde(default)]
    #[schemars(example = &"10s")]
    pub(crate) watch: Option<DurationText>,
    /// How files are read, and whose time counts. Default `"parallel"`, because it uses every core and keeps only the
    /// windows of a few files open.
    ///
    /// * `"parallel"`: for files whose names sort by time, such as one for each day. Each file is a partition with a
    ///   watermark of its own. Four are read at a time, in the order of names, and those that wait do not hold the
    ///   watermark.
    /// * `"unordered"`: for files that each hold all times. Every file holds the watermark from the start, so no window
    ///   closes before the last file was begun.
    /// * `"sequential"`: for files that are cut from one stream. The whole set is one partition, in the order of names.
    ///   None may be packed.
    #[serde(default = "RawOrder::parallel")]
    #[schemars(example = &"sequential")]
    pub(crate) order: RawOrder,
    /// With `watch`: a file is finished when it was read to its end and has not grown for so long. What is added to it
    /// later is not read. Default `"1h"`: longer than writers pause, and only files that may grow are looked after.
    #[serde(default)]
    #[schemars(example = &"1d", extend("default" = "1h"))]
    pub(crate) finish_after: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawOrder {
    Parallel,
    Unordered,
    Sequential,
}

impl RawOrder {
    fn parallel() -> Self {
        Self::Parallel
    }
}
