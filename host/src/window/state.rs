//! The open windows of one worker, or the panes of sliding ones: which groups a call of the aggregate touches, and
//! what it gives back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use crate::model::window::WindowBounds;
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;

use super::firing::{Firing, GROUPS_PER_CALL};
use super::groups::GroupTable;
use super::hash::TableHash;
use super::slides::Slides;

/// Where rows lie: a window, or a pane of several windows, of which the first `skipped` must not see them.
///
/// A row that is late for one window and on time for the next lies in the same pane as rows that are on time for both,
/// and the first window may not have fired yet, because another partition is behind. Such rows are kept apart, so
/// that what a window shows does not depend on when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// `[start, end)` of the window or pane.
    pub bounds: WindowBounds,
    /// Mostly 0.
    pub skipped: u32,
}

impl Place {
    /// All of time: the window of those that have none.
    pub const EVER: Self =
        Self { bounds: WindowBounds { start: i64::MIN, end: i64::MAX }, skipped: 0 };

    /// No two places of a lane have the same.
    fn id(&self) -> PlaceId {
        (self.bounds.start, self.skipped)
    }
}

/// Start and skipped windows of a place: ascending as the places lie.
type PlaceId = (i64, u32);

/// Open windows or panes, ascending by start, with the groups whose key belongs to this worker's shards.
#[derive(Debug, Default)]
pub struct KeyedState {
    windows: VecDeque<OpenWindow>,
    /// Those that have not fired with all that they have: only these are looked at when time goes on.
    unsettled: BTreeSet<PlaceId>,
    /// Of sliding windows that fired and are kept for corrections: which keys fired, and how often. By number.
    fired: BTreeMap<i128, OpenWindow>,
    /// Where the last row's window stood: rows of a batch mostly share one.
    last: usize,
    stamp: u32,
}

/// A window that has not fired, or a pane of such windows.
#[derive(Debug)]
pub struct OpenWindow {
    /// Where its rows lie.
    pub place: Place,
    /// Its groups.
    pub groups: GroupTable,
}

impl OpenWindow {
    /// Calls `each` with the groups that are due, some at a time.
    fn fire(&mut self, each: &mut impl FnMut(&Firing)) {
        let Self { place, groups } = self;
        for ids in groups.take_due().chunks(GROUPS_PER_CALL) {
            let mut firing = Firing::default();
            for id in ids {
                let revision = groups.next_revision(*id);
                firing.push(place.bounds, groups.key(*id), groups.state(*id), revision);
            }
            each(&firing);
        }
    }
}

/// The groups that one call of the aggregate touches. Reused from call to call.
#[derive(Debug, Default)]
pub struct Touched {
    /// For each row of the call its group's index in `states`.
    pub groups: Vec<u32>,
    /// The accumulators before the call.
    pub states: Varlen,
    /// Where each of them lives: the id of its place, its group there.
    places: Vec<(PlaceId, u32)>,
}

impl KeyedState {
    /// Begins a call: forgets what was touched.
    pub fn begin(&mut self, touched: &mut Touched) {
        if self.stamp == u32::MAX {
            // After four thousand million calls: no group may carry a stamp that comes again. Nothing else of it changes.
            self.windows.iter_mut().for_each(|window| window.groups.forget_stamps());
            self.stamp = 0;
        }
        self.stamp += 1;
        touched.groups.clear();
        touched.places.clear();
    }

    /// As if so many calls had begun.
    #[cfg(test)]
    pub(super) fn set_stamp(&mut self, stamp: u32) {
        self.stamp = stamp;
    }

    /// Adds a row to the call.
    #[inline]
    pub fn touch(&mut self, place: Place, hash: TableHash, key: &[u8], touched: &mut Touched) {
        let window = self.window(place);
        let id = window.groups.find_or_insert(hash, key);
        let next = touched.places.len() as u32;
        let stamp = self.stamp;
        let local = self.windows[self.last].groups.touch(id, stamp, next);
        if local == next {
            touched.places.push((place.id(), id));
        }
        touched.groups.push(local);
    }

    #[inline]
    fn window(&mut self, place: Place) -> &mut OpenWindow {
        let cached = self.windows.get(self.last);
        if cached.is_none_or(|window| window.place.id() != place.id()) {
            self.last = self.find_or_open(place);
        }
        &mut self.windows[self.last]
    }

    fn find_or_open(&mut self, place: Place) -> usize {
        match self.position(place.id()) {
            Ok(index) => index,
            Err(index) => {
                self.windows.insert(index, OpenWindow { place, groups: GroupTable::default() });
                self.unsettled.insert(place.id());
                index
            }
        }
    }

    fn position(&self, place: PlaceId) -> Result<usize, usize> {
        self.windows.binary_search_by_key(&place, |window| window.place.id())
    }

