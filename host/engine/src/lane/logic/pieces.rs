//! Rows of many batches in one order, cut into batches that a column can hold and the memory can bear.
//!
//! What a firing makes is as large as its windows, and how large they are is decided by data: joined as one batch it
//! would be in memory twice, and a column of text ends at 2 GiB.

use arrow::compute::interleave_record_batch;
use arrow::record_batch::RecordBatch;

use sluicegate_sandbox::run::cut::RowBytes;

/// A run is cut at the next place where it may be when it has so many bytes, …
const RUN_BYTES: usize = 64 << 20;
/// … and anywhere before it has so many: half of what a column can hold.
const RUN_BYTES_MAX: usize = 1 << 30;

/// A row: its batch and its number there.
pub(super) type At = (usize, usize);

/// The rows in this order, run by run. `may_cut(i)` says whether a run may end before row `i` of the order.
pub(super) fn runs(
    batches: &[&RecordBatch],
    order: &[At],
    may_cut: impl Fn(usize) -> bool,
) -> Vec<RecordBatch> {
    let sizes: Vec<RowBytes<'_>> = batches.iter().map(|batch| RowBytes::new(batch)).collect();
    let (mut runs, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (index, (batch, row)) in order.iter().enumerate() {
        let row = sizes[*batch].of(&(*row..row + 1));
        let is_full = bytes >= RUN_BYTES && may_cut(index) || bytes + row > RUN_BYTES_MAX;
        if is_full && index > start {
            runs.push(gather(batches, &order[start..index]));
            (start, bytes) = (index, 0);
        }
        bytes += row;
    }
    if start < order.len() {
        runs.push(gather(batches, &order[start..]));
    }
    runs
}

fn gather(batches: &[&RecordBatch], rows: &[At]) -> RecordBatch {
    let is_run = |pair: &[At]| pair[1] == (pair[0].0, pair[0].1 + 1);
    if let [(batch, first), ..] = rows
        && rows.windows(2).all(is_run)
    {
        return batches[*batch].slice(*first, rows.len());
    }
    interleave_record_batch(batches, rows)
        .expect("rows of one schema, and a run of them is bounded")
}

/// Parts of rows of which each has about as many bytes of keys as a run may have; at least one row.
pub(super) fn by_key_bytes(keys: impl Iterator<Item = usize>) -> Vec<std::ops::Range<usize>> {
    let (mut parts, mut start, mut bytes, mut rows) = (Vec::new(), 0, 0, 0);
    for key in keys {
        if bytes + key > RUN_BYTES && rows > start {
            parts.push(start..rows);
            (start, bytes) = (rows, 0);
        }
        bytes += key;
        rows += 1;
    }
    if rows > start {
        parts.push(start..rows);
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, StringArray};

    use super::*;

    fn batch(texts: &[String]) -> RecordBatch {
        let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        RecordBatch::try_from_iter([("text", column)]).unwrap()
    }

    #[test]
    fn runs_keep_the_order_and_end_where_they_may() {
        let long = |n: usize| format!("{n}{}", " ".repeat(RUN_BYTES / 4));
        let left = batch(&[long(0), long(2), long(4)]);
        let right = batch(&[long(1), long(3), long(5), long(6)]);
        let order = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (1, 3)];
        // Rows 4 and 5 belong together.
        let runs = runs(&[&left, &right], &order, |row| row != 4);
        let numbers = |run: &RecordBatch| -> Vec<usize> {
            run.column(0)
                .as_string::<i32>()
                .iter()
                .map(|text| text.unwrap().trim().parse().unwrap())
                .collect()
        };
        assert_eq!(runs.iter().map(numbers).collect::<Vec<_>>(), [vec![0, 1, 2, 3, 4], vec![5, 6]]);
    }

    #[test]
    fn keys_of_many_rows_are_parted() {
        let parts = by_key_bytes([RUN_BYTES / 2, RUN_BYTES / 2, 1, RUN_BYTES * 2, 5].into_iter());
        assert_eq!(parts, [0..2, 2..3, 3..4, 4..5]);
        assert!(by_key_bytes(std::iter::empty()).is_empty());
    }
}
