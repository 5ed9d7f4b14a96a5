//! A sink of type `kafka` as it was written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{RawCorrections, SinkId};
use crate::scalar::Properties;

/// A topic of JSON objects, sent when they are committed.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawKafkaSink {
    pub(crate) id: SinkId,
    /// As in `source.kafka.brokers`.
    #[schemars(required, example = &"127.0.0.1:9092")]
    pub(crate) brokers: Option<String>,
    /// The topic. Each sink has one of its own.
    #[schemars(required, example = &"revenue")]
    pub(crate) topic: Option<String>,
    /// `"final"`: every result once, when its window has fired. `"updates"`: at every commit each group that
    /// changed, also while its window is open, as a message that takes the place of the one before: the message's key names
    /// the window, and the value has a `revision` that grows. For tumbling, sliding and global windows. Default `"final"`.
    #[serde(default)]
    #[schemars(example = &"updates", extend("default" = "final"))]
    pub(crate) emit: Option<RawEmit>,
    /// Without `[window]` and `[process]`: the columns that make the message's key. Messages with one key lie in
    /// one partition, in order. Default: none, messages are spread over the partitions. With a window or process plugin the
    /// key is its `key`.
    #[serde(default)]
    #[schemars(example = json!(["store"]))]
    pub(crate) key: Option<Vec<String>>,
    /// `"append"` says that readers of the topic take corrections. Each result has a column
    /// `revision` then; of the rows of a key and window those with the highest revision count. Needed with
    /// `window.allowed_lateness` and with global windows. Default: none; every result stands for good.
    #[serde(default)]
    #[schemars(example = &"append")]
    pub(crate) corrections: Option<RawCorrections>,
    /// As in `source.kafka.properties`, for a producer. Default: none.
    #[serde(default)]
    #[schemars(example = json!({"compression.type": "zstd"}))]
    pub(crate) properties: Option<Properties>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawEmit {
    Final,
    Updates,
}
