//! One window for all of time: what changed in it fires whenever the watermark crosses a multiple of the trigger.

use super::apart::Rule;
use super::shape::{By, Way};
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::Watermark;
use sluicegate_state::window::Place;

/// The only window.
pub(super) struct Ever {
    /// µs.
    pub(super) trigger: i64,
}

impl Rule for Ever {
    /// No row is late for it.
    fn place(&self, rows: &Rows, _by: By<'_>, placed: &mut Placed) {
        rows.selection().for_each(|row| placed.push(row));
        placed.end_run(Place::EVER);
    }

    fn is_due(&self, _place: &Place, way: Way) -> bool {
        way.now.has_crossed(self.trigger, way.before)
    }

    /// Of all time the end of input is the end, and nothing else: a watermark at the last moment that a time can have
    /// is not.
    fn may_close(&self, now: Watermark) -> bool {
        now == Watermark::End
    }
}
