//! The open windows of one worker: which groups a call of the aggregate touches, and what it gives back.

use crate::plugin::WindowBounds;
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;

use super::groups::GroupTable;

/// Open windows, ascending by start, with the groups whose key belongs to this worker's shards.
#[derive(Debug, Default)]
pub struct KeyedState {
    windows: Vec<OpenWindow>,
    /// Where the last row's window stood: rows of a batch mostly share one.
    last: usize,
    stamp: u32,
}

/// A window that has not fired.
#[derive(Debug)]
pub struct OpenWindow {
    /// `[start, end)`.
    pub bounds: WindowBounds,
    /// Its groups.
    pub groups: GroupTable,
}

/// The groups that one call of the aggregate touches. Reused from call to call.
#[derive(Debug, Default)]
pub struct Touched {
    /// For each row of the call its group's index in `states`.
    pub groups: Vec<u32>,
    /// The accumulators before the call.
    pub states: Varlen,
    /// Where each of them lives: index of the window's start, group.
    places: Vec<(i64, u32)>,
}

impl KeyedState {
    /// Begins a call: forgets what was touched.
    pub fn begin(&mut self, touched: &mut Touched) {
        if self.stamp == u32::MAX {
            // After four thousand million calls: no group may carry a stamp that comes again.
            self.restamp();
        }
        self.stamp += 1;
        touched.groups.clear();
        touched.places.clear();
    }

    fn restamp(&mut self) {
        let mut bytes = Vec::new();
        super::snapshot::encode(std::iter::once(&*self), 0, &mut bytes);
        *self = Self::default();
        super::snapshot::decode(&bytes, |row| self.restore(&row)).expect("encoded a moment ago");
    }

    /// Adds a row to the call.
    #[inline]
    pub fn touch(&mut self, bounds: WindowBounds, hash: u64, key: &[u8], touched: &mut Touched) {
        let window = self.window(bounds);
        let id = window.groups.find_or_insert(hash, key);
        let next = touched.places.len() as u32;
        let stamp = self.stamp;
        let local = self.windows[self.last].groups.touch(id, stamp, next);
        if local == next {
            touched.places.push((bounds.start, id));
        }
        touched.groups.push(local);
    }

    #[inline]
    fn window(&mut self, bounds: WindowBounds) -> &mut OpenWindow {
        let cached = self.windows.get(self.last);
        if cached.is_none_or(|window| window.bounds.start != bounds.start) {
            self.last = self.find_or_open(bounds);
        }
        &mut self.windows[self.last]
    }

    fn find_or_open(&mut self, bounds: WindowBounds) -> usize {
        match self.windows.binary_search_by_key(&bounds.start, |window| window.bounds.start) {
            Ok(index) => index,
            Err(index) => {
                self.windows.insert(index, OpenWindow { bounds, groups: GroupTable::default() });
                index
            }
        }
    }

    /// Collects the accumulators of the touched groups. After the last [`KeyedState::touch`] of the call.
    pub fn gather(&self, touched: &mut Touched) {
        touched.states.clear();
        for (start, id) in &touched.places {
            touched.states.push(self.groups_at(*start).state(*id));
        }
    }

    /// Puts back the accumulators after the call, and takes back the rows that were refused (indexes of rows of
    /// the call).
    pub fn scatter(
        &mut self,
        touched: &Touched,
        states: &Varlen,
        refused: impl Iterator<Item = u32>,
    ) {
        assert_eq!(states.len(), touched.places.len(), "the runner checked how many came back");
        for ((start, id), state) in touched.places.iter().zip(states.iter()) {
            self.groups_at_mut(*start).set_state(*id, state);
        }
        for row in refused {
            let (start, id) = touched.places[touched.groups[row as usize] as usize];
            self.groups_at_mut(start).untouch(id);
        }
    }

    fn groups_at(&self, start: i64) -> &GroupTable {
        let index = self.windows.binary_search_by_key(&start, |window| window.bounds.start);
        &self.windows[index.expect("windows fire between calls only")].groups
    }

    fn groups_at_mut(&mut self, start: i64) -> &mut GroupTable {
        let index = self.windows.binary_search_by_key(&start, |window| window.bounds.start);
        &mut self.windows[index.expect("windows fire between calls only")].groups
    }

    /// Removes and returns the windows that the watermark has passed, ascending.
    pub fn fire(&mut self, watermark: Watermark) -> Vec<OpenWindow> {
        let passed = |window: &OpenWindow| watermark.has_passed(EventTime(window.bounds.end));
        if !self.windows.iter().any(passed) {
            return Vec::new();
        }
        self.last = 0;
        self.windows.extract_if(.., |window| passed(window)).collect()
    }

    /// The open windows, ascending.
    pub fn windows(&self) -> &[OpenWindow] {
        &self.windows
    }

    /// The open windows, for taking their changed groups.
    pub fn windows_mut(&mut self) -> &mut [OpenWindow] {
        &mut self.windows
    }

    /// A group as a checkpoint gives it back.
    pub fn restore(&mut self, row: &super::snapshot::StateRow<'_>) {
        let hash = super::key_hash(row.key);
        self.window(row.bounds).groups.restore(hash, row.key, row.state);
    }

    /// Open groups in all windows.
    pub fn groups_len(&self) -> usize {
        self.windows.iter().map(|window| window.groups.len()).sum()
    }

    /// Bytes held for them.
    pub fn bytes(&self) -> usize {
        self.windows.iter().map(|window| window.groups.bytes()).sum()
    }
}
