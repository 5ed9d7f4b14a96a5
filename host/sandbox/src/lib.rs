//! What a plugin is, its life, and what it may do.
//!
//! A *module* is the artefact somebody uploaded, known by its SHA-256. A *plugin* is a module
//! compiled and checked for a stage. An *instance* is one store with its memory; each worker has
//! its own, and any of them may be thrown away after any call, because plugins are pure and the
//! host owns all state (docs/design/decisions.md#f1).
//!
//! wasmtime is known here and nowhere else. What is absent on purpose: the pipeline file, which hands over a place and
//! limits; windows and keys, whose states come and go as bytes; and for the guest a clock, randomness, files and a network.

mod bindings;
mod contract;
mod linker;
mod heard;
pub mod limits;
pub mod engine;
mod validate;
pub mod compile;
mod describe;
pub mod load;
mod marshal;
mod answer;
mod answer_process;
mod exports;
mod running;
mod instance;
pub mod fit;
pub mod verdict;
pub mod cut;
mod isolate;
pub mod brake;
mod places;
mod update;
mod keyed;
pub mod process_run;
pub mod outcome;
pub mod process;
mod made;
mod calls;
pub mod runner;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;

use process::{KeyedRows, ProcessAnswer, TimerAnswer};
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;

use sluicegate_model::module::{ModuleDigest, PluginKind};
use sluicegate_model::window::WindowBounds;

/// The interface that every plugin exports.
const LIFECYCLE: &str = "lifecycle";

/// A column that a plugin reads or makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginColumn {
    /// Its name.
    pub name: String,
    /// Its Arrow type. An input decimal that takes any precision and scale is `Decimal64(0, 0)`.
    pub data_type: DataType,
    /// An input: nulls are understood. An output: it may hold nulls.
    pub nullable: bool,
}

/// What a plugin says of itself; the checked twin of `plugin-description` in the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What kind it is.
    pub kind: PluginKind,
    /// The SDK and its version.
    pub sdk: String,
    /// The columns its calls get, in this order.
    pub inputs: Vec<PluginColumn>,
    /// The columns it makes.
    pub outputs: Vec<PluginColumn>,
    /// A map whose rows keep the columns of their source rows that `outputs` does not name.
    pub keeps_other_columns: bool,
    /// Version of the layout of the accumulators, or of the states.
    pub state_version: u32,
    /// Fingerprint of that layout (docs/design/decisions.md#d9).
    pub state_fingerprint: u64,
    /// The versions that `migrate` takes.
    pub migrates_from: Vec<u32>,
}

/// A row that a plugin refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Row of the batch of the call.
    pub row: u32,
    /// The plugin's words, at most 1,024 bytes.
    pub reason: String,
}

/// What a filter answered.
#[derive(Debug)]
pub struct FilterAnswer {
    /// One bit a row; false where the row was rejected.
    pub keep: BooleanBuffer,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What a map answered.
#[derive(Debug)]
pub struct MapAnswer {
    /// The new rows, with the columns of `outputs` only.
    pub batch: RecordBatch,
    /// For each new row its source; never descending.
    pub source_rows: Vec<u32>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What an aggregate answered to `update`.
#[derive(Debug)]
pub struct UpdateAnswer {
    /// The accumulators, in the order given.
    pub states: Varlen,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What an aggregate answered to `evaluate`.
#[derive(Debug)]
pub struct EvaluateAnswer {
    /// Result rows, with the columns of `outputs`.
    pub batch: RecordBatch,
    /// For each row the group it belongs to; never descending.
    pub groups: Vec<u32>,
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
        /// What it may use.
        limit_ms: u64,
    },
    /// What came back breaks the contract: lengths, offsets, bits, UTF-8, types.
    #[error("answer breaks the contract: {0}")]
    Answer(String),
    /// `init` refused the configuration, or `migrate` an accumulator.
    #[error("{0}")]
    Refused(String),
}

/// A guest that runs, by its kind: made once when it starts, so that no call can be made that its kind does not have.
///
/// Behind each kind stand two implementers: the WASM instance, and code compiled into the host (the benchmarks'
/// reference). Batches hold exactly the columns of `Description::inputs`, in that order.
pub enum Instance {
    /// Keeps or drops rows.
    Filter(Box<dyn FilterGuest>),
    /// Makes any number of rows of each.
    Map(Box<dyn MapGuest>),
    /// Accumulates rows per group.
    Aggregate(Box<dyn AggregateGuest>),
    /// Keeps state per key.
    Keyed(Box<dyn KeyedGuest>),
}

/// What every guest can be asked.
pub trait Guest: Send {
    /// The next calls are given a fraction of their time, though twice that of the longest call that went well
    /// (nanoseconds); all of it again with none. Native code does not hurry.
    fn hurry(&mut self, longest_nanos: Option<u64>) {
        let _ = longest_nanos;
    }
    /// What it has used so far. Native code does not know.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// The call of a filter.
pub trait FilterGuest: Guest {
    /// Which rows go on.
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError>;
}

/// The call of a map.
pub trait MapGuest: Guest {
    /// New rows of each row.
    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError>;
}

/// The call of every guest with state.
pub trait StatefulGuest: Guest {
    /// States of an older version as states of this one.
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError>;
}

/// The calls of an aggregate.
pub trait AggregateGuest: StatefulGuest {
    /// Row `i` belongs to `states[groups[i]]`.
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError>;
    /// `left[i]` followed by `right[i]`.
    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError>;
    /// `windows[i]` belongs to `states[i]`.
    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError>;
}

/// The calls of a process plugin.
pub trait KeyedGuest: StatefulGuest {
    /// Rows, and what is due before each.
    fn process(
        &mut self,
        rows: &KeyedRows,
        groups: &KeyedGroups,
    ) -> Result<ProcessAnswer, PluginError>;
    /// Timer `i` of group `i`.
    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError>;
}

impl Instance {
    /// Its kind.
    pub fn kind(&self) -> PluginKind {
        match self {
            Self::Filter(_) => PluginKind::Filter,
            Self::Map(_) => PluginKind::Map,
            Self::Aggregate(_) => PluginKind::Aggregate,
            Self::Keyed(_) => PluginKind::Process,
        }
    }
}

/// What an instance has used since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of its calls.
    pub cpu_nanos: u64,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// Log lines and counts beyond what a call may say; dropped.
    pub unheard: u64,
}

/// What makes instances: a compiled component, or native code.
pub trait Code: Send + Sync {
    /// A new instance after a successful `init`.
    fn instantiate(&self, config: &[(String, String)]) -> Result<Instance, PluginError>;
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
    /// Its identity.
    pub digest: ModuleDigest,
    /// What it says of itself.
    pub description: Arc<Description>,
    /// Arrow schema of its outputs.
    pub output_schema: SchemaRef,
    /// The stage's configuration, sorted by key, with what the host adds (`decimal-scale:COLUMN`).
    pub config: Arc<[(String, String)]>,
    /// Makes instances.
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

#[cfg(test)]
mod tests;
