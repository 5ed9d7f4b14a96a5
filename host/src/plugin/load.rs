//! From the bytes somebody uploaded to a module that can run: checked, made a component, compiled, described.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};
use wasmparser::Encoding;
use wasmtime::component::{Component, InstancePre};
use wit_component::ComponentEncoder;

use super::contract::{PACKAGE, speaks};
use super::describe::described;
use super::engine::PluginEngine;
use super::instance::{Exports, Guest};
use super::limits::CallLimits;
use super::linker::{GuestState, printable};
use super::validate::{self, Checked};
use super::{Code, Description, ModuleDigest, PluginError, PluginKind};

/// Bytes of a module. A plugin in Rust has about 30 KB, an interpreter of another language a few megabytes.
pub const MODULE_BYTES_MAX: usize = 10 << 20;

/// Stack of the thread that compiles: the compiler recurses over what the module nests.
const COMPILER_STACK_BYTES: usize = 32 << 20;

/// The interface that every plugin exports.
const LIFECYCLE: &str = "lifecycle";

/// A module, compiled and described, not yet fitted to a stage. Cheap to clone.
#[derive(Clone)]
pub struct LoadedModule {
    /// The name under which the pipeline or the upload knows it.
    pub name: Arc<str>,
    /// Its identity.
    pub digest: ModuleDigest,
    /// What it says of itself.
    pub description: Arc<Description>,
    pub(super) program: Program,
}

/// What instances of a module are made from.
#[derive(Clone)]
pub(super) enum Program {
    /// A component.
    Component(Arc<Compiled>),
    /// Code that was compiled into the host: the reference that benchmarks and tests measure plugins against.
    Native(Arc<dyn Code>),
}

/// What instances are made from.
pub(super) struct Compiled {
    pub(super) engine: PluginEngine,
    pub(super) component: InstancePre<GuestState>,
    pub(super) exports: Exports,
    pub(super) limits: CallLimits,
}

/// A module was refused. Nothing else was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{name}`: {problem}")]
pub struct LoadError {
    /// The plugin's name.
    pub name: String,
    /// What is wrong with it.
    pub problem: LoadProblem,
}

/// Why a module was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadProblem {
    /// More bytes than [`MODULE_BYTES_MAX`].
    #[error(
        "the module has {bytes} bytes, at most {MODULE_BYTES_MAX} are taken; build it with --release"
    )]
    TooLarge {
        /// What it has.
        bytes: usize,
    },
    /// The bytes do not begin like WebAssembly.
    #[error(
        "this is no WebAssembly module; \
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
        what: &'static str,
        /// How much.
        found: String,
        /// How much there may be.
        limit: String,
    },
    /// It wants something that the host does not have.
    #[error(
        "the module imports `{import}`, which no plugin gets: plugins have `log` and `count` of the host and \
         nothing else, no WASI, no clock, no files; build for wasm32-unknown-unknown, without such crates"
    )]
    ForeignImport {
        /// What it wants.
        import: String,
    },
    /// It was built for another version of the contract.
    #[error(
        "the module imports `{import}`, this host speaks {PACKAGE}: build the plugin with the \
         sluicegate-sdk of the host's release"
    )]
    OtherContract {
        /// What it wants.
        import: String,
    },
    /// It is WebAssembly, and no plugin.
    #[error("{0}")]
    Contract(String),
    /// The compiler refused it.
    #[error("the module cannot be compiled: {0}")]
    Compile(String),
    /// `describe` failed.
    #[error("`describe` failed: {0}")]
    Describe(PluginError),
    /// `describe` answered something that makes no sense.
    #[error("its description makes no sense: {0}")]
    Description(String),
}

impl PluginEngine {
    /// Checks, compiles and describes a module. Blocks for as long as the compiler takes (tens of milliseconds
    /// for a plugin in Rust; nothing when it is in the cache): not for a lane's thread.
    ///
    /// `limits` hold for every instance that is made of it.
    pub fn load(
        &self,
        name: &str,
        module: &[u8],
        limits: &CallLimits,
    ) -> Result<LoadedModule, LoadError> {
        let refused = |problem| LoadError { name: name.to_owned(), problem };
        let name_shared: Arc<str> = Arc::from(name);
        let compiled = self.compile(module, limits).map_err(refused)?;
        let description = describe(&compiled, &name_shared).map_err(refused)?;
        let digest = ModuleDigest(Sha256::digest(module).into());
        let program = match self.native(&digest) {
            Some(code) => Program::Native(Arc::clone(code)),
            None => Program::Component(Arc::new(compiled)),
        };
        Ok(LoadedModule { name: name_shared, digest, description: Arc::new(description), program })
    }

