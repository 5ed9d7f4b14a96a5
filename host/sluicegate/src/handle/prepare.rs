//! Proves a module before the stream meets it: fetch, compile, fit to the stage, compare with what runs.

use bytes::Bytes;

use sluicegate_chain::modules::VersionChoice;
use sluicegate_engine::status::StageView;
use sluicegate_model::call::CallLimits;
use sluicegate_pipeline::StageConfig;
use sluicegate_sandbox::module::compile::Patience;
use sluicegate_sandbox::module::fit::fit;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::verdict::{Verdict, verdict};

use super::{ActivateError, PipelineHandle};

/// A module that the host can run, and whether this stage can.
pub(super) struct Proven {
    /// Ready to be activated.
    pub(super) loaded: LoadedModule,
    /// How it follows what runs; or why it must not, which another attempt would not change.
    pub(super) succession: Result<Succession, ActivateError>,
}

/// How a module follows the one that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Succession {
    /// With the state as it is, or without one.
    AsIs,
    /// After its `migrate` has taken the state of that version.
    Migrates(u32),
}

impl PipelineHandle {
    /// The module, ready to be activated; or why it must not be. The lane is not touched.
    pub(super) async fn prepare(
        &self,
        stage: StageConfig,
        running: StageView,
        module: &str,
        version: Option<&VersionChoice>,
    ) -> Result<LoadedModule, ActivateError> {
        let chosen = self.modules.resolve(module, version).await?;
        let bytes = self.modules.get(&chosen.digest).await?;
        let Proven { loaded, succession } = self.prove(stage, running, module, bytes).await?;
        succession.map(|_| loaded)
    }

    /// Compiles a module, fits it to a stage, and compares it with what runs there. Fails if it cannot be loaded.
    pub(super) async fn prove(
        &self,
        stage: StageConfig,
        running: StageView,
        module: &str,
        bytes: Bytes,
    ) -> Result<Proven, ActivateError> {
        let limits = CallLimits::from(&self.config.limits);
        let engine = self.engine.clone();
        let name = module.to_owned();
        // Compiling takes a core for some tens of milliseconds and more. It ends when nobody waits for the answer.
        let (patience, _waiting) = Patience::of_request();
        let proven = tokio::task::spawn_blocking(move || {
            let loaded = engine
                .load_while(&name, &bytes, &limits, &patience)
                .map_err(|error| ActivateError::Unfit(error.to_string()))?;
            let succession = succession(&stage, &running, &loaded);
            Ok(Proven { loaded, succession })
        });
        proven.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}

/// Whether a stage can run the module after what it runs now.
fn succession(
    stage: &StageConfig,
    running: &StageView,
    loaded: &LoadedModule,
) -> Result<Succession, ActivateError> {
    let unfit = |error: &dyn std::fmt::Display| ActivateError::Unfit(error.to_string());
    let fitted = fit(&stage.place(), loaded, &running.input).map_err(|error| unfit(&error))?;
    // `init` sees the stage's configuration here for the first time.
    fitted.plugin.instantiate().map_err(|error| {
        let (name, stage) = (&loaded.name, &stage.id);
        unfit(&format_args!(
            "module `{name}` refuses the configuration of stage `{stage}`: {error}"
        ))
    })?;
    match verdict(&running.plugin, &fitted.plugin) {
        Verdict::AsIs => Ok(Succession::AsIs),
        Verdict::Migrate { from } => Ok(Succession::Migrates(from)),
        Verdict::Incompatible(reason) => {
            let (module, stage) = (loaded.name.to_string(), stage.id.to_string());
            Err(ActivateError::Incompatible { module, stage, reason })
        }
    }
}
