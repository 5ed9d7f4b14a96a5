//! A module takes the place of another: everything that can be refused comes before anything changes.
//!
//! The plan is made and the open state migrated beside what runs. Then the lane hands both to those that they are for,
//! between two turns, and the epoch that pins the module holds the migrated state (docs/design/decisions.md#d6).

use std::sync::Arc;

use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;
use sluicegate_sandbox::module::load::LoadedModule;

use super::PlacedModule;
use super::intake::Intake;
use super::ledger::Ledger;
use super::logic::Logic;
use super::logic::migrate::{Migrated, Migration};
use super::plan::Plan;
use super::pool::Pool;
use super::refusal::Refusal;

/// A module that fits its stage and has taken over what the one before it knew.
pub(super) struct Exchange {
    /// What every stage runs from then on.
    plan: Arc<Plan>,
    modules: Vec<PlacedModule>,
    /// The open state in the layout of the module, if it has another one.
    migrated: Option<Migrated>,
    /// Which module goes.
    pub(super) before: ModuleDigest,
}

impl Exchange {
    /// Makes it, at a barrier. Nothing of it fails. The plan that holds from now on.
    pub(super) fn make(
        self,
        intake: &mut Intake,
        logic: &mut Logic,
        ledger: &mut Ledger,
        pool: &Pool,
    ) -> Arc<Plan> {
        let Self { plan, modules, migrated, .. } = self;
        intake.replan(&plan, pool);
        logic.replan(&plan, pool);
        if let Some(migrated) = migrated {
            migrated.put(logic);
        }
        ledger.replan(&plan, modules);
        plan
    }
}

/// What runs, while a module is prepared that is to take a place in it.
pub(super) struct Present<'l> {
    pub(super) config: &'l Pipeline,
    pub(super) clock: &'l Clock,
    pub(super) pool: &'l Pool,
    pub(super) logic: &'l Logic,
    pub(super) ledger: &'l Ledger,
}

impl Present<'_> {
    /// Prepares a module for a stage. What runs stays as it is.
    pub(super) fn prepare(&self, stage: &str, module: &LoadedModule) -> Result<Exchange, Refusal> {
        let Self { config, clock, pool, logic, ledger } = self;
        let (before, modules) = ledger.with_successor(stage, module)?;
        let plan = Arc::new(Plan::new(config, &modules)?);
        let migration = Migration { plan: &plan, logic, pool, pipeline: &config.name, clock };
        let migrated = migration.to(module, &ledger.pinned())?;
        Ok(Exchange { plan, modules, migrated, before })
    }
}
