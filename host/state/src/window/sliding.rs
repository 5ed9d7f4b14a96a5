//! Sliding windows out of panes: what a window costs does not depend on how many panes it has.
//!
//! ```text
//!  blocks of as many panes  │ block 0           │ block 1           │
//!  as a window has          ├───┬───┬───┬───┬───┼───┬───┬───┬───┬───┤
//!  window 2                         ├───────────────────┤
//!                                   └─ suffix ──┴ prefix┘
//! ```
//!
//! A window is a suffix of one block and a prefix of the next. The suffixes of a block are made from right to left when
//! its first window fires; the prefix grows with every window. That is one `merge` per pane and key for each of them
//! and one to put them together (van Herk, Gil and Werman). Which accumulators are merged, and in which order, follows
//! from absolute time alone: results are equal to the bit after a crash and for any batch.
//!
//! All of it is derived from the panes: it is not stored, and made again when it is needed. It never becomes wrong,
//! because a pane takes no more rows once the first of its windows is closed: rows that come later are late for that
//! window and lie in a place of their own ([`super::row::Place`]). Those few are merged for every window that sees
//! them, behind the rest.
//!
//! With allowed lateness a window fires before it is closed. A key whose panes change afterwards is merged by itself
//! from then on, in the same order, until the next block begins; and each window that saw the change and has fired fires
//! this key again.

use std::collections::BTreeMap;
use std::ops::Range;

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowBounds;

use super::groups::GroupTable;
use super::looks;
use super::merged::{GroupPart, Merge, Merged, parts_among, parts_in};
use super::slides::Slides;
use super::state::{KeyedState, OpenWindow};
use super::suffix::Suffix;

/// Panes of one worker, merged as far as the window that fired last needs it.
#[derive(Debug, Default)]
pub struct SlideTables {
    suffix: Suffix,
    prefix: Prefix,
    /// Keys whose panes have changed since they were merged; the accumulators here are unused.
    stale: GroupTable,
}

/// Some keys of several windows, ascending: merged like [`SlideTables::fire`] does, without keeping anything for later.
pub struct SomeKeys {
    tables: SlideTables,
    keys: GroupTable,
}

/// How far time has come since windows fired last.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The lane's when windows fired last.
    pub before: Watermark,
    /// The lane's as it stands now.
    pub now: Watermark,
    /// How long a fired window is kept for corrections, µs.
    pub lateness: i64,
    /// Somebody is to be told of the windows that are kept for corrections once more, when they are closed.
    pub tells_closed: bool,
}

/// Why something is told of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It has fired, or has fired before and has changed.
    Fired,
    /// It takes no more rows: what it had at the end.
    Closed,
}

impl SlideTables {
    /// Calls `each` with every window that the watermark has passed since it fired last, ascending; before that with
    /// those that fired already and have changed, by the keys that did; behind it, if that is wanted, with those that are
    /// closed now. Then drops the panes that take no more rows.
    pub fn fire(
        &mut self,
        slides: &Slides,
        state: &mut KeyedState,
        progress: Progress,
        merge: &mut Merge<'_>,
        mut each: impl FnMut(WindowBounds, Merged, Told),
    ) {
        let Progress { before, now, lateness, tells_closed } = progress;
        if lateness > 0 {
            let changed = self.corrections(slides, state, before);
            let mut some = SomeKeys::of(changed.values());
            for (window, keys) in changed {
                let mut merged = some.of_window(slides, state, window, &keys, merge);
                count_firing(&mut merged, state.fired_window(slides, window));
                state.count_fired(window);
                each(slides.bounds(window), merged, Told::Fired);
            }
        }
        let mut next = match before {
            Watermark::None => None,
            Watermark::At(time) => Some(slides.first_ending_after(time)),
            Watermark::End => return,
        };
        while let Some(window) = next_window(slides, state, next) {
            let bounds = slides.bounds(window);
            if !now.has_passed(bounds.end) {
                break;
            }
            next = Some(window + 1);
            // Windows that are cut off at the end of time have one end.
            if before.has_passed(bounds.end) {
                continue;
            }
            let mut merged = self.window(slides, state, window, None, merge);
            if lateness > 0 {
                count_firing(&mut merged, state.fired_window(slides, window));
                state.count_fired(window);
            }
            each(bounds, merged, Told::Fired);
        }
        if lateness > 0 {
            let has_passed = |end| now.has_passed(end);
            state.settle_panes(slides, has_passed, settle_pane);
        }
        let closed = now.minus(lateness);
        if lateness > 0 && tells_closed {
            let mut some = SomeKeys::of(state.closing(closed).map(|(_, keys)| keys));
            for (window, keys) in state.closing(closed) {
                let merged = some.of_window(slides, state, window, keys, merge);
                each(slides.bounds(window), merged, Told::Closed);
            }
        }
        state.drop_panes(slides, closed);
        if state.windows().is_empty() {
            // No window needs them, and it may be long until the next block begins.
            *self = Self::default();
        }
    }

