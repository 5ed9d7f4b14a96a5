//! Which groups of a window are to fire, and how often each has.

use std::ops::Range;

use super::groups::GroupTable;

impl GroupTable {
    /// Whether the window has fired with all that it has.
    pub(super) fn is_settled(&self) -> bool {
        self.fired && !self.first && self.pending.is_empty()
    }

    /// The groups that are to fire: all of them the first time, afterwards those that changed.
    pub(super) fn take_due(&mut self) -> Vec<u32> {
        if !self.fired {
            self.fired = true;
            return self.ids().collect();
        }
        let mut due = std::mem::take(&mut self.pending);
        for id in &due {
            self.groups[*id as usize].pending = false;
        }
        due.retain(|id| self.has_rows(*id));
        due
    }

    /// Where those groups stand that are to fire. A window that fires for the first time has no list of them.
    pub(super) fn take_candidates(&mut self) -> Candidates {
        let listed = std::mem::take(&mut self.pending);
        match !self.fired || self.first {
            true => Candidates::All(0..self.groups.len() as u32),
            false => Candidates::Listed(listed),
        }
    }

    /// Whether a candidate is to fire.
    pub(super) fn is_due(&mut self, id: u32) -> bool {
        let has_rows = self.has_rows(id);
        self.groups[id as usize].pending &= has_rows;
        has_rows && (!self.fired || self.is_pending(id))
    }

    /// The first of them fires: from here on those are pending that never have.
    pub(super) fn begin_firing(&mut self) {
        self.first |= !std::mem::replace(&mut self.fired, true);
    }

    /// All that were due have fired.
    pub(super) fn end_firing(&mut self) {
        self.first = false;
    }

    /// Groups have fired, by what a checkpoint gave back, here or with another worker. Those that never have are due, as in a window
    /// whose first firing goes on.
    pub(super) fn go_on_firing(&mut self) {
        self.fired = true;
        let mut groups = self.groups.iter();
        self.first = groups.any(|group| group.rows > 0 && group.revision == 0 && !group.pending);
    }

    /// A group fires. Its revision.
    pub(super) fn fire(&mut self, id: u32) -> u64 {
        self.note_unsaved(id);
        self.fire_for_good(id)
    }

    /// The same of a group that takes no more rows: no checkpoint need have it any more.
    pub(super) fn fire_for_good(&mut self, id: u32) -> u64 {
        let group = &mut self.groups[id as usize];
        group.pending = false;
        let revision = group.revision;
        group.revision = revision.saturating_add(1);
        revision
    }

    /// The revision that fires now; the next one is higher.
    pub(super) fn next_revision(&mut self, id: u32) -> u64 {
        self.note_unsaved(id);
        let group = &mut self.groups[id as usize];
        let revision = group.revision;
        group.revision = revision.saturating_add(1);
        revision
    }

    /// Takes note of how often a group has fired.
    pub(super) fn set_revision(&mut self, id: u32, revision: u64) {
        self.groups[id as usize].revision = revision;
    }

    /// How often a group has fired.
    pub fn revision(&self, id: u32) -> u64 {
        self.groups[id as usize].revision
    }

    /// Whether a group has changed since its window fired.
    pub(super) fn has_changed(&self, id: u32) -> bool {
        self.groups[id as usize].pending
    }

    /// The same, or it has never fired.
    pub(super) fn is_pending(&self, id: u32) -> bool {
        let group = &self.groups[id as usize];
        group.pending || self.first && group.rows > 0 && group.revision == 0
    }

    /// Whether the window has fired with all that the group has.
    pub fn is_told(&self, id: u32) -> bool {
        self.fired && !self.is_pending(id)
    }
}

/// Groups of a table among which those stand that are to fire.
#[derive(Debug)]
pub(super) enum Candidates {
    All(Range<u32>),
    Listed(Vec<u32>),
}

impl Candidates {
    /// How many are left, at most.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(ids) => ids.len(),
            Self::Listed(ids) => ids.len(),
        }
    }
}

impl Iterator for Candidates {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self {
            Self::All(ids) => ids.next(),
            Self::Listed(ids) => ids.pop(),
        }
    }
}
