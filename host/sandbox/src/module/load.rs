//! From the bytes somebody uploaded to a module that can run: checked, made a component, compiled, described.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::compile::{Patience, Ready};
use super::describe::{described, wanted};
use super::engine::PluginEngine;
use super::loaded::{LoadedModule, Program};
use super::problem::{LoadError, LoadProblem, MODULE_BYTES_MAX};
use crate::contract::PACKAGE;
use crate::instance::exports::{Exports, FilterExports, KindExports};
use crate::instance::heard::Heard;
use crate::instance::running::{Compiled, Running};
use crate::plugin::description::Description;
use crate::plugin::printable::printable;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::{ModuleDigest, PluginKind};
use sluicegate_model::time::Clock;

impl PluginEngine {
    /// Checks, compiles and describes a module. Blocks for as long as the compiler takes (tens of milliseconds
    /// for a plugin in Rust; nothing when it was compiled before): not for a lane's thread.
    ///
    /// `limits` hold for every instance that is made of it.
    pub fn load(
        &self,
        name: &str,
        module: &[u8],
        limits: &CallLimits,
    ) -> Result<LoadedModule, LoadError> {
        self.load_while(name, module, limits, &Patience::default())
    }

    /// The same, given up when the patience ends.
    pub fn load_while(
        &self,
        name: &str,
        module: &[u8],
        limits: &CallLimits,
        patience: &Patience,
    ) -> Result<LoadedModule, LoadError> {
        let refused = |problem| LoadError { name: name.to_owned(), problem };
        let name_shared: Arc<str> = Arc::from(name);
        let digest = ModuleDigest(Sha256::digest(module).into());
        if let Some(module) = self.stands_in(&digest) {
            return Ok(LoadedModule { name: name_shared, ..module.clone() });
        }
        let compiled = self.compile(module, &digest, limits, patience).map_err(refused)?;
        let (description, calls) = describe(&compiled, &name_shared).map_err(refused)?;
        let program = match self.native(&digest) {
            Some(code) => Program::Native(Arc::clone(code)),
            None => Program::Component { compiled: Arc::new(compiled), calls },
        };
        Ok(LoadedModule { name: name_shared, digest, description: Arc::new(description), program })
    }

    fn compile(
        &self,
        module: &[u8],
        digest: &ModuleDigest,
        limits: &CallLimits,
        patience: &Patience,
    ) -> Result<Compiled, LoadProblem> {
        if module.len() > MODULE_BYTES_MAX {
            return Err(LoadProblem::TooLarge { bytes: module.len() });
        }
        let Ready { component, exports } =
            self.compiling().ready(self.wasmtime(), digest, module, patience)?;
        let contract = |error: wasmtime::Error| {
            LoadProblem::Contract(format!(
                "the module does not speak {PACKAGE}: {}",
                printable(&format!("{error:#}"))
            ))
        };
        let pre = self.linker().instantiate_pre(&component).map_err(contract)?;
        let exports = Exports::find(&pre, &exports).map_err(contract)?;
        let ticker = self.ticker().clone();
        Ok(Compiled { component: pre, exports, limits: *limits, ticker })
    }
}

/// Asks the module what it is, and checks that it exports what such a plugin must.
fn describe(
    compiled: &Compiled,
    name: &Arc<str>,
) -> Result<(Description, KindExports), LoadProblem> {
    let heard = Arc::new(Heard::new(Clock::system()));
    let mut running = Running::start(compiled, name, &heard).map_err(LoadProblem::Describe)?;
    let raw = running.describe().map_err(LoadProblem::Describe)?;
    let exports = &compiled.exports;
    let has = |kind| exports.of(kind).is_some();
    let is_keyed = has(PluginKind::Keyed) && !has(PluginKind::Aggregate);
    let description =
        described(raw, is_keyed, exports.additions).map_err(LoadProblem::Description)?;
    if let Some(calls) = exports.of(description.kind) {
        let mut calls = calls.clone();
        if let KindExports::Filter(FilterExports { coded: Some(coded), wanted: inputs, .. }) =
            &mut calls
        {
            let raw = running.wanted(coded).map_err(LoadProblem::Describe)?;
            *inputs = wanted(&raw, &description.inputs).map_err(LoadProblem::Description)?;
        }
        return Ok((description, calls));
    }
    let (world, interface) = match description.kind {
        PluginKind::Filter => ("filter", "filter-rows"),
        PluginKind::Map => ("map", "map-rows"),
        PluginKind::Aggregate => ("aggregate", "aggregate-rows"),
        PluginKind::Keyed => ("process", "process-rows"),
    };
    Err(LoadProblem::Contract(format!(
        "the plugin says that it is of the world `{world}`, and does not export its interface \
         `{interface}` of {PACKAGE}"
    )))
}
