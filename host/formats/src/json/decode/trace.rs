//! What was read of a record key by key: where its values stand, and what was done with each.

use super::shape::{KeyPlace, Way};

/// How many values are noted, so that a hostile record cannot make a decoder keep megabytes. What is learned of more ends before
/// them.
pub(super) const VALUES_MAX: usize = 1_024;

/// The first values of a record, in their order.
#[derive(Default)]
pub(super) struct Trace(Vec<Met>);

/// A value, or the end of an object of which each is told. Its bytes are `start..end` of the record's.
pub(super) struct Met {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) what: What,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    Value {
        way: Way,
        of: Home,
        /// Of the record's own keys: which.
        key: Option<KeyPlace>,
    },
    /// The value of this key of the record was an object, and ends here.
    End(KeyPlace),
}

/// The object that a key lies in.
#[derive(Clone, Copy)]
pub(super) struct Home {
    pub(super) object: usize,
    /// How many objects it lies in; 0: it is the record.
    pub(super) depth: usize,
}

impl Home {
    /// The record itself.
    pub(super) const RECORD: Self = Self { object: 0, depth: 0 };

    /// An object in this one.
    pub(super) fn inner(self, object: usize) -> Self {
        Self { object, depth: self.depth + 1 }
    }

    pub(super) fn is_record(self) -> bool {
        self.object == Self::RECORD.object
    }
}

impl Trace {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn push(&mut self, met: Met) {
        if self.0.len() < VALUES_MAX {
            self.0.push(met);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Met> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_record_of_too_many_keys_the_first_are_noted() {
        let mut trace = Trace::default();
        let met = |start| Met { start, end: start + 1, what: What::End(KeyPlace::BEGIN) };
        (0..10 * VALUES_MAX).for_each(|start| trace.push(met(start)));
        let starts: Vec<usize> = trace.iter().map(|met| met.start).collect();
        assert!(starts.iter().copied().eq(0..VALUES_MAX));
        assert!(trace.0.capacity() <= 2 * VALUES_MAX);
    }
}
