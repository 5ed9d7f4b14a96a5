//! Which module each stage of a lane runs: the one that the chain pins, or the one that the pipeline file names.
//!
//! The chain's pinned modules win, unless the stage was changed in the pipeline file: then it is an
//! activation, with its checks (docs/design/decisions.md#d6).

use std::path::Path;
use std::time::Duration;

use sluicegate_chain::modules::{ModuleStore, ModuleStoreError};
use sluicegate_chain::record::{ChainRecord, PinnedModule};
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_pipeline::fingerprint::{check_state, is_same_stage};
use sluicegate_pipeline::{Pipeline, PluginRef, StageConfig};
use sluicegate_runtime::Runtime;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::verdict::{Verdict, compare};

use super::wait::{request, wait};
use super::{LaneParts, OpenError};
use crate::lane::desk::Shown;
use crate::lane::refusal::Awaited;
use crate::lane::{Outside, PlacedModule};

/// How often a lane that waits for its modules looks whether they were uploaded.
const MODULE_WAIT: Duration = Duration::from_secs(1);

/// A module that was given by path and is not in the store yet.
pub(super) struct Brought {
    stage: String,
    name: String,
    bytes: Vec<u8>,
}

/// Gets the module of every stage, and checks it against the one that the chain pins.
struct Loader<'a> {
    brought: Vec<Brought>,
    /// Loaded by an attempt before.
    known: &'a [PlacedModule],
    config: &'a Pipeline,
    modules: &'a ModuleStore,
    engine: &'a PluginEngine,
    runtime: &'a Runtime,
    outside: &'a Outside,
}

impl Loader<'_> {
    /// One per stage of the pipeline, that with state last.
    fn modules(&mut self, head: Option<&ChainRecord>) -> Result<Vec<PlacedModule>, OpenError> {
        if let Some(head) = head {
            check_state(self.config, &head.config, head.state.is_some())?;
        }
        let config = self.config;
        config.all_stages().map(|stage| self.module(stage, head)).collect()
    }

    fn module(
        &mut self,
        stage: &StageConfig,
        head: Option<&ChainRecord>,
    ) -> Result<PlacedModule, OpenError> {
        let pinned =
            head.and_then(|head| head.modules.iter().find(|pinned| *pinned.stage == *stage.id));
        let unchanged = head.is_some_and(|head| is_same_stage(&head.config, stage));
        match pinned {
            Some(pinned) if unchanged => {
                let module = self.pinned(stage, pinned)?;
                Ok(PlacedModule { stage: stage.clone(), module, pinned: pinned.clone() })
            }
            Some(pinned) => {
                self.changed(stage, pinned, head.is_some_and(|head| head.state.is_some()))
            }
            None => {
                let module = self.named(stage)?;
                let pinned = PinnedModule {
                    stage: stage.id.to_string(),
                    name: module.name.to_string(),
                    digest: module.digest,
                    generation: 1,
                    state_version: module.description.state_version,
                };
                Ok(PlacedModule { stage: stage.clone(), module, pinned })
            }
        }
    }

    /// The stage was changed in the pipeline file: an activation, with its checks.
    fn changed(
        &mut self,
        stage: &StageConfig,
        pinned: &PinnedModule,
        stateful: bool,
    ) -> Result<PlacedModule, OpenError> {
        let module = self.named(stage)?;
        let before = PlacedModule {
            stage: stage.clone(),
            module: self.pinned(stage, pinned)?,
            pinned: pinned.clone(),
        };
        if module.digest == pinned.digest {
            return Ok(before);
        }
        if stateful
            && matches!(stage.kind, PluginKind::Aggregate | PluginKind::Keyed)
            && let Verdict::Incompatible(reason) =
                compare(&before.module.description, &module.name, &module.description)
        {
            return Err(OpenError::OtherModule(format!(
                "stage `{}` names another module than the open windows were made with: {reason}; \
                     name the old one, or forget the windows with `sluicegate reset`",
                stage.id
            )));
        }
        Ok(PlacedModule::successor(&before, module))
    }

    fn pinned(
        &self,
        stage: &StageConfig,
        pinned: &PinnedModule,
    ) -> Result<LoadedModule, OpenError> {
        let is_it = |known: &&PlacedModule| known.pinned.digest == pinned.digest;
        if let Some(known) = self.known.iter().find(is_it) {
            return Ok(known.module.clone().named(&pinned.name));
        }
        let bytes = self.ask(stage, self.modules.get(&pinned.digest))?;
        self.load(stage, &pinned.name, &bytes)
    }

    /// The module that the pipeline file names. One given by path goes into the store before the chain pins it.
    fn named(&mut self, stage: &StageConfig) -> Result<LoadedModule, OpenError> {
        match &stage.plugin {
            PluginRef::Path(path) => {
                let bytes = read(stage, path)?;
                let name = module_name(path);
                let module = self.load(stage, &name, &bytes)?;
                let stage = stage.id.to_string();
                self.brought.push(Brought { stage, name, bytes });
                Ok(module)
            }
            PluginRef::Name(name) => {
                let version = self.ask(stage, self.modules.resolve(name, None))?;
                let bytes = self.ask(stage, self.modules.get(&version.digest))?;
                self.load(stage, name, &bytes)
            }
        }
    }

    /// Asks the module store on behalf of a stage.
    fn ask<T>(
        &self,
        stage: &StageConfig,
        question: impl Future<Output = Result<T, ModuleStoreError>>,
    ) -> Result<T, OpenError> {
        ask(&stage.id, self.outside, self.runtime, question)
    }

    fn load(
        &self,
        stage: &StageConfig,
        name: &str,
        bytes: &[u8],
    ) -> Result<LoadedModule, OpenError> {
        let limits = CallLimits::from(&self.config.limits);
        let loaded = self.engine.load(name, bytes, &limits);
        loaded.map_err(|source| OpenError::Load { stage: stage.id.to_string(), source })
    }
}