    /// Whether a window that has fired has changed since. Looks at no more than two panes.
    pub fn has_corrections(slides: &Slides, state: &KeyedState, fired: Watermark) -> bool {
        state.has_unsettled_pane(slides, |end| fired.has_passed(end))
    }

    /// When the first of the windows ends that have rows and were not fired yet.
    pub fn next_end(slides: &Slides, state: &KeyedState, fired: Watermark) -> Option<EventTime> {
        let from = match fired {
            Watermark::None => None,
            Watermark::At(time) => Some(slides.first_ending_after(time)),
            Watermark::End => return None,
        };
        let end = slides.bounds(next_window(slides, state, from)?).end;
        // Windows that are cut off at the end of time have one end.
        (!fired.has_passed(end)).then_some(end)
    }

    /// The windows that have fired and changed since, with the keys that did.
    fn corrections(
        &mut self,
        slides: &Slides,
        state: &mut KeyedState,
        before: Watermark,
    ) -> BTreeMap<i128, GroupTable> {
        let mut changed: BTreeMap<i128, GroupTable> = BTreeMap::new();
        let Watermark::At(time) = before else { return changed };
        let first_open = slides.first_ending_after(time);
        let has_passed = |end| before.has_passed(end);
        state.settle_panes(slides, has_passed, |pane| {
            let windows = slides.windows_of(slides.pane_at(pane.place.bounds.start));
            let first = windows.start + i128::from(pane.place.skipped);
            for id in pane.groups.take_due() {
                pane.groups.next_revision(id);
                let (hash, key) = (pane.groups.hash(id), pane.groups.key(id));
                for window in first..windows.end.min(first_open) {
                    changed.entry(window).or_default().find_or_insert(hash, key);
                }
                if pane.place.skipped == 0 {
                    self.stale.find_or_insert(hash, key);
                }
            }
        });
        changed
    }

    /// A window, or the keys of it that are also in `only`.
    fn window(
        &mut self,
        slides: &Slides,
        state: &KeyedState,
        window: i128,
        only: Option<&GroupTable>,
        merge: &mut Merge<'_>,
    ) -> Merged {
        let panes = slides.panes_of(window);
        let block = panes.start.div_euclid(slides.panes_per_window());
        let border = (block + 1) * slides.panes_per_window();
        if self.suffix.block != Some(block) {
            self.suffix = Suffix::of(block);
            for pane in mains(state.panes(slides, panes.start..border)).rev() {
                let number = slides.pane_at(pane.place.bounds.start);
                self.suffix.push(number, parts_in(&pane.groups, only), merge);
            }
            self.prefix = Prefix { panes: border..border, merged: Merged::default() };
            self.stale = GroupTable::default();
        }
        self.suffix.begin_at(panes.start);
        for pane in mains(state.panes(slides, self.prefix.panes.end..panes.end)) {
            self.prefix.merged.add(parts_in(&pane.groups, only), merge);
        }
        self.prefix.panes.end = panes.end;
        let stale = &self.stale;
        let is_fresh = |part: &GroupPart<'_>| stale.find(part.hash, part.key).is_none();
        let mut whole = Merged::default();
        whole.add(self.suffix.parts().filter(is_fresh), merge);
        whole.add(self.prefix.merged.parts().filter(is_fresh), merge);
        let mut late = Merged::default();
        for pane in seen_late(slides, state, window) {
            late.add(parts_in(&pane.groups, only).filter(is_fresh), merge);
        }
        whole.add(late.parts(), merge);
        if !stale.is_empty() {
            let alone = Self::keys_of_window(slides, state, window, stale, merge);
            whole.add(alone.parts(), merge);
        }
        whole
    }

