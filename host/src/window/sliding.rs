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
//! window and lie in a place of their own ([`super::state::Place`]). Those few are merged for every window that sees
//! them, behind the rest.
//!
//! With allowed lateness a window fires before it is closed. A key whose panes change afterwards is merged by itself
//! from then on, in the same order, until the next block begins; and each window that saw the change and has fired fires
//! this key again.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::plugin::WindowBounds;
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;

use super::groups::GroupTable;
use super::merged::{Merge, Merged, Pairs, Part, RefusedMerge, parts_among, parts_of};
use super::slides::Slides;
use super::state::{KeyedState, OpenWindow};

/// Panes of one worker, merged as far as the window that fired last needs it.
#[derive(Debug, Default)]
pub struct SlideTables {
    suffix: Suffix,
    prefix: Prefix,
    /// Keys whose panes have changed since they were merged; the accumulators here are unused.
    stale: GroupTable,
}

/// How far time has come since windows fired last.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The watermark then.
    pub before: Watermark,
    /// The watermark now.
    pub now: Watermark,
    /// How long a fired window is kept for corrections, µs.
    pub lateness: i64,
}

impl SlideTables {
    /// Calls `each` with every window that the watermark has passed since it fired last, ascending; before that with
    /// those that fired already and have changed, by the keys that did. Then drops the panes that take no more rows.
    pub fn fire(
        &mut self,
        slides: &Slides,
        state: &mut KeyedState,
        progress: Progress,
        merge: &mut Merge<'_>,
        mut each: impl FnMut(WindowBounds, Merged),
    ) {
        let Progress { before, now, lateness } = progress;
        if lateness > 0 {
            for (window, keys) in self.corrections(slides, state, before) {
                let mut merged = Self::keys_of_window(slides, state, window, &keys, merge);
                count_firing(&mut merged, state.fired_window(slides, window));
                each(slides.bounds(window), merged);
            }
        }
        let mut next = match before {
            Watermark::None => None,
            Watermark::At(time) => Some(slides.first_ending_after(time.0)),
            Watermark::End => return,
        };
        while let Some(window) = next_window(slides, state.windows(), next) {
            let bounds = slides.bounds(window);
            if !now.has_passed(EventTime(bounds.end)) {
                break;
            }
            next = Some(window + 1);
            // Windows that are cut off at the end of time have one end.
            if before.has_passed(EventTime(bounds.end)) {
                continue;
            }
            let mut merged = self.window(slides, state, window, merge);
            if lateness > 0 {
                count_firing(&mut merged, state.fired_window(slides, window));
            }
            each(bounds, merged);
        }
        if lateness > 0 {
            let has_fired =
                |pane: &&mut OpenWindow| now.has_passed(EventTime(first_end(slides, pane)));
            state.windows_mut().iter_mut().filter(has_fired).for_each(settle_pane);
        }
        state.drop_panes(slides, now.minus(lateness));
        if state.windows().is_empty() {
            // No window needs them, and it may be long until the next block begins.
            *self = Self::default();
        }
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
        let first_open = slides.first_ending_after(time.0);
        for pane in state.windows_mut() {
            if !before.has_passed(EventTime(first_end(slides, pane))) {
                continue;
            }
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
        }
        changed
    }

    fn window(
        &mut self,
        slides: &Slides,
        state: &KeyedState,
        window: i128,
        merge: &mut Merge<'_>,
    ) -> Merged {
        let panes = slides.panes_of(window);
        let block = panes.start.div_euclid(slides.panes_per_window());
        let border = (block + 1) * slides.panes_per_window();
        if self.suffix.block != Some(block) {
            self.suffix = Suffix { block: Some(block), ..Suffix::default() };
            for pane in mains(state.panes(slides, panes.start..border)).rev() {
                let number = slides.pane_at(pane.place.bounds.start);
                self.suffix.push(number, parts_of(&pane.groups), merge);
            }
            self.prefix = Prefix { panes: border..border, merged: Merged::default() };
            self.stale = GroupTable::default();
        }
        self.suffix.begin_at(panes.start);
        for pane in mains(state.panes(slides, self.prefix.panes.end..panes.end)) {
            self.prefix.merged.add(parts_of(&pane.groups), merge);
        }
        self.prefix.panes.end = panes.end;
        let stale = &self.stale;
        let is_fresh = |part: &Part<'_>| stale.find(part.hash, part.key).is_none();
        let mut whole = Merged::default();
        whole.add(self.suffix.parts().filter(is_fresh), merge);
        whole.add(self.prefix.merged.parts().filter(is_fresh), merge);
        let mut late = Merged::default();
        for pane in seen_late(slides, state, window) {
            late.add(parts_of(&pane.groups).filter(is_fresh), merge);
        }
        whole.add(late.parts(), merge);
        if !stale.is_empty() {
            let alone = Self::keys_of_window(slides, state, window, stale, merge);
            whole.add(alone.parts(), merge);
        }
        whole
    }

