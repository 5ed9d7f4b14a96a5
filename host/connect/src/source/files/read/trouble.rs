//! What keeps readers and listings from their work.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluicegate_model::position::Partition;

/// Why nothing is read at the moment, of each reader and of the listing: what one of them can do again says nothing about
/// the others.
#[derive(Default)]
pub(in crate::source::files) struct Trouble(Mutex<BTreeMap<TroubleWith, String>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source::files) enum TroubleWith {
    Listing,
    /// One of the readers that a track has one after the other.
    Reader(Partition, u64),
}

impl Trouble {
    /// Of several the first.
    pub(in crate::source::files) fn get(&self) -> Option<String> {
        self.all().values().next().cloned()
    }

    pub(in crate::source::files) fn begin(&self, with: &TroubleWith, words: String) {
        self.all().insert(with.clone(), words);
    }

    pub(in crate::source::files) fn end(&self, with: &TroubleWith) {
        self.all().remove(with);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TroubleWith, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
