//! Modules of the store, and what a module says of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;
use sluicegate_model::module::{ModuleDigest, PluginKind};

/// A version of a module in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Module {
    /// The label it was uploaded under.
    pub name: String,
    /// Counts the versions under the name, from 1 on.
    pub version: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    #[schema(value_type = String)]
    pub digest: ModuleDigest,
    /// Size of the module, as it was uploaded.
    pub bytes: u64,
    /// When the store took it, RFC 3339 UTC.
    pub uploaded: String,
}

/// A version of a module, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModuleLine {
    /// The module as it is stored: name, version and digest.
    #[serde(flatten)]
    pub module: Module,
    /// The stages that run these bytes, by pipeline.
    pub runs: Vec<StageName>,
}

/// A stage of a pipeline of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageName {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// `id` of the stage in the pipeline file.
    pub stage: String,
}

/// A version of a module in full.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModuleDetails {
    /// What the list of modules says of it.
    #[serde(flatten)]
    pub line: ModuleLine,
    /// What the module says of itself.
    pub plugin: PluginFacts,
}

/// What an activation of a version would come to, for every stage of every pipeline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Fits {
    /// By pipeline, the stages in their order.
    pub fits: Vec<StageFit>,
}

/// What an activation in a stage would come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageFit {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// Whether the module can run in the stage.
    pub verdict: FitVerdict,
    /// A refusal's sentence, as the activation would answer it; what is migrated. Null where there is nothing to say.
    pub reason: Option<String>,
}

/// What an activation would come to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FitVerdict {
    /// The stage runs this very version.
    Runs,
    /// It would run.
    Fits,
    /// It would run after it has migrated the state.
    Migrates,
    /// It would be refused.
    Refused,
}

/// Answer to an upload.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Uploaded {
    /// The module as it is stored: name, version and digest.
    #[serde(flatten)]
    pub module: Module,
    /// What the module says of itself.
    pub plugin: PluginFacts,
}

/// What a module says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginFacts {
    /// What kind of stage it can be.
    #[schema(value_type = words::PluginKind)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ColumnFacts {
    /// The column's name in the pipeline.
    pub name: String,
    /// Its type as pipeline files have it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// All modules, or all versions of one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Modules {
    /// By name, newest version first.
    pub modules: Vec<ModuleLine>,
}
