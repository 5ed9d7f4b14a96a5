//! One window for all of time: what changed in it fires whenever the watermark crosses a multiple of the trigger.

use super::aggregate::{Aggregate, Results};
use super::groups::Groups;
use super::shape::{By, Fired, Shape, Until, Watching, Way};
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::Watermark;
use sluicegate_state::window::snapshot::{StateRow, Stored};
use sluicegate_state::window::state::Place;

/// The window of one worker.
pub(super) struct Ever {
    /// µs.
    trigger: i64,
    groups: Groups,
}

impl Ever {
    /// Without rows.
    pub(super) fn new(trigger: i64) -> Self {
        Self { trigger, groups: Groups::default() }
    }
}

fn is_due(trigger: i64, way: Way) -> impl Fn(&Place) -> bool {
    move |_| way.now.has_crossed(trigger, way.before)
}

impl Shape for Ever {
    fn place(&self, rows: &Rows, _by: By<'_>, placed: &mut Placed) {
        rows.selection().for_each(|row| placed.push(row, Place::EVER));
    }

    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers) {
        self.groups.update(aggregate, owned, answers);
    }

    fn has_due(&self, way: Way) -> bool {
        self.groups.state.has_due(is_due(self.trigger, way))
    }

    fn next_run(&mut self, way: Way, max: usize) -> Option<Until> {
        Until::of(self.groups.state.next_run(is_due(self.trigger, way), max))
    }

    fn fire(&mut self, aggregate: &mut Aggregate<'_>, _way: Way, until: &Until) -> Fired {
        self.groups.fire(aggregate, until)
    }

    fn is_closing(&self, now: Watermark, _lateness: i64) -> bool {
        now == Watermark::End
    }

    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired {
        let (mut fired, plan) = (Fired::default(), aggregate.plan);
        // Of all time the end of input is the end, and nothing else.
        if way.now != Watermark::End {
            self.groups.state.end_firing();
            return fired;
        }
        if plan.tells_updates && plan.corrects {
            let tell = |firing: &_| aggregate.evaluate(firing, &mut fired.closed);
            self.groups.state.each_closing(way.now, plan.lateness, tell);
        }
        self.groups.state.close(way.now, plan.lateness);
        fired.sorted()
    }

    fn changed(&mut self, aggregate: &mut Aggregate<'_>, by: Watching, max: usize) -> Results {
        self.groups.changed(aggregate, by, max)
    }

    fn changed_len(&self) -> usize {
        self.groups.changed_len()
    }

    fn restore(&mut self, row: &StateRow<'_>) {
        self.groups.state.restore(row);
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
}
