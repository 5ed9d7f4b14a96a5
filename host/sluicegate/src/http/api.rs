//! The JSON that requests and answers are made of. Server and command line share it.

use serde::{Deserialize, Serialize};

use sluicegate_chain::record::Fates;
use sluicegate_engine::status::{DeadLetterCount, Phase};
use sluicegate_model::module::{ModuleDigest, PluginKind};

/// Any answer that is no success.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The one field.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// For programs; stays the same.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A version of a module in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The label it was uploaded under.
    pub name: String,
    /// From 1, per name.
    pub version: u64,
    /// SHA-256 of its bytes.
    pub digest: ModuleDigest,
    /// How many there are.
    pub bytes: u64,
}

/// Answer to an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Uploaded {
    /// As stored.
    #[serde(flatten)]
    pub module: Module,
    /// What the module says of itself.
    pub plugin: PluginFacts,
}

/// What a module says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PluginFacts {
    /// Filter, map or aggregate.
    pub kind: PluginKind,
    /// The SDK and its version.
    pub sdk: String,
    /// The columns it reads.
    pub inputs: Vec<ColumnFacts>,
    /// The columns it makes.
    pub outputs: Vec<ColumnFacts>,
    /// Version of the layout of its accumulators.
    pub state_version: u32,
}

/// A column of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its type as pipeline files have it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// All modules, or all versions of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Modules {
    /// By name, newest version first.
    pub modules: Vec<Module>,
}

/// All pipelines of the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pipelines {
    /// By name.
    pub pipelines: Vec<PipelineLine>,
}

/// A pipeline in short.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PipelineLine {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why nothing moves, if it does not.
    pub problem: Option<String>,
    /// The last committed epoch; none before the first.
    pub epoch: Option<u64>,
    /// RFC 3339; none before the first event and after the last.
    pub watermark: Option<String>,
    /// How far the watermark is behind the wall clock.
    pub watermark_delay_seconds: Option<f64>,
    /// Every window of a bounded input has fired.
    pub input_ended: bool,
    /// All partitions whose end is known together; none if no end is.
    pub lag: Option<i64>,
}

/// A pipeline in full.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PipelineStatus {
    /// As in the list.
    #[serde(flatten)]
    pub line: PipelineLine,
    /// Records since the genesis by fate.
    pub records: Fates,
    /// Open groups: window × key.
    pub open_groups: u64,
    /// Bytes of their keys and accumulators.
    pub state_bytes: u64,
    /// Turns since the lane was opened.
    pub turns: u64,
    /// What was dead-lettered since the lane was opened, by kind, groups and timers included.
    #[serde(default)]
    pub dead_letters: Vec<DeadLetterCount>,
    /// What each stage runs.
    pub stages: Vec<StageRelease>,
    /// In order; at most [`PipelineStatus::PARTITIONS_MAX`].
    pub partitions: Vec<PartitionStatus>,
    /// Partitions beyond that.
    pub partitions_left_out: usize,
}

impl PipelineStatus {
    /// A topic has fewer; a folder of files may have many thousands.
    pub const PARTITIONS_MAX: usize = 1_000;
}

/// A partition as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartitionStatus {
    /// Topic or file.
    pub stream: String,
    /// Number.
    pub partition: i32,
    /// The next record to read.
    pub next_offset: i64,
    /// The end as last seen.
    pub end_offset: Option<i64>,
    /// The difference.
    pub lag: Option<i64>,
    /// RFC 3339.
    pub watermark: Option<String>,
    /// RFC 3339.
    pub max_event_time: Option<String>,
    /// It does not hold the watermark back.
    pub idle: bool,
    /// Too far ahead of the others: not read until they have caught up.
    pub paused: bool,
    /// How often its position was lost and moved since the pipeline was started: the chain has each.
    pub jumps: u64,
    /// Since the genesis.
    pub records: Fates,
}

/// What a stage runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRelease {
    /// The stage's id.
    pub stage: String,
    /// The module's label.
    pub module: String,
    /// Its identity.
    pub digest: ModuleDigest,
    /// How many modules the stage has had, this one included.
    pub generation: u32,
    /// Version of the layout of its accumulators.
    pub state_version: u32,
}

/// What the stages of a pipeline run, as the chain pins it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Releases {
    /// The last committed epoch.
    pub epoch: Option<u64>,
    /// One a stage.
    pub releases: Vec<StageRelease>,
}

/// The body of `POST /v1/pipelines/{p}/releases`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The stage's id.
    pub stage: String,
    /// The module's label.
    pub module: String,
    /// The newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionWanted>,
}

/// How a request names a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a version is a number, or digits of a digest in quotes")]
pub enum VersionWanted {
    /// From 1.
    Number(u64),
    /// A digest, or enough of its first digits to tell it from others; or a number in quotes.
    Text(String),
}

/// Answer to an activation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseAnswer {
    /// The epoch whose durable record pins the module.
    pub epoch: u64,
    /// The stage.
    pub stage: String,
    /// The module's label.
    pub module: String,
    /// Its identity.
    pub digest: ModuleDigest,
    /// What ran before.
    pub previous: ModuleDigest,
    /// False if that very module ran already and nothing was done.
    pub changed: bool,
}

/// Answer of `/health/ready`, also when it is not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// All pipelines are.
    pub ready: bool,
    /// One sentence for each pipeline that is not.
    pub reasons: Vec<String>,
}