    /// Some keys of one window, merged like [`SlideTables::fire`] does, without making or keeping anything for others.
    pub fn keys_of_window(
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

/// End of the first window that sees a place.
fn first_end(slides: &Slides, pane: &OpenWindow) -> i64 {
    let windows = slides.windows_of(slides.pane_at(pane.place.bounds.start));
    slides.bounds(windows.start + i128::from(pane.place.skipped)).end
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

/// The first window not below `from` that sees rows.
fn next_window(slides: &Slides, panes: &[OpenWindow], from: Option<i128>) -> Option<i128> {
    let first_of = |pane: &OpenWindow| {
        let windows = slides.windows_of(slides.pane_at(pane.place.bounds.start));
        let first = windows.start + i128::from(pane.place.skipped);
        let first = from.map_or(first, |from| first.max(from));
        windows.contains(&first).then_some(first)
    };
    panes.iter().filter_map(first_of).min()
}

/// The places of rows that are on time for all windows of their pane.
fn mains(panes: &[OpenWindow]) -> impl DoubleEndedIterator<Item = &OpenWindow> {
    panes.iter().filter(|pane| pane.place.skipped == 0)
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
    state.panes(slides, slides.panes_of(window)).iter().filter(sees)
}

/// The panes of a block from the left, merged as far as they are known.
#[derive(Debug, Default)]
struct Prefix {
    panes: Range<i128>,
    merged: Merged,
}

/// The panes of a block, merged from the right: for each pane and each of its keys the accumulator of this pane and
/// all behind it.
#[derive(Debug, Default)]
struct Suffix {
    block: Option<i128>,
    /// Every key of the block; the accumulators here are unused.
    keys: GroupTable,
    /// For each key where its accumulator from the present beginning on stands, if it has one.
    tops: Vec<Option<Spot>>,
    /// One a pane that has rows, the last pane first.
    levels: Vec<Level>,
    refused: BTreeMap<Spot, RefusedMerge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    level: u32,
    entry: u32,
}

#[derive(Debug, Default)]
struct Level {
    pane: i128,
    /// The keys of the pane.
    keys: Vec<u32>,
    /// Of each the accumulator from this pane on.
    states: Varlen,
    /// Of each where the next pane with that key has it.
    behind: Vec<Option<Spot>>,
}

impl Suffix {
    /// Adds the pane to the left of those that are there.
    fn push<'a>(
        &mut self,
        pane: i128,
        parts: impl Iterator<Item = Part<'a>>,
        merge: &mut Merge<'_>,
    ) {
        let number = u32::try_from(self.levels.len()).expect("a block has fewer panes");
        let mut level = Level { pane, ..Level::default() };
        let mut pairs = Pairs::default();
        for Part { hash, key, state } in parts {
            let id = self.keys.find_or_insert(hash, key);
            self.tops.resize(self.keys.len(), None);
            let entry = u32::try_from(level.keys.len()).expect("groups are counted in 32 bits");
            let behind = self.tops[id as usize].replace(Spot { level: number, entry });
            level.keys.push(id);
            level.behind.push(behind);
            let state = state.expect("panes are not merged");
            match behind {
                None => level.states.push(state),
                Some(spot) => {
                    if let Some(refused) = self.refused.get(&spot) {
                        let refused = refused.clone();
                        self.refused.insert(Spot { level: number, entry }, refused);
                        level.states.push(&[]);
                        continue;
                    }
                    pairs.push(entry, state, self.state(spot));
                    // Its place is filled when the pairs are merged.
                    level.states.push(&[]);
                }
            }
        }
        self.settle(number, &mut level, &pairs, merge);
        self.levels.push(level);
    }

    fn settle(&mut self, number: u32, level: &mut Level, pairs: &Pairs, merge: &mut Merge<'_>) {
        if pairs.ids.is_empty() {
            return;
        }
        let (merged, refused) = pairs.merge(merge);
        let mut merged = pairs.ids.iter().zip(merged.iter()).peekable();
        let mut states = Varlen::with_capacity(level.keys.len(), level.states.bytes.len());
        for entry in 0..level.keys.len() {
            match merged.next_if(|(id, _)| **id as usize == entry) {
                Some((_, state)) => states.push(state),
                None => states.push(level.states.value(entry)),
            }
        }
        level.states = states;
        for (at, refused) in refused {
            self.refused.insert(Spot { level: number, entry: pairs.ids[at] }, refused);
        }
    }

    fn state(&self, spot: Spot) -> &[u8] {
        self.levels[spot.level as usize].states.value(spot.entry as usize)
    }

    /// Forgets the panes before `pane`.
    fn begin_at(&mut self, pane: i128) {
        while let Some(level) = self.levels.pop_if(|level| level.pane < pane) {
            for (key, behind) in level.keys.iter().zip(&level.behind) {
                self.tops[*key as usize] = *behind;
            }
        }
    }

    /// Every key that has rows from the present beginning on.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let part = |(id, top): (u32, &Option<Spot>)| {
            let spot = (*top)?;
            let state = match self.refused.get(&spot) {
                Some(refused) => Err(refused),
                None => Ok(self.state(spot)),
            };
            Some(Part { hash: self.keys.hash(id), key: self.keys.key(id), state })
        };
        (0..).zip(&self.tops).filter_map(part)
    }

    fn bytes(&self) -> usize {
        let level = |level: &Level| {
            level.states.bytes.capacity()
                + (level.states.offsets.capacity() + level.keys.capacity()) * size_of::<u32>()
                + level.behind.capacity() * size_of::<Option<Spot>>()
        };
        let tops = self.tops.capacity() * size_of::<Option<Spot>>();
        self.keys.bytes() + tops + self.levels.iter().map(level).sum::<usize>()
    }
}
