//! Windows that follow from a row's time alone and do not overlap. Between them may be gaps.

use super::apart::Rule;
use super::place::place_in_slides;
use super::shape::{By, Way};
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::Watermark;
use sluicegate_state::window::Place;
use sluicegate_state::window::Slides;

/// Tumbling windows.
pub(super) struct Tumbling {
    pub(super) slides: Slides,
}

impl Rule for Tumbling {
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed) {
        place_in_slides(&self.slides, rows, by, placed);
    }

    fn is_due(&self, place: &Place, way: Way) -> bool {
        way.now.has_passed(place.bounds.end)
    }

    fn may_close(&self, _now: Watermark) -> bool {
        true
    }
}
