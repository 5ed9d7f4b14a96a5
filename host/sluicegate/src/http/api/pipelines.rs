//! How pipelines stand.

use serde::{Deserialize, Serialize};

use super::releases::StageRelease;
use sluicegate_chain::record::Fates;
use sluicegate_engine::status::{DeadLetterCount, Phase};

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
