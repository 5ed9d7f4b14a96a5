//! Files read from their end: which rows come, and how much of the file is read for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::look_back::*;
use sluicegate_store::Location;

/// 100 rows in row groups of 10: `n` counts them, `kind` is `odd` or `even`.
async fn table() -> (Location, u64) {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let kinds = (0..100).map(|n| if n % 2 == 0 { "even" } else { "odd" });
    let kind: ArrayRef = Arc::new(StringArray::from_iter_values(kinds));
    let rows = RecordBatch::try_from_iter([("n", n), ("kind", kind)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    let bytes = writer.into_inner().unwrap();
    let (table, size) = (Location::in_memory(), bytes.len() as u64);
    table.store.put(&table.path("day/file.parquet"), bytes.into()).await.unwrap();
    (table, size)
}

async fn tail(before: u64, wanted: Wanted<'_>, bounds: (usize, u64)) -> Tail<i64> {
    let (table, bytes) = table().await;
    let file = TailOf { table: &table, path: "day/file.parquet", bytes, before };
    let n = |batch: &RecordBatch, row: usize| {
        batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().value(row)
    };
    last_rows(file, wanted, bounds, n).await.unwrap()
}

#[tokio::test]
async fn the_last_rows_come_first_and_the_next_look_goes_on_where_this_one_ended() {
    let mut seen = Vec::new();
    let mut before = u64::MAX;
    loop {
        let tail = tail(before, &[], (7, u64::MAX)).await;
        seen.extend(tail.rows.iter().map(|(number, n)| {
            assert_eq!(*number as i64, *n);
            *n
        }));
        before = tail.from;
        if before == 0 {
            break;
        }
    }
    assert_eq!(seen, (0..100).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn only_rows_that_are_wanted_come_however_they_lie() {
    let odd = tail(95, &[("kind", "odd")], (5, u64::MAX)).await;
    let n: Vec<i64> = odd.rows.iter().map(|(_, n)| *n).collect();
    assert_eq!((n, odd.from), (vec![93, 91, 89, 87, 85], 85));
    let none = tail(u64::MAX, &[("kind", "prime")], (5, u64::MAX)).await;
    assert_eq!((none.rows.len(), none.from), (0, 0));
    let unknown = tail(u64::MAX, &[("colour", "red")], (5, u64::MAX)).await;
    assert_eq!((unknown.rows.len(), unknown.from), (0, 0), "no such column");
}

#[tokio::test]
async fn a_look_ends_when_it_has_read_enough_bytes_but_not_before_the_first_row_group() {
    let little = tail(u64::MAX, &[("kind", "prime")], (5, 1)).await;
    assert_eq!((little.rows.len(), little.from), (0, 90));
    assert!(little.bytes_read > 0);
    let further = tail(little.from, &[], (50, little.bytes_read * 3)).await;
    assert_eq!(further.rows.len(), 30);
    assert_eq!(further.from, 60);
}

#[tokio::test]
async fn a_file_that_is_gone_or_is_no_parquet_says_so() {
    let table = Location::in_memory();
    table.store.put(&table.path("bad.parquet"), vec![7; 100].into()).await.unwrap();
    for path in ["bad.parquet", "gone.parquet"] {
        let file = TailOf { table: &table, path, bytes: 100, before: u64::MAX };
        let failed = last_rows(file, &[], (1, 1), |_, row| row).await.unwrap_err();
        assert!(matches!(failed, LookError::File(_)), "{path}: {failed}");
    }
}
