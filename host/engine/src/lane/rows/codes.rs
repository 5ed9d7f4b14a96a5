//! The codes of columns of a chunk whose rows share values: made once for whoever wants them first, a filter or the keys
//! of windows behind it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, PrimitiveArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use arrow::record_batch::RecordBatch;

use sluicegate_state::window::ColumnCodes;

/// Codes by column of the batch.
#[derive(Debug, Default)]
pub(in crate::lane) struct Codes {
    /// None: they were looked for, and the column has too many values.
    known: Vec<(usize, Option<ColumnCodes>)>,
}

impl Codes {
    /// Those of the columns that were decoded as dictionaries.
    pub(in crate::lane) fn of(batch: &RecordBatch) -> Self {
        let codes = |column: &ArrayRef| {
            let dictionary = column.as_dictionary_opt::<UInt32Type>()?;
            let values = dictionary.values().len();
            ColumnCodes::of_dictionary(dictionary.keys().values(), values)
        };
        let columns = batch.columns().iter().enumerate();
        let known = columns.filter_map(|(index, column)| Some((index, Some(codes(column)?))));
        Self { known: known.collect() }
    }

    /// Those of a column, if they were looked for and found.
    pub(in crate::lane) fn known(&self, column: usize) -> Option<&ColumnCodes> {
        let known = self.known.iter().find(|(known, _)| *known == column);
        known.and_then(|(_, codes)| codes.as_ref())
    }

    /// A column of texts as a dictionary; none if too many rows have values of their own.
    pub(super) fn dictionary(&mut self, column: usize, array: &ArrayRef) -> Option<ArrayRef> {
        if is_dictionary(array) {
            return Some(Arc::clone(array));
        }
        if self.known.iter().all(|(known, _)| *known != column) {
            self.known.push((column, ColumnCodes::new(array)));
        }
        let codes = self.known(column)?;
        let firsts = UInt32Array::from_iter_values(codes.firsts().iter().copied());
        let values = take(array, &firsts, None).expect("first rows are rows of the column");
        let keys = PrimitiveArray::<UInt32Type>::new(codes.codes().clone(), array.nulls().cloned());
        let dictionary = DictionaryArray::try_new(keys, values);
        Some(Arc::new(dictionary.expect("each code is the place of a first row")))
    }
}

/// Whether rows of this column have codes instead of values.
pub(super) fn is_dictionary(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Dictionary(..))
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn a_dictionary_says_what_its_column_says_and_is_looked_for_once() {
        let texts = ["berlin", "oslo", "berlin", "rome"].repeat(10);
        let texts = texts.iter().enumerate().map(|(row, text)| (row % 7 > 0).then_some(*text));
        let column: ArrayRef = Arc::new(texts.collect::<StringArray>());
        let mut codes = Codes::default();
        let dictionary = codes.dictionary(3, &column).unwrap();
        let found =
            dictionary.as_dictionary::<UInt32Type>().downcast_dict::<StringArray>().unwrap();
        let found: Vec<Option<&str>> = found.into_iter().collect();
        assert_eq!(found, column.as_string::<i32>().iter().collect::<Vec<_>>());
        assert!(codes.known(3).is_some() && codes.known(0).is_none());
        let unique: ArrayRef =
            Arc::new(StringArray::from_iter_values((0..40).map(|row| row.to_string())));
        assert!(codes.dictionary(5, &unique).is_none());
        assert_eq!((codes.known.len(), codes.known(5).is_some()), (2, false));
        assert!(codes.dictionary(5, &unique).is_none());
        assert_eq!(codes.known.len(), 2);
    }

    #[test]
    fn rows_that_are_handed_on_have_their_values_back() {
        let texts: Vec<_> =
            (0..40).map(|row| (row % 7 > 0).then(|| format!("t{}", row % 3))).collect();
        let column: ArrayRef =
            Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>());
        let coded = Codes::default().dictionary(0, &column).unwrap();
        let batch = RecordBatch::try_from_iter_with_nullable([("text", coded, true)]).unwrap();
        for picked in [None, Some(vec![0, 1, 7, 39])] {
            let rows = super::super::project(&batch, &[0], picked.as_deref());
            let picked = picked.unwrap_or((0..40).collect());
            let expected: Vec<_> =
                picked.iter().map(|row| texts[*row as usize].as_deref()).collect();
            assert_eq!(rows.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), expected);
            assert_eq!(rows.schema().field(0).data_type(), &DataType::Utf8);
        }
    }
}
