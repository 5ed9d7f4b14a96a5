//! A record as those before it were written: what stands between its values, and what is done with each. Most of a stream is
//! written in one way; such a record is read without a look at any name, objects within it like the record itself.

use std::mem;

use super::column::ColumnBuilder;
use super::lead::Part;
use super::plain::{take_any, take_several, take_short_number, take_short_text};
use super::shape::{FieldIndex, KeyPlace, Shape, Way};
use super::skip;
use super::trace::{Home, Met, Trace, VALUES_MAX, What};

/// How many steps are remembered: one or more for each value.
const STEPS_MAX: usize = VALUES_MAX;

/// Of records that are written in another way, one in so many is learned in the end, and more at the beginning: to learn one costs
/// more than to read it.
const LEARN_EVERY: u32 = 64;

/// After so many in a row that were written in another way the next are read key by key at once, and then one is tried.
const MISSES_MAX: u32 = 8;
const UNTRIED: u32 = 15;

/// The steps from the beginning of a record to its end, learned from the last one that was written in another way.
pub(super) struct Template {
    steps: Vec<Step>,
    /// They lead to the end of a record, and not only through a part of one.
    is_whole: bool,
    /// Columns among the steps.
    columns: usize,
    /// Records that are written in another way until the next of them is learned, and how many it was the last time.
    unlearned: u32,
    pause: u32,
    /// Records in a row that were written in another way.
    misses: u32,
    /// Records that are read key by key before one is tried again.
    untried: u32,
    /// Of the last record that was learned: its memory is used again.
    trace: Trace,
}

/// Sixteen bytes or fewer that lead to a value, and perhaps that value.
struct Step {
    lead: Part,
    value: Value,
    of: Home,
    /// The record's own key that ends with this step.
    key: Option<KeyPlace>,
    /// What leads to the next of the record's own keys begins with this step.
    is_outer: bool,
}

/// What stands behind the bytes of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// None: the lead goes on with the next step, or an object ends.
    None,
    /// One that nobody wants.
    Skipped,
    /// As a rule a short text, for the column of this index.
    Text(u32),
    /// As a rule a short number, for the column of this index.
    Number(u32),
    /// Another, for the column of this index.
    Other(u32),
    /// One that several columns have, or one its text.
    Several(FieldIndex),
}

/// How far a record is as the template says.
pub(super) enum Followed {
    /// To its end; so many columns have a value.
    Whole { end: usize, filled: usize },
    /// Not that far.
    Until(Left),
}

/// Where reading goes on key by key.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// The first step that was not followed; 0: the record is read from its beginning.
    step: usize,
    /// Where the value before ends.
    pub(super) at: usize,
    /// Columns that have a value which several have, or which is the text of one.
    pub(super) within: usize,
    /// Columns hold a part of the record, which is read from its beginning all the same.
    pub(super) forgets: bool,
    /// It ends where the bytes end, and says nothing of how others are written.
    is_cut_short: bool,
}

impl Left {
    const BEGINNING: Self = Self { step: 0, at: 0, within: 0, forgets: false, is_cut_short: false };
}

impl Template {
    /// Of no record.
    pub(super) fn new() -> Self {
        Self {
            steps: Vec::new(),
            is_whole: false,
            columns: 0,
            unlearned: 0,
            pause: 0,
            misses: 0,
            untried: 0,
            trace: Trace::default(),
        }
    }

    /// Reads a record as far as it is written so. None: the columns hold a part of it, and it may be anything.
    #[inline(always)]
    pub(super) fn follow(
        &mut self,
        bytes: &[u8],
        shape: &mut Shape,
        columns: &mut [ColumnBuilder],
    ) -> Option<Followed> {
        if self.untried > 0 {
            self.untried -= 1;
            return Some(Followed::Until(Left::BEGINNING));
        }
        let (mut at, mut outer, mut within) = (0, 0, 0);
        for (index, step) in self.steps.iter().enumerate() {
            if step.is_outer {
                outer = at;
            }
            let Some(begin) = step.lead.behind(bytes, at) else {
                let is_cut_short = bytes.len() - at.min(bytes.len()) < Part::LOOKED_AT;
                return Some(self.left(index, (outer, within), is_cut_short));
            };
            at = match step.value {
                Value::None => begin,
                Value::Skipped => match skip::short_value(bytes, begin) {
                    Some(end) => end,
                    None => skip::any(bytes, begin, step.of.depth + 1)?,
                },
                Value::Text(column) => {
                    let column = &mut columns[column as usize];
                    match take_short_text(bytes, begin, column) {
                        Some(end) => end,
                        None => take_any(bytes, begin, column)?,
                    }
                }
                Value::Number(column) => {
                    let column = &mut columns[column as usize];
                    match take_short_number(bytes, begin, column) {
                        Some(end) => end,
                        None => take_any(bytes, begin, column)?,
                    }
                }
                Value::Other(column) => take_any(bytes, begin, &mut columns[column as usize])?,
                Value::Several(field) => {
                    let (end, more) = take_several(bytes, begin, field, step.of, shape, columns)?;
                    within += more;
                    end
                }
            };
        }
        if !self.is_whole {
            return Some(self.left(self.steps.len(), (at, within), false));
        }
        self.misses = 0;
        Some(Followed::Whole { end: at, filled: self.columns + within })
    }

