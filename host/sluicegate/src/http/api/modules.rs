//! Modules of the store, and what a module says of itself.

use serde::{Deserialize, Serialize};

use sluicegate_model::module::{ModuleDigest, PluginKind};

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
