//! What became of records, counted: each that was read has one fate.

use serde::{Deserialize, Serialize};

/// What a turn of events made of each record of a partition since the genesis:
/// `read = accepted + filtered + late + dead_lettered`, one fate per source record
/// (docs/guarantees.md#g4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fates {
    /// Records taken from the source.
    pub read: u64,
    /// At least one row reached a window or a raw sink, and none was dead-lettered.
    pub accepted: u64,
    /// No row was left after the filters and maps.
    pub filtered: u64,
    /// Rows were left, all of them late.
    pub late: u64,
    /// Any of it was dead-lettered.
    pub dead_lettered: u64,
}

impl Fates {
    /// With those of other records, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// Without those that had been counted before.
    /// Panics if there were more of them: counts only grow.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.each(before, u64::strict_sub)
    }

    fn each(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            read: join(self.read, other.read),
            accepted: join(self.accepted, other.accepted),
            filtered: join(self.filtered, other.filtered),
            late: join(self.late, other.late),
            dead_lettered: join(self.dead_lettered, other.dead_lettered),
        }
    }
}
