//! The open windows of one worker, or the panes of sliding ones: which groups a call of the aggregate touches, and
//! what it gives back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

use super::due::DueGroups;
use super::groups::GroupTable;
use super::hash::TableHash;
use super::locals::Locals;
use super::row::{GonePlace, Place, PlaceId, StateRow};
use super::row_keys::RowKeys;
use super::slides::Slides;

/// Open windows or panes, ascending by start, with the groups whose key belongs to this worker's shards.
#[derive(Debug, Default)]
pub struct KeyedState {
    pub(super) windows: VecDeque<OpenWindow>,
    /// Those that have not fired with all that they have: only these are looked at when time goes on.
    pub(super) unsettled: BTreeSet<PlaceId>,
    /// Panes of which only windows that do not see them were passed: when the first that does ends, and which.
    pub(super) waiting: BTreeSet<(EventTime, PlaceId)>,
    /// Groups that fire next.
    pub(super) due: DueGroups,
    /// Windows fire once, so that what has fired need not be stored.
    pub(super) fires_once: bool,
    /// Of sliding windows that fired and are kept for corrections: which keys fired, and how often. By number.
    pub(super) fired: BTreeMap<i128, OpenWindow>,
    /// Of all windows together, as they were when they were last changed: nobody has to look at each of them.
    counted: Counted,
    /// The same of those that fired.
    fired_counted: Counted,
    /// Windows that were dropped since the last checkpoint, which may have them.
    pub(super) gone: Vec<GonePlace>,
    /// Where the last row's window stood: rows of a batch mostly share one.
    last: usize,
    stamp: u32,
}

/// A window that has not fired, or a pane of such windows.
#[derive(Debug)]
pub struct OpenWindow {
    /// Window or pane, `[start, end)`; two open ones may differ in the skipped windows only.
    pub place: Place,
    /// One group for each key with rows here.
    pub groups: GroupTable,
    /// What of it is counted.
    pub(super) counted: Counted,
    /// A checkpoint may have groups of it.
    pub(super) saved: bool,
}

impl OpenWindow {
    fn new(place: Place) -> Self {
        Self { place, groups: GroupTable::default(), counted: Counted::default(), saved: false }
    }
}

/// Groups, and bytes held for them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    groups: usize,
    bytes: usize,
}

impl Counted {
    /// Puts what a window has now in the place of what was counted of it.
    pub(super) fn count(&mut self, window: &mut OpenWindow) {
        let now = Self { groups: window.groups.len(), bytes: window.groups.bytes() };
        self.leave(std::mem::replace(&mut window.counted, now));
        self.groups += now.groups;
        self.bytes += now.bytes;
    }

    fn leave(&mut self, counted: Self) {
        self.groups -= counted.groups;
        self.bytes -= counted.bytes;
    }
}

/// The groups that one call of the aggregate touches. Reused from call to call.
#[derive(Debug, Default)]
pub struct Touched {
    /// For each row of the call its group's index in `states`.
    pub groups: Vec<u32>,
    /// The accumulators before the call.
    pub states: Varlen,
    /// Rows of the call by group.
    rows: Vec<u32>,
    /// The groups by key, where keys have codes.
    locals: Locals,
    /// Where each of them lives: the id of its place, its group there.
    places: Vec<(PlaceId, u32)>,
}

