//! Which groups of a window are to fire, and how often each has.

use super::groups::GroupTable;

impl GroupTable {
    /// Whether the window has fired with all that it has.
    pub(super) fn is_settled(&self) -> bool {
        self.fired && self.pending.is_empty()
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

    /// The groups that are to fire, by key: all of them the first time, afterwards those that changed.
    pub(super) fn due_by_key(&mut self) -> Vec<u32> {
        let mut due =
            if self.fired { std::mem::take(&mut self.pending) } else { self.ids().collect() };
        for id in &due {
            self.groups[*id as usize].pending &= self.has_rows(*id);
        }
        due.retain(|id| self.has_rows(*id));
        due.sort_unstable_by(|a, b| self.key(*a).cmp(self.key(*b)));
        due
    }

    /// The first of them fires: from here on those are pending that have not.
    pub(super) fn begin_firing(&mut self) {
        if !std::mem::replace(&mut self.fired, true) {
            for id in 0..self.groups.len() as u32 {
                let group = &mut self.groups[id as usize];
                group.pending = group.rows > 0;
                self.note_unsaved(id);
            }
        }
    }

    /// A group fires. Its revision.
    pub(super) fn fire(&mut self, id: u32) -> u64 {
        self.groups[id as usize].pending = false;
        self.next_revision(id)
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
    pub(super) fn is_pending(&self, id: u32) -> bool {
        self.groups[id as usize].pending
    }

    /// Whether the window has fired with all that the group has.
    pub fn is_told(&self, id: u32) -> bool {
        self.fired && !self.groups[id as usize].pending
    }
}
