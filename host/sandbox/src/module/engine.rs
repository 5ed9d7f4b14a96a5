//! The one wasmtime engine of a program: the ticker that makes deadlines fire, who compiles for it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::compile::{Compiler, Compiling};
use super::loaded::LoadedModule;
use super::settings::{EngineError, settings};
use crate::instance::linker::{self, GuestState};
use crate::plugin::Code;
use sluicegate_model::module::ModuleDigest;

/// How often running guests are asked whether their time is over. Deadlines are some hundred milliseconds, so this
/// is exact enough, and costs an idle host nothing to speak of.
const TICK: Duration = Duration::from_millis(5);

/// Compiles modules. One per program: values of two engines must never meet. Cheap to clone.
#[derive(Clone)]
pub struct PluginEngine {
    inner: Arc<Inner>,
    /// Code in the place of modules; see [`PluginEngine::substitute`].
    natives: BTreeMap<ModuleDigest, Arc<dyn Code>>,
    /// See [`PluginEngine::stand_in`].
    stand_ins: BTreeMap<ModuleDigest, LoadedModule>,
}

struct Inner {
    engine: Engine,
    linker: Linker<GuestState>,
    compiling: Compiling,
}

impl PluginEngine {
    /// An engine, and its ticker's thread, which ends with it.
    ///
    /// `cache_dir` keeps compiled modules over restarts, by content and compiler settings. It is made private
    /// (mode 0700): who can write there can run native code in this program, so it never lies in an object store.
    pub fn new(cache_dir: Option<PathBuf>, compiler: Compiler) -> Result<Self, EngineError> {
        let broken = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let engine = Engine::new(&settings()).map_err(broken)?;
        let compiling = Compiling::new(&engine, cache_dir, compiler)?;
        let linker = linker::linker(&engine).map_err(broken)?;
        start_ticker(&engine).map_err(|error| EngineError::Engine(error.to_string()))?;
        let inner = Inner { engine, linker, compiling };
        Ok(Self { inner: Arc::new(inner), natives: BTreeMap::new(), stand_ins: BTreeMap::new() })
    }

    /// The same engine, except that a module of this digest runs as code that was compiled into the host. It is
    /// checked, described and recorded as ever; only its calls do not enter the sandbox. The reference that
    /// benchmarks measure the price of the sandbox against.
    pub fn substitute(mut self, module: ModuleDigest, code: Arc<dyn Code>) -> Self {
        self.natives.insert(module, code);
        self
    }

    /// The same engine, except that bytes with the digest of `module` are that module, whatever they are: nothing is
    /// compiled. For simulations, which open lanes thousands of times.
    pub fn stand_in(mut self, module: LoadedModule) -> Self {
        self.stand_ins.insert(module.digest, module);
        self
    }

    pub(super) fn stands_in(&self, digest: &ModuleDigest) -> Option<&LoadedModule> {
        self.stand_ins.get(digest)
    }

    pub(crate) fn native(&self, module: &ModuleDigest) -> Option<&Arc<dyn Code>> {
        self.natives.get(module)
    }

    pub(crate) fn wasmtime(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn linker(&self) -> &Linker<GuestState> {
        &self.inner.linker
    }

    pub(crate) fn compiling(&self) -> &Compiling {
        &self.inner.compiling
    }
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
