//! Groups on their way to the sinks: copies, so that evaluating them changes nothing.

use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

use super::groups::GroupTable;

/// Groups that are handed on at once: few enough that they are small beside a turn.
pub const GROUPS_PER_CALL: usize = 8_192;

/// Groups to evaluate, each with its window.
#[derive(Debug, Default)]
pub struct Firing {
    /// `[start, end)` of each group's window, µs; as long as `keys` and `states`.
    pub bounds: Vec<WindowBounds>,
    /// Encoded keys ([`super::key`]).
    pub keys: Varlen,
    /// Accumulators as the plugin wrote them, each of the key and window at its index.
    pub states: Varlen,
    /// How often each has fired before.
    pub revisions: Vec<u64>,
}

impl Firing {
    /// Some groups of one window.
    pub fn of(bounds: WindowBounds, groups: &GroupTable, ids: &[u32]) -> Self {
        let mut firing = Self::default();
        for id in ids {
            firing.push(bounds, groups.key(*id), groups.state(*id), groups.revision(*id));
        }
        firing
    }

    /// Copies key and accumulator into the arenas.
    pub fn push(&mut self, bounds: WindowBounds, key: &[u8], state: &[u8], revision: u64) {
        self.bounds.push(bounds);
        self.keys.push(key);
        self.states.push(state);
        self.revisions.push(revision);
    }

    /// Groups, each with one window.
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// True if nothing fires.
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }
}
