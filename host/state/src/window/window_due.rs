//! Groups of windows that are due at a watermark, a bounded run at a time.
//!
//! What is due is as much as the data have made it. Between two runs the state is consistent: what has fired is not due any more, and
//! the rest still is, also after it was stored and restored. Until the last run no row may be added.

use std::collections::BTreeSet;

use sluicegate_model::time::{EventTime, Watermark};

use super::due::{DueGroups, DueWindow, FiringOrder, GroupPlace, NextRun, RunSize};
use super::firing::{Firing, GROUPS_PER_CALL, OpenGroup};
use super::looks;
use super::row::{Place, PlaceId};
use super::slides::Slides;
use super::state::{KeyedState, OpenWindow};

impl KeyedState {
    /// Of windows that fire once: what has fired need not be stored.
    pub fn firing_once() -> Self {
        let mut state = Self::default();
        state.fires_once = true;
        state
    }

    /// Whether a window takes no rows once it has fired.
    pub fn fires_once(&self) -> bool {
        self.fires_once
    }

    /// Whether anything is due. Looks at one window, however many there are.
    pub fn has_due(&self, is_due: impl Fn(&Place) -> bool) -> bool {
        let DueGroups { ready, window, .. } = &self.due;
        !ready.is_empty() || window.is_some() || self.first_unsettled(is_due).is_some()
    }

    /// The next groups of the windows that are due: all of a window the first time, afterwards those that changed. Of windows that do
    /// not overlap.
    pub fn next_run(&mut self, is_due: impl Fn(&Place) -> bool, size: RunSize) -> NextRun {
        let all = self.make_ready(is_due, size);
        let ready = &self.due.ready;
        let of = |at: usize| {
            let (id, group) = ready[at];
            (&self.windows[self.position(id).expect(THERE)], group)
        };
        let bytes = |at: usize| {
            let (OpenWindow { groups, .. }, group) = of(at);
            groups.key(group).len() + groups.state(group).len()
        };
        NextRun::of(ready.len(), all, size, bytes, |at| {
            let (OpenWindow { place, groups, .. }, group) = of(at);
            GroupPlace::of(FiringOrder::of(place.bounds, groups.key(group)))
        })
    }

    /// Whether no more are due than are ready. Gives up when it has sorted enough, or has enough for a run.
    fn make_ready(&mut self, is_due: impl Fn(&Place) -> bool, size: RunSize) -> bool {
        let mut left = size.sorted.max(1);
        while self.due.ready.len() < size.groups {
            let Some(window) = &mut self.due.window else {
                let Some(id) = self.first_unsettled(&is_due) else { return true };
                self.unsettled.pop_first();
                let index = self.position(id).expect(THERE);
                self.due.window = Some(DueWindow::of(id, &mut self.windows[index].groups));
                self.due.begun.push_back(id);
                continue;
            };
            if left == 0 {
                return false;
            }
            let id = window.id;
            let index = self.windows.binary_search_by_key(&id, |window| window.place.id());
            let table = &mut self.windows[index.expect(THERE)].groups;
            match window.sort_more(table, left) {
                0 => match window.groups.take_next(|group| table.key(group)) {
                    Some(group) => self.due.ready.push_back((id, group)),
                    None => self.due.window = None,
                },
                looked_at => left -= looked_at,
            }
        }
        false
    }

    /// Fires the groups that are due up to `last`, which is that of the worker whose run ends first. A window begins to fire on all
    /// workers at once: others may own its groups when they are restored. Where windows fire once, those that have are dropped.
    pub fn fire_run(&mut self, last: Option<&GroupPlace>) -> Firing {
        self.begin_until(last);
        let mut firing = Firing::default();
        let mut at: Option<(PlaceId, usize)> = None;
        while let Some((id, group)) = self.due.ready.front().copied() {
            let index = match at {
                Some((at, index)) if at == id => index,
                _ => self.position(id).expect(THERE),
            };
            at = Some((id, index));
            let OpenWindow { place, groups, .. } = &mut self.windows[index];
            let (bounds, key) = (place.bounds, groups.key(group));
            if last.is_some_and(|last| last.is_before(FiringOrder::of(bounds, key))) {
                break;
            }
            self.due.ready.pop_front();
            let revision = match self.fires_once {
                true => groups.fire_for_good(group),
                false => groups.fire(group),
            };
            let (key, state) = (groups.key(group), groups.state(group));
            firing.push(OpenGroup { bounds, key, state, revision });
        }
        if let Some(last) = last.filter(|_| self.fires_once) {
            self.drop_fired(last);
        }
        firing
    }

    fn begin_until(&mut self, last: Option<&GroupPlace>) {
        while let Some(id) = self.due.begun.front().copied()
            && last.is_none_or(|last| id.0 <= last.start)
        {
            self.due.begun.pop_front();
            let index = self.position(id).expect(THERE);
            let groups = &mut self.windows[index].groups;
            groups.begin_firing();
            if groups.first {
                self.due.first.push(id);
            }
        }
    }