fn ask<T>(
    stage: &str,
    outside: &Outside,
    runtime: &Runtime,
    question: impl Future<Output = Result<T, ModuleStoreError>>,
) -> Result<T, OpenError> {
    request(outside, runtime, question)?
        .map_err(|source| OpenError::Module { stage: stage.to_owned(), source: Box::new(source) })
}

/// Puts modules that were given by path into the store, so that the chain can pin them.
pub(super) fn keep(
    brought: Vec<Brought>,
    parts: &LaneParts,
    outside: &Outside,
) -> Result<(), OpenError> {
    for Brought { stage, name, bytes } in brought {
        let put = parts.modules.put(&name, bytes.into());
        ask(&stage, outside, &parts.runtime, put)?;
    }
    Ok(())
}

/// The module of every stage, and what of it the store does not have yet. Those that are `known` are not asked for. Waits for
/// those that are named and not yet uploaded, if it may.
pub(super) fn get_modules(
    parts: &LaneParts,
    head: Option<&ChainRecord>,
    known: &[PlacedModule],
    outside: &Outside,
) -> Result<(Vec<PlacedModule>, Vec<Brought>), OpenError> {
    let LaneParts { config, modules, engine, runtime, storage, .. } = parts;
    let mut shown = Shown::new(outside);
    if let (Some(stage), true) = (config.all_stages().next(), known.is_empty()) {
        // Before any is asked for, so that none of them is collected there.
        ask(&stage.id, outside, runtime, modules.announce(&config.name, &storage.chain))?;
    }
    loop {
        let brought = Vec::new();
        let mut loader = Loader { brought, known, config, modules, engine, runtime, outside };
        match loader.modules(head) {
            Err(OpenError::Module { stage, source })
                if parts.waits_for_modules && source.is_not_uploaded() =>
            {
                let problem = format!(
                    "stage `{stage}` waits for its module: {source}, and the pipeline begins"
                );
                shown.problem(problem);
                if wait(outside, runtime, MODULE_WAIT, Awaited::Modules) {
                    return Err(OpenError::Stopped);
                }
            }
            Ok(modules) => {
                shown.passed();
                return Ok((modules, loader.brought));
            }
            Err(refused) => return Err(refused),
        }
    }
}

fn read(stage: &StageConfig, path: &Path) -> Result<Vec<u8>, OpenError> {
    std::fs::read(path).map_err(|source| OpenError::ModuleFile {
        stage: stage.id.to_string(),
        path: path.display().to_string(),
        source,
    })
}

/// `target/valid_sale.wasm` is the module `valid-sale`.
pub fn module_name(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(|| "module".into(), |stem| stem.to_string_lossy());
    stem.to_lowercase().replace('_', "-")
}
