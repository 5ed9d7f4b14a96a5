//! A pipeline file as it was written: every key with its unit, its default and the reason for it. The JSON schema
//! and the documentation page are made from these types; what the values mean together is `check`'s.

mod source;
mod window;
mod sink;
mod output;
mod leadership;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::column::RawColumn;
use super::duration::{DurationOrOff, DurationText};
use super::scalar::Scalar;
pub(crate) use leadership::RawLeadership;
pub(crate) use output::{
    RawCheckpoint, RawDeadLetters, RawFailures, RawLimits, RawOnFailure, RawPartitionBy, RawTable,
};
pub(crate) use sink::{
    RawConsoleSink, RawDeltaSink, RawEmit, RawKafkaSink, RawParquetSink, RawPartitions, RawSink,
};
pub(crate) use source::{
    RawEnd, RawFetchWay, RawFiles, RawFilesSource, RawKafka, RawKafkaSource, RawOnDataLoss,
    RawOrder, RawSource, RawStart,
};
pub(crate) use window::{RawWindow, RawWindowType};

/// A pipeline: where records come from, what they look like, which plugins see them, and where the rows go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Sluicegate pipeline")]
pub(crate) struct RawPipeline {
    /// The pipeline's identity: it names the commit chain and appears in paths and metrics. 1 to 63 of `a-z`,
    /// `0-9` and `-`, beginning with a letter or digit. A pipeline with another name begins from scratch.
    #[schemars(example = &"sales", extend("pattern" = "^[a-z0-9][a-z0-9-]{0,62}$"))]
    pub(crate) name: String,
    /// Where records come from.
    pub(crate) source: RawSource,
    /// The columns of a record, in the order in which tables show them: `name = "type"`, or a table for columns
    /// that may be missing or lie deeper in the JSON. Names are letters, digits and `_`. Only the columns that
    /// somebody needs are read.
    #[schemars(
        example = json!({"store": "string", "price": "decimal(18,2)"}),
        extend("minProperties" = 1)
    )]
    pub(crate) schema: BTreeMap<String, RawColumn>,
    /// Which time counts, and how far it is trusted.
    pub(crate) event_time: RawEventTime,
    /// The plugins, in the order in which rows meet them: any number of filters and maps, then at most one
    /// aggregate, which needs a `[window]`, or one `process` plugin, which needs `[process]`. Default: none; rows go to the sinks as they were decoded.
    #[serde(default)]
    pub(crate) stages: Vec<RawStage>,
    /// Windows over event time, for the aggregate. Default: none; rows go straight to the sinks.
    #[serde(default)]
    pub(crate) window: Option<RawWindow>,
    /// Keys, for a plugin that keeps state per key and acts in event time. Default: none.
    #[serde(default)]
    pub(crate) process: Option<RawProcess>,
    /// Where results go. At least one.
    #[schemars(extend("minItems" = 1))]
    pub(crate) sinks: Vec<RawSink>,
    /// A table of the records that could not be decoded or that a plugin refused, each with its reason, its
    /// raw bytes and its headers, and of the groups that could not be evaluated. Default: a table beside the commit
    /// chain, so that nothing vanishes unless it is told to.
    #[serde(default)]
    pub(crate) dead_letters: RawDeadLetters,
    /// A table of the rows that came after all their windows had closed. Default: none; they are counted and
    /// dropped.
    #[serde(default)]
    pub(crate) late: Option<RawTable>,
    /// When and where to commit.
    pub(crate) checkpoint: RawCheckpoint,
    /// Who works, where several instances run this pipeline. The defaults suit most.
    #[serde(default)]
    pub(crate) leadership: RawLeadership,
    /// What happens when a plugin fails in a way for which no single record is to blame.
    #[serde(default)]
    pub(crate) failures: RawFailures,
    /// Bounds of a turn and of a plugin's calls. The defaults suit most pipelines.
    #[serde(default)]
    pub(crate) limits: RawLimits,
}

