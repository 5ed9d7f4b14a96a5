//! Proves a module before the stream meets it: fetch, compile, fit to the stage, compare with what runs.

use sluicegate_chain::modules::VersionChoice;
use sluicegate_engine::status::StageView;
use sluicegate_model::call::CallLimits;
use sluicegate_pipeline::StageConfig;
use sluicegate_sandbox::module::compile::Patience;
use sluicegate_sandbox::module::fit::fit;
use sluicegate_sandbox::module::load::LoadedModule;
use sluicegate_sandbox::plugin::verdict::{Verdict, verdict};

use super::{ActivateError, PipelineHandle};

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
        let limits = CallLimits::from(&self.config.limits);
        let engine = self.engine.clone();
        let name = module.to_owned();
        // Compiling takes a core for some tens of milliseconds and more. It ends when nobody waits for the activation.
        let (patience, _waiting) = Patience::of_request();
        let proven = tokio::task::spawn_blocking(move || {
            let unfit = |error: &dyn std::fmt::Display| ActivateError::Unfit(error.to_string());
            let loaded = engine
                .load_while(&name, &bytes, &limits, &patience)
                .map_err(|error| unfit(&error))?;
            let fitted =
                fit(&stage.place(), &loaded, &running.input).map_err(|error| unfit(&error))?;
            // `init` sees the stage's configuration here for the first time.
            fitted.plugin.instantiate().map_err(|error| {
                unfit(&format_args!(
                    "module `{name}` refuses the configuration of stage `{}`: {error}",
                    stage.id
                ))
            })?;
            match verdict(&running.plugin, &fitted.plugin) {
                Verdict::AsIs | Verdict::Migrate { .. } => Ok(loaded),
                Verdict::Incompatible(reason) => {
                    let stage = stage.id.to_string();
                    Err(ActivateError::Incompatible { module: name, stage, reason })
                }
            }
        });
        proven.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}
