//! The groups of one window: key → accumulator, both in arenas.
//!
//! About 70 bytes a group beside key and accumulator; a million groups with keys and accumulators of 16 bytes
//! each stay below 150 MB. Dropping the table returns all of it at once.

use hashbrown::HashTable;

use super::hash::TableHash;
use super::looks;
use super::row::StateRow;

/// Who looks at open windows. Each is given every change once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watcher {
    /// Console and live stream, when they come to it.
    Live = 0,
    /// Topics of updates, at every barrier.
    Outbox = 1,
}

const WATCHERS: usize = 2;

/// Keys and accumulators of one window.
#[derive(Debug, Default)]
pub struct GroupTable {
    index: HashTable<u32>,
    pub(super) groups: Vec<Group>,
    keys: Vec<u8>,
    states: Vec<u8>,
    /// Bytes of `states` that no group refers to any more.
    states_dead: usize,
    /// For each watcher the groups that changed since it took them.
    changed: [Vec<u32>; WATCHERS],
    /// Its window has fired and is kept for corrections.
    pub(super) fired: bool,
    /// Its first firing goes on: groups that never fired are due.
    pub(super) first: bool,
    /// Groups that changed since their window fired.
    pub(super) pending: Vec<u32>,
    /// Groups that are not as a checkpoint has them, each once.
    pub(super) unsaved: Vec<u32>,
}

/// One group. Grown accumulators move to the end of the arena; shrunken ones keep their room.
#[derive(Debug)]
pub(super) struct Group {
    hash: TableHash,
    key_at: usize,
    state_at: usize,
    key_len: u32,
    state_len: u32,
    state_room: u32,
    /// The call that last touched it, and its index among the groups of that call.
    stamp: u32,
    local: u32,
    /// Rows accumulated since it was made or loaded, saturating. 0: every row was refused, as if it were not there.
    pub(super) rows: u32,
    /// How often it has fired.
    pub(super) revision: u64,
    /// By watcher: it is in the list.
    changed: [bool; WATCHERS],
    pub(super) pending: bool,
    /// It is in the list.
    unsaved: bool,
}

impl GroupTable {
    /// The group of `key`, made if it is new.
    #[inline]
    pub fn find_or_insert(&mut self, hash: TableHash, key: &[u8]) -> u32 {
        let Self { index, groups, keys, .. } = self;
        let same = |id: &u32| {
            let group = &groups[*id as usize];
            group.hash == hash && &keys[group.key_at..group.key_at + group.key_len as usize] == key
        };
        if let Some(id) = index.find(hash.get(), same) {
            return *id;
        }
        self.insert(hash, key)
    }

    #[cold]
    fn insert(&mut self, hash: TableHash, key: &[u8]) -> u32 {
        let id = u32::try_from(self.groups.len()).expect("state is bounded far below 2^32 groups");
        self.groups.push(Group {
            hash,
            key_at: self.keys.len(),
            state_at: self.states.len(),
            key_len: u32::try_from(key.len()).expect("a key is bounded far below 4 GiB"),
            state_len: 0,
            state_room: 0,
            stamp: 0,
            local: 0,
            rows: 0,
            revision: 0,
            changed: [false; WATCHERS],
            pending: false,
            unsaved: false,
        });
        self.keys.extend_from_slice(key);
        let groups = &self.groups;
        self.index.insert_unique(hash.get(), id, |id| groups[*id as usize].hash.get());
        id
    }

    /// A row of the call `stamp` has touched a group. Its index among the groups of that call; `next` if this is the
    /// first time.
    #[inline]
    pub(super) fn touch(&mut self, id: u32, stamp: u32, next: u32) -> u32 {
        let group = &mut self.groups[id as usize];
        if group.stamp != stamp {
            group.stamp = stamp;
            group.local = next;
        }
        group.local
    }

    /// Counts rows to a group. If it is new and its window has fired, a correction is due: true if it is the first.
    pub(super) fn add_rows(&mut self, id: u32, rows: u32) -> bool {
        let group = &mut self.groups[id as usize];
        let is_new = group.rows == 0;
        group.rows = group.rows.saturating_add(rows);
        if is_new {
            self.note_changed(id);
            self.note_unsaved(id);
        }
        is_new && self.note_pending(id)
    }

    /// A group of a window that has fired differs from what was told. True if it is the first.
    fn note_pending(&mut self, id: u32) -> bool {
        if !self.fired || std::mem::replace(&mut self.groups[id as usize].pending, true) {
            return false;
        }
        self.pending.push(id);
        self.pending.len() == 1
    }

    pub(super) fn note_unsaved(&mut self, id: u32) {
        if !std::mem::replace(&mut self.groups[id as usize].unsaved, true) {
            self.unsaved.push(id);
        }
    }

    /// A checkpoint has all of it.
    pub(super) fn set_saved(&mut self) {
        for id in std::mem::take(&mut self.unsaved) {
            self.groups[id as usize].unsaved = false;
        }
    }

    /// Stamps count from 0 again.
    pub(super) fn forget_stamps(&mut self) {
        self.groups.iter_mut().for_each(|group| group.stamp = 0);
    }

