//! State and timers of keys, as they stand between the host, which owns them, and a keyed plugin.

use crate::time::EventTime;
use crate::varlen::Varlen;

/// A timer of a group: the order is that in which timers fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// When it fires; after [`EventTime::MIN`].
    pub time: EventTime,
    /// A number that the plugin chose. A key has at most one timer of a time and id.
    pub id: u32,
}

/// The timers of groups: those of group `i` are `offsets[i] .. offsets[i + 1]` of both lists, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerSets {
    /// One more than groups; the first is 0.
    pub offsets: Vec<u32>,
    /// When they fire, of all groups behind each other.
    pub times: Vec<EventTime>,
    /// The id of each of these timers.
    pub ids: Vec<u32>,
}

/// State and timers of groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyedGroups {
    /// One per group. No bytes and no state are the same.
    pub states: Varlen,
    /// As many sets as states.
    pub timers: TimerSets,
}

impl Default for TimerSets {
    fn default() -> Self {
        Self { offsets: vec![0], times: Vec::new(), ids: Vec::new() }
    }
}

impl TimerSets {
    /// The timers of a group.
    pub fn get(&self, group: usize) -> impl ExactSizeIterator<Item = Timer> {
        let range = self.offsets[group] as usize..self.offsets[group + 1] as usize;
        let pairs = self.times[range.clone()].iter().zip(&self.ids[range]);
        pairs.map(|(time, id)| Timer { time: *time, id: *id })
    }

    /// Appends the timers of a group.
    pub fn push(&mut self, timers: impl IntoIterator<Item = Timer>) {
        for Timer { time, id } in timers {
            self.times.push(time);
            self.ids.push(id);
        }
        let end = u32::try_from(self.times.len()).expect("timers are bounded far below 2^32");
        self.offsets.push(end);
    }
}

impl KeyedGroups {
    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// True for a call without groups.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a group, which gets the next index.
    pub fn push(&mut self, state: &[u8], timers: impl IntoIterator<Item = Timer>) {
        self.states.push(state);
        self.timers.push(timers);
    }

    /// Appends group `index` of `other`.
    pub fn push_from(&mut self, other: &Self, index: usize) {
        self.push(other.states.value(index), other.timers.get(index));
    }

    /// Bytes that a group takes in a call.
    pub fn bytes_of(&self, group: usize) -> usize {
        /// A time, an id.
        const TIMER_BYTES: usize = 8 + 4;
        /// Two offsets.
        const GROUP_BYTES: usize = 2 * 4;
        let timers = self.timers.offsets[group + 1] - self.timers.offsets[group];
        self.states.value(group).len() + timers as usize * TIMER_BYTES + GROUP_BYTES
    }

    /// Forgets all groups and keeps the memory.
    pub fn clear(&mut self) {
        self.states.clear();
        self.timers.offsets.truncate(1);
        self.timers.times.clear();
        self.timers.ids.clear();
    }
}
