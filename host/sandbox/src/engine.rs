//! The one wasmtime engine of a process: its settings, the ticker that makes deadlines fire, who compiles for it.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, Strategy, WasmBacktraceDetails,
};

use super::Code;
use super::compile::{Compiler, Compiling};
use super::linker::{self, GuestState};
use sluicegate_model::module::ModuleDigest;

/// What a guest may be written in: WebAssembly 2.0 without references to garbage-collected things,
/// in components. Everything younger is off: most of it has had advisories
/// (docs/design/sandbox.md#s5), and no Rust guest needs it.
pub(super) const FEATURES: WasmFeatures =
    WasmFeatures::WASM2.difference(WasmFeatures::GC_TYPES).union(WasmFeatures::COMPONENT_MODEL);

/// How often running guests are asked whether their time is over. Deadlines are some hundred milliseconds, so this
/// is exact enough, and costs an idle host nothing to speak of.
const TICK: Duration = Duration::from_millis(5);

/// Stack of the guest. Far less than that of the threads that call it: an overrun of the host's would end the process.
const GUEST_STACK_BYTES: usize = 512 << 10;

/// Frames of a guest that a trap may describe.
const BACKTRACE_FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Compiles modules. One per process: values of two engines must never meet. Cheap to clone.
#[derive(Clone)]
pub struct PluginEngine {
    inner: Arc<Inner>,
    /// Code in the place of modules; see [`PluginEngine::substitute`].
    natives: BTreeMap<ModuleDigest, Arc<dyn Code>>,
}

struct Inner {
    engine: Engine,
    linker: Linker<GuestState>,
    compiling: Compiling,
}

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder for compiled modules cannot be used.
    #[error("folder for compiled modules `{path}`: it must be writable, and nobody else's")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The machine lacks something that wasmtime needs.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

impl PluginEngine {
    /// An engine, and its ticker's thread, which ends with it.
    ///
    /// `cache_dir` keeps compiled modules over restarts, by content and compiler settings. It is made private
    /// (mode 0700): who can write there can run native code in this process, so it never lies in an object store.
    pub fn new(cache_dir: Option<PathBuf>, compiler: Compiler) -> Result<Self, EngineError> {
        let broken = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let engine = Engine::new(&settings()).map_err(broken)?;
        let compiling = Compiling::new(&engine, cache_dir, compiler)?;
        let linker = linker::linker(&engine).map_err(broken)?;
        start_ticker(&engine).map_err(|error| EngineError::Engine(error.to_string()))?;
        let inner = Inner { engine, linker, compiling };
        Ok(Self { inner: Arc::new(inner), natives: BTreeMap::new() })
    }

    /// The same engine, except that a module of this digest runs as code that was compiled into the host. It is
    /// checked, described and recorded as ever; only its calls do not enter the sandbox. The reference that
    /// benchmarks measure the price of the sandbox against.
    pub fn substitute(mut self, module: ModuleDigest, code: Arc<dyn Code>) -> Self {
        self.natives.insert(module, code);
        self
    }

    pub(super) fn native(&self, module: &ModuleDigest) -> Option<&Arc<dyn Code>> {
        self.natives.get(module)
    }

    pub(super) fn wasmtime(&self) -> &Engine {
        &self.inner.engine
    }

    pub(super) fn linker(&self) -> &Linker<GuestState> {
        &self.inner.linker
    }

    pub(super) fn compiling(&self) -> &Compiling {
        &self.inner.compiling
    }
}

/// The settings of docs/design/sandbox.md#s5, as far as this version of wasmtime has them. The same
/// for whoever compiles and whoever runs.
pub(super) fn settings() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        // A NaN has one bit pattern: a replay gives the same bytes.
        .cranelift_nan_canonicalization(true)
        .parallel_compilation(false)
        .wasm_features(WasmFeatures::all().difference(FEATURES), false)
        // A component call costs 0.1 µs instead of 0.3 without it.
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .signals_based_traps(true)
        .guard_before_linear_memory(true)
        // Pooling re-uses memory between guests; instances live long here, so it would save nothing.
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES_MAX))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// Ticks until the last component and store of the engine is gone: it holds the engine weakly.
fn start_ticker(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        loop {
            // Nobody unparks it; a spurious return is an early tick, and does no harm.
            thread::park_timeout(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    thread::Builder::new().name("plugin-ticks".to_owned()).spawn(tick)?;
    Ok(())
}
