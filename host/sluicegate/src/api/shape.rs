//! What a pipeline is made of, as its file says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use sluicegate_model::module::PluginKind;

/// A pipeline, from its source to its sinks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// Where records come from.
    pub source: SourceShape,
    /// The stages in the order of the file, the one with state last.
    pub stages: Vec<StageShape>,
    /// How rows are grouped; none if they go straight to the sinks.
    pub grouping: Option<Grouping>,
    /// Where rows go, late rows and dead letters included.
    pub sinks: Vec<SinkShape>,
}

/// The source of a pipeline, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceShape {
    /// As the pipeline file has it.
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// The topic, or the path as the pipeline file has it.
    pub name: String,
    /// The same in words: `topic sales of localhost:9092, 4 partitions`.
    pub detail: String,
}

/// A stage of a pipeline, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageShape {
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// What kind of plugin it takes.
    #[schema(value_type = words::PluginKind)]
    pub kind: PluginKind,
}

/// How rows are grouped. Lengths are of event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Grouping {
    /// Which windows, or keys alone.
    pub kind: GroupingKind,
    /// The columns of the key; none: one group a window, or one key.
    pub keys: Vec<String>,
    /// Of tumbling and sliding windows.
    pub size_seconds: Option<f64>,
    /// How long after one window the next begins; of sliding windows only.
    pub slide_seconds: Option<f64>,
    /// The silence that ends a session; of sessions only.
    pub gap_seconds: Option<f64>,
    /// How long a window that has fired is kept for corrections; none without windows.
    pub lateness_seconds: Option<f64>,
    /// The column that the event time comes from; none if it is the timestamp of the record.
    pub event_time_column: Option<String>,
}

/// A sink, or a table beside the sinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SinkShape {
    /// Its id: that of the sink, `late` or `dead_letters`.
    pub sink: String,
    /// As the pipeline file has it.
    #[serde(rename = "type")]
    pub kind: SinkType,
    /// Path or URL of a table, a topic with its brokers, or `standard output`.
    pub place: String,
    /// Which rows go there.
    pub holds: SinkHolds,
}

/// Where records can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    /// A topic.
    Kafka,
    /// Files of a folder or a bucket.
    Files,
}

/// How rows can be grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupingKind {
    /// Windows beside each other.
    Tumbling,
    /// Windows that overlap.
    Sliding,
    /// Windows that end when nothing comes for a while.
    Session,
    /// One window of all time.
    Global,
    /// No windows: a process plugin keeps state for each key.
    Keyed,
}

/// Where rows can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkType {
    /// A table of Parquet files.
    Parquet,
    /// A Delta table.
    Delta,
    /// A topic.
    Kafka,
    /// Standard output.
    Console,
}

/// What a sink can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkHolds {
    /// What the pipeline makes.
    Results,
    /// What came after its windows.
    LateRows,
    /// What was refused.
    DeadLetters,
}
