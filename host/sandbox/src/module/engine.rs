//! The one wasmtime engine of a program: the ticker that makes deadlines fire, who compiles for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Linker;

use super::compile::{Compiler, Compiling};
use super::loaded::LoadedModule;
use super::settings::{EngineError, settings};
use crate::instance::linker::{self, GuestState};
use crate::instance::ticker::Ticker;
use crate::plugin::Code;
use sluicegate_model::module::ModuleDigest;

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
    ticker: Ticker,
}

impl PluginEngine {
    /// An engine, and its ticker's thread, which ends with it and its modules.
    ///
    /// `cache_dir` keeps compiled modules over restarts, by content and compiler settings. It is made private
    /// (mode 0700): who can write there can run native code in this program, so it never lies in an object store.
    pub fn new(cache_dir: Option<PathBuf>, compiler: Compiler) -> Result<Self, EngineError> {
        let broken = |error: wasmtime::Error| EngineError::Engine(format!("{error:#}"));
        let engine = Engine::new(&settings()).map_err(broken)?;
        let compiling = Compiling::new(&engine, cache_dir, compiler)?;
        let linker = linker::linker(&engine).map_err(broken)?;
        let ticking = engine.clone();
        let ticker = Ticker::start(move || ticking.increment_epoch())
            .map_err(|error| EngineError::Engine(error.to_string()))?;
        let inner = Inner { engine, linker, compiling, ticker };
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

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.inner.ticker
    }
}
