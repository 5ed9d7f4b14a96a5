//! The last minutes of a pipeline: rates, and what happened when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use sluicegate_model::module::ModuleDigest;

/// The last minutes of a pipeline. Every list but `marks` has one entry for each of `at`; an entry is null where nobody knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// How far two samples lie apart, as a rule.
    pub interval_seconds: f64,
    /// When each sample was taken, seconds since 1970.
    pub at: Vec<f64>,
    /// Records read a second since the sample before; the next five likewise.
    pub read: Vec<Option<f64>>,
    /// Records of which a row was taken.
    pub accepted: Vec<Option<f64>>,
    /// Records of which no row was left after the filters and maps.
    pub filtered: Vec<Option<f64>>,
    /// Records whose rows were all late.
    pub late: Vec<Option<f64>>,
    /// Records that became dead letters.
    pub dead_lettered: Vec<Option<f64>>,
    /// Rows of results that were committed to tables, and messages that topics acknowledged.
    pub written_rows: Vec<Option<f64>>,
    /// Dead letters: records, groups, timers and messages.
    #[serde(default)]
    pub dead_letters: Vec<Option<f64>>,
    /// Of all partitions whose end is known.
    pub lag: Vec<Option<i64>>,
    /// How far the watermark was behind the wall clock.
    pub watermark_delay_seconds: Vec<Option<f64>>,
    /// Open groups: window × key.
    pub open_groups: Vec<Option<u64>>,
    /// Bytes of their keys and accumulators.
    pub state_bytes: Vec<Option<u64>>,
    /// What came to each stage, by its `id`.
    pub stages: BTreeMap<String, StageHistory>,
    /// What happened, the oldest first.
    pub marks: Vec<Mark>,
}

/// The last minutes of a stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StageHistory {
    /// Rows that came to it, a second.
    pub rows: Vec<Option<f64>>,
    /// Those of them that did not go on.
    pub dropped: Vec<Option<f64>>,
    /// CPU time of the plugin for each row; null where no row came.
    pub micros_per_row: Vec<Option<f64>>,
}

/// Something that happened to the pipeline, at a moment of the chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// When, RFC 3339; of a problem when it was seen, which is up to an interval later.
    pub at: String,
    /// The epoch that pins the activated module, or behind which the pipeline was opened.
    pub epoch: Option<u64>,
    /// Decides which of the other fields are there.
    pub kind: MarkKind,
    /// One sentence for a person.
    pub text: String,
    /// `id` of the stage whose module was exchanged; of an activation only.
    pub stage: Option<String>,
    /// The label of the activated module.
    pub module: Option<String>,
    /// Its number in the module store, if that is known.
    pub version: Option<u64>,
    /// SHA-256 of the module that runs since; of an activation only.
    #[schema(value_type = Option<String>)]
    pub digest: Option<ModuleDigest>,
    /// What the stage ran before.
    #[schema(value_type = Option<String>)]
    pub previous: Option<ModuleDigest>,
}

/// What can happen to a pipeline that its chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A module took another's place.
    Activation,
    /// The pipeline was opened, or opened again.
    Opened,
    /// Something keeps the pipeline from moving.
    Problem,
    /// That has passed.
    Mended,
}

/// What goes on, over the last ten seconds. Null in the first seconds of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rates {
    /// Records read a second; the next four likewise.
    pub read: Option<f64>,
    /// Of which a row was taken.
    pub accepted: Option<f64>,
    /// Of which no row was left after the filters and maps.
    pub filtered: Option<f64>,
    /// Whose rows were all late.
    pub late: Option<f64>,
    /// Records that became dead letters, a second.
    pub dead_lettered: Option<f64>,
    /// Rows of results that were committed to tables, and messages that topics acknowledged, a second.
    pub written_rows: Option<f64>,
    /// Dead letters a second: records, groups, timers and messages.
    #[serde(default)]
    pub dead_letters: Option<f64>,
}

/// What goes on in a stage, over the last ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageRates {
    /// Rows that came to it, a second; null in the first seconds of the program.
    pub rows: Option<f64>,
    /// Those of them that did not go on.
    pub dropped: Option<f64>,
    /// CPU time of the plugin for each row; null if no row came.
    pub micros_per_row: Option<f64>,
}
