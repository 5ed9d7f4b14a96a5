//! A change of module that was asked for. A module takes the place of another at the barrier: the record of that epoch
//! says which module runs from there on, and the activation is answered when that record is durable
//! (docs/design/decisions.md#d4).

use sluicegate_chain::record::Epoch;
use sluicegate_sandbox::module::loaded::LoadedModule;

use super::command::{Reply, answer};
use crate::lane::PlacedModule;
use crate::lane::refusal::Refusal;

/// A change of module that was asked for.
pub(in crate::lane) struct Activation {
    stage: String,
    module: LoadedModule,
    /// The epoch whose record pins it, once frozen.
    epoch: Option<Epoch>,
    reply: Reply,
}

impl Activation {
    /// What was asked.
    pub(super) fn new(stage: String, module: LoadedModule, reply: Reply) -> Self {
        Self { stage, module, epoch: None, reply }
    }

    /// Whether it still waits for its barrier.
    pub(super) fn is_asked(&self) -> bool {
        self.epoch.is_none()
    }

    /// At its barrier: the module is put in its place by `flip`, and `next` pins it. None: it was refused, and
    /// answered.
    pub(in crate::lane) fn flip(
        self,
        next: Epoch,
        flip: impl FnOnce(&str, &LoadedModule) -> Result<(), Refusal>,
    ) -> Option<Self> {
        if self.epoch.is_some() {
            return Some(self);
        }
        match flip(&self.stage, &self.module) {
            Ok(()) => Some(Self { epoch: Some(next), ..self }),
            Err(refusal) => {
                answer(self.reply, Err(refusal));
                None
            }
        }
    }

    /// The record of this epoch is durable: answers if it pins the module. What waits on comes back.
    pub(super) fn answer(self, committed: Epoch) -> Option<Self> {
        if self.epoch.is_none_or(|epoch| epoch > committed) {
            return Some(self);
        }
        answer(self.reply, Ok(committed));
        None
    }
}

impl PlacedModule {
    /// The module that takes the place of another.
    pub(in crate::lane) fn successor(before: &Self, module: LoadedModule) -> Self {
        let mut pinned = before.pinned.clone();
        pinned.name = module.name.to_string();
        pinned.digest = module.digest;
        pinned.generation += 1;
        pinned.state_version = module.description.state_version;
        Self { stage: before.stage.clone(), module, pinned }
    }
}
