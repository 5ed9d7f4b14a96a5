//! What a poll may still take, whichever way its records come.

use crate::source::PollLimits;

/// What a poll may still take.
pub(super) struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    /// Nothing was taken yet.
    pub(super) fn of(limits: &PollLimits) -> Self {
        Self { records: limits.records, bytes: limits.bytes }
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// A record was taken.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize) {
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_untouched(&self, limits: &PollLimits) -> bool {
        self.records == limits.records
    }
}
