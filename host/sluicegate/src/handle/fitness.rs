//! What an activation would come to, for whoever wants to know before asking for it.

use std::sync::PoisonError;

use bytes::Bytes;

use super::prepare::{Proven, Succession};
use super::{ActivateError, PipelineHandle};
use sluicegate_chain::modules::{ModuleStoreError, ModuleVersion};
use sluicegate_chain::record::PinnedModule;
use sluicegate_model::module::ModuleDigest;
use sluicegate_pipeline::StageConfig;

/// Judgements that are remembered: more stages and versions than somebody looks at.
const REMEMBERED_MAX: usize = 1_024;

/// What an activation of a module in a stage would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// The stage runs it.
    Runs,
    /// It would run, with the state as it is if the stage has any.
    Fits,
    /// It would run after its `migrate` has taken the state.
    Migrates {
        /// Version of the state that there is.
        from: u32,
    },
    /// It would be refused.
    Refused {
        /// Why, in the words of the activation.
        reason: String,
    },
}

/// What a judgement depends on that can change. The rows before a stage cannot: no activation changes the columns that
/// a stage makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    module: ModuleDigest,
    /// Stands in the refusal.
    name: String,
    stage: String,
    /// What it would follow.
    running: ModuleDigest,
}

impl PipelineHandle {
    /// What an activation of the module would come to now. `bytes` brings the module; it is waited for only if that was
    /// not judged before. Fails only if it does.
    pub async fn fitness(
        &self,
        stage: &StageConfig,
        module: &ModuleVersion,
        bytes: impl Future<Output = Result<Bytes, ModuleStoreError>> + Send,
    ) -> Result<Fitness, ModuleStoreError> {
        match self.judge(stage, module, bytes).await {
            Err(ActivateError::Modules(error)) => Err(error),
            Err(refusal) => Ok(Fitness::Refused { reason: refusal.to_string() }),
            Ok(fitness) => Ok(fitness),
        }
    }

    async fn judge(
        &self,
        stage: &StageConfig,
        module: &ModuleVersion,
        bytes: impl Future<Output = Result<Bytes, ModuleStoreError>> + Send,
    ) -> Result<Fitness, ActivateError> {
        let ModuleVersion { name, digest, .. } = module;
        let is_it = |pinned: &PinnedModule| *pinned.stage == *stage.id && pinned.digest == *digest;
        if self.status().modules.iter().any(is_it) {
            return Ok(Fitness::Runs);
        }
        self.check_runs()?;
        let running = self.running(&stage.id)?;
        let question = Question {
            module: *digest,
            name: name.clone(),
            stage: stage.id.to_string(),
            running: running.plugin.digest,
        };
        if let Some(known) = self.judged(|judged| judged.get(&question).cloned()) {
            return Ok(known);
        }
        let Proven { succession, .. } =
            self.prove(stage.clone(), running, name, bytes.await?).await?;
        let fitness = match succession {
            Ok(Succession::AsIs) => Fitness::Fits,
            Ok(Succession::Migrates(from)) => Fitness::Migrates { from },
            Err(refusal) => Fitness::Refused { reason: refusal.to_string() },
        };
        self.judged(|judged| {
            if judged.len() >= REMEMBERED_MAX {
                judged.clear();
            }
            judged.insert(question, fitness.clone())
        });
        Ok(fitness)
    }

    fn judged<T>(&self, ask: impl FnOnce(&mut Judged) -> T) -> T {
        ask(&mut self.judged.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What was judged so far.
pub(super) type Judged = std::collections::BTreeMap<Question, Fitness>;
