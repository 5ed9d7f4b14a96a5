//! Tables beside the sinks, `[checkpoint]`, `[failures]` and `[limits]` as they were written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TableFormat;
use crate::duration::DurationText;
use crate::size::SizeText;
use sluicegate_model::partition::PartitionBy;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawPartitionBy {
    Date,
    Hour,
}

impl RawPartitionBy {
    /// Hours of one day lie together.
    pub(crate) fn columns(self) -> Vec<PartitionBy> {
        match self {
            Self::Date => vec![PartitionBy::Date],
            Self::Hour => vec![PartitionBy::Date, PartitionBy::Hour],
        }
    }
}

/// What readers find in the folder of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawTableFormat {
    Parquet,
    Delta,
}

impl From<Option<RawTableFormat>> for TableFormat {
    fn from(raw: Option<RawTableFormat>) -> Self {
        match raw {
            Some(RawTableFormat::Delta) => Self::Delta,
            Some(RawTableFormat::Parquet) | None => Self::Parquet,
        }
    }
}

/// Records that could not be decoded or that a plugin refused, and groups that could not be evaluated.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDeadLetters {
    /// `false`: dead letters are counted, said in the log and dropped. Default `true`: what is dropped cannot be looked
    /// at, and cannot be sent again.
    #[schemars(example = false)]
    pub(crate) enabled: bool,
    /// The folder of the table, as in `sinks.path`. Default: `dead-letters` in the pipeline's folder below
    /// `checkpoint.path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"data/dead")]
    pub(crate) path: Option<String>,
    /// `"delta"`: a Delta table, whose readers see the rows of whole commits. `"parquet"`: a plain folder of files. Default
    /// `"parquet"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"delta", extend("default" = "parquet"))]
    pub(crate) format: Option<RawTableFormat>,
    /// `"date"`: by the day (UTC) of the event time or of the window's start; `"hour"`, with `format = "delta"`: by day and
    /// hour. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"date")]
    pub(crate) partition_by: Option<RawPartitionBy>,
    /// As in `sinks.file_bytes_max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"128MiB", extend("default" = "128MiB"))]
    pub(crate) file_bytes_max: Option<SizeText>,
}

impl Default for RawDeadLetters {
    fn default() -> Self {
        Self { enabled: true, path: None, format: None, partition_by: None, file_bytes_max: None }
    }
}

/// What happens when a plugin fails and no single record is to blame.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawFailures {
    /// A group that an aggregate cannot merge or evaluate, or a timer of a `process` plugin that cannot fire.
    /// `"dead-letter"`: it becomes a dead letter with its state, and the others go on. `"halt"`: the pipeline halts
    /// before anything of it is committed; a mended plugin takes up where it stood. Default `"dead-letter"`: one group
    /// holds nobody up.
    #[schemars(example = &"halt")]
    pub(crate) on_group_failure: RawOnFailure,
    /// A plugin that fails so often that the guilty rows are no longer looked for, so that innocent ones are refused
    /// with them. `"dead-letter"`: all of them become dead letters of the kind `breaker`, which can be sent again.
    /// `"halt"`: the pipeline halts before anything of it is committed. Default `"dead-letter"`: the stream goes on.
    #[schemars(example = &"halt")]
    pub(crate) on_breaker: RawOnFailure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawOnFailure {
    #[default]
    DeadLetter,
    Halt,
}

/// A table of Parquet files beside the results.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTable {
    /// The folder of the table, as in `sinks.path`.
    #[schemars(example = &"data/dead")]
    pub(crate) path: String,
    /// `"delta"`: a Delta table, whose readers see the rows of whole commits. `"parquet"`: a plain folder of files. Default
    /// `"parquet"`.
    #[serde(default)]
    #[schemars(example = &"delta", extend("default" = "parquet"))]
    pub(crate) format: Option<RawTableFormat>,
    /// `"date"`: by the day (UTC) of the event time or of the window's start; `"hour"`, with `format = "delta"`: by day and
    /// hour. Default: none.
    #[serde(default)]
    #[schemars(example = &"date")]
    pub(crate) partition_by: Option<RawPartitionBy>,
    /// As in `sinks.file_bytes_max`.
    #[serde(default)]
    #[schemars(example = &"128MiB", extend("default" = "128MiB"))]
    pub(crate) file_bytes_max: Option<SizeText>,
}

