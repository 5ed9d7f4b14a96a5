//! Groups on their way to the sinks: copies, so that evaluating them changes nothing.

use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

use super::groups::GroupTable;

/// Groups that are handed on at once: few enough that they are small beside a turn.
pub const GROUPS_PER_CALL: usize = 8_192;

/// A group of a window and key, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct OpenGroup<'g> {
    /// `[start, end)` of its window, µs.
    pub bounds: WindowBounds,
    /// Encoded ([`super::key`]).
    pub key: &'g [u8],
    /// Its accumulator, as the plugin wrote it.
    pub state: &'g [u8],
    /// How often it has fired before.
    pub revision: u64,
}

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
            let (key, state) = (groups.key(*id), groups.state(*id));
            firing.push(OpenGroup { bounds, key, state, revision: groups.revision(*id) });
        }
        firing
    }

    /// Copies key and accumulator into the arenas.
    pub fn push(&mut self, group: OpenGroup<'_>) {
        self.bounds.push(group.bounds);
        self.keys.push(group.key);
        self.states.push(group.state);
        self.revisions.push(group.revision);
    }

    /// The group at an index below [`Firing::len`].
    pub fn group(&self, index: usize) -> OpenGroup<'_> {
        OpenGroup {
            bounds: self.bounds[index],
            key: self.keys.value(index),
            state: self.states.value(index),
            revision: self.revisions[index],
        }
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
