//! A module takes the place of another at the barrier: the record of that epoch says which module runs from there
//! on, and the activation is answered when that record is durable (DESIGN.md D4).

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::chain::record::{ChainRecord, Epoch};
use crate::plugin::load::LoadedModule;

use super::migrate::{Migrated, migrate, other_version};
use super::plan::Plan;
use super::{Lane, PlacedModule};

/// A change of module that was asked for.
pub(super) struct Activation {
    stage: String,
    module: LoadedModule,
    /// The epoch whose record pins it, once frozen.
    epoch: Option<Epoch>,
    reply: oneshot::Sender<Result<Epoch, String>>,
}

impl Activation {
    /// Whether it still waits for its barrier.
    pub(super) fn is_asked(&self) -> bool {
        self.epoch.is_none()
    }
}

impl Lane {
    /// Takes note of an activation. It forces a barrier after this turn.
    pub(super) fn activate(
        &mut self,
        stage: &str,
        module: LoadedModule,
        reply: oneshot::Sender<Result<Epoch, String>>,
    ) {
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
                if let Err(reason) = self.flip(&activation.stage, &activation.module) {
                    // Whoever asked may have gone away; nothing was changed.
                    let _ = activation.reply.send(Err(reason));
                    continue;
                }
                activation.epoch = Some(next);
            }
            waiting.push(activation);
        }
        self.activations = waiting;
    }

    fn flip(&mut self, stage: &str, module: &LoadedModule) -> Result<(), String> {
        let mut modules = self.modules.clone();
        let placed = modules.iter_mut().find(|placed| *placed.stage.id == *stage);
        let placed = placed.ok_or_else(|| format!("this pipeline has no stage `{stage}`"))?;
        let before = placed.pinned.digest;
        *placed = PlacedModule::successor(placed, module.clone());
        let plan = Plan::new(&self.config, &modules).map_err(|error| error.to_string())?;
        let migrated = self.migrated(&plan, module)?;
        // What the old module did last, between the last turn and this barrier.
        self.report_plugins();
        self.pool.replan(&plan);
        if let Some(migrated) = migrated {
            self.pool.adopt(&migrated);
        }
        self.plan = plan;
        self.modules = modules;
        self.publish_stages();
        if let Some(metrics) = self.outside.metrics.stage(stage) {
            metrics.activated(self.clock.wall_micros());
        }
        tracing::info!(stage, before = %before.short(), now = %module.digest.short(), "module exchanged");
        Ok(())
    }

    /// The open state in the layout of the new module, if that is another one.
    fn migrated(&mut self, plan: &Plan, module: &LoadedModule) -> Result<Option<Migrated>, String> {
        let made_by = self.modules.iter().map(|placed| &placed.pinned);
        let Some(from) = other_version(plan, made_by) else { return Ok(None) };
        let started = self.clock.monotonic();
        let migrated = migrate(&mut self.pool, plan, from).map_err(|error| {
            format!(
                "`migrate` of module `{}` failed on a state of version {from}: {error}; what runs goes on",
                module.name
            )
        })?;
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
                // Whoever asked may have gone away; the record stands.
                let _ = activation.reply.send(Ok(record.epoch));
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
