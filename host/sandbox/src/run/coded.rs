//! Columns by code, given to those who take them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::array::cast::AsArray;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::cut::dictionary_bytes;

/// The values of dictionaries go along with each call, however few its rows are. Larger ones than this part of what a
/// call may have are worth nothing.
const PART_OF_CALL: usize = 8;

/// The rows as a plugin takes them that wants the columns `wanted` by code: other dictionaries, and those whose values are too
/// large for calls of `bytes_max`, become plain columns.
pub(super) fn taken<'r>(
    rows: &'r RecordBatch,
    wanted: &[usize],
    bytes_max: usize,
) -> Cow<'r, RecordBatch> {
    let is_kept = |(index, column): (usize, &ArrayRef)| {
        !matches!(column.data_type(), DataType::Dictionary(..))
            || wanted.contains(&index) && dictionary_bytes(column) <= bytes_max / PART_OF_CALL
    };
    if rows.columns().iter().enumerate().all(is_kept) {
        return Cow::Borrowed(rows);
    }
    let (schema, columns): (Vec<_>, Vec<_>) = rows
        .columns()
        .iter()
        .enumerate()
        .zip(rows.schema().fields())
        .map(|(column, field)| {
            if is_kept(column) {
                return (Arc::clone(field), Arc::clone(column.1));
            }
            let plain = plain(column.1);
            (Arc::new(Field::new(field.name(), plain.data_type().clone(), true)), plain)
        })
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let plain = RecordBatch::try_new_with_options(Arc::new(Schema::new(schema)), columns, &options);
    Cow::Owned(plain.expect("each column has as many rows as before"))
}

/// The values of the rows.
fn plain(column: &ArrayRef) -> ArrayRef {
    let dictionary = column.as_any_dictionary();
    take(dictionary.values(), dictionary.keys(), None).expect("codes are places of values")
}
