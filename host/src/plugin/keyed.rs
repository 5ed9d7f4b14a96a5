//! State and timers of a batch's groups on their way through one call or many: what a failed call leaves untouched.

use std::ops::Range;

use super::process::{KeyedGroups, Timer};

/// Groups while the rows of a batch are processed, call by call and in order. Every call is given those that it
/// touches, as the last left them.
pub(super) struct WorkingGroups<'a> {
    given: &'a KeyedGroups,
    /// What the calls gave back.
    answers: Vec<KeyedGroups>,
    /// Where each group stands now: the answer, 0 being what was given, and the index in it.
    places: Vec<(u32, u32)>,
    /// Index of each group among those of the present call, or [`WorkingGroups::ABSENT`].
    locals: Vec<u32>,
    /// The groups of the present call.
    touched: Vec<u32>,
}

impl<'a> WorkingGroups<'a> {
    const ABSENT: u32 = u32::MAX;

    /// Nothing was called yet.
    pub(super) fn new(given: &'a KeyedGroups) -> Self {
        let groups = u32::try_from(given.len()).expect("groups are indexed by u32");
        Self {
            given,
            answers: Vec::with_capacity(1),
            places: (0..groups).map(|group| (0, group)).collect(),
            locals: vec![Self::ABSENT; given.len()],
            touched: Vec::new(),
        }
    }

    fn place(&self, group: u32) -> (&KeyedGroups, usize) {
        let (answer, index) = self.places[group as usize];
        let groups = match answer.checked_sub(1) {
            None => self.given,
            Some(answer) => &self.answers[answer as usize],
        };
        (groups, index as usize)
    }

    /// State of a group.
    pub(super) fn state(&self, group: u32) -> &[u8] {
        let (groups, index) = self.place(group);
        groups.states.value(index)
    }

    /// The timer of a group that fires next.
    pub(super) fn first_timer(&self, group: u32) -> Option<Timer> {
        let (groups, index) = self.place(group);
        groups.timers.get(index).next()
    }

    /// The part of the rows, cut so that the groups which it touches have at most `bytes_max` bytes; at least one row.
    pub(super) fn fitting(
        &mut self,
        part: Range<usize>,
        of: &[u32],
        bytes_max: usize,
    ) -> Range<usize> {
        let mut bytes = 0;
        let mut end = part.end;
        for row in part.clone() {
            let known = self.touched.len();
            self.touch(of[row]);
            if self.touched.len() > known {
                let (groups, index) = self.place(of[row]);
                bytes += groups.bytes_of(index);
                if bytes > bytes_max && row > part.start {
                    end = row;
                    break;
                }
            }
        }
        self.forget();
        part.start..end
    }

    /// One call, of rows that belong to the groups `of`. It gets these groups and the index of each row's among them;
    /// after a failure everything is as before.
    pub(super) fn call<A, E>(
        &mut self,
        of: &[u32],
        call: impl FnOnce(Vec<u32>, &KeyedGroups) -> Result<(A, KeyedGroups), E>,
    ) -> Result<A, E> {
        let locals: Vec<u32> = of.iter().map(|group| self.touch(*group)).collect();
        let mut given = KeyedGroups::default();
        for group in &self.touched {
            let (groups, index) = self.place(*group);
            given.push_from(groups, index);
        }
        let result = call(locals, &given);
        let result = result.map(|(answer, after)| {
            self.replace(after);
            answer
        });
        self.forget();
        result
    }

    /// A group without its first timer.
    pub(super) fn without_first_timer(&self, group: u32) -> KeyedGroups {
        let (groups, index) = self.place(group);
        let mut rest = KeyedGroups::default();
        rest.push(groups.states.value(index), groups.timers.get(index).skip(1));
        rest
    }

    /// Puts another group in the place of one.
    pub(super) fn replace_one(&mut self, group: u32, with: KeyedGroups) {
        self.touch(group);
        self.replace(with);
        self.forget();
    }

    /// What was answered takes the place of the touched groups.
    fn replace(&mut self, after: KeyedGroups) {
        self.answers.push(after);
        let answer = u32::try_from(self.answers.len()).expect("fewer than rows and timers");
        for (index, group) in (0..).zip(&self.touched) {
            self.places[*group as usize] = (answer, index);
        }
    }

    fn touch(&mut self, group: u32) -> u32 {
        let local = &mut self.locals[group as usize];
        if *local == Self::ABSENT {
            *local = u32::try_from(self.touched.len()).expect("fewer than the groups");
            self.touched.push(group);
        }
        *local
    }

    fn forget(&mut self) {
        for group in self.touched.drain(..) {
            self.locals[group as usize] = Self::ABSENT;
        }
    }

    /// The groups in the order given.
    pub(super) fn finish(mut self) -> KeyedGroups {
        let in_order = (0..).zip(&self.places).all(|(index, place)| *place == (1, index));
        if in_order && self.answers.len() == 1 {
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
