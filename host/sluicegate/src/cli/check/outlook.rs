//! What a start of the pipeline would find: its chain, read and never written.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value as Json, json};
use tokio::runtime::Handle;

use crate::cli::left_behind::refuse_left_behind;
use crate::program::look_at_lane;
use sluicegate_chain::ChainError;
use sluicegate_chain::Opener;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_chain::record::{ChainRecord, PinnedModule};
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::fingerprint::{check_state, is_same_stage};
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::plugin::Plugin;
use sluicegate_sandbox::plugin::verdict::{Verdict, compare};
use sluicegate_store::StoreOptions;

/// Where a start of the pipeline would begin.
#[derive(Debug)]
pub(super) enum Outlook {
    /// There is no chain.
    Anew,
    /// Behind this record.
    Continues(Box<ChainRecord>),
    /// The chain cannot be read; a start would wait.
    Unknown(String),
}

/// A module that a start would refuse because of the state there is.
#[derive(Debug, thiserror::Error)]
#[error("stage `{stage}` names another module than the open windows were made with: {reason}")]
pub(crate) struct OtherModule {
    stage: String,
    reason: String,
}

/// Reads the chain and checks that the pipeline may go on from there.
///
/// # Errors
/// What a start would refuse.
pub(super) fn look(
    pipeline: &Pipeline,
    stores: &StoreOptions,
    working_directory: &Path,
    runtime: &Handle,
) -> anyhow::Result<Outlook> {
    refuse_left_behind(pipeline, working_directory)?;
    let storage = look_at_lane(pipeline, stores)?;
    // All that a start reads of it, also the state.
    let mut opener = Opener::new(&storage, "sluicegate check");
    let head = match runtime.block_on(opener.survey()).map(|survey| survey.head().cloned()) {
        Ok(Some(head)) => head,
        Ok(None) => return Ok(Outlook::Anew),
        Err(ChainError::Store { explanation, .. }) => return Ok(Outlook::Unknown(explanation)),
        Err(error) => return Err(error.into()),
    };
    check_state(pipeline, &head.config, head.state.is_some())?;
    Ok(Outlook::Continues(Box::new(head)))
}

/// Checks that the plugins of the stages that the file changed can go on with the state there is.
///
/// # Errors
/// [`OtherModule`], or a module that the chain pins and the store does not have.
pub(super) fn check_successors(
    pipeline: &Pipeline,
    head: &ChainRecord,
    plugins: &[Plugin],
    engine: &PluginEngine,
    modules: &ModuleStore,
    runtime: &Handle,
) -> anyhow::Result<()> {
    for (stage, plugin) in pipeline.all_stages().zip(plugins) {
        let pinned = head.modules.iter().find(|pinned| *pinned.stage == *stage.id);
        let has_state = matches!(stage.kind, PluginKind::Aggregate | PluginKind::Keyed);
        let changed = !is_same_stage(&head.config, stage);
        let Some(PinnedModule { name, digest, .. }) = pinned.filter(|_| has_state && changed)
        else {
            continue;
        };
        if head.state.is_none() || *digest == plugin.digest {
            continue;
        }
        let bytes = runtime.block_on(modules.get(digest));
        let bytes = bytes.with_context(|| format!("get the module of stage `{}`", stage.id))?;
        let old = engine.load(name, &bytes, &CallLimits::from(&pipeline.limits))?;
        if let Verdict::Incompatible(reason) =
            compare(&old.description, &plugin.name, &plugin.description)
        {
            return Err(OtherModule { stage: stage.id.to_string(), reason }.into());
        }
    }
    Ok(())
}

impl Outlook {
    /// For people, in a sentence without its end.
    pub(super) fn sentence(&self, pipeline: &Pipeline) -> String {
        let url = &pipeline.checkpoint.url;
        match self {
            Self::Anew => format!("a start begins from scratch: there is no chain in {url}"),
            Self::Continues(head) if head.source.ended => {
                format!(
                    "a start does nothing: epoch {} in {url} is the end of its input",
                    head.epoch
                )
            }
            Self::Continues(head) => {
                format!("a start goes on behind epoch {} in {url}", head.epoch)
            }
            Self::Unknown(reason) => {
                format!("a start waits, and what it finds is not known: {reason}")
            }
        }
    }

    /// For machines.
    pub(super) fn answer(&self) -> Json {
        match self {
            Self::Anew => json!({ "begins": "anew" }),
            Self::Continues(head) => json!({
                "begins": "continued", "epoch": head.epoch, "ended": head.source.ended,
            }),
            Self::Unknown(reason) => json!({ "begins": "unknown", "problem": reason }),
        }
    }
}
