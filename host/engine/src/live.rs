//! Live results: groups as they change, before they are committed (docs/design/decisions.md#d17).

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::Value;

use sluicegate_formats::json::encode::{JsonColumn, json_value};

/// Changed groups of a window, not yet committed.
#[derive(Clone, Debug, Serialize)]
pub struct LiveResults {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// The epoch that these rows would be part of.
    pub uncommitted_epoch: u64,
    /// Column names: keys, outputs, `window_start`, `window_end`.
    pub columns: Vec<String>,
    /// How many of them, from the first, are the key: rows with the same key and window are one group.
    pub key_columns: usize,
    /// At most [`LiveResults::ROWS_MAX`]; the rows of a group stand together and replace those sent before.
    pub rows: LiveRows,
    /// Rows beyond that which were left out.
    pub rows_left_out: u64,
    /// Those of them that do not come again unless they change: their windows have fired. The others come with the next
    /// results.
    #[serde(skip)]
    pub rows_gone: u64,
}

impl LiveResults {
    /// More rows than a person reads; keeps an event below about 100 KB.
    pub const ROWS_MAX: usize = 500;
}

/// Bytes that a batch may hold without being copied: about what its rows take if they are all that is in it.
const HELD_MAX: usize = 64 << 10;

/// Rows as the lane has them, and as JSON for whoever asks: an array of cells each. The lane's thread makes no JSON of them.
#[derive(Clone, Debug, Default)]
pub struct LiveRows(Vec<RecordBatch>);

impl LiveRows {
    /// The last of the rows of some batches, so many at most.
    pub fn last_of(mut batches: Vec<RecordBatch>, rows_max: usize) -> Self {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let mut skipped = rows.saturating_sub(rows_max);
        for batch in &mut batches {
            let of_batch = skipped.min(batch.num_rows());
            *batch = own(&batch.slice(of_batch, batch.num_rows() - of_batch));
            skipped -= of_batch;
        }
        batches.retain(|batch| batch.num_rows() > 0);
        Self(batches)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cells of each row, one after the other.
    pub fn values(&self) -> impl Iterator<Item = Vec<Value>> {
        self.0.iter().flat_map(json_rows)
    }
}

impl Serialize for LiveRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.len()))?;
        for batch in &self.0 {
            let columns: Vec<JsonColumn<'_>> =
                batch.columns().iter().map(JsonColumn::new).collect();
            for row in 0..batch.num_rows() {
                rows.serialize_element(&Row { columns: &columns, row })?;
            }
        }
        rows.end()
    }
}

/// The same rows, which hold nothing else: a part of a large batch keeps all of it, for as long as the slowest listener has not
/// seen it.
fn own(batch: &RecordBatch) -> RecordBatch {
    if batch.get_array_memory_size() <= HELD_MAX {
        return batch.clone();
    }
    let rows = u32::try_from(batch.num_rows()).expect("a batch has fewer rows than that");
    take_record_batch(batch, &UInt32Array::from_iter_values(0..rows)).expect("the rows are there")
}

struct Row<'r> {
    columns: &'r [JsonColumn<'r>],
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.columns.iter().map(|column| column.cell(self.row)))
    }
}

/// Rows as JSON: exact numbers, times as RFC 3339.
pub fn json_rows(batch: &RecordBatch) -> impl Iterator<Item = Vec<Value>> {
    let cells = |row| batch.columns().iter().map(|column| json_value(column, row)).collect();
    (0..batch.num_rows()).map(cells)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(stores: &[&str], counts: &[Option<i64>]) -> RecordBatch {
        let stores: ArrayRef = Arc::new(StringArray::from(stores.to_vec()));
        let counts: ArrayRef = Arc::new(Int64Array::from(counts.to_vec()));
        RecordBatch::try_from_iter([("store", stores), ("n", counts)]).unwrap()
    }

    #[test]
    fn some_rows_of_a_large_batch_do_not_hold_it() {
        let stores: Vec<String> = (0..60_000).map(|row| format!("store-{row}")).collect();
        let stores: Vec<&str> = stores.iter().map(String::as_str).collect();
        let large = batch(&stores, &vec![Some(1); stores.len()]);
        let of_large = large.slice(5, 2);
        let rows = LiveRows::last_of(vec![large, of_large], LiveResults::ROWS_MAX);
        let held: usize = rows.0.iter().map(RecordBatch::get_array_memory_size).sum();
        assert!(held < 2 * HELD_MAX, "{held}");
        let text = serde_json::to_string(&rows).unwrap();
        assert!(text.ends_with(r#"["store-59999",1],["store-5",1],["store-6",1]]"#), "{text}");
    }

    #[test]
    fn the_last_rows_stay_in_their_order_and_are_the_same_as_text_and_as_values() {
        let batches = vec![
            batch(&["a", "b"], &[Some(1), Some(2)]),
            batch(&[], &[]),
            batch(&["c\n"], &[None]),
            batch(&["d"], &[Some(-4)]),
        ];
        for (rows_max, text) in [
            (9, r#"[["a",1],["b",2],["c\n",null],["d",-4]]"#),
            (3, r#"[["b",2],["c\n",null],["d",-4]]"#),
            (1, r#"[["d",-4]]"#),
            (0, "[]"),
        ] {
            let rows = LiveRows::last_of(batches.clone(), rows_max);
            assert_eq!(rows.len(), rows_max.min(4));
            assert_eq!(rows.is_empty(), rows_max == 0);
            assert_eq!(serde_json::to_string(&rows).unwrap(), text);
            let values: Vec<_> = rows.values().collect();
            assert_eq!(serde_json::to_string(&values).unwrap(), text);
        }
    }
}
