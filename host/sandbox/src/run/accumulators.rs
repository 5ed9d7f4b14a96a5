//! The accumulators of a batch on their way through one call or many: what a failed call leaves untouched.

use std::borrow::Cow;
use std::ops::Range;

use arrow::record_batch::RecordBatch;

use super::made::admit;
use super::places::{GroupAt, Places};
use crate::plugin::PluginError;
use crate::plugin::answer::Reject;
use crate::plugin::guest::AggregateGuest;
use sluicegate_model::varlen::Varlen;

/// Accumulators while the rows of a batch are added, call by call and in order.
pub(crate) enum GroupStates<'a> {
    /// Every call is given all of them, as the last call left them.
    Whole(Cow<'a, Varlen>),
    /// Every call is given those that its rows touch.
    Touched(Touched<'a>),
}

/// Accumulators that do not all fit into one call, or are too many to be copied for each.
pub(crate) struct Touched<'a> {
    given: &'a Varlen,
    /// What the calls gave back, one arena each.
    answers: Vec<Varlen>,
    /// Bytes of all of them.
    bytes: usize,
    places: Places,
}

impl<'a> GroupStates<'a> {
    /// Accumulators that are about to take `rows` rows, in calls of at most `rows_max` rows and `bytes_max` bytes.
    pub(crate) fn new(states: &'a Varlen, rows: usize, rows_max: usize, bytes_max: usize) -> Self {
        let few = rows <= rows_max || states.len() <= rows_max / 8;
        if few && size(states) <= bytes_max / 2 {
            Self::Whole(Cow::Borrowed(states))
        } else {
            Self::Touched(Touched::new(states))
        }
    }

    /// Bytes that the rows of the next call may have.
    pub(crate) fn room_for_rows(&self, bytes_max: usize) -> usize {
        match self {
            Self::Whole(states) => bytes_max.saturating_sub(size(states)),
            Self::Touched(_) => bytes_max / 2,
        }
    }

    /// The part, cut so that the accumulators which it touches have at most half of `bytes_max`; at least one row.
    pub(crate) fn fitting(
        &mut self,
        part: Range<usize>,
        groups: &[u32],
        bytes_max: usize,
    ) -> Range<usize> {
        match self {
            Self::Whole(_) => part,
            Self::Touched(states) => states.fitting(part, groups, bytes_max / 2),
        }
    }

    /// One call. After a failure everything is as before.
    pub(crate) fn update(
        &mut self,
        guest: &mut dyn AggregateGuest,
        rows: &RecordBatch,
        groups: &[u32],
    ) -> Result<Vec<Reject>, PluginError> {
        match self {
            Self::Whole(states) => {
                let answer = guest.update(rows, groups, states)?;
                *states = Cow::Owned(answer.states);
                Ok(answer.rejects)
            }
            Self::Touched(states) => states.update(guest, rows, groups),
        }
    }

    /// The accumulators in the order given.
    pub(crate) fn finish(self) -> Varlen {
        match self {
            Self::Whole(states) => states.into_owned(),
            Self::Touched(states) => states.finish(),
        }
    }
}

fn size(states: &Varlen) -> usize {
    states.bytes.len() + size_of_val(states.offsets.as_slice())
}

impl<'a> Touched<'a> {
    fn new(given: &'a Varlen) -> Self {
        Self { given, answers: Vec::new(), bytes: size(given), places: Places::new(given.len()) }
    }

    fn state(&self, group: u32) -> &[u8] {
        state(self.given, &self.answers, &self.places, group)
    }

    fn fitting(&mut self, part: Range<usize>, groups: &[u32], bytes_max: usize) -> Range<usize> {
        let Self { given, answers, places, .. } = self;
        places.fitting(part, groups, bytes_max, |places, group| {
            state(given, answers, places, group).len() + size_of::<u32>()
        })
    }

    fn update(
        &mut self,
        guest: &mut dyn AggregateGuest,
        rows: &RecordBatch,
        groups: &[u32],
    ) -> Result<Vec<Reject>, PluginError> {
        let locals: Vec<u32> = groups.iter().map(|group| self.places.touch(*group)).collect();
        let states: Varlen = self.places.touched().iter().map(|group| self.state(*group)).collect();
        let result = guest.update(rows, &locals, &states);
        let result = result.and_then(|answer| {
            admit(self.bytes, size(&answer.states))?;
            self.bytes += size(&answer.states);
            self.answers.push(answer.states);
            self.places.answered();
            Ok(answer.rejects)
        });
        self.places.forget();
        result
    }

    fn finish(self) -> Varlen {
        let mut states = Varlen::with_capacity(self.given.len(), self.given.bytes.len());
        for group in (0..).take(self.given.len()) {
            states.push(self.state(group));
        }
        states
    }
}

fn state<'s>(given: &'s Varlen, answers: &'s [Varlen], places: &Places, group: u32) -> &'s [u8] {
    let GroupAt { answer, index } = places.of(group);
    answer.map_or(given, |answer| &answers[answer]).value(index)
}
