//! Why a module is refused, in sentences for whoever uploaded it.

use serde::{Deserialize, Serialize};

use crate::contract::PACKAGE;
use crate::plugin::PluginError;

/// Bytes of a module. A plugin in Rust has about 30 KB, an interpreter of another language a few megabytes.
pub const MODULE_BYTES_MAX: usize = 10 << 20;

/// A module was refused. Nothing else was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{name}`: {problem}")]
pub struct LoadError {
    pub(crate) name: String,
    /// What is wrong with it.
    pub(crate) problem: LoadProblem,
}

impl LoadError {
    /// Whether the same module may be taken when it is tried again.
    pub fn may_pass(&self) -> bool {
        matches!(self.problem, LoadProblem::Killed(_) | LoadProblem::NoProcess(_))
    }
}

/// Why a module was refused. Travels from the operating-system process that compiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum LoadProblem {
    #[error(
        "the module has {bytes} bytes, at most {MODULE_BYTES_MAX} are taken; build it with --release"
    )]
    TooLarge { bytes: usize },
    /// The bytes do not begin like WebAssembly.
    #[error(
        "this is not a WebAssembly module; \
         upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`"
    )]
    NotWasm,
    /// Not valid, or of a feature that is switched off.
    #[error("the module is not valid WebAssembly 2.0: {0}")]
    Malformed(String),
    /// Larger in some part than a compiler should see.
    #[error("the module has {found} {what}, at most {limit} are taken")]
    Limit {
        /// What there is too much of.
        what: String,
        found: String,
        /// How much there may be.
        limit: String,
    },
    /// It wants something that the host does not have.
    #[error(
        "the module imports `{import}`, which no plugin gets: plugins have `log` and `count` of the host and \
         nothing else, no WASI, no clock, no files; build for wasm32-unknown-unknown, without such crates"
    )]
    ForeignImport { import: String },
    /// It was built for another version of the contract.
    #[error(
        "the module imports `{import}`, this host speaks {PACKAGE}: build the plugin with the \
         sluicegate-sdk of the host's release"
    )]
    OtherContract { import: String },
    /// It is WebAssembly, and no plugin.
    #[error("{0}")]
    Contract(String),
    #[error("the module cannot be compiled: {0}")]
    Compile(String),
    #[error(
        "compiling the module takes more than {seconds} s of CPU time: split its largest functions, or build it with \
         --release"
    )]
    TooSlow { seconds: u64 },
    #[error(
        "compiling the module takes more than {mebibytes} MiB of memory: split its largest functions, or build it with \
         --release"
    )]
    TooHungry { mebibytes: u64 },
    /// By a signal that no module can bring about.
    #[error(
        "the process that compiled the module was ended from outside ({0}): together with the host, or because the machine \
         had no memory left; try again"
    )]
    Killed(String),
    /// The machine has no process or no file to spare.
    #[error("the compiler's process cannot be used: {0}")]
    NoProcess(String),
    /// Whoever wanted it has gone.
    #[error("nobody waits for the module any more")]
    Abandoned,
    #[error("`describe` failed: {0}")]
    #[serde(skip)]
    Describe(PluginError),
    /// `describe` answered something that makes no sense.
    #[error("its description makes no sense: {0}")]
    Description(String),
}
