//! What the stages of a pipeline run, and how another module is asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use sluicegate_model::module::ModuleDigest;

/// The module that a stage runs, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageRelease {
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// For people: the name and version under which it was uploaded, or its path.
    pub module: String,
    /// SHA-256 of the module's bytes.
    #[schema(value_type = String)]
    pub digest: ModuleDigest,
    /// How many modules the stage has had, this one included.
    pub generation: u32,
    /// Version of the layout of its accumulators.
    pub state_version: u32,
}

/// What the stages of a pipeline run, as the chain pins it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Releases {
    /// The last committed epoch.
    pub epoch: Option<u64>,
    /// The module of each stage, in the order of the stages.
    pub releases: Vec<StageRelease>,
}

/// Which modules have taken the place of others.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Activations {
    /// Newest first; at most 16.
    pub activations: Vec<StageActivation>,
}

/// A module that took the place of another in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageActivation {
    /// The first epoch whose record pins it.
    pub epoch: u64,
    /// When that record was written, RFC 3339 UTC.
    pub at: String,
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// For people: the name and version under which it was uploaded, or its path.
    pub module: String,
    /// Its number under that label; null if the store has none, or has not been asked yet.
    pub version: Option<u64>,
    /// SHA-256 of the module's bytes.
    #[schema(value_type = String)]
    pub digest: ModuleDigest,
    /// The label of the module before.
    pub previous_module: String,
    /// Its number under that label, as `version`.
    pub previous_version: Option<u64>,
    /// SHA-256 of the bytes of the module before.
    #[schema(value_type = String)]
    pub previous: ModuleDigest,
}

/// The body of `POST /v1/pipelines/{p}/releases`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// For people: the name and version under which it was uploaded, or its path.
    pub module: String,
    /// Which version of the name; the newest if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionWanted>,
}

/// How a request names a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a version is a number, or digits of a digest in quotes")]
pub enum VersionWanted {
    /// From 1.
    Number(u64),
    /// A digest, or enough of its first digits to tell it from others; or a number in quotes.
    Text(String),
}

/// Answer to an activation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseAnswer {
    /// The epoch whose durable record pins the module.
    pub epoch: u64,
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// For people: the name and version under which it was uploaded, or its path.
    pub module: String,
    /// SHA-256 of the module's bytes.
    #[schema(value_type = String)]
    pub digest: ModuleDigest,
    /// SHA-256 of the bytes of the module that ran before.
    #[schema(value_type = String)]
    pub previous: ModuleDigest,
    /// False if that very module ran already and nothing was done.
    pub changed: bool,
}
