//! Windows that lie apart: each row lies in one of them, and a window fires with the groups of its own rows.

use std::collections::BTreeSet;

use super::aggregate::{Aggregate, Results};
use super::groups::Groups;
use super::open::Looking;
use super::shape::{By, Fired, Shape, Until, Watching, Way};
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_state::window::snapshot::Stored;
use sluicegate_state::window::{Place, RunSize, StateRow};

/// What tells windows that lie apart from others of their kind. It knows no group.
pub(super) trait Rule: Send {
    /// Judges rows, and says in which window each of those on time lies.
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed);

    /// Whether a window fires on this way, with all its groups the first time and with the changed ones afterwards.
    fn is_due(&self, place: &Place, way: Way) -> bool;

    /// Whether windows may come to their end at this watermark. If not, none is closed, wherever it ends.
    fn may_close(&self, now: Watermark) -> bool;
}

/// The windows of one worker.
pub(super) struct Apart<R> {
    rule: R,
    groups: Groups,
}

impl<R: Rule> Apart<R> {
    /// Without rows. `fires_once`: no window takes rows when it has fired.
    pub(super) fn new(rule: R, fires_once: bool) -> Self {
        Self { rule, groups: Groups::new(fires_once) }
    }
}

impl<R: Rule> Shape for Apart<R> {
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed) {
        self.rule.place(rows, by, placed);
    }

    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers) {
        self.groups.update(aggregate, owned, answers);
    }

    fn has_due(&self, way: Way) -> bool {
        self.groups.state.has_due(|place| self.rule.is_due(place, way))
    }

    fn next_run(&mut self, way: Way, size: RunSize) -> Option<Until> {
        let Self { rule, groups } = self;
        Until::of(groups.state.next_run(|place| rule.is_due(place, way), size))
    }

    fn fire(&mut self, aggregate: &mut Aggregate<'_>, _way: Way, until: &Until) -> Fired {
        self.groups.fire(aggregate, until)
    }

    fn is_closing(&self, now: Watermark, lateness: i64) -> bool {
        self.rule.may_close(now) && self.groups.state.has_closed(now, lateness)
    }

    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired {
        if self.rule.may_close(way.now) {
            return self.groups.close(aggregate, way.now);
        }
        self.groups.state.end_firing();
        Fired::default()
    }

    fn changed(&mut self, aggregate: &mut Aggregate<'_>, by: Watching, max: usize) -> Results {
        self.groups.changed(aggregate, by, max)
    }

    fn open(&mut self, aggregate: &mut Aggregate<'_>, _now: Watermark, looking: &mut Looking<'_>) {
        self.groups.open(aggregate, looking);
    }

    fn changed_len(&self) -> usize {
        self.groups.changed_len()
    }

    fn restore(&mut self, row: &StateRow<'_>) {
        self.groups.state.restore(row);
    }

    fn fires_once(&self) -> bool {
        self.groups.state.fires_once()
    }

    fn fired_windows(&self) -> Vec<EventTime> {
        self.groups.state.fired_windows().collect()
    }

    fn go_on_firing(&mut self, fired: &BTreeSet<EventTime>) {
        self.groups.state.go_on_firing(fired);
    }

    fn set_saved(&mut self) {
        self.groups.state.set_saved();
    }

    fn stored(&self) -> Stored<'_> {
        Stored::Windows(&self.groups.state)
    }

    fn states(&self) -> States<'_> {
        Box::new(self.groups.state.states())
    }

    fn set_states(&mut self, mut states: &mut dyn Iterator<Item = &[u8]>) {
        self.groups.state.set_states(&mut states);
    }

    fn groups_len(&self) -> usize {
        self.groups.state.groups_len()
    }

    fn bytes(&self) -> usize {
        self.groups.state.bytes()
    }

    fn firing_bytes(&self) -> usize {
        self.groups.state.firing_bytes()
    }
}