    /// Collects the accumulators of the touched groups. After the last [`KeyedState::touch`] of the call.
    pub fn gather(&self, touched: &mut Touched) {
        touched.states.clear();
        for (place, id) in &touched.places {
            touched.states.push(self.groups_at(*place).state(*id));
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
        for ((place, id), state) in touched.places.iter().zip(states.iter()) {
            if self.groups_at_mut(*place).replace(*id, state) {
                self.unsettled.insert(*place);
            }
        }
        for row in refused {
            let (place, id) = touched.places[touched.groups[row as usize] as usize];
            self.groups_at_mut(place).untouch(id);
        }
    }

    fn groups_at(&self, place: PlaceId) -> &GroupTable {
        let index = self.position(place).expect("windows fire between calls only");
        &self.windows[index].groups
    }

    fn groups_at_mut(&mut self, place: PlaceId) -> &mut GroupTable {
        let index = self.position(place).expect("windows fire between calls only");
        &mut self.windows[index].groups
    }

    /// Calls `each` with the groups of windows that the watermark has passed, some at a time: all of a window the first
    /// time, afterwards those that changed. Then drops the windows that take no more rows. Of windows that do not
    /// overlap.
    pub fn fire(&mut self, watermark: Watermark, lateness: i64, mut each: impl FnMut(&Firing)) {
        let passed = |place: &Place| watermark.has_passed(EventTime(place.bounds.end));
        for id in self.take_unsettled(passed) {
            let index = self.position(id).expect("what is not settled is there");
            self.windows[index].fire(&mut each);
        }
        self.drop_first(|place| has_closed(watermark, lateness, place));
    }

    /// Calls `each` with all groups of the windows that [`KeyedState::fire`] is about to drop, some at a time.
    pub fn each_closing(&self, watermark: Watermark, lateness: i64, mut each: impl FnMut(&Firing)) {
        let closes = |window: &&OpenWindow| has_closed(watermark, lateness, &window.place);
        for OpenWindow { place, groups } in self.windows.iter().take_while(closes) {
            let ids: Vec<u32> = groups.ids().collect();
            for ids in ids.chunks(GROUPS_PER_CALL) {
                each(&Firing::of(place.bounds, groups, ids));
            }
        }
    }

    /// Calls `each` with the groups that changed since the last call, some at a time. Of the window that ends with the
    /// input only: then it is dropped.
    pub fn fire_changed(&mut self, watermark: Watermark, mut each: impl FnMut(&Firing)) {
        self.unsettled.clear();
        for window in &mut self.windows {
            window.fire(&mut each);
        }
        self.drop_first(|_| watermark == Watermark::END);
    }

    /// Takes the places that are not settled, ascending, as long as `is_due` is true of them.
    fn take_unsettled(&mut self, is_due: impl Fn(&Place) -> bool) -> Vec<PlaceId> {
        let mut due = Vec::new();
        while let Some(id) = self.unsettled.first().copied() {
            let index = self.position(id).expect("what is not settled is there");
            if !is_due(&self.windows[index].place) {
                break;
            }
            self.unsettled.pop_first();
            due.push(id);
        }
        due
    }

    /// Takes the panes that are not settled and of whose windows the first that sees them ends at a time that `has_passed`;
    /// `each` settles them.
    pub(super) fn settle_panes(
        &mut self,
        slides: &Slides,
        has_passed: impl Fn(i64) -> bool,
        mut each: impl FnMut(&mut OpenWindow),
    ) {
        let first_end = |place: &Place, skipped: u32| {
            let windows = slides.windows_of(slides.pane_at(place.bounds.start));
            slides.bounds(windows.start + i128::from(skipped)).end
        };
        // The ends of first windows ascend with the panes, those behind skipped ones need not.
        for id in self.take_unsettled(|place| has_passed(first_end(place, 0))) {
            let index = self.position(id).expect("what is not settled is there");
            let pane = &mut self.windows[index];
            if has_passed(first_end(&pane.place, pane.place.skipped)) {
                each(pane);
            } else {
                self.unsettled.insert(id);
            }
        }
    }

    /// Drops the panes and the fired windows that take no more rows. `closed` is the watermark less the lateness.
    pub(super) fn drop_panes(&mut self, slides: &Slides, closed: Watermark) {
        let last_end = |start: i64| slides.pane(start).last_end();
        self.drop_first(|pane| closed.has_passed(EventTime(last_end(pane.bounds.start))));
        while let Some(first) = self.fired.first_entry()
            && closed.has_passed(EventTime(first.get().place.bounds.end))
        {
            first.remove();
        }
    }

    /// The sliding windows that fired and are about to be dropped, with the keys that did.
    pub(super) fn closing(&self, closed: Watermark) -> impl Iterator<Item = (i128, &GroupTable)> {
        let closes = move |(_, window): &(&i128, &OpenWindow)| {
            closed.has_passed(EventTime(window.place.bounds.end))
        };
        self.fired.iter().take_while(closes).map(|(number, window)| (*number, &window.groups))
    }

    /// How often the keys of a sliding window have fired.
    pub(super) fn fired_window(&mut self, slides: &Slides, window: i128) -> &mut GroupTable {
        let place = Place { bounds: slides.bounds(window), skipped: 0 };
        let fresh = || OpenWindow { place, groups: GroupTable::default() };
        &mut self.fired.entry(window).or_insert_with(fresh).groups
    }

    /// How often a key of a sliding window has fired.
    pub fn revision(&self, window: i128, hash: TableHash, key: &[u8]) -> u64 {
        let groups = self.fired.get(&window).map(|window| &window.groups);
        groups.and_then(|groups| Some(groups.revision(groups.find(hash, key)?))).unwrap_or(0)
    }

    /// The sliding windows that fired and are kept for corrections.
    pub(super) fn fired(&self) -> impl Iterator<Item = &OpenWindow> {
        self.fired.values()
    }

    /// Drops the first windows, those of which `is_closed` is true: none behind them is.
    fn drop_first(&mut self, is_closed: impl Fn(&Place) -> bool) {
        let closed = self.windows.partition_point(|window| is_closed(&window.place));
        for window in self.windows.drain(..closed) {
            self.unsettled.remove(&window.place.id());
        }
        if closed > 0 {
            self.last = 0;
        }
    }

    /// The panes with these numbers, ascending.
    pub(super) fn panes(
        &self,
        slides: &Slides,
        numbers: Range<i128>,
    ) -> impl DoubleEndedIterator<Item = &OpenWindow> + use<'_> {
        let first_from = |number: i128| {
            let start = slides.pane_start(number);
            self.windows.partition_point(|pane| i128::from(pane.place.bounds.start) < start)
        };
        // A pane that is cut off at the beginning of time begins later than its number says.
        let first = first_from(numbers.start);
        self.windows.range(first..first_from(numbers.end).max(first))
    }