    /// The record is written otherwise from this step on, or too few bytes are left to say so. The last of its own keys that was read ends
    /// at `at`.
    #[cold]
    fn left(&mut self, step: usize, (at, within): (usize, usize), is_cut_short: bool) -> Followed {
        // All that is known of a record of too many keys is no miss.
        if !is_cut_short && (step < self.steps.len() || self.steps.is_empty()) {
            self.misses = (self.misses + 1).min(MISSES_MAX);
            self.untried = if self.misses == MISSES_MAX { UNTRIED } else { 0 };
        }
        let followed = &self.steps[..step];
        let is_next = self.steps.get(step).is_none_or(|step| step.is_outer);
        let first = if is_next { step } else { last_outer(followed) };
        Followed::Until(match followed[first..].iter().all(|step| step.value == Value::None) {
            true => Left { step: first, at, within, forgets: false, is_cut_short },
            // What was read of an object that is not read to its end is read again.
            false => Left { forgets: true, is_cut_short, ..Left::BEGINNING },
        })
    }

    /// The record's own keys that were followed.
    pub(super) fn keys(&self, left: &Left) -> impl Iterator<Item = KeyPlace> {
        self.steps[..left.step].iter().filter_map(|step| step.key)
    }

    /// How many columns have a value of their own by these steps.
    pub(super) fn filled(&self, left: &Left) -> usize {
        columns_of(&self.steps[..left.step])
    }

    /// Lends what a record is noted in that is to be learned; none: it is not.
    pub(super) fn begin_trace(&mut self, left: &Left) -> Option<Trace> {
        (self.unlearned == 0 && !left.is_cut_short).then(|| {
            let mut trace = mem::take(&mut self.trace);
            trace.clear();
            trace
        })
    }

    /// A record that ends at `end` was read key by key from there on.
    pub(super) fn read_otherwise(
        &mut self,
        bytes: &[u8],
        (left, end): (Left, usize),
        trace: Option<Trace>,
        columns: &[ColumnBuilder],
    ) {
        let Some(trace) = trace else {
            self.unlearned -= u32::from(!left.is_cut_short);
            return;
        };
        self.pause = (2 * self.pause + 1).min(LEARN_EVERY - 1);
        self.unlearned = self.pause;
        self.steps.truncate(left.step);
        let mut at = left.at;
        for met in trace.iter() {
            self.add(&bytes[at..met.start], Some(met), columns);
            at = met.end;
        }
        self.add(&bytes[at..end], None, columns);
        self.is_whole = self.steps.len() <= STEPS_MAX;
        if !self.is_whole {
            self.steps.truncate(STEPS_MAX);
            self.steps.truncate(last_outer(&self.steps));
        }
        self.columns = columns_of(&self.steps);
        self.trace = trace;
    }

    /// The record could not be read: nothing is learned of it.
    pub(super) fn give_back(&mut self, trace: Option<Trace>) {
        if let Some(trace) = trace {
            self.trace = trace;
        }
    }

    /// Adds the steps to a value, or to the record's end.
    fn add(&mut self, lead: &[u8], met: Option<&Met>, columns: &[ColumnBuilder]) {
        let room = (STEPS_MAX + 1).saturating_sub(self.steps.len());
        let is_outer = self.steps.last().is_none_or(|last| last.key.is_some());
        debug_assert!(!lead.is_empty(), "values lie apart");
        let parts = lead.chunks(Part::LOOKED_AT).take(room);
        let first = self.steps.len();
        self.steps.extend(parts.map(|part| Step {
            lead: Part::of(part),
            value: Value::None,
            of: Home::RECORD,
            key: None,
            is_outer: false,
        }));
        if let Some(first) = self.steps.get_mut(first) {
            first.is_outer = is_outer;
        }
        let (Some(last), Some(met)) = (self.steps.last_mut(), met) else { return };
        match met.what {
            What::Value { way, of, key } => {
                (last.value, last.of, last.key) = (value(way, columns), of, key);
            }
            What::End(key) => last.key = Some(key),
        }
    }
}

fn columns_of(steps: &[Step]) -> usize {
    let is_column = |value| matches!(value, Value::Text(_) | Value::Number(_) | Value::Other(_));
    steps.iter().filter(|step| is_column(step.value)).count()
}

/// The last step from which on a key of the record's own may follow in another way.
fn last_outer(steps: &[Step]) -> usize {
    steps.iter().rposition(|step| step.is_outer).unwrap_or(0)
}

fn value(way: Way, columns: &[ColumnBuilder]) -> Value {
    match way {
        Way::Skip => Value::Skipped,
        Way::Column(column) if columns[column as usize].has_texts() => Value::Text(column),
        Way::Column(column) if columns[column as usize].has_plain_numbers() => {
            Value::Number(column)
        }
        Way::Column(column) => Value::Other(column),
        Way::Field(field) => Value::Several(field),
    }
}
