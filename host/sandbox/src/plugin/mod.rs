//! What a plugin is: a module compiled and checked for a stage, and the words in which it is spoken with.

pub mod description;
pub mod answer;
pub mod guest;
pub mod verdict;
pub(crate) mod printable;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use description::Description;
use guest::Instance;
use sluicegate_model::module::ModuleDigest;

/// What makes instances: a compiled component, or native code.
pub trait Code: Send + Sync {
    /// A new instance after a successful `init`.
    fn instantiate(&self, config: &[(String, String)]) -> Result<Instance, PluginError>;
    /// The inputs that a filter would rather have by code, ascending.
    fn by_code(&self) -> &[usize] {
        &[]
    }
    /// The plugin's own counters, summed over all its instances; those of calls that failed are not in them.
    fn counters(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// A module, compiled and described, with the configuration of its stage. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    /// The name under which the pipeline or the upload knows it.
    pub name: Arc<str>,
    /// Hash of the uploaded bytes; the same for every stage that uses the module.
    pub digest: ModuleDigest,
    /// What it says of itself.
    pub description: Arc<Description>,
    /// Arrow schema of its outputs.
    pub output_schema: SchemaRef,
    /// The stage's configuration, sorted by key, with what the host adds (`decimal-scale:COLUMN`).
    pub config: Arc<[(String, String)]>,
    /// Shared by all stages and workers that run the module.
    pub code: Arc<dyn Code>,
}

impl Plugin {
    /// A new instance, initialised with the stage's configuration.
    pub fn instantiate(&self) -> Result<Instance, PluginError> {
        self.code.instantiate(&self.config)
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({}@{})", self.name, self.digest.short())
    }
}

/// A plugin that failed. Whatever it is, the instance is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The guest trapped: a panic, an access out of bounds, a stack overflow, memory beyond its limit.
    #[error("trap: {0}")]
    Trap(String),
    /// The call used more CPU time than it may.
    #[error("deadline: the call used more than {limit_ms} ms of CPU time")]
    Deadline {
        /// The limit of one call, in milliseconds.
        limit_ms: u64,
    },
    /// What came back breaks the contract: lengths, offsets, bits, UTF-8, types.
    #[error("answer breaks the contract: {0}")]
    Answer(String),
    /// `init` refused the configuration, or `migrate` an accumulator.
    #[error("{0}")]
    Refused(String),
}
