//! What is due in the order in which it fires, by bounded pieces of work.
//!
//! ```text
//!  as they come      7 3 9 1 │ 4 8 2 0 │ 6 5
//!  cut by cut        1 3 7 9 │ 0 2 4 8 │ 5 6      sorted: one cut is little work
//!  taken             0 1 2 3 4 …                  the least of the first of each cut
//! ```
//!
//! Ten million groups sorted at once take seconds, in which nothing is heard. Beside what is sorted a cut costs 16 bytes.

use std::ops::Range;

/// Things with places in an order, which whoever calls knows: it is the same in each call.
#[derive(Debug)]
pub(super) struct Cuts<T> {
    all: Vec<T>,
    /// Those before it lie in sorted cuts.
    sorted: usize,
    /// What is left of each cut, none empty: a heap by the first of each.
    left: Vec<Range<usize>>,
}

impl<T> Default for Cuts<T> {
    fn default() -> Self {
        Self { all: Vec::new(), sorted: 0, left: Vec::new() }
    }
}

impl<T: Copy> Cuts<T> {
    /// Nothing yet, with room for so many.
    pub(super) fn with_capacity(things: usize) -> Self {
        Self { all: Vec::with_capacity(things), ..Self::default() }
    }

    /// Adds one to the next cut.
    pub(super) fn push(&mut self, thing: T) {
        self.all.push(thing);
    }

    /// How many the next cut has.
    pub(super) fn open_len(&self) -> usize {
        self.all.len() - self.sorted
    }

    /// Whether all that was added has been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty() && self.open_len() == 0
    }

    /// Sorts what was added since the last cut: from here on it can be taken.
    pub(super) fn end_cut<K: Ord>(&mut self, place: impl Fn(T) -> K) {
        let cut = self.sorted..self.all.len();
        if cut.is_empty() {
            return;
        }
        self.all[cut.clone()].sort_unstable_by_key(|thing| place(*thing));
        self.sorted = cut.end;
        self.left.push(cut);
        let mut at = self.left.len() - 1;
        while at > 0 && self.first(at, &place) < self.first((at - 1) / 2, &place) {
            self.left.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    /// Takes the first of all sorted ones.
    pub(super) fn take_next<K: Ord>(&mut self, place: impl Fn(T) -> K) -> Option<T> {
        let next = self.all[self.left.first()?.start];
        self.left[0].start += 1;
        if self.left[0].is_empty() {
            self.left.swap_remove(0);
        }
        if self.left.is_empty() && self.open_len() == 0 {
            *self = Self::default();
            return Some(next);
        }
        let mut at = 0;
        loop {
            let below = (2 * at + 1..self.left.len().min(2 * at + 3))
                .min_by(|a, b| self.first(*a, &place).cmp(&self.first(*b, &place)));
            match below {
                Some(below) if self.first(below, &place) < self.first(at, &place) => {
                    self.left.swap(at, below);
                    at = below;
                }
                _ => return Some(next),
            }
        }
    }

    fn first<K>(&self, at: usize, place: impl Fn(T) -> K) -> K {
        place(self.all[self.left[at].start])
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<T>() + self.left.capacity() * size_of::<Range<usize>>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Some are taken before the last are added.
        #[test]
        fn what_is_cut_comes_in_order(
            first in prop::collection::vec(any::<u8>(), 0..60),
            taken in 0..60usize,
            second in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut cuts = Cuts::default();
            let mut expected = first.clone();
            let add = |cuts: &mut Cuts<u8>, things: &[u8]| {
                for cut in things.chunks(4) {
                    cut.iter().for_each(|thing| cuts.push(*thing));
                    cuts.end_cut(|thing| thing);
                }
            };
            add(&mut cuts, &first);
            expected.sort_unstable();
            for thing in expected.drain(..taken.min(first.len())) {
                prop_assert_eq!(cuts.take_next(|thing| thing), Some(thing));
            }
            add(&mut cuts, &second);
            expected.extend(&second);
            expected.sort_unstable();
            for thing in expected {
                prop_assert!(!cuts.is_empty());
                prop_assert_eq!(cuts.take_next(|thing| thing), Some(thing));
            }
            prop_assert!(cuts.is_empty());
            prop_assert_eq!(cuts.take_next(|thing| thing), None);
            prop_assert_eq!(cuts.bytes(), 0);
        }
    }
}
