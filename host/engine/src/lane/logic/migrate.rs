//! Open state in the layout of another module: when a module whose state has another version takes the place of the one
//! that made it, the new one's `migrate` takes every accumulator, or state of a key, from the old layout to its own.
//!
//! All or nothing, between two turns: the states are migrated beside those that are there, and put in their place when
//! every one is done. A failure leaves everything as it was, and nobody has seen the new module. The epoch that pins
//! the module holds the migrated state, so a crash before it finds the old module with its own
//! (docs/design/decisions.md#d6).

use sluicegate_chain::record::PinnedModule;
use sluicegate_model::time::Clock;
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::plugin::PluginError;
use sluicegate_sandbox::run::runner::MigrationRunner;

use super::{Logic, States};
use crate::lane::plan::{Grouped, Plan};
use crate::lane::pool::Pool;
use crate::lane::refusal::Refusal;

/// States of one call of the runner, which cuts them further as the plugin's limits say: bounds what is held twice.
const STATES_PER_PART: usize = 8_192;

/// The states of every worker in the layout of a module, ready to be put in their place.
pub(in crate::lane) struct Migrated {
    by_worker: Vec<Vec<Varlen>>,
}

impl Migrated {
    /// How many states there are.
    fn len(&self) -> usize {
        self.by_worker.iter().flatten().map(Varlen::len).sum()
    }

    /// Puts them in the place of those that they were made of. Nothing may have changed in between.
    pub(in crate::lane) fn put(&self, logic: &mut Logic, pool: &Pool) {
        let strides = pool.strides();
        for (worker, states) in self.by_worker.iter().enumerate() {
            let mut states = states.iter().flat_map(Varlen::iter).inspect(|_| strides.step());
            logic.set_states(worker, &mut states);
            assert!(states.next().is_none(), "as many states as there were");
        }
    }
}

/// Whether the stage with state has to take over state of another version: that of the module among `pinned` that made
/// it.
pub(in crate::lane) fn other_version(plan: &Plan, pinned: &[PinnedModule]) -> Option<u32> {
    let stage = &plan.logic.grouped()?.stage;
    let made_by = pinned.iter().find(|module| *module.stage == *stage.id)?;
    let version = made_by.state_version;
    (version != stage.plugin.description.state_version).then_some(version)
}

/// What an activation has to take over.
pub(in crate::lane) struct Migration<'l> {
    /// With the module that comes.
    pub(in crate::lane) plan: &'l Plan,
    pub(in crate::lane) logic: &'l Logic,
    pub(in crate::lane) pool: &'l Pool,
    /// For the log.
    pub(in crate::lane) pipeline: &'l str,
    pub(in crate::lane) clock: &'l Clock,
}

impl Migration<'_> {
    /// What the logic holds, in the layout of the module that comes; none if it has the same. `pinned` are the modules
    /// that run.
    pub(in crate::lane) fn to(
        &self,
        module: &LoadedModule,
        pinned: &[PinnedModule],
    ) -> Result<Option<Migrated>, Refusal> {
        let Self { plan, logic, pool, pipeline, clock } = self;
        let Some(from) = other_version(plan, pinned) else { return Ok(None) };
        let started = clock.monotonic();
        let failed = |source| Refusal::Migration { module: module.name.to_string(), from, source };
        let migrated = migrate(logic, pool, plan, from).map_err(failed)?;
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
}

/// Migrates what a logic holds with the module of `plan`. The logic stays as it is.
///
/// # Errors
///
/// Why the plugin could not; nothing has changed.
pub(in crate::lane) fn migrate(
    logic: &Logic,
    pool: &Pool,
    plan: &Plan,
    from: u32,
) -> Result<Migrated, PluginError> {
    let Some(grouped) = plan.logic.grouped() else { return Ok(Migrated { by_worker: Vec::new() }) };
    let mut workers = logic.states();
    let by_worker =
        pool.each_worker(&mut workers, |_, states| migrate_worker(states, grouped, from, pool));
    Ok(Migrated { by_worker: by_worker.into_iter().collect::<Result<_, _>>()? })
}

fn migrate_worker(
    states: &mut States<'_>,
    grouped: &Grouped,
    from: u32,
    pool: &Pool,
) -> Result<Vec<Varlen>, PluginError> {
    let mut runner: MigrationRunner = grouped.stage.runner(&grouped.limits);
    let mut states = states.peekable();
    let mut migrated = Vec::new();
    while states.peek().is_some() {
        let part: Varlen = states.by_ref().take(STATES_PER_PART).collect();
        // Each call has a deadline.
        migrated.push(runner.migrate(from, &part, || pool.beat())?);
    }
    Ok(migrated)
}
