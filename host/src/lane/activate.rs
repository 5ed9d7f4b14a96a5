//! A module takes the place of another at the barrier: the record of that epoch says which module
//! runs from there on, and the activation is answered when that record is durable
//! (docs/design/decisions.md#d4).

use std::sync::Arc;

use crate::chain::record::{ChainRecord, Epoch};
use crate::plugin::load::LoadedModule;

use super::command::{Refusal, Reply, answer};
use super::heard::TurnSize;
use super::migrate::{Migrated, migrate, other_version};
use super::plan::Plan;
use super::{Lane, PlacedModule};

/// A change of module that was asked for.
pub(super) struct Activation {
    stage: String,
    module: LoadedModule,
    /// The epoch whose record pins it, once frozen.
    epoch: Option<Epoch>,
    reply: Reply,
}

impl Activation {
    /// Whether it still waits for its barrier.
    pub(super) fn is_asked(&self) -> bool {
        self.epoch.is_none()
    }
}

impl Lane {
    /// Takes note of an activation. It forces a barrier after this turn.
    pub(super) fn activate(&mut self, stage: &str, module: LoadedModule, reply: Reply) {
        self.activations.push(Activation { stage: stage.to_owned(), module, epoch: None, reply });
        self.dirty = true;
    }

    /// At the barrier: rows up to here went through the old modules, rows from here on go through the new ones.
    /// A module that does not fit is refused, and what runs goes on.
    pub(super) fn flip_modules(&mut self) {
        let next = self.epoch.next();
        let mut waiting = Vec::new();
        for mut activation in std::mem::take(&mut self.activations) {
            if activation.epoch.is_none() {
                if let Err(refusal) = self.flip(&activation.stage, &activation.module) {
                    answer(activation.reply, Err(refusal));
                    continue;
                }
                activation.epoch = Some(next);
            }
            waiting.push(activation);
        }
        self.activations = waiting;
    }

    fn flip(&mut self, stage: &str, module: &LoadedModule) -> Result<(), Refusal> {
        let mut modules = self.modules.clone();
        let placed = modules.iter_mut().find(|placed| *placed.stage.id == *stage);
        let placed = placed.ok_or_else(|| Refusal::NoStage(stage.to_owned()))?;
        let before = placed.pinned.digest;
        *placed = PlacedModule::successor(placed, module.clone());
        let plan = Plan::new(&self.config, &modules)?;
        let migrated = self.migrated(&plan, module)?;
        // What the old module did last, between the last turn and this barrier.
        self.report_plugins();
        self.pool.replan(&plan);
        if let Some(migrated) = migrated {
            self.pool.adopt(&migrated);
        }
        self.plan = plan;
        self.modules = modules;
        self.turn_size = TurnSize::ONE;
        self.publish_stages();
        if let Some(metrics) = self.outside.metrics.stage(stage) {
            metrics.activated(self.clock.wall_micros());
        }
        tracing::info!(stage, before = %before.short(), now = %module.digest.short(), "module exchanged");
        Ok(())
    }

    /// The open state in the layout of the new module, if that is another one.
    fn migrated(
        &mut self,
        plan: &Plan,
        module: &LoadedModule,
    ) -> Result<Option<Migrated>, Refusal> {
        let made_by = self.modules.iter().map(|placed| &placed.pinned);
        let Some(from) = other_version(plan, made_by) else { return Ok(None) };
        let started = self.clock.monotonic();
        let failed = |source| Refusal::Migration { module: module.name.to_string(), from, source };
        let migrated = migrate(&mut self.pool, plan, from).map_err(failed)?;
        let took = self.clock.monotonic().saturating_sub(started);
        tracing::info!(
            pipeline = %self.config.name, from, to = module.description.state_version,
            states = migrated.len(), ?took, "open state migrated"
        );
        Ok(Some(migrated))
    }

    /// Answers those who asked for the modules that this record pins.
    pub(super) fn answer_activations(&mut self, record: &Arc<ChainRecord>) {
        for activation in std::mem::take(&mut self.activations) {
            if activation.epoch.is_some_and(|epoch| epoch <= record.epoch) {
                answer(activation.reply, Ok(record.epoch));
            } else {
                self.activations.push(activation);
            }
        }
    }

    /// How many modules the stage with state has had: the generation of its state rows.
    pub(super) fn state_generation(&self) -> u32 {
        let stage = self.config.stateful_stage().map(|stage| &stage.id);
        let placed = self.modules.iter().find(|placed| Some(&placed.stage.id) == stage);
        placed.map_or(0, |placed| placed.pinned.generation)
    }
}

impl PlacedModule {
    /// The module that takes the place of another.
    pub(super) fn successor(before: &Self, module: LoadedModule) -> Self {
        let mut pinned = before.pinned.clone();
        pinned.name = module.name.to_string();
        pinned.digest = module.digest;
        pinned.generation += 1;
        pinned.state_version = module.description.state_version;
        Self { stage: before.stage.clone(), module, pinned }
    }
}
