//! The keys of one worker: which a call touches, what it gives back, and which are due at a watermark.
//!
//! ```text
//!  index: key ─► entry            queue: time ─► entry
//!                  state, timers          the first timer, or the end of its life
//! ```
//!
//! The queue holds for each entry one time that is not after the one at which it is due: when that time comes and the
//! entry is not due, because its timer was moved or a row came, it is put back. A key that a thousand rows
//! touch costs no thousand changes of the queue.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;

use super::marks::Marks;
use crate::window::TableHash;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};

/// One key as a checkpoint stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow<'a> {
    /// Generation of the module whose state it is.
    pub generation: u32,
    /// Below [`KEY_SHARDS`](crate::window::KEY_SHARDS); decides which worker restores the row.
    pub shard: u8,
    /// Event time or watermark of its last row, whichever is larger.
    pub touched: EventTime,
    /// The encoded key ([`crate::window::key`]).
    pub key: &'a [u8],
    /// As the plugin last wrote it; empty if only timers are left.
    pub state: &'a [u8],
    /// Ascending.
    pub timers: Cow<'a, [Timer]>,
}

/// Keys with their state and timers, those whose shards belong to one worker.
#[derive(Debug, Default)]
pub struct KeyedTable {
    /// A key without timers is forgotten this long after its last row, µs.
    pub(super) ttl: Option<i64>,
    pub(super) index: HashTable<u32>,
    pub(super) entries: Vec<Entry>,
    pub(super) free: Vec<u32>,
    pub(super) queue: BinaryHeap<Reverse<(EventTime, u32)>>,
    /// Of keys, states and timers.
    pub(super) content_bytes: usize,
    pub(super) stamp: u32,
    /// Which keys are not as the last checkpoint has them.
    pub(super) marks: Marks,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: TableHash,
    pub(super) key: Box<[u8]>,
    state: Box<[u8]>,
    /// Ascending.
    pub(super) timers: Box<[Timer]>,
    /// Where its life begins to end: event time or watermark of its last row, whichever is larger. Not the largest of
    /// all its rows: a key that was forgotten between two of them could not know. [`EventTime::MIN`] until its first row has come, which is
    /// before the call that made the key ends. One time, because there is an entry for every key.
    touched: EventTime,
    /// Its time in the queue.
    pub(super) scheduled: Option<EventTime>,
    /// The call that last touched it, and its index among the groups of that call. Of a firing: how often it has fired.
    pub(super) stamp: u32,
    pub(super) local: u32,
}

/// The groups that one call touches. Reused from call to call.
#[derive(Debug, Default)]
pub struct KeyedCall {
    /// For each row its group's index in `given`.
    pub groups: Vec<u32>,
    /// For each row whether the life of its group is over at its watermark.
    pub expired: Vec<bool>,
    /// State and timers before the call.
    pub given: KeyedGroups,
    entries: Vec<u32>,
}

impl Entry {
    /// A key without state, which no row has touched yet; of no key, a place that is free.
    fn new(hash: TableHash, key: Box<[u8]>) -> Self {
        Self {
            hash,
            key,
            state: Box::default(),
            timers: Box::default(),
            touched: EventTime::MIN,
            scheduled: None,
            stamp: 0,
            local: 0,
        }
    }

    fn content_bytes(&self) -> usize {
        self.key.len() + self.state.len() + size_of_val::<[Timer]>(&self.timers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.timers.is_empty()
    }

    /// When it must be looked at: its first timer, or the end of its life.
    pub(super) fn due(&self, ttl: Option<i64>) -> Option<EventTime> {
        let end = || ttl.map(|ttl| self.touched.plus(ttl));
        self.timers.first().map(|timer| timer.time).or_else(end)
    }
}

impl KeyedTable {
    /// `ttl` in microseconds; none: a key lives until its plugin forgets it.
    pub fn new(ttl: Option<i64>) -> Self {
        Self { ttl, ..Self::default() }
    }

    /// The time to live, if the pipeline file was changed.
    pub fn set_ttl(&mut self, ttl: Option<i64>) {
        if self.ttl != ttl {
            self.ttl = ttl;
            (0..self.entries.len() as u32).for_each(|id| self.schedule(id));
        }
    }

    /// Begins a call: forgets what was touched.
    pub fn begin(&mut self, call: &mut KeyedCall) {
        self.next_stamp();
        call.groups.clear();
        call.expired.clear();
        call.given.clear();
        call.entries.clear();
    }