    /// The panes from this number on, ascending.
    pub(super) fn panes_from(
        &self,
        slides: &Slides,
        number: i128,
    ) -> impl Iterator<Item = &OpenWindow> + use<'_> {
        let start = slides.pane_start(number);
        let first = self.windows.partition_point(|it| i128::from(it.place.bounds.start) < start);
        self.windows.range(first..)
    }

    /// The open windows, ascending.
    pub fn windows(&self) -> &VecDeque<OpenWindow> {
        &self.windows
    }

    /// The open windows, for taking their changed groups.
    pub fn windows_mut(&mut self) -> &mut VecDeque<OpenWindow> {
        &mut self.windows
    }

    /// The accumulators that are not empty, always in the same order.
    pub fn states(&self) -> impl Iterator<Item = &[u8]> {
        self.windows.iter().flat_map(|window| window.groups.states())
    }

    /// Replaces what [`KeyedState::states`] gives, in that order. Whether a correction is due does not change: a group
    /// says the same in another layout.
    pub fn set_states<'s>(&mut self, states: &mut impl Iterator<Item = &'s [u8]>) {
        self.windows.iter_mut().for_each(|window| window.groups.set_states(states));
    }

    /// A group as a checkpoint gives it back.
    pub fn restore(&mut self, row: &super::snapshot::StateRow<'_>) {
        let hash = TableHash::of(row.key);
        let groups = &mut self.window(row.place).groups;
        let was_settled = groups.is_settled();
        groups.restore(hash, row);
        match (was_settled, groups.is_settled()) {
            (false, true) => drop(self.unsettled.remove(&row.place.id())),
            (true, false) => drop(self.unsettled.insert(row.place.id())),
            _ => {}
        }
    }

    /// A key of a sliding window that has fired, as a checkpoint gives it back.
    pub fn restore_fired(&mut self, slides: &Slides, row: &super::snapshot::StateRow<'_>) {
        let WindowBounds { start, end } = row.place.bounds;
        // A window that is cut off on one side is known by the other.
        let window = match end {
            i64::MAX => slides.windows_of(slides.pane_at(start)).end - 1,
            end => slides.first_ending_after(end - 1),
        };
        let groups = self.fired_window(slides, window);
        groups.restore(TableHash::of(row.key), row);
    }

    /// Open groups in all windows.
    pub fn groups_len(&self) -> usize {
        self.windows.iter().map(|window| window.groups.len()).sum()
    }

    /// Bytes held for them.
    pub fn bytes(&self) -> usize {
        let windows = self.windows.iter().chain(self.fired.values());
        windows.map(|window| window.groups.bytes()).sum()
    }
}

/// Whether a window takes no more rows.
fn has_closed(watermark: Watermark, lateness: i64, place: &Place) -> bool {
    watermark.minus(lateness).has_passed(EventTime(place.bounds.end))
}
