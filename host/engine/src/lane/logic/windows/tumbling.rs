//! Windows that do not overlap: each row lies in one.

use super::aggregate::{Aggregate, Results};
use super::groups::Groups;
use super::place::place_in_slides;
use super::shape::{By, Fired, Shape, Until, Watching, Way};
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_state::window::Slides;
use sluicegate_state::window::snapshot::{StateRow, Stored};
use sluicegate_state::window::state::Place;

/// The tumbling windows of one worker.
pub(super) struct Tumbling {
    slides: Slides,
    groups: Groups,
}

impl Tumbling {
    /// Without rows.
    pub(super) fn new(slides: Slides) -> Self {
        Self { slides, groups: Groups::default() }
    }
}

fn is_due(way: Way) -> impl Fn(&Place) -> bool {
    move |place| way.now.has_passed(EventTime(place.bounds.end))
}

impl Shape for Tumbling {
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed) {
        place_in_slides(&self.slides, rows, by, placed);
    }

    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers) {
        self.groups.update(aggregate, owned, answers);
    }

    fn has_due(&self, way: Way) -> bool {
        self.groups.state.has_due(is_due(way))
    }

    fn next_run(&mut self, way: Way, max: usize) -> Option<Until> {
        Until::of(self.groups.state.next_run(is_due(way), max))
    }

    fn fire(&mut self, aggregate: &mut Aggregate<'_>, _way: Way, until: &Until) -> Fired {
        self.groups.fire(aggregate, until)
    }

    fn is_closing(&self, now: Watermark, lateness: i64) -> bool {
        self.groups.state.has_closed(now, lateness)
    }

    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired {
        let (mut fired, plan) = (Fired::default(), aggregate.plan);
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