    /// Some keys of one window, merged like [`SlideTables::fire`] does, without making or keeping anything for others.
    fn keys_of_window(
        slides: &Slides,
        state: &KeyedState,
        window: i128,
        keys: &GroupTable,
        merge: &mut Merge<'_>,
    ) -> Merged {
        let panes = slides.panes_of(window);
        let block = panes.start.div_euclid(slides.panes_per_window());
        let border = ((block + 1) * slides.panes_per_window()).min(panes.end);
        let mut suffix = Suffix::default();
        for pane in mains(state.panes(slides, panes.start..border)).rev() {
            let number = slides.pane_at(pane.place.bounds.start);
            suffix.push(number, parts_among(&pane.groups, keys), merge);
        }
        let mut prefix = Merged::default();
        for pane in mains(state.panes(slides, border..panes.end)) {
            prefix.add(parts_among(&pane.groups, keys), merge);
        }
        let mut whole = Merged::default();
        whole.add(suffix.parts(), merge);
        whole.add(prefix.parts(), merge);
        let mut late = Merged::default();
        for pane in seen_late(slides, state, window) {
            late.add(parts_among(&pane.groups, keys), merge);
        }
        whole.add(late.parts(), merge);
        whole
    }

    /// Bytes held beside the panes.
    pub fn bytes(&self) -> usize {
        self.suffix.bytes() + self.prefix.merged.bytes() + self.stale.bytes()
    }
}

impl SomeKeys {
    /// The keys of these tables, whose accumulators are unused.
    pub fn of<'k>(tables: impl Iterator<Item = &'k GroupTable>) -> Self {
        let mut keys = GroupTable::default();
        for table in tables {
            for id in 0..table.len() as u32 {
                keys.find_or_insert(table.hash(id), table.key(id));
            }
        }
        Self { tables: SlideTables::default(), keys }
    }

    /// Those of a window that are also among `wanted`. No window before the last that was asked for.
    pub fn of_window(
        &mut self,
        slides: &Slides,
        state: &KeyedState,
        window: i128,
        wanted: &GroupTable,
        merge: &mut Merge<'_>,
    ) -> Merged {
        let whole = self.tables.window(slides, state, window, Some(&self.keys), merge);
        let is_wanted = |part: &GroupPart<'_>| wanted.find(part.hash, part.key).is_some();
        let mut some = Merged::default();
        some.add(whole.parts().filter(is_wanted), merge);
        some
    }
}

/// What changes in the pane from here on is a correction.
fn settle_pane(pane: &mut OpenWindow) {
    for id in pane.groups.take_due() {
        pane.groups.next_revision(id);
    }
}

/// Counts one more firing of each key.
fn count_firing(merged: &mut Merged, fired: &mut GroupTable) {
    merged.set_revisions(|hash, key| {
        let id = fired.find_or_insert(hash, key);
        fired.adopt(id, &[]);
        fired.next_revision(id)
    });
}

/// The first window not below `from` that sees rows. Only the panes at its beginning are looked at, however many there are.
fn next_window(slides: &Slides, state: &KeyedState, from: Option<i128>) -> Option<i128> {
    let first_pane = match from {
        Some(window) => slides.panes_of(window).start,
        None => slides.pane_at(EventTime::MIN),
    };
    let mut next: Option<i128> = None;
    for pane in state.panes_from(slides, first_pane) {
        looks::count();
        let windows = slides.windows_of(slides.pane_at(pane.place.bounds.start));
        if next.is_some_and(|next| Some(next) == from || next <= windows.start) {
            break;
        }
        let first = windows.start + i128::from(pane.place.skipped);
        let first = from.map_or(first, |from| first.max(from));
        if windows.contains(&first) {
            next = Some(next.map_or(first, |next| next.min(first)));
        }
    }
    next
}

/// The places of rows that are on time for all windows of their pane.
fn mains<'s>(
    panes: impl DoubleEndedIterator<Item = &'s OpenWindow>,
) -> impl DoubleEndedIterator<Item = &'s OpenWindow> {
    panes.filter(|pane| pane.place.skipped == 0)
}

/// The places of rows that are late for some windows of their pane and not for this one.
fn seen_late<'s>(
    slides: &'s Slides,
    state: &'s KeyedState,
    window: i128,
) -> impl Iterator<Item = &'s OpenWindow> {
    let sees = move |pane: &&OpenWindow| {
        let windows = slides.windows_of(slides.pane_at(pane.place.bounds.start));
        pane.place.skipped > 0 && windows.start + i128::from(pane.place.skipped) <= window
    };
    state.panes(slides, slides.panes_of(window)).filter(sees)
}

/// The panes of a block from the left, merged as far as they are known.
#[derive(Debug, Default)]
struct Prefix {
    panes: Range<i128>,
    merged: Merged,
}
