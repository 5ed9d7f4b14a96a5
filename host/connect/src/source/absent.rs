//! Which records of a block lack a value or a key: null is not empty.

/// One bit a record, set where something is absent. Costs nothing while nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent {
    /// Record n is bit `n % 64` of word `n / 64`; words that are not there are zero.
    words: Vec<u64>,
}

impl Absent {
    /// Notes that `record` lacks it.
    #[inline]
    pub fn mark(&mut self, record: usize) {
        let word = record / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (record % 64);
    }

    /// `record` counts from 0 in its block; false beyond the end.
    #[inline]
    pub fn has(&self, record: usize) -> bool {
        self.words.get(record / 64).is_some_and(|word| word >> (record % 64) & 1 == 1)
    }
}

impl FromIterator<usize> for Absent {
    fn from_iter<I: IntoIterator<Item = usize>>(records: I) -> Self {
        let mut absent = Self::default();
        for record in records {
            absent.mark(record);
        }
        absent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_marked_is_absent() {
        let absent: Absent = [0, 63, 64, 1000].into_iter().collect();
        let marked: Vec<usize> = (0..2000).filter(|record| absent.has(*record)).collect();
        assert_eq!(marked, [0, 63, 64, 1000]);
        assert!(!Absent::default().has(0));
    }
}
