//! What a refused row leaves behind, for states that are dear to copy.
//!
//! Such a state is made anew from bytes and the rows since. The bytes are those that the host gave until a row of the
//! group is refused, and from then on those of the state before the last refused row: so each row is taken once more at
//! most, however many are refused.

use crate::varlen::offset;

/// The rows of a call by group, and where the next making anew of each group begins. `K` is what is kept of a group.
pub(crate) struct Replay<K> {
    /// Where the rows of each group begin in `rows`, and the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
    kept: Vec<Option<K>>,
    /// Into `rows`: the first row that `kept` has not seen.
    next: Vec<usize>,
}

impl<K> Replay<K> {
    /// For a call whose row `i` belongs to group `groups[i]`, of `count`. Costs as much as the call has rows and groups.
    pub(crate) fn new(groups: &[u32], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        groups.iter().for_each(|group| starts[*group as usize + 1] += 1);
        for group in 0..count {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; groups.len()];
        for (row, group) in groups.iter().enumerate() {
            let at = &mut next[*group as usize];
            rows[*at] = offset(row);
            *at += 1;
        }
        next.clone_from(&starts);
        Self { starts, rows, kept: (0..count).map(|_| None).collect(), next }
    }

    /// What was kept of a group, and the rows that it took since, before `row`.
    pub(crate) fn since(
        &self,
        group: u32,
        row: usize,
    ) -> (Option<&K>, impl Iterator<Item = usize>) {
        let group = group as usize;
        let rows = &self.rows[self.next[group]..self.starts[group + 1]];
        let before = rows.iter().map(|row| *row as usize).take_while(move |taken| *taken < row);
        (self.kept[group].as_ref(), before)
    }

    /// Keeps a group as it was before `row`, which was refused.
    pub(crate) fn keep(&mut self, group: u32, row: usize, kept: K) {
        let group = group as usize;
        let rows = &self.rows[self.next[group]..self.starts[group + 1]];
        self.next[group] += rows.partition_point(|taken| *taken as usize <= row);
        self.kept[group] = Some(kept);
    }
}