    pub(super) fn next_stamp(&mut self) {
        if self.stamp == u32::MAX {
            // After four thousand million calls: no entry may carry a stamp that comes again.
            self.entries.iter_mut().for_each(|entry| entry.stamp = 0);
            self.stamp = 0;
        }
        self.stamp += 1;
    }

    /// Adds a row to the call. Whatever becomes of the row, it has touched its key.
    pub fn touch(
        &mut self,
        hash: TableHash,
        key: &[u8],
        time: EventTime,
        watermark: EventTime,
        call: &mut KeyedCall,
    ) {
        let id = self.find_or_insert(hash, key);
        let entry = &mut self.entries[id as usize];
        let end = self.ttl.map(|ttl| entry.touched.plus(ttl));
        call.expired.push(end.is_some_and(|end| end <= watermark));
        entry.touched = time.max(watermark);
        if entry.stamp != self.stamp {
            entry.stamp = self.stamp;
            entry.local = call.entries.len() as u32;
            call.entries.push(id);
            self.marks.note(id);
        }
        call.groups.push(self.entries[id as usize].local);
    }

    /// Collects state and timers of the touched groups. After the last [`KeyedTable::touch`] of the call.
    pub fn gather(&self, call: &mut KeyedCall) {
        for id in &call.entries {
            let entry = &self.entries[*id as usize];
            call.given.push(&entry.state, entry.timers.iter().copied());
        }
    }

    /// Puts back the groups after the call. Keys without state and timers are forgotten.
    pub fn scatter(&mut self, call: &KeyedCall, after: &KeyedGroups) {
        assert_eq!(after.len(), call.entries.len(), "the runner checked how many came back");
        for (index, id) in call.entries.iter().enumerate() {
            self.replace(*id, after, index);
            self.settle(*id);
        }
    }

    /// Takes the first timer of a key, which has one, and appends what is left to `groups`.
    pub fn take_first(&mut self, id: u32, groups: &mut KeyedGroups) -> Timer {
        let entry = &mut self.entries[id as usize];
        self.content_bytes -= entry.content_bytes();
        let first = entry.timers[0];
        entry.timers = entry.timers[1..].into();
        self.content_bytes += entry.content_bytes();
        groups.push(&entry.state, entry.timers.iter().copied());
        self.marks.note(id);
        first
    }

    /// Replaces state and timers of a key by group `index` of `groups`.
    pub fn replace(&mut self, id: u32, groups: &KeyedGroups, index: usize) {
        let entry = &mut self.entries[id as usize];
        self.content_bytes -= entry.content_bytes();
        let state = groups.states.value(index);
        if entry.state.len() == state.len() {
            entry.state.copy_from_slice(state);
        } else {
            entry.state = state.into();
        }
        let timers = groups.timers.get(index);
        if timers.len() == entry.timers.len() {
            entry.timers.iter_mut().zip(timers).for_each(|(old, new)| *old = new);
        } else {
            entry.timers = timers.collect();
        }
        self.content_bytes += entry.content_bytes();
    }

    /// Drops the timers of a key that `keep` does not name.
    pub fn retain_timers(&mut self, id: u32, keep: impl Fn(&Timer) -> bool) {
        let entry = &mut self.entries[id as usize];
        self.content_bytes -= entry.content_bytes();
        entry.timers = entry.timers.iter().copied().filter(|timer| keep(timer)).collect();
        self.content_bytes += entry.content_bytes();
        self.marks.note(id);
    }

    /// After a call or a firing: forgets the key if nothing is left of it, or says when it must be looked at.
    pub fn settle(&mut self, id: u32) {
        if self.entries[id as usize].is_empty() {
            self.forget(id);
        } else {
            self.schedule(id);
        }
    }

    pub(super) fn schedule(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        let Some(due) = entry.due(self.ttl).filter(|_| !entry.is_empty()) else { return };
        if entry.scheduled.is_none_or(|scheduled| due < scheduled) {
            entry.scheduled = Some(due);
            self.queue.push(Reverse((due, id)));
        }
    }

