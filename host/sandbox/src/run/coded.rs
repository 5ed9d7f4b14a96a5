//! Columns by code, given to those who take them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::cut::dictionary_bytes;
use sluicegate_model::codes::values;

/// The values of dictionaries go along with each call, however few its rows are. More of them than this part of what a call
/// may have are worth nothing.
const PART_OF_CALL: usize = 8;

/// The rows as a plugin takes them that wants the columns `wanted` by code. Other dictionaries become plain columns, and so
/// do those whose values do not fit beside the ones before them, in calls of `bytes_max`.
pub(super) fn taken<'r>(
    rows: &'r RecordBatch,
    wanted: &[usize],
    bytes_max: usize,
) -> Cow<'r, RecordBatch> {
    let mut room = bytes_max / PART_OF_CALL;
    let mut keep = |index: usize, column: &ArrayRef| {
        if !matches!(column.data_type(), DataType::Dictionary(..)) {
            return true;
        }
        let fits = wanted.contains(&index).then(|| room.checked_sub(dictionary_bytes(column)));
        fits.flatten().map(|left| room = left).is_some()
    };
    let columns = rows.columns().iter().enumerate();
    let kept: Vec<bool> = columns.map(|(index, column)| keep(index, column)).collect();
    if kept.iter().all(|kept| *kept) {
        return Cow::Borrowed(rows);
    }
    let (schema, columns): (Vec<_>, Vec<_>) = rows
        .columns()
        .iter()
        .zip(kept)
        .zip(rows.schema().fields())
        .map(|((column, is_kept), field)| {
            if is_kept {
                return (Arc::clone(field), Arc::clone(column));
            }
            let plain = values(column);
            (Arc::new(Field::new(field.name(), plain.data_type().clone(), true)), plain)
        })
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let plain = RecordBatch::try_new_with_options(Arc::new(Schema::new(schema)), columns, &options);
    Cow::Owned(plain.expect("each column has as many rows as before"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int32Array, StringArray};

    use super::*;

    /// Whose one value has so many bytes; the places of values take eight more.
    fn by_code(bytes: usize) -> ArrayRef {
        let values = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
        Arc::new(DictionaryArray::new(Int32Array::from(vec![0]), values))
    }

    #[test]
    fn dictionaries_that_are_too_large_together_become_plain_where_they_do_not_fit() {
        let columns = [("a", by_code(40)), ("b", by_code(80)), ("c", by_code(20))];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let kept = |bytes_max| -> Vec<bool> {
            let taken = taken(&rows, &[0, 1, 2], bytes_max);
            let types = taken.columns().iter().map(|column| column.data_type().clone());
            types.map(|of| matches!(of, DataType::Dictionary(..))).collect()
        };
        assert_eq!(kept(8 * (48 + 88 + 28)), [true, true, true]);
        assert_eq!(kept(8 * (48 + 28)), [true, false, true], "each alone, and not all");
        assert_eq!(kept(8 * 47), [false, false, true]);
    }
}