impl Touched {
    /// Adds a row of a group of the call.
    #[inline]
    fn push(&mut self, local: u32) {
        self.groups.push(local);
        self.rows[local as usize] += 1;
    }
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
        touched.rows.clear();
        touched.locals.clear();
    }

    /// As if so many calls had begun.
    #[cfg(test)]
    pub(super) fn set_stamp(&mut self, stamp: u32) {
        self.stamp = stamp;
    }

    /// Adds rows of one place to the call: those of `keys` with these indexes.
    pub fn touch_run(
        &mut self,
        place: Place,
        keys: &RowKeys,
        rows: impl Iterator<Item = usize>,
        touched: &mut Touched,
    ) {
        let mut all = std::mem::take(&mut touched.locals);
        let coded =
            keys.codes().and_then(|codes| Some((codes, all.of(place.id(), keys.distinct())?)));
        match coded {
            None => rows.for_each(|row| self.touch(place, keys.hash(row), keys.key(row), touched)),
            Some((codes, locals)) => rows.for_each(|row| {
                let local = &mut locals[codes[row] as usize];
                if *local == Locals::ABSENT {
                    *local = self.find(place, keys.hash(row), keys.key(row), touched);
                }
                touched.push(*local);
            }),
        }
        touched.locals = all;
    }

    /// Adds a row to the call.
    #[inline]
    pub fn touch(&mut self, place: Place, hash: TableHash, key: &[u8], touched: &mut Touched) {
        let local = self.find(place, hash, key, touched);
        touched.push(local);
    }

    /// The index in the call of a key's group, which is made if it is new.
    #[inline]
    fn find(&mut self, place: Place, hash: TableHash, key: &[u8], touched: &mut Touched) -> u32 {
        let stamp = self.stamp;
        let groups = &mut self.window(place).groups;
        let id = groups.find_or_insert(hash, key);
        let next = touched.places.len() as u32;
        let local = groups.touch(id, stamp, next);
        if local == next {
            touched.places.push((place.id(), id));
            touched.rows.push(0);
        }
        local
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
                self.windows.insert(index, OpenWindow::new(place));
                self.unsettled.insert(place.id());
                index
            }
        }
    }

    pub(super) fn position(&self, place: PlaceId) -> Result<usize, usize> {
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
        let groups = touched.places.iter().zip(&touched.rows);
        for (((place, id), rows), state) in groups.zip(states.iter()) {
            let groups = self.groups_at_mut(*place);
            let is_first = groups.add_rows(*id, *rows);
            if groups.replace(*id, state) || is_first {
                self.unsettled.insert(*place);
            }
        }
        for row in refused {
            let (place, id) = touched.places[touched.groups[row as usize] as usize];
            self.groups_at_mut(place).untouch(id);
        }
        // Rows of a call mostly share their places, and those of one follow each other.
        let mut last = None;
        for (place, _) in &touched.places {
            if last.replace(*place) != Some(*place) {
                self.count(*place);
            }
        }
    }

    /// Counts a window that has changed.
    fn count(&mut self, place: PlaceId) {
        let index = self.position(place).expect("windows fire between calls only");
        self.counted.count(&mut self.windows[index]);
    }

    fn groups_at(&self, place: PlaceId) -> &GroupTable {
        let index = self.position(place).expect("windows fire between calls only");
        &self.windows[index].groups
    }

    fn groups_at_mut(&mut self, place: PlaceId) -> &mut GroupTable {
        let index = self.position(place).expect("windows fire between calls only");
        &mut self.windows[index].groups
    }

    /// Drops the panes and the fired windows that take no more rows. `closed` is the watermark less the lateness.
    pub(super) fn drop_panes(&mut self, slides: &Slides, closed: Watermark) {
        let last_end = |start: EventTime| slides.pane(start).last_end();
        self.drop_first(|pane| closed.has_passed(last_end(pane.bounds.start)));
        while let Some(first) = self.fired.first_entry()
            && closed.has_passed(first.get().place.bounds.end)
        {
            let OpenWindow { place, counted, saved, .. } = first.remove();
            self.fired_counted.leave(counted);
            self.gone.extend(saved.then_some(GonePlace { place, is_fired: true }));
        }
    }

    /// Counts a sliding window that has fired.
    pub(super) fn count_fired(&mut self, window: i128) {
        if let Some(window) = self.fired.get_mut(&window) {
            self.fired_counted.count(window);
        }
    }

    /// The sliding windows that fired and are about to be dropped, with the keys that did.
    pub(super) fn closing(&self, closed: Watermark) -> impl Iterator<Item = (i128, &GroupTable)> {
        let closes =
            move |(_, window): &(&i128, &OpenWindow)| closed.has_passed(window.place.bounds.end);
        self.fired.iter().take_while(closes).map(|(number, window)| (*number, &window.groups))
    }

    /// How often the keys of a sliding window have fired.
    pub(super) fn fired_window(&mut self, slides: &Slides, window: i128) -> &mut GroupTable {
        let place = Place { bounds: slides.bounds(window), skipped: 0 };
        let fresh = || OpenWindow::new(place);
        &mut self.fired.entry(window).or_insert_with(fresh).groups
    }

    /// How often a key of a sliding window has fired.
    pub fn revision(&self, window: i128, hash: TableHash, key: &[u8]) -> u64 {
        let groups = self.fired.get(&window).map(|window| &window.groups);
        groups.and_then(|groups| Some(groups.revision(groups.find(hash, key)?))).unwrap_or(0)
    }

    /// Drops the first windows, those of which `is_closed` is true: none behind them is.
    pub(super) fn drop_first(&mut self, is_closed: impl Fn(&Place) -> bool) {
        let closed = self.windows.partition_point(|window| is_closed(&window.place));
        for window in self.windows.drain(..closed) {
            self.unsettled.remove(&window.place.id());
            self.counted.leave(window.counted);
            let gone = GonePlace { place: window.place, is_fired: false };
            self.gone.extend(window.saved.then_some(gone));
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
            self.windows.partition_point(|pane| i128::from(pane.place.bounds.start.0) < start)
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
        let first = self.windows.partition_point(|it| i128::from(it.place.bounds.start.0) < start);
        self.windows.range(first..)
    }

    /// Ascending by start, then by skipped windows.
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
        for window in &mut self.windows {
            window.groups.set_states(states);
            self.counted.count(window);
        }
    }

    /// A group as a checkpoint gives it back.
    pub fn restore(&mut self, row: &StateRow<'_>) {
        let hash = TableHash::of(row.key);
        let window = self.window(row.place);
        window.saved = true;
        let groups = &mut window.groups;
        let was_settled = groups.is_settled();
        groups.restore(hash, row);
        match (was_settled, groups.is_settled()) {
            (false, true) => drop(self.unsettled.remove(&row.place.id())),
            (true, false) => drop(self.unsettled.insert(row.place.id())),
            _ => {}
        }
        self.count(row.place.id());
    }

    /// A key of a sliding window that has fired, as a checkpoint gives it back.
    pub fn restore_fired(&mut self, slides: &Slides, row: &StateRow<'_>) {
        let WindowBounds { start, end } = row.place.bounds;
        // A window that is cut off on one side is known by the other.
        let window = match end {
            EventTime::MAX => slides.windows_of(slides.pane_at(start)).end - 1,
            end => slides.first_ending_after(end.minus(1)),
        };
        let groups = self.fired_window(slides, window);
        groups.restore(TableHash::of(row.key), row);
        if let Some(window) = self.fired.get_mut(&window) {
            window.saved = true;
        }
        self.count_fired(window);
    }

    /// Open groups in all windows. Looks at none of them.
    pub fn groups_len(&self) -> usize {
        self.counted.groups
    }

    /// Bytes held for them, and for those that fired and are kept. Looks at none of them.
    pub fn bytes(&self) -> usize {
        self.counted.bytes + self.fired_counted.bytes
    }
}