    fn compile(&self, module: &[u8], limits: &CallLimits) -> Result<Compiled, LoadProblem> {
        let component = to_component(module)?;
        let one_at_a_time = self.compiling().lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = thread::scope(|scope| {
            thread::Builder::new()
                .name("plugin-compiler".to_owned())
                .stack_size(COMPILER_STACK_BYTES)
                .spawn_scoped(scope, || Component::from_binary(self.wasmtime(), &component.bytes))
                .map_err(|error| LoadProblem::Compile(error.to_string()))?
                .join()
                .map_err(|_| LoadProblem::Compile("the compiler panicked".to_owned()))?
                .map_err(|error| LoadProblem::Compile(printable(&format!("{error:#}"))))
        })?;
        drop(one_at_a_time);
        let contract = |error: wasmtime::Error| {
            LoadProblem::Contract(format!(
                "the module does not speak {PACKAGE}: {}",
                printable(&format!("{error:#}"))
            ))
        };
        let pre = self.linker().instantiate_pre(&compiled).map_err(contract)?;
        let exports = Exports::find(&pre, &component.checked.exports).map_err(contract)?;
        Ok(Compiled { engine: self.clone(), component: pre, exports, limits: *limits })
    }
}

/// A ready component, checked.
struct CheckedComponent {
    bytes: Vec<u8>,
    checked: Checked,
}

/// Takes a component as it is, and makes one of a core module with the contract embedded.
fn to_component(module: &[u8]) -> Result<CheckedComponent, LoadProblem> {
    if module.len() > MODULE_BYTES_MAX {
        return Err(LoadProblem::TooLarge { bytes: module.len() });
    }
    let checked = validate::check(module)?;
    let component = match checked.encoding {
        Encoding::Component => CheckedComponent { bytes: module.to_vec(), checked },
        Encoding::Module => {
            let bytes = encode(module)?;
            let checked = validate::check(&bytes)?;
            CheckedComponent { bytes, checked }
        }
    };
    if !component.checked.exports.iter().any(|name| speaks(name, LIFECYCLE)) {
        return Err(LoadProblem::Contract(format!(
            "the module is no plugin: it does not export `{LIFECYCLE}` of {PACKAGE} and its worlds `filter`, `map`, \
             `aggregate` and `process`; write it with sluicegate-sdk and its `export!`"
        )));
    }
    Ok(component)
}

fn encode(module: &[u8]) -> Result<Vec<u8>, LoadProblem> {
    let failed = |error: anyhow::Error| {
        LoadProblem::Contract(format!(
            "the module cannot be made a component: {}",
            printable(&format!("{error:#}"))
        ))
    };
    // What it makes is validated with our own features and limits.
    let encoder = ComponentEncoder::default().validate(false);
    encoder.module(module).and_then(|mut encoder| encoder.encode()).map_err(failed)
}

/// Asks the module what it is, and checks that it exports what such a plugin must.
fn describe(compiled: &Compiled, name: &Arc<str>) -> Result<Description, LoadProblem> {
    let mut guest = Guest::start(compiled, name).map_err(LoadProblem::Describe)?;
    let raw = guest.describe().map_err(LoadProblem::Describe)?;
    let exports = &compiled.exports;
    let processes = exports.has(PluginKind::Process) && !exports.has(PluginKind::Aggregate);
    let description = described(raw, processes).map_err(LoadProblem::Description)?;
    if exports.has(description.kind) {
        return Ok(description);
    }
    let (world, interface) = match description.kind {
        PluginKind::Filter => ("filter", "filter-rows"),
        PluginKind::Map => ("map", "map-rows"),
        PluginKind::Aggregate => ("aggregate", "aggregate-rows"),
        PluginKind::Process => ("process", "process-rows"),
    };
    Err(LoadProblem::Contract(format!(
        "the plugin says that it is of the world `{world}`, and does not export its interface \
         `{interface}` of {PACKAGE}"
    )))
}

impl LoadedModule {
    /// Code compiled into the host, in the place of a module. Its identity is made of its name.
    pub fn native(name: &str, description: Description, code: Arc<dyn Code>) -> Self {
        Self {
            name: Arc::from(name),
            digest: ModuleDigest(Sha256::digest(name.as_bytes()).into()),
            description: Arc::new(description),
            program: Program::Native(code),
        }
    }
}

impl fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadedModule({}@{})", self.name, self.digest.short())
    }
}
