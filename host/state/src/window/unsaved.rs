//! What of windows is not as the last checkpoint has it.

use super::groups::GroupTable;
use super::state::{KeyedState, OpenWindow};

impl GroupTable {
    /// The groups that have rows and are not as the last checkpoint has them, in no order.
    pub(super) fn unsaved(&self) -> impl Iterator<Item = u32> {
        self.unsaved.iter().copied().filter(|id| self.has_rows(*id))
    }

    /// At least as many groups as [`GroupTable::unsaved`] gives.
    pub(super) fn unsaved_len(&self) -> usize {
        self.unsaved.len()
    }
}

impl OpenWindow {
    fn set_saved(&mut self) {
        self.saved |= self.groups.unsaved_len() > 0;
        self.groups.set_saved();
    }
}

impl KeyedState {
    /// A checkpoint has all of it.
    pub fn set_saved(&mut self) {
        let windows = self.windows.iter_mut();
        windows.chain(self.fired.values_mut()).for_each(OpenWindow::set_saved);
        self.gone = Vec::new();
    }

    /// About how many groups are not as the last checkpoint has them.
    pub fn unsaved_len(&self) -> usize {
        let windows = self.windows.iter().chain(self.fired.values());
        windows.map(|window| window.groups.unsaved_len()).sum()
    }

    /// Whether there is anything to store of it.
    pub(super) fn has_rows(&self) -> bool {
        let mut windows = self.windows.iter().chain(self.fired.values());
        windows.any(|window| window.groups.ids().next().is_some())
    }
}
