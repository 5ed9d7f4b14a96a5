//! Records by what became of them, as counters.

use super::instrument::Counter;
use sluicegate_chain::fates::Fates;

/// `read = accepted + filtered + late + dead_lettered` between two turns.
#[derive(Debug, Default)]
pub struct FateCounters {
    /// Records taken from the source.
    pub read: Counter,
    /// At least one row reached a window or a raw sink.
    pub accepted: Counter,
    /// No row was left after the filters and maps.
    pub filtered: Counter,
    /// All rows that were left were late.
    pub late: Counter,
    /// Any of it was dead-lettered.
    pub dead_lettered: Counter,
}

impl FateCounters {
    /// Every fate with its name: what `read` is the sum of.
    pub fn fates(&self) -> [(&'static str, u64); 4] {
        let Self { read: _, accepted, filtered, late, dead_lettered } = self;
        [
            ("accepted", accepted.get()),
            ("filtered", filtered.get()),
            ("late", late.get()),
            ("dead_lettered", dead_lettered.get()),
        ]
    }

    /// Adds what a turn made of its records.
    pub fn add(&self, fates: &Fates) {
        let Fates { read, accepted, filtered, late, dead_lettered } = *fates;
        self.read.add(read);
        self.accepted.add(accepted);
        self.filtered.add(filtered);
        self.late.add(late);
        self.dead_lettered.add(dead_lettered);
    }
}
