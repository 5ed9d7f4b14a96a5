//! Timers of groups, as sorted lists.

use crate::moment::Timestamp;

/// A timer: when, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// It fires when the watermark has passed this time.
    pub at: Timestamp,
    /// The plugin's own number for it.
    pub id: u32,
}

/// The timers of groups: those of group `i` are `offsets[i] .. offsets[i + 1]`, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerSets {
    /// One more than groups; the first is 0.
    pub offsets: Vec<u32>,
    /// Microseconds since 1970 UTC.
    pub times: Vec<i64>,
    /// The plugin's numbers.
    pub ids: Vec<u32>,
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct TimerSetsRef<'a> {
    /// One more than groups; the first is 0.
    pub offsets: &'a [u32],
    /// Microseconds since 1970 UTC.
    pub times: &'a [i64],
    /// The plugin's numbers.
    pub ids: &'a [u32],
}

impl TimerSets {
    /// No groups.
    pub fn new() -> Self {
        Self { offsets: vec![0], times: Vec::new(), ids: Vec::new() }
    }

    /// Appends the timers of a group.
    pub fn push(&mut self, timers: &[Timer]) {
        self.times.extend(timers.iter().map(|timer| timer.at.0));
        self.ids.extend(timers.iter().map(|timer| timer.id));
        self.offsets.push(crate::varlen::offset(self.times.len()));
    }

    /// The same timers, borrowed.
    pub fn borrow(&self) -> TimerSetsRef<'_> {
        TimerSetsRef { offsets: &self.offsets, times: &self.times, ids: &self.ids }
    }
}

impl Default for TimerSets {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> TimerSetsRef<'a> {
    /// The timers of group `index`.
    pub fn get(self, index: usize) -> impl Iterator<Item = Timer> + use<'a> {
        let range = self.offsets[index] as usize..self.offsets[index + 1] as usize;
        let pairs = self.times[range.clone()].iter().zip(&self.ids[range]);
        pairs.map(|(time, id)| Timer { at: Timestamp(*time), id: *id })
    }
}

/// A change of the timers of a group, to be undone if the row is refused.
pub(super) enum Change {
    Set(Timer),
    Deleted(Timer),
}

/// Sets a timer. Whether it was not there.
pub(super) fn set(timers: &mut Vec<Timer>, timer: Timer) -> bool {
    // Most timers are set behind those that there are.
    if timers.last().is_none_or(|last| *last < timer) {
        timers.push(timer);
        return true;
    }
    match timers.binary_search(&timer) {
        Ok(_) => false,
        Err(place) => {
            timers.insert(place, timer);
            true
        }
    }
}

/// Undoes changes, the last first.
#[cold]
pub(super) fn undo(timers: &mut Vec<Timer>, changes: &mut Vec<Change>) {
    for change in changes.drain(..).rev() {
        match change {
            Change::Deleted(timer) => _ = set(timers, timer),
            Change::Set(timer) => timers.retain(|other| *other != timer),
        }
    }
}
