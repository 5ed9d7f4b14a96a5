//! Cuts work into calls that are bounded in rows and in bytes (docs/design/decisions.md#d13),
//! before any call is made.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use sluicegate_model::varlen::Varlen;

/// Bytes of any range of rows, in constant time.
pub struct RowBytes<'a> {
    /// Of the columns of fixed width.
    bits_per_row: usize,
    /// Offsets of the others.
    ends: Vec<&'a [i32]>,
    /// Of the values of dictionaries, which all go along with any rows.
    shared: usize,
}

impl<'a> RowBytes<'a> {
    /// Of a batch with columns of the contract's types.
    pub fn new(rows: &'a RecordBatch) -> Self {
        let mut bytes = Self { bits_per_row: 0, ends: Vec::new(), shared: 0 };
        for column in rows.columns() {
            bytes.bits_per_row += usize::from(column.null_count() > 0);
            match column.data_type() {
                DataType::Boolean => bytes.bits_per_row += 1,
                DataType::Utf8 => bytes.push_ends(column.as_string::<i32>().value_offsets()),
                DataType::Binary => bytes.push_ends(column.as_binary::<i32>().value_offsets()),
                DataType::Dictionary(..) => {
                    bytes.bits_per_row += 32;
                    bytes.shared += dictionary_bytes(column);
                }
                fixed => bytes.bits_per_row += 8 * fixed.primitive_width().unwrap_or(8),
            }
        }
        bytes
    }

    fn push_ends(&mut self, ends: &'a [i32]) {
        self.bits_per_row += 32;
        self.ends.push(ends);
    }

    /// Of the rows of a range.
    pub fn of(&self, rows: &Range<usize>) -> usize {
        let text = |ends: &&[i32]| (ends[rows.end] - ends[rows.start]).unsigned_abs() as usize;
        self.shared + rows.len() * self.bits_per_row / 8 + self.ends.iter().map(text).sum::<usize>()
    }

    /// The longest range from `start` on, below `end`, with at most `rows_max` rows and `bytes_max` bytes; at least
    /// one row. Ends at a multiple of eight where it can, so that bitmaps need not be shifted.
    pub(crate) fn next(
        &self,
        start: usize,
        end: usize,
        rows_max: usize,
        bytes_max: usize,
    ) -> Range<usize> {
        let most = end.min(start + rows_max.max(1));
        if self.of(&(start..most)) <= bytes_max {
            return start..rounded(start, most, end);
        }
        // The bytes of a range grow with its end.
        let (mut fits, mut over) = (start + 1, most);
        while fits + 1 < over {
            let middle = fits.midpoint(over);
            if self.of(&(start..middle)) <= bytes_max {
                fits = middle;
            } else {
                over = middle;
            }
        }
        start..rounded(start, fits, end)
    }
}

/// Of the values of a dictionary of texts, as they cross.
pub(super) fn dictionary_bytes(column: &ArrayRef) -> usize {
    let values = column.as_any_dictionary().values();
    let ends = values.as_string::<i32>().value_offsets();
    (ends[ends.len() - 1] - ends[0]).unsigned_abs() as usize + size_of_val(ends)
}

fn rounded(start: usize, stop: usize, end: usize) -> usize {
    let round = stop / 8 * 8;
    if stop < end && round > start { round } else { stop }
}

/// The next range of groups, with at most `groups_max` groups and `bytes_max` bytes of states; at least one group.
pub(crate) fn next_groups(
    states: &[&Varlen],
    start: usize,
    groups_max: usize,
    bytes_max: usize,
) -> Range<usize> {
    let groups = states[0].len();
    let bytes = |end: usize| -> usize {
        states.iter().map(|varlen| (varlen.offsets[end] - varlen.offsets[start]) as usize).sum()
    };
    let most = groups.min(start + groups_max.max(1));
    let fits = (start + 2..=most).take_while(|end| bytes(*end) <= bytes_max).count();
    start..start + 1 + fits
}

/// Some of the values, as an arena of their own.
pub(crate) fn slice(states: &Varlen, range: &Range<usize>) -> Varlen {
    let first = states.offsets[range.start];
    let bytes = first as usize..states.offsets[range.end] as usize;
    Varlen {
        offsets: states.offsets[range.start..=range.end].iter().map(|end| end - first).collect(),
        bytes: states.bytes[bytes].to_vec(),
    }
}