    pub(super) fn forget(&mut self, id: u32) {
        let entry = &mut self.entries[id as usize];
        let entry = std::mem::replace(entry, Entry::new(TableHash::default(), Box::default()));
        self.content_bytes -= entry.content_bytes();
        let occupied = self.index.find_entry(entry.hash.get(), |other| *other == id);
        occupied.expect("every key that lives is in the index").remove();
        self.marks.forgotten(id, entry.key);
        self.free.push(id);
        // What stands in the queue for forgotten keys is skipped when its time comes; where most of it is such, it goes
        // at once.
        if self.queue.len() > 2 * self.len() + 1_024 {
            let entries = &self.entries;
            self.queue.retain(|Reverse((time, id))| entries[*id as usize].scheduled == Some(*time));
        }
    }

    fn find_or_insert(&mut self, hash: TableHash, key: &[u8]) -> u32 {
        let entries = &self.entries;
        let same = |id: &u32| {
            let entry = &entries[*id as usize];
            entry.hash == hash && *entry.key == *key
        };
        if let Some(id) = self.index.find(hash.get(), same) {
            return *id;
        }
        self.insert(hash, key)
    }

    #[cold]
    fn insert(&mut self, hash: TableHash, key: &[u8]) -> u32 {
        let entry = Entry::new(hash, key.into());
        self.content_bytes += entry.content_bytes();
        let id = if let Some(id) = self.free.pop() {
            self.entries[id as usize] = entry;
            id
        } else {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("state is bounded far below 2^32 keys")
        };
        let entries = &self.entries;
        self.index.insert_unique(hash.get(), id, |id| entries[*id as usize].hash.get());
        id
    }

    /// A key as a checkpoint gives it back.
    pub fn restore(&mut self, row: &KeyRow<'_>) {
        let id = self.find_or_insert(TableHash::of(row.key), row.key);
        let mut groups = KeyedGroups::default();
        groups.push(row.state, row.timers.iter().copied());
        self.replace(id, &groups, 0);
        self.entries[id as usize].touched = row.touched;
        self.marks.restored(id);
        self.settle(id);
    }

    /// A checkpoint has all of it.
    pub fn set_saved(&mut self) {
        let Self { entries, marks, .. } = self;
        marks.set_saved(|id| !entries[id as usize].is_empty());
    }

    /// About how many keys are not as the last checkpoint has them.
    pub fn unsaved_len(&self) -> usize {
        self.marks.listed().len() + self.marks.gone().len()
    }

    /// Whether all keys were forgotten at once since the last checkpoint, which is in no delta.
    pub fn is_cleared(&self) -> bool {
        self.marks.is_cleared()
    }

    /// The encoded key of an entry.
    pub fn key(&self, id: u32) -> &[u8] {
        &self.entries[id as usize].key
    }

    /// The state of a key.
    pub fn state(&self, id: u32) -> &[u8] {
        &self.entries[id as usize].state
    }

    /// The timers of a key, ascending.
    pub fn timers(&self, id: u32) -> &[Timer] {
        &self.entries[id as usize].timers
    }

    /// Event time or watermark of a key's last row, whichever is larger.
    pub fn touched(&self, id: u32) -> EventTime {
        self.entries[id as usize].touched
    }

    /// `id` must be that of a key that lives.
    pub fn shard(&self, id: u32) -> u8 {
        crate::window::key_shard(self.key(id))
    }

    /// The keys that live, in no order.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.entries).filter(|(_, entry)| !entry.is_empty()).map(|(id, _)| id)
    }

    /// The states that are not empty, always in the same order.
    pub fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| &*entry.state).filter(|state| !state.is_empty())
    }

    /// Replaces what [`KeyedTable::states`] gives, in that order. A key of which nothing is left is forgotten.
    pub fn set_states<'s>(&mut self, states: &mut impl Iterator<Item = &'s [u8]>) {
        for id in 0..self.entries.len() as u32 {
            let entry = &mut self.entries[id as usize];
            if entry.state.is_empty() {
                continue;
            }
            self.content_bytes -= entry.content_bytes();
            entry.state = states.next().expect("a state for each that there was").into();
            self.content_bytes += entry.content_bytes();
            self.settle(id);
        }
    }

    /// Keys with state or timers; a key of which neither is left is forgotten at once.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True for a new table and when every key was forgotten.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all keys and gives their memory back; the time to live stays.
    pub fn clear(&mut self) {
        *self = Self { marks: Marks::cleared(), ..Self::new(self.ttl) };
    }
}