    /// Drops the windows before that of `last`: all of them have fired, and none takes rows.
    fn drop_fired(&mut self, last: &GroupPlace) {
        let next = self.due.ready.front().map(|(id, _)| *id);
        let next = next.or(self.due.window.as_ref().map(|window| window.id));
        let until = next.map_or(last.start, |next| last.start.min(next.0));
        self.drop_first(|place| place.bounds.start < until);
    }

    /// Whether a group has not fired for good: that which has is known by its place in the order.
    pub(super) fn may_fire(&self, window: &OpenWindow, id: u32) -> bool {
        let groups = &window.groups;
        !self.fires_once || groups.revision(id) == 0 || groups.has_changed(id)
    }

    /// Bytes that the order of what is due holds, beside the groups.
    pub fn firing_bytes(&self) -> usize {
        let DueGroups { ready, window, .. } = &self.due;
        ready.capacity() * size_of::<(PlaceId, u32)>()
            + window.as_ref().map_or(0, |window| window.groups.bytes())
    }

    /// Where windows begin of which groups have fired.
    pub fn fired_windows(&self) -> impl Iterator<Item = EventTime> {
        let fired = self.windows.iter().filter(|window| window.groups.fired);
        fired.map(|window| window.place.bounds.start)
    }

    /// Some groups of these windows have fired, by what a checkpoint gave back, here or with another worker.
    pub fn go_on_firing(&mut self, fired: &BTreeSet<EventTime>) {
        for window in &mut self.windows {
            if !self.fires_once && fired.contains(&window.place.bounds.start) {
                window.groups.go_on_firing();
                if !window.groups.is_settled() {
                    self.unsettled.insert(window.place.id());
                }
            }
        }
    }

    /// Whether a window is closed at this watermark: it takes no more rows.
    pub fn has_closed(&self, watermark: Watermark, lateness: i64) -> bool {
        self.windows.front().is_some_and(|window| is_closed(watermark, lateness, &window.place))
    }

    /// Calls `each` with all groups of the windows that are closed, some at a time.
    pub fn each_closing(&self, watermark: Watermark, lateness: i64, mut each: impl FnMut(&Firing)) {
        let closes = |window: &&OpenWindow| is_closed(watermark, lateness, &window.place);
        for OpenWindow { place, groups, .. } in self.windows.iter().take_while(closes) {
            let ids: Vec<u32> = groups.ids().collect();
            for ids in ids.chunks(GROUPS_PER_CALL) {
                each(&Firing::of(place.bounds, groups, ids));
            }
        }
    }

    /// All that was due has fired, and so have windows without a group: what is added to them later changes what has fired.
    pub fn end_firing(&mut self) {
        self.begin_until(None);
        for id in std::mem::take(&mut self.due).first {
            if let Ok(index) = self.position(id) {
                self.windows[index].groups.end_firing();
            }
        }
    }

    /// Drops the windows that are closed. All that was due of them has fired.
    pub fn close(&mut self, watermark: Watermark, lateness: i64) {
        self.end_firing();
        self.drop_first(|place| is_closed(watermark, lateness, place));
    }

    /// The first place that is not settled, if that is due.
    fn first_unsettled(&self, is_due: impl Fn(&Place) -> bool) -> Option<PlaceId> {
        let id = *self.unsettled.first()?;
        let index = self.position(id).expect(THERE);
        is_due(&self.windows[index].place).then_some(id)
    }

    /// Whether [`KeyedState::settle_panes`] has something to settle.
    pub(super) fn has_unsettled_pane(
        &self,
        slides: &Slides,
        has_passed: impl Fn(EventTime) -> bool,
    ) -> bool {
        let waits = self.waiting.first().is_some_and(|(end, _)| has_passed(*end));
        waits || self.first_unsettled(|place| has_passed(first_end(slides, place, 0))).is_some()
    }

    /// Takes the panes that are not settled and of whose windows the first that sees them ends at a time that `has_passed`;
    /// `each` settles them. Looks at no others, but once at those of which only windows have passed that do not see them.
    pub(super) fn settle_panes(
        &mut self,
        slides: &Slides,
        has_passed: impl Fn(EventTime) -> bool,
        mut each: impl FnMut(&mut OpenWindow),
    ) {
        // The ends of first windows ascend with the panes, those behind skipped ones need not.
        while let Some(id) = self.first_unsettled(|place| has_passed(first_end(slides, place, 0))) {
            self.unsettled.pop_first();
            let place = &self.windows[self.position(id).expect(THERE)].place;
            self.waiting.insert((first_end(slides, place, place.skipped), id));
        }
        while let Some((end, id)) = self.waiting.first().copied()
            && has_passed(end)
        {
            self.waiting.pop_first();
            if let Ok(index) = self.position(id) {
                each(&mut self.windows[index]);
            }
        }
    }
}

const THERE: &str = "windows are dropped when all that was due of them has fired";

/// Whether a window takes no more rows.
fn is_closed(watermark: Watermark, lateness: i64, place: &Place) -> bool {
    watermark.minus(lateness).has_passed(place.bounds.end)
}

/// The end of the first window of a pane but `skipped`.
fn first_end(slides: &Slides, place: &Place, skipped: u32) -> EventTime {
    looks::count();
    let windows = slides.windows_of(slides.pane_at(place.bounds.start));
    slides.bounds(windows.start + i128::from(skipped)).end
}
