//! Which modules have taken the place of others, as each record tells it: a look at the newest is enough.
//!
//! It is made by comparing what two records pin, so it does not matter who wanted another module: a request, or a
//! pipeline file that names another one at a start.

use super::record::{Activation, Epoch, PinnedModule};
use sluicegate_model::time::EventTime;

/// Activations that a record tells of: what a person looks back at, in a few kilobytes.
pub const ACTIVATIONS_MAX: usize = 16;

/// What was pinned last, and how that came.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) modules: Vec<PinnedModule>,
    pub(super) activations: Vec<Activation>,
}

impl History {
    /// With the modules that the record of `epoch` pins. A stage that was not there before has taken nobody's place.
    pub(super) fn followed_by(
        &self,
        modules: &[PinnedModule],
        epoch: Epoch,
        at: EventTime,
    ) -> Self {
        let took = |now: &PinnedModule| {
            let before = self.modules.iter().find(|before| before.stage == now.stage)?;
            (before.digest != now.digest).then(|| Activation {
                epoch,
                at,
                stage: now.stage.clone(),
                name: now.name.clone(),
                digest: now.digest,
                previous_name: before.name.clone(),
                previous: before.digest,
            })
        };
        let mut activations = self.activations.clone();
        activations.extend(modules.iter().filter_map(took));
        activations.drain(..activations.len().saturating_sub(ACTIVATIONS_MAX));
        Self { modules: modules.to_vec(), activations }
    }
}
