//! Where the state of each group of a batch stands while calls change it, and which groups one call touches.

use std::ops::Range;

/// The groups of a batch. What they had first is arena 0; every call that succeeds gives back another arena.
pub(crate) struct Places {
    /// For each group the arena, and its index in it.
    all: Vec<(u32, u32)>,
    /// Index of each group among those of the present call, or [`Places::ABSENT`].
    locals: Vec<u32>,
    /// The groups of the present call.
    touched: Vec<u32>,
    /// Arenas beside the first.
    answers: u32,
}

/// Where the state of a group stands.
pub(crate) struct GroupAt {
    /// Which answer; none for what was given.
    pub(crate) answer: Option<usize>,
    /// In it.
    pub(crate) index: usize,
}

impl Places {
    const ABSENT: u32 = u32::MAX;

    /// All groups stand where they were given.
    pub(crate) fn new(groups: usize) -> Self {
        let count = u32::try_from(groups).expect("groups are indexed by u32");
        Self {
            all: (0..count).map(|group| (0, group)).collect(),
            locals: vec![Self::ABSENT; groups],
            touched: Vec::new(),
            answers: 0,
        }
    }

    /// Where a group stands now.
    pub(crate) fn of(&self, group: u32) -> GroupAt {
        let (arena, index) = self.all[group as usize];
        let answer = arena.checked_sub(1).map(|answer| answer as usize);
        GroupAt { answer, index: index as usize }
    }

    /// Whether every group stands in the first answer, in the order given.
    pub(crate) fn are_one_answer(&self) -> bool {
        self.answers == 1 && (0..).zip(&self.all).all(|(index, place)| *place == (1, index))
    }

    /// The groups of the present call, in the order in which they were touched.
    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// Index of a group in the present call, which gets it if it is not there yet.
    pub(crate) fn touch(&mut self, group: u32) -> u32 {
        let local = &mut self.locals[group as usize];
        if *local == Self::ABSENT {
            *local = u32::try_from(self.touched.len()).expect("fewer than the groups");
            self.touched.push(group);
        }
        *local
    }

    /// The touched groups stand in a new answer, in the order in which they were touched.
    pub(crate) fn answered(&mut self) {
        self.answers = self.answers.checked_add(1).expect("fewer answers than rows and timers");
        for (index, group) in (0..).zip(&self.touched) {
            self.all[*group as usize] = (self.answers, index);
        }
    }

    /// The present call is over, whatever came of it.
    pub(crate) fn forget(&mut self) {
        for group in self.touched.drain(..) {
            self.locals[group as usize] = Self::ABSENT;
        }
    }

    /// The part of the rows, cut so that the groups which it touches have at most `bytes_max` bytes; at least one row.
    /// Row `i` belongs to group `of[i]`.
    pub(crate) fn fitting(
        &mut self,
        part: Range<usize>,
        of: &[u32],
        bytes_max: usize,
        bytes_of: impl Fn(&Self, u32) -> usize,
    ) -> Range<usize> {
        let mut bytes = 0;
        let mut end = part.end;
        for row in part.clone() {
            let known = self.touched.len();
            self.touch(of[row]);
            if self.touched.len() > known {
                bytes += bytes_of(self, of[row]);
                if bytes > bytes_max && row > part.start {
                    end = row;
                    break;
                }
            }
        }
        self.forget();
        part.start..end
    }
}