    /// Takes back rows that were refused after they were counted.
    pub(super) fn untouch(&mut self, id: u32) {
        let group = &mut self.groups[id as usize];
        group.rows = group.rows.saturating_sub(1);
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// True for a new table; groups leave only with their window.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Bytes held for groups, keys and accumulators. There is no peak to come down from: groups go with their window.
    pub fn bytes(&self) -> usize {
        looks::count();
        self.groups.capacity() * size_of::<Group>()
            + self.index.allocation_size()
            + self.keys.capacity()
            + self.states.capacity()
            + [&self.pending, &self.unsaved]
                .into_iter()
                .chain(&self.changed)
                .map(Vec::capacity)
                .sum::<usize>()
                * size_of::<u32>()
    }

    /// Encoded as in [`super::key`]; `id` must be one of this table.
    pub fn key(&self, id: u32) -> &[u8] {
        let group = &self.groups[id as usize];
        &self.keys[group.key_at..group.key_at + group.key_len as usize]
    }

    /// Shard of a group's key.
    pub fn shard(&self, id: u32) -> u8 {
        super::key_shard(self.key(id))
    }

    /// Accumulator of a group; empty if it has no row yet.
    pub fn state(&self, id: u32) -> &[u8] {
        let group = &self.groups[id as usize];
        &self.states[group.state_at..group.state_at + group.state_len as usize]
    }

    /// The hash of a group's key.
    pub fn hash(&self, id: u32) -> TableHash {
        self.groups[id as usize].hash
    }

    /// The group of `key`, if it is there.
    pub(super) fn find(&self, hash: TableHash, key: &[u8]) -> Option<u32> {
        let same = |id: &u32| self.groups[*id as usize].hash == hash && self.key(*id) == key;
        self.index.find(hash.get(), same).copied()
    }

    /// Whether a group has rows.
    pub(super) fn has_rows(&self, id: u32) -> bool {
        self.groups[id as usize].rows > 0
    }

    /// Gives a group the accumulator of rows that were accumulated elsewhere.
    pub(super) fn adopt(&mut self, id: u32, state: &[u8]) {
        self.groups[id as usize].rows = 1;
        self.set_state(id, state);
    }

    /// Replaces the accumulator of a group after rows were added. If it has changed and its window has fired, a
    /// correction is due: true if it is the first.
    pub(super) fn replace(&mut self, id: u32, state: &[u8]) -> bool {
        let mut is_first = false;
        if self.state(id) != state {
            self.note_changed(id);
            self.note_unsaved(id);
            is_first = self.note_pending(id);
        }
        self.set_state(id, state);
        is_first
    }

    fn note_changed(&mut self, id: u32) {
        let group = &mut self.groups[id as usize];
        for (changed, ids) in group.changed.iter_mut().zip(&mut self.changed) {
            if !std::mem::replace(changed, true) {
                ids.push(id);
            }
        }
    }

    /// Replaces the accumulator of a group.
    pub fn set_state(&mut self, id: u32, state: &[u8]) {
        let group = &mut self.groups[id as usize];
        let length = u32::try_from(state.len()).expect("an accumulator is bounded far below 4 GiB");
        if length > group.state_room {
            self.states_dead += group.state_room as usize;
            group.state_at = self.states.len();
            group.state_room = length;
            self.states.extend_from_slice(state);
        } else {
            self.states[group.state_at..group.state_at + state.len()].copy_from_slice(state);
        }
        group.state_len = length;
        // More than half is dead: moving what lives costs no more than what made it grow.
        if self.states_dead > self.states.len() / 2 && self.states_dead > 4096 {
            self.compact();
        }
    }

    /// The accumulators that are not empty, in the order the groups were made.
    pub(super) fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.ids().map(|id| self.state(id)).filter(|state| !state.is_empty())
    }

    /// Replaces what [`GroupTable::states`] gives, in that order.
    pub(super) fn set_states<'s>(&mut self, states: &mut impl Iterator<Item = &'s [u8]>) {
        let ids: Vec<u32> = self.ids().filter(|id| !self.state(*id).is_empty()).collect();
        for id in ids {
            self.set_state(id, states.next().expect("a state for each that there was"));
        }
    }

    fn compact(&mut self) {
        let mut states = Vec::with_capacity(self.states.len() - self.states_dead);
        for group in &mut self.groups {
            let at = states.len();
            let old = group.state_at..group.state_at + group.state_len as usize;
            states.extend_from_slice(&self.states[old]);
            group.state_at = at;
            group.state_room = group.state_len;
        }
        self.states = states;
        self.states_dead = 0;
    }

    /// A group as a checkpoint gives it back.
    pub fn restore(&mut self, hash: TableHash, row: &StateRow<'_>) {
        let id = self.find_or_insert(hash, row.key);
        self.adopt(id, row.state);
        let group = &mut self.groups[id as usize];
        group.revision = row.revision;
        group.pending = row.is_pending;
        if row.is_pending {
            self.pending.push(id);
        }
        self.fired |= row.revision > 0 || row.is_pending;
    }

    /// The groups that have rows, in the order they were made.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.groups).filter(|(_, group)| group.rows > 0).map(|(id, _)| id)
    }

    /// The groups that changed since the watcher's last call, in the order of their first change. At most `max` at
    /// once; the rest stay.
    pub fn take_changed(&mut self, watcher: Watcher, max: usize) -> Vec<u32> {
        let changed = &mut self.changed[watcher as usize];
        let rest = changed.split_off(max.min(changed.len()));
        let mut taken = std::mem::replace(changed, rest);
        for id in &taken {
            self.groups[*id as usize].changed[watcher as usize] = false;
        }
        taken.retain(|id| self.groups[*id as usize].rows > 0);
        taken
    }

    /// How many groups changed since the watcher's last [`GroupTable::take_changed`].
    pub fn changed_len(&self, watcher: Watcher) -> usize {
        self.changed[watcher as usize].len()
    }
}
