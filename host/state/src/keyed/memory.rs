//! What a table uses, and how it gives back what a peak has left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;

use sluicegate_model::time::EventTime;

use crate::window::hash::{INDEX_ENTRY, used_bytes};

use super::table::{Entry, KeyedTable};

/// Places that are kept, used or not.
const KEPT: usize = 4_096;

impl KeyedTable {
    /// Returns memory after a peak. Between calls and firings: whoever holds an id of a key loses it.
    pub fn tidy(&mut self) {
        if self.entries.len() >= KEPT && self.free.len() >= self.entries.len() / 4 * 3 {
            self.compact();
        }
        if self.queue.capacity() >= KEPT && self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(2 * self.queue.len());
        }
    }

    fn compact(&mut self) {
        let Self { entries, marks, .. } = self;
        let kept = (0..).zip(&*entries).filter(|(_, entry)| !entry.is_empty());
        marks.moved(kept.map(|(id, _)| id));
        entries.retain(|entry| !entry.is_empty());
        self.entries.shrink_to_fit();
        (self.free, self.queue) = (Vec::new(), BinaryHeap::new());
        self.index = HashTable::with_capacity(self.entries.len());
        for (id, entry) in (0..).zip(&self.entries) {
            self.index.insert_unique(entry.hash.get(), id, |_| unreachable!("there is room"));
            self.queue.extend(entry.scheduled.map(|time| Reverse((time, id))));
        }
    }

    /// Bytes used for them. What is left of a peak is not counted: it is given back ([`KeyedTable::tidy`]).
    pub fn bytes(&self) -> usize {
        let entries = self.entries.capacity() * size_of::<Entry>();
        let queue = self.queue.capacity() * size_of::<(EventTime, u32)>();
        self.content_bytes
            + used_bytes(entries, self.len(), size_of::<Entry>())
            + used_bytes(self.index.allocation_size(), self.len(), INDEX_ENTRY)
            + used_bytes(queue, self.queue.len(), size_of::<(EventTime, u32)>())
    }

    /// Bytes of its tables, used or not.
    #[cfg(test)]
    pub(super) fn reserved_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.index.allocation_size()
            + self.queue.capacity() * size_of::<(EventTime, u32)>()
            + self.free.capacity() * size_of::<u32>()
    }
}
