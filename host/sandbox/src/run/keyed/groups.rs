//! State and timers of a batch's groups on their way through one call or many: what a failed call leaves untouched.

use std::ops::Range;

use crate::plugin::PluginError;
use crate::run::made::admit;
use crate::run::places::{GroupAt, Places};
use sluicegate_model::timers::{KeyedGroups, Timer};

/// Groups while the rows of a batch are processed, call by call and in order. Every call is given those that it
/// touches, as the last left them.
pub(crate) struct WorkingGroups<'a> {
    given: &'a KeyedGroups,
    /// What the calls gave back.
    answers: Vec<KeyedGroups>,
    /// Bytes of all of them.
    bytes: usize,
    places: Places,
}

impl<'a> WorkingGroups<'a> {
    pub(crate) fn new(given: &'a KeyedGroups) -> Self {
        Self { given, answers: Vec::with_capacity(1), bytes: 0, places: Places::new(given.len()) }
    }

    fn place(&self, group: u32) -> (&KeyedGroups, usize) {
        place(self.given, &self.answers, &self.places, group)
    }

    pub(crate) fn state(&self, group: u32) -> &[u8] {
        let (groups, index) = self.place(group);
        groups.states.value(index)
    }

    /// The timer of a group that fires next.
    pub(crate) fn first_timer(&self, group: u32) -> Option<Timer> {
        let (groups, index) = self.place(group);
        groups.timers.get(index).next()
    }

    /// The part of the rows, cut so that the groups which it touches have at most `bytes_max` bytes; at least one row.
    pub(crate) fn fitting(
        &mut self,
        part: Range<usize>,
        of: &[u32],
        bytes_max: usize,
    ) -> Range<usize> {
        let Self { given, answers, places, .. } = self;
        places.fitting(part, of, bytes_max, |places, group| {
            let (groups, index) = place(given, answers, places, group);
            groups.bytes_of(index)
        })
    }

    /// One call, of rows that belong to the groups `of`. It gets these groups and the index of each row's among them;
    /// after a failure everything is as before. It is one, too, when more came back than a batch may have.
    pub(crate) fn call<A>(
        &mut self,
        of: &[u32],
        call: impl FnOnce(Vec<u32>, &KeyedGroups) -> Result<(A, KeyedGroups), PluginError>,
    ) -> Result<A, PluginError> {
        let locals: Vec<u32> = of.iter().map(|group| self.places.touch(*group)).collect();
        let mut given = KeyedGroups::default();
        for group in self.places.touched() {
            let (groups, index) = self.place(*group);
            given.push_from(groups, index);
        }
        let result = call(locals, &given);
        let result = result.and_then(|(answer, after)| {
            let bytes = (0..after.len()).map(|group| after.bytes_of(group)).sum();
            admit(self.bytes, bytes)?;
            self.bytes += bytes;
            self.replace(after);
            Ok(answer)
        });
        self.places.forget();
        result
    }

    /// A group without its first timer.
    pub(crate) fn without_first_timer(&self, group: u32) -> KeyedGroups {
        let (groups, index) = self.place(group);
        let mut rest = KeyedGroups::default();
        rest.push(groups.states.value(index), groups.timers.get(index).skip(1));
        rest
    }

    /// Puts another group in the place of one.
    pub(crate) fn replace_one(&mut self, group: u32, with: KeyedGroups) {
        self.places.touch(group);
        self.replace(with);
        self.places.forget();
    }

    /// What was answered takes the place of the touched groups.
    fn replace(&mut self, after: KeyedGroups) {
        self.answers.push(after);
        self.places.answered();
    }

    /// The groups in the order given.
    pub(crate) fn finish(mut self) -> KeyedGroups {
        if self.places.are_one_answer() {
            return self.answers.swap_remove(0);
        }
        let mut groups = KeyedGroups::default();
        for group in (0..).take(self.given.len()) {
            let (from, index) = self.place(group);
            groups.push_from(from, index);
        }
        groups
    }
}

fn place<'g>(
    given: &'g KeyedGroups,
    answers: &'g [KeyedGroups],
    places: &Places,
    group: u32,
) -> (&'g KeyedGroups, usize) {
    let GroupAt { answer, index } = places.of(group);
    (answer.map_or(given, |answer| &answers[answer]), index)
}