/// Says in the schema of an enum with a `type` what that key means. Of a variant only its word is known.
fn describe_type(schema: &mut Schema, text: &str) {
    let forms = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut);
    for form in forms.into_iter().flatten() {
        let r#type = &mut form["properties"]["type"];
        r#type["description"] = text.into();
        r#type["examples"] = json!([r#type["const"]]);
    }
}

/// Event time: when something happened, as opposed to when it is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEventTime {
    /// `"column"`: the time stands in a column of the record. `"record"`: it is the Kafka timestamp of the record;
    /// `column` is left out then. Default `"column"`.
    #[serde(default = "RawTimeFrom::column")]
    #[schemars(example = &"record")]
    pub(crate) from: RawTimeFrom,
    /// The column of `[schema]` that holds the time; a timestamp. A record that has `null` there is
    /// dead-lettered. Needed unless `from = "record"`.
    #[serde(default)]
    #[schemars(example = &"ts")]
    pub(crate) column: Option<String>,
    /// How far the watermark stays behind the largest event time seen in a partition. Events that come later than
    /// that may find their window closed; a longer time makes results come that much later. Default `"5s"`:
    /// senders with synchronised clocks and a retry or two stay well within it.
    #[serde(default = "default_out_of_orderness")]
    #[schemars(example = &"5s")]
    pub(crate) max_out_of_orderness: DurationText,
    /// A partition that is read to its end and was silent this long no longer holds the windows of the others
    /// back; `"off"`: it always does. Default `"10s"`: longer than a sender's usual pause, short enough that an
    /// empty partition does not spoil a first try.
    #[serde(default = "default_idle_after")]
    #[schemars(example = &"30s")]
    pub(crate) idle_after: DurationOrOff,
    /// How far a partition's newest event may be ahead of the slowest partition's newest. One that is further ahead is
    /// not read until that lead has halved. So open windows stay few while one partition has more to catch up with than
    /// another. No result comes later for it: windows wait for the slowest partition in any case. The slowest is the
    /// one that holds the watermark back, so idle partitions are not waited for. With `idle_after = "off"` only a
    /// bounded input may have it. Default `"off"`: partitions that are kept up with never need it, and beside an empty
    /// partition the others would begin `idle_after` later.
    #[serde(default = "off")]
    #[schemars(example = &"10m")]
    pub(crate) max_ahead: DurationOrOff,
    /// An event further ahead of its record's Kafka timestamp than this is dead-lettered and does not move the
    /// clock, because a single wrong clock would make everybody else's events late; `"off"`: no guard. Default
    /// `"1h"` for Kafka, which forgives a wrong daylight-saving setting, and `"off"` for files, whose records have
    /// no timestamp of their own.
    #[serde(default)]
    #[schemars(example = &"1h", extend("default" = "1h (kafka), off (files)"))]
    pub(crate) max_future_skew: Option<DurationOrOff>,
    /// What `max_future_skew` compares with. `"record"`: the Kafka timestamp, so that a replay judges alike.
    /// `"host"`: the clock of this machine, for topics whose timestamps cannot be trusted. Default `"record"`.
    #[serde(default = "RawFutureReference::record")]
    #[schemars(example = &"host")]
    pub(crate) future_reference: RawFutureReference,
    /// An event further ahead of this machine's clock than this, when it is read, is dead-lettered whatever its record's
    /// timestamp says: a sender whose clock is wrong sets both. `"off"`: no such bound. It judges at the first reading; a replay,
    /// which comes later, may take what was refused then. Default `"1d"` for Kafka, or `max_future_skew` if that is longer: no
    /// clock is so wrong by accident of a time zone; `"off"` where `max_future_skew` is `"off"`. For files `"365d"`: they may be
    /// of any age, and plans are rarely further ahead.
    #[serde(default)]
    #[schemars(example = &"2h", extend("default" = "1d (kafka), 365d (files)"))]
    pub(crate) max_future_skew_host: Option<DurationOrOff>,
    /// An event further ahead of the largest event time before it in its partition (a file is one) than this is dead-lettered and
    /// does not move the clock. If the next event is within this length of the refused one, it is a gap in the data and not
    /// a wrong clock: time goes on from there. The first event of a partition has nothing to be compared with. `"off"`: no such
    /// bound. Default `"400d"` for files, which is more than the step of yearly data and less than a wrong unit or century;
    /// `"off"` for Kafka, where `max_future_skew` compares with the record's own timestamp.
    #[serde(default)]
    #[schemars(example = &"30d", extend("default" = "off (kafka), 400d (files)"))]
    pub(crate) max_jump: Option<DurationOrOff>,
}

