//! A record as those before it were written: its keys in their order, with what led to each. Most of a stream is written in one
//! way; such a record is read without a look at any name.

use super::column::ColumnBuilder;
use super::lead::Part;
use super::plain::{take, take_short_number, take_short_text};
use super::shape::{KeyPlace, Shape, Way};
use super::skip;
use super::word::byte;

/// How many steps are remembered, so that a hostile record cannot make a decoder keep megabytes.
const STEPS_MAX: usize = 1_024;

/// Of records that are written in another way, one in so many is learned: a stream of records that are all different spends
/// little on learning them.
const LEARN_EVERY: u32 = 8;

/// The steps from the beginning of a record to its end, learned from the last one that was written in another way.
pub(super) struct Template {
    steps: Vec<Step>,
    /// Columns among the steps.
    columns: usize,
    /// Records until the next is learned that is written in another way.
    unlearned: u32,
}

/// Sixteen bytes or fewer that lead to a value, and perhaps that value.
struct Step {
    lead: Part,
    value: Value,
    way: Way,
    /// The key of the value.
    place: KeyPlace,
}

/// What stands behind the bytes of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// None: the lead goes on with the next step.
    None,
    /// One that nobody wants.
    Skipped,
    /// As a rule a short text, for the column of this index.
    Text(u32),
    /// As a rule a short number, for the column of this index.
    Number(u32),
    /// Any, which goes where the step says.
    Other,
}

/// How far a record is as the template says.
pub(super) enum Followed {
    /// To its end; so many columns have a value.
    Whole { end: usize, filled: usize },
    /// Not that far.
    Part(Left),
}

/// Where a record goes on in another way.
pub(super) struct Left {
    /// The step whose lead does not stand there.
    step: usize,
    /// Where the value before ends.
    pub(super) at: usize,
    /// Columns that have a value which lies within that of a key.
    pub(super) within: usize,
}

impl Template {
    /// Of no record.
    pub(super) fn new() -> Self {
        Self { steps: Vec::new(), columns: 0, unlearned: 0 }
    }

    /// Reads a record as far as it is written so. None: the columns hold a part of it, and it may be anything.
    #[inline(always)]
    pub(super) fn follow(
        &self,
        bytes: &[u8],
        shape: &mut Shape,
        columns: &mut [ColumnBuilder],
    ) -> Option<Followed> {
        let (mut at, mut within) = (0, 0);
        for (index, step) in self.steps.iter().enumerate() {
            let Some(begin) = step.lead.behind(bytes, at) else {
                return Some(self.left(index, at, within));
            };
            let end = match step.value {
                Value::None => Some(begin),
                Value::Skipped => skip::short_value(bytes, begin),
                Value::Text(column) => take_short_text(bytes, begin, &mut columns[column as usize]),
                Value::Number(column) => {
                    take_short_number(bytes, begin, &mut columns[column as usize])
                }
                Value::Other => None,
            };
            at = match end {
                Some(end) => end,
                None => {
                    let (end, more) = take(bytes, begin, step.way, shape, columns)?;
                    within += more;
                    end
                }
            };
        }
        let is_end = byte(bytes, at) == b'}' && !self.steps.is_empty();
        Some(match is_end {
            true => Followed::Whole { end: at + 1, filled: self.columns + within },
            false => self.left(self.steps.len(), at, within),
        })
    }

    /// The record has other bytes from `at` on than this step says.
    #[cold]
    fn left(&self, mut step: usize, mut at: usize, within: usize) -> Followed {
        let of_lead = self.steps[..step].iter().rev().take_while(|step| step.value == Value::None);
        for part in of_lead {
            (step, at) = (step - 1, at - part.lead.length());
        }
        Followed::Part(Left { step, at, within })
    }

    /// The keys that were led to.
    pub(super) fn keys(&self, left: &Left) -> impl Iterator<Item = (KeyPlace, Way)> {
        let values = self.steps[..left.step].iter().filter(|step| step.value != Value::None);
        values.map(|step| (step.place, step.way))
    }

    /// Where the steps were left, these keys followed to the end of the record.
    pub(super) fn learn(
        &mut self,
        left: &Left,
        keys: &[KeyPlace],
        shape: &Shape,
        columns: &[ColumnBuilder],
    ) {
        if self.unlearned > 0 {
            self.unlearned -= 1;
            return;
        }
        self.unlearned = LEARN_EVERY - 1;
        self.steps.truncate(left.step);
        for &place in keys {
            let added = self.add(place, shape, columns);
            if added.is_none() || self.steps.len() > STEPS_MAX {
                self.steps.clear();
                break;
            }
        }
        let values = self.steps.iter().filter(|step| step.value != Value::None);
        self.columns = values.filter(|step| matches!(step.way, Way::Column(_))).count();
    }

    /// Adds the steps to the value of a key. None: what leads to it is not known.
    fn add(&mut self, place: KeyPlace, shape: &Shape, columns: &[ColumnBuilder]) -> Option<()> {
        let (lead, way) = shape.way_to(place, self.steps.is_empty())?;
        let parts = lead.parts();
        self.steps.extend(parts.map(|lead| Step { lead, value: Value::None, way, place }));
        self.steps.last_mut()?.value = value(way, columns);
        Some(())
    }
}

fn value(way: Way, columns: &[ColumnBuilder]) -> Value {
    match way {
        Way::Skip => Value::Skipped,
        Way::Column(column) if columns[column as usize].has_texts() => Value::Text(column),
        Way::Column(column) if columns[column as usize].has_plain_numbers() => {
            Value::Number(column)
        }
        Way::Column(_) | Way::Field(_) => Value::Other,
    }
}