/// When and where to commit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCheckpoint {
    /// At most this long between two commits while records come. Results can be read after the commit; each one
    /// makes a file per table. Default `"10s"`: fresh enough for a table, few enough files.
    #[serde(default = "default_checkpoint_interval")]
    #[schemars(example = &"10s")]
    pub(crate) interval: DurationText,
    /// How long the records of old commits stay, to be looked back at; the newest 128 always do. Default `"24h"`. Data
    /// files stay in any case.
    #[serde(default = "default_checkpoint_retain")]
    #[schemars(example = &"24h")]
    pub(crate) retain: DurationText,
    /// The folder of the commit chain, the state and the module store; pipelines may share it. A path (relative to
    /// the folder of this file) or a URL: `file://…`, `s3://…`, `gs://…`, `az://…`.
    #[schemars(example = &"data/chain")]
    pub(crate) path: String,
}

fn default_checkpoint_interval() -> DurationText {
    "10s".into()
}

fn default_checkpoint_retain() -> DurationText {
    "24h".into()
}

/// Bounds of a turn and of a plugin's calls.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawLimits {
    /// Threads that share the work of a turn; 0: one a core. The results do not depend on it. Default 0.
    #[schemars(example = 4)]
    pub(crate) workers: u64,
    /// Records of one turn. More share the fixed cost of a turn among them, fewer make turns shorter. Default
    /// 65536: some 20 ms of work on one core.
    #[schemars(example = 65_536)]
    pub(crate) turn_records: u64,
    /// Bytes of the records of one turn. Default `"16MiB"`: bounds memory when records are large.
    #[schemars(example = &"16MiB")]
    pub(crate) turn_bytes: SizeText,
    /// How long a turn collects after its first record. Default `"5ms"`: keeps results fresh at low rates, and the
    /// processor mostly asleep. While little comes from Kafka, and until a live result or an epoch is due, it may be 100 ms.
    #[schemars(example = &"5ms")]
    pub(crate) turn_linger: DurationText,
    /// Rows of one call of a plugin. Default 8192: beyond it a call does not get cheaper per row, and less must be
    /// repeated when a row makes the plugin trap.
    #[schemars(example = 8_192)]
    pub(crate) call_rows: u64,
    /// Bytes of one call of a plugin, rows and accumulators together. Default `"4MiB"`: a sixteenth of the plugin's
    /// memory, so that a call's arguments never fill it.
    #[schemars(example = &"4MiB")]
    pub(crate) call_bytes: SizeText,
    /// Processor time of one call of a plugin; beyond it the call is stopped like a trap. Default `"200ms"`: about a
    /// hundred times what a call of 8192 rows needs.
    #[schemars(example = &"200ms")]
    pub(crate) call_deadline: DurationText,
    /// Memory of one instance of a plugin. There is one per stage and worker. Default `"64MiB"`.
    #[schemars(example = &"64MiB")]
    pub(crate) plugin_memory: SizeText,
    /// Bytes that one call of a plugin may return. Default `"16MiB"`: four times what it gets at most.
    #[schemars(example = &"16MiB")]
    pub(crate) plugin_output: SizeText,
    /// Timers of one key of a `process` plugin. A row that would leave more is dead-lettered. Default 1024: a few for each
    /// purpose, where a plugin that sets one for every row of a busy key is better told so.
    #[schemars(example = 1_024)]
    pub(crate) key_timers: u64,
    /// Bytes of the state of one key of a `process` plugin. A row that would leave more is dead-lettered. Default
    /// `"64KiB"`: all of it travels to the plugin and back whenever a call touches the key.
    #[schemars(example = &"64KiB")]
    pub(crate) key_state: SizeText,
    /// Keys and accumulators of the open windows, or keys, states and timers. Beyond it the pipeline halts and says so: nothing is lost, and it goes
    /// on where it was committed once this is raised. Default `"1GiB"`; the memory of the process may be less (`--memory`), and then that counts.
    #[schemars(example = &"1GiB")]
    pub(crate) state_bytes: SizeText,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            workers: 0,
            turn_records: 65_536,
            turn_bytes: "16MiB".into(),
            turn_linger: "5ms".into(),
            call_rows: 8_192,
            call_bytes: "4MiB".into(),
            call_deadline: "200ms".into(),
            plugin_memory: "64MiB".into(),
            plugin_output: "16MiB".into(),
            key_timers: 1_024,
            key_state: "64KiB".into(),
            state_bytes: "1GiB".into(),
        }
    }
}
