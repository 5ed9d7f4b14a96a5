//! Open state in the layout of another module: when a module whose state has another version takes the place of the one
//! that made it, the new one's `migrate` takes every accumulator, or state of a key, from the old layout to its own.
//!
//! All or nothing, between two turns: the states are migrated beside those that are there, and put
//! in their place when every one is done. A failure leaves everything as it was, and nobody has
//! seen the new module. The epoch that pins the module holds the migrated state, so a crash before
//! it finds the old module with its own (docs/design/decisions.md#d6).

use crate::chain::record::PinnedModule;
use crate::plugin::PluginError;
use crate::plugin::load::LoadedModule;
use crate::time::Clock;
use crate::varlen::Varlen;

use super::desk::command::Refusal;
use super::plan::{FittedStage, Plan};
use super::pool::{Pool, Worker};

/// States of one call of the runner, which cuts them further as the plugin's limits say: bounds what is held twice.
const STATES_PER_PART: usize = 8_192;

/// The states of every worker in the layout of a module, ready to be put in their place.
pub(super) struct Migrated {
    by_worker: Vec<Vec<Varlen>>,
}

impl Migrated {
    /// How many states there are.
    pub(super) fn len(&self) -> usize {
        self.by_worker.iter().flatten().map(Varlen::len).sum()
    }
}

/// Whether the stage with state has to take over state of another version: that of the module among `pinned` that made it.
pub(super) fn other_version<'m>(
    plan: &Plan,
    pinned: impl IntoIterator<Item = &'m PinnedModule>,
) -> Option<u32> {
    let stage = plan.stateful()?;
    let made_by = pinned.into_iter().find(|module| *module.stage == *stage.id)?;
    let version = made_by.state_version;
    (version != stage.plugin.description.state_version).then_some(version)
}

/// Migrates what the pool holds with the module of `plan`. The pool stays as it is.
///
/// # Errors
///
/// Why the plugin could not; nothing has changed.
pub(super) fn migrate(pool: &mut Pool, plan: &Plan, from: u32) -> Result<Migrated, PluginError> {
    let stage = plan.stateful().expect("only state is migrated");
    let by_worker = pool.each_worker(|_, worker| migrate_worker(worker, stage, plan, from));
    Ok(Migrated { by_worker: by_worker.into_iter().collect::<Result<_, _>>()? })
}

fn migrate_worker(
    worker: &Worker,
    stage: &FittedStage,
    plan: &Plan,
    from: u32,
) -> Result<Vec<Varlen>, PluginError> {
    let mut runner = stage.runner(&plan.limits);
    let mut states = worker.states().peekable();
    let mut migrated = Vec::new();
    while states.peek().is_some() {
        let part: Varlen = states.by_ref().take(STATES_PER_PART).collect();
        migrated.push(runner.migrate(from, &part)?);
    }
    Ok(migrated)
}

impl Pool {
    /// The open state in the layout of a new module, if that is another one than that of the module among `pinned` that made
    /// it.
    pub(super) fn migrated(
        &mut self,
        plan: &Plan,
        module: &LoadedModule,
        pinned: &[PinnedModule],
        (pipeline, clock): (&str, &Clock),
    ) -> Result<Option<Migrated>, Refusal> {
        let Some(from) = other_version(plan, pinned) else { return Ok(None) };
        let failed = |source| Refusal::Migration { module: module.name.to_string(), from, source };
        let started = clock.monotonic();
        let migrated = migrate(self, plan, from).map_err(failed)?;
        let took = clock.monotonic().saturating_sub(started);
        tracing::info!(
            pipeline,
            from,
            to = module.description.state_version,
            states = migrated.len(),
            ?took,
            "open state migrated"
        );
        Ok(Some(migrated))
    }

    /// Puts migrated states in the place of those that they were made of. Nothing may have changed in between.
    pub(super) fn adopt(&mut self, migrated: &Migrated) {
        for (worker, states) in self.workers_mut().iter_mut().zip(&migrated.by_worker) {
            worker.set_states(&mut states.iter().flat_map(Varlen::iter));
        }
    }
}
