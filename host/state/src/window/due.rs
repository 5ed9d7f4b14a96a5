//! Groups that are due at a watermark, a bounded run at a time, in the order of window and key.
//!
//! ```text
//!  due         window 0: a b c d e f    window 10: a c d
//!  runs        ├────────┤├────────────────────┤├───────┤
//! ```
//!
//! What is due is as much as the data have made it. Between two runs the state is consistent: what has fired is not due any more, and
//! the rest still is, also after it was stored and restored. Until the last run no row may be added.

use std::collections::VecDeque;

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowBounds;

use super::firing::{Firing, GROUPS_PER_CALL, OpenGroup};
use super::looks;
use super::row::{Place, PlaceId};
use super::slides::Slides;
use super::state::{KeyedState, OpenWindow};

/// A group, in the order in which groups fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupPlace {
    pub(super) start: EventTime,
    pub(super) end: EventTime,
    pub(super) key: Box<[u8]>,
}

/// The same of a group that stands in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FiringOrder<'g> {
    start: EventTime,
    end: EventTime,
    key: &'g [u8],
}

impl<'g> FiringOrder<'g> {
    /// Of the group of a window and key.
    pub(super) fn of(bounds: WindowBounds, key: &'g [u8]) -> Self {
        Self { start: bounds.start, end: bounds.end, key }
    }
}

impl GroupPlace {
    /// Copies the key.
    pub(super) fn of(order: FiringOrder<'_>) -> Self {
        Self { start: order.start, end: order.end, key: order.key.into() }
    }

    pub(super) fn is_before(&self, group: FiringOrder<'_>) -> bool {
        FiringOrder { start: self.start, end: self.end, key: &self.key } < group
    }
}

/// The groups of one worker that fire next.
#[derive(Debug, Default)]
pub struct NextRun {
    /// Groups up to and with `last`; 0 if nothing is due.
    pub groups: usize,
    /// The last of them. None: they are all that are due.
    pub last: Option<GroupPlace>,
}

impl KeyedState {
    /// Whether anything is due. Looks at one window, however many there are.
    pub fn has_due(&self, is_due: impl Fn(&Place) -> bool) -> bool {
        !self.due.is_empty() || self.first_unsettled(is_due).is_some()
    }

    /// The next groups of the windows that are due, at most `max`, at least one: all of a window the first time, afterwards those
    /// that changed. Of windows that do not overlap.
    pub fn next_run(&mut self, is_due: impl Fn(&Place) -> bool, max: usize) -> NextRun {
        while self.due.len() < max
            && let Some(id) = self.first_unsettled(&is_due)
        {
            self.unsettled.pop_first();
            let index = self.position(id).expect(THERE);
            let groups = self.windows[index].groups.due_by_key();
            self.begun.push_back(id);
            self.due.extend(groups.into_iter().map(|group| (id, group)));
        }
        let last = self.due.get(max - 1).map(|(id, group)| {
            let OpenWindow { place, groups, .. } = &self.windows[self.position(*id).expect(THERE)];
            GroupPlace::of(FiringOrder::of(place.bounds, groups.key(*group)))
        });
        NextRun { groups: self.due.len().min(max), last }
    }

    /// Fires the groups that are due up to `last`, which is that of the worker whose run ends first. A window begins to fire on all
    /// workers at once: others may own its groups when they are restored.
    pub fn fire_run(&mut self, last: Option<&GroupPlace>) -> Firing {
        self.begin_until(last);
        let mut firing = Firing::default();
        let mut at: Option<(PlaceId, usize)> = None;
        while let Some((id, group)) = self.due.front().copied() {
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
            self.due.pop_front();
            let revision = groups.fire(group);
            let (key, state) = (groups.key(group), groups.state(group));
            firing.push(OpenGroup { bounds, key, state, revision });
        }
        firing
    }

    fn begin_until(&mut self, last: Option<&GroupPlace>) {
        while let Some(id) = self.begun.front().copied()
            && last.is_none_or(|last| id.0 <= last.start)
        {
            self.begun.pop_front();
            let index = self.position(id).expect(THERE);
            self.windows[index].groups.begin_firing();
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
        self.due = VecDeque::new();
        self.begin_until(None);
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
