//! What of a module store nobody needs any more. Pure: what was seen goes in, what may go comes out.
//!
//! Bytes are known by their hash, so whoever uploads a module again wants the name of bytes that were deleted, and their deletion
//! may be on its way. Five rules make that harmless; `tests/search/modules.rs` leaves them out one by one and finds a
//! counter-example each time (docs/design/commit.md#modules):
//!
//! * **M1** The newest version of a name stays, so no number is used twice.
//! * **M2** Bytes go in three passes: first the versions that name them, then a tombstone is put for their generation, then,
//!   [`Retention::settle`] later, the bytes. Whoever has found the version before is through by then.
//! * **M3** Who uploads never relies on a generation that was given up.
//! * **M4** What the head of a chain pins stays, and what took another's place lately.
//! * **M5** A version whose bytes were given up gets new ones before it may go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ModuleVersion;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;

/// What stays of the modules that no chain needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest versions of each name stay. One at least.
    pub newest: usize,
    /// A version stays for so long after it was uploaded, as seen from the newest record of whoever collects.
    pub age: Duration,
    /// Bytes stay for so long after they were given up: longer than an upload, an activation or a pass takes.
    pub settle: Duration,
}

impl Retention {
    /// What a person goes back to.
    const NEWEST: usize = 10;
    /// The lane takes an activation within seconds, or as soon as the store does.
    const SETTLE: Duration = Duration::from_secs(24 * 3600);

    /// Versions stay for so long after they were uploaded.
    pub fn for_age(age: Duration) -> Self {
        Self { newest: Self::NEWEST, age, settle: Self::SETTLE }
    }
}

/// The bytes of a module in one generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) digest: ModuleDigest,
    pub(crate) generation: u32,
    /// Bytes of the object.
    pub(crate) size: u64,
}

/// The highest generation of a module that was given up: those below it are as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tombstone {
    pub(crate) generation: u32,
    /// When the store took it, by its own clock.
    pub(crate) put: EventTime,
}

/// What a pass has seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) tombstones: BTreeMap<ModuleDigest, Tombstone>,
    pub(crate) bytes: Vec<Stored>,
    /// Ascending by name and number.
    pub(crate) versions: Vec<ModuleVersion>,
    /// What chains need.
    pub(crate) needed: BTreeSet<ModuleDigest>,
    /// When the pass began, by the store's clock.
    pub(crate) now: EventTime,
}

/// What a pass does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Surplus {
    /// Named, and given up in all generations: put once more, in this generation.
    pub(crate) renewed: Vec<(ModuleDigest, u32)>,
    /// Versions to delete, by name and number.
    pub(crate) versions: Vec<(String, u64)>,
    /// Generations to give up.
    pub(crate) given_up: Vec<(ModuleDigest, u32)>,
    /// Bytes to delete.
    pub(crate) bytes: Vec<Stored>,
}

/// The generation of a module's bytes that an upload puts.
pub(crate) fn next_generation(highest_given_up: Option<u32>) -> u32 {
    highest_given_up.map_or(0, |generation| generation + 1)
}

impl Seen {
    /// What may go of this.
    pub(crate) fn surplus(&self, retention: &Retention) -> Surplus {
        let named: BTreeSet<_> = self.versions.iter().map(|version| version.digest).collect();
        let alive = |stored: &&Stored| !self.is_given_up(stored);
        let living: BTreeSet<_> =
            self.bytes.iter().filter(alive).map(|stored| stored.digest).collect();
        let stored: BTreeSet<_> = self.bytes.iter().map(|stored| stored.digest).collect();
        let renewed = stored.intersection(&named).filter(|digest| !living.contains(digest));
        let unnamed = |stored: &&Stored| {
            !named.contains(&stored.digest) && !self.needed.contains(&stored.digest)
        };
        let has_settled = |stored: &&Stored| {
            let tombstone = self.tombstones.get(&stored.digest);
            tombstone.is_some_and(|tombstone| self.is_past(tombstone.put, retention.settle))
        };
        let (given_up, living_yet): (Vec<_>, Vec<_>) =
            self.bytes.iter().filter(unnamed).partition(|stored| self.is_given_up(stored));
        Surplus {
            renewed: renewed.map(|digest| (*digest, self.next_generation(digest))).collect(),
            versions: self.old_versions(retention, &living),
            given_up: living_yet
                .into_iter()
                .map(|stored| (stored.digest, stored.generation))
                .collect(),
            bytes: given_up.into_iter().filter(has_settled).cloned().collect(),
        }
    }

    fn next_generation(&self, digest: &ModuleDigest) -> u32 {
        next_generation(self.tombstones.get(digest).map(|tombstone| tombstone.generation))
    }

    fn is_given_up(&self, stored: &Stored) -> bool {
        stored.generation < self.next_generation(&stored.digest)
    }

    fn is_past(&self, put: EventTime, age: Duration) -> bool {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        self.now.micros().saturating_sub(put.micros()) >= age
    }

    /// Old versions of which no chain needs the bytes, beyond the newest of their name.
    fn old_versions(
        &self,
        retention: &Retention,
        living: &BTreeSet<ModuleDigest>,
    ) -> Vec<(String, u64)> {
        let of_a_name = self.versions.chunk_by(|a, b| a.name == b.name);
        let beyond = of_a_name.flat_map(|all| &all[..all.len().saturating_sub(retention.newest)]);
        let may_go = |version: &&ModuleVersion| {
            living.contains(&version.digest)
                && !self.needed.contains(&version.digest)
                && self.is_past(version.uploaded, retention.age)
        };
        beyond.filter(may_go).map(|version| (version.name.clone(), version.number)).collect()
    }
}
