//! A module takes the place of another: everything that can be refused comes before anything changes.
//!
//! The plan is made and the open state migrated beside what runs. Then the lane hands both to those that they are for,
//! between two turns, and the epoch that pins the module holds the migrated state (docs/design/decisions.md#d6).

use std::sync::Arc;

use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;
use sluicegate_sandbox::module::loaded::LoadedModule;

use super::desk::Desk;
use super::intake::Intake;
use super::ledger::Ledger;
use super::logic::Logic;
use super::logic::migrate::Migration;
use super::plan::Plan;
use super::pool::Pool;
use super::refusal::Refusal;

/// What runs, while a module takes a place in it.
pub(super) struct Present<'l> {
    pub(super) config: &'l Pipeline,
    pub(super) clock: &'l Clock,
    pub(super) pool: &'l Pool,
    pub(super) intake: &'l mut Intake,
    pub(super) logic: &'l mut Logic,
    pub(super) ledger: &'l mut Ledger,
}

impl Present<'_> {
    /// At a barrier: puts the modules that were asked for in their places, or has those who asked hear why not.
    pub(super) fn exchange_asked(mut self, desk: &mut Desk) {
        let next = self.ledger.next_epoch();
        for activation in desk.take_activations() {
            let kept = activation.flip(next, |stage, module| self.exchange(stage, module, desk));
            desk.keep(kept);
        }
    }

    /// Refused: what runs stays as it is.
    fn exchange(&mut self, stage: &str, module: &LoadedModule, desk: &Desk) -> Result<(), Refusal> {
        let Self { config, clock, pool, intake, logic, ledger } = self;
        let (before, modules) = ledger.with_successor(stage, module)?;
        let plan = Arc::new(Plan::new(config, &modules)?);
        let migration = Migration { plan: &plan, logic, pool, pipeline: &config.name, clock };
        let migrated = migration.to(module, &ledger.pinned())?;
        // Nothing fails from here on. First what the old module did last, between the last turn and this barrier.
        intake.report();
        logic.report(desk.metrics());
        intake.replan(&plan, pool);
        logic.replan(&plan, pool);
        if let Some(migrated) = migrated {
            migrated.put(logic, pool);
        }
        ledger.replan(&plan, modules);
        desk.exchanged(stage, &plan);
        tracing::info!(
            stage, before = %before.short(), now = %module.digest.short(), "module exchanged"
        );
        Ok(())
    }
}