fn default_out_of_orderness() -> DurationText {
    "5s".into()
}

fn default_idle_after() -> DurationOrOff {
    "10s".into()
}

fn off() -> DurationOrOff {
    "off".into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawTimeFrom {
    Column,
    Record,
}

impl RawTimeFrom {
    fn column() -> Self {
        Self::Column
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawFutureReference {
    Record,
    Host,
}

impl RawFutureReference {
    fn record() -> Self {
        Self::Record
    }
}

/// A stage: one plugin in its place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStage {
    /// The stage's identity: activations, state and metrics refer to it. 1 to 63 of `a-z`, `0-9`, `-` and `_`,
    /// unique among the stages. Keep it when the plugin changes.
    #[schemars(example = &"valid", extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,62}$"))]
    pub(crate) id: String,
    /// What kind of plugin belongs here.
    ///
    /// * `filter`: keeps or drops rows.
    /// * `map`: makes any number of rows of each.
    /// * `aggregate`: accumulates rows per key and window.
    /// * `process`: keeps state and timers per key.
    #[schemars(example = &"filter")]
    pub(crate) kind: RawStageKind,
    /// The plugin. With a `/` in it, or `.wasm` at its end, it is a WASM file, relative to the folder of this pipeline
    /// file. Otherwise it is the name of a module in the store under `checkpoint.path`. A file is copied into the store
    /// before it is used.
    #[schemars(example = &"valid-sale")]
    pub(crate) plugin: String,
    /// Given to the plugin's `init` as text. Strings, numbers and booleans. Default: nothing.
    #[serde(default)]
    #[schemars(example = json!({"store-prefix": "store-"}))]
    pub(crate) config: BTreeMap<String, Scalar>,
    /// Connects inputs of the plugin with columns of other names: with `{ value = "price" }` the plugin reads the column
    /// `price` where it says `value`. It stays when the plugin changes. What a map makes has the plugin's names: its
    /// output `value` takes the place of a column `value`, or is a new column, and `price` stays as it is. Default: nothing;
    /// each input reads the column of its own name.
    #[serde(default)]
    #[schemars(example = json!({"value": "price"}))]
    pub(crate) columns: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawStageKind {
    Filter,
    Map,
    Aggregate,
    Process,
}

/// Keys of a `process` plugin: each has a state and timers of its own. What the plugin emits goes straight to the sinks,
/// with the columns of the key before it and `event_time` behind it. No row is late.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawProcess {
    /// The columns that make a key: columns of `[schema]`, or of the last map's answer. `[]`: one key for all rows.
    /// Rows of a key should come from one partition of the topic: then results do not depend on how partitions
    /// interleave.
    #[schemars(example = json!(["card"]))]
    pub(crate) key: Vec<String>,
    /// A key is forgotten when event time (the watermark) is this far beyond its last row, unless it has a timer;
    /// `"off"`: when the plugin forgets it. Default `"off"`: what is forgotten too early is a wrong result, and the
    /// plugin knows best. State that is never forgotten grows with the number of keys.
    #[serde(default = "off")]
    #[schemars(example = &"24h")]
    pub(crate) ttl: DurationOrOff,
}
