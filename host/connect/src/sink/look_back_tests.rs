//! Files read from their end: which rows come, and how much of the file is read for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::kept::Kept;
use super::look_back::*;
use sluicegate_store::Location;
use sluicegate_testing::counted::CountedStore;

const PATH: &str = "day/file.parquet";

/// 100 rows in row groups of 10: `n` counts them, `kind` is `odd` or `even`.
async fn table() -> (Location, u64) {
    table_in(&CountedStore::default()).await
}

async fn table_in(store: &CountedStore) -> (Location, u64) {
    let n: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let kinds = (0..100).map(|n| if n % 2 == 0 { "even" } else { "odd" });
    let kind: ArrayRef = Arc::new(StringArray::from_iter_values(kinds));
    let rows = RecordBatch::try_from_iter([("n", n), ("kind", kind)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    let bytes = writer.into_inner().unwrap();
    let size = bytes.len() as u64;
    let table = Location { store: Arc::new(store.clone()), ..Location::in_memory() };
    table.store.put(&table.path(PATH), bytes.into()).await.unwrap();
    (table, size)
}

async fn tail(before: u64, wanted: Wanted<'_>, bounds: Bounds) -> Tail<i64> {
    let (table, bytes) = table().await;
    let kept = Kept::default();
    let (table, kept) = (&table, &kept);
    tail_of(TailOf { table, path: PATH, bytes, kept, before }, wanted, bounds).await
}

fn bounds(rows_max: usize, bytes_max: u64) -> Bounds {
    Bounds { rows_max, bytes_max }
}

async fn tail_of(file: TailOf<'_>, wanted: Wanted<'_>, bounds: Bounds) -> Tail<i64> {
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
        let tail = tail(before, &[], bounds(7, u64::MAX)).await;
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
    let odd = tail(95, &[("kind", "odd")], bounds(5, u64::MAX)).await;
    let n: Vec<i64> = odd.rows.iter().map(|(_, n)| *n).collect();
    assert_eq!((n, odd.from), (vec![93, 91, 89, 87, 85], 85));
    let none = tail(u64::MAX, &[("kind", "prime")], bounds(5, u64::MAX)).await;
    assert_eq!((none.rows.len(), none.from), (0, 0));
    let unknown = tail(u64::MAX, &[("colour", "red")], bounds(5, u64::MAX)).await;
    assert_eq!((unknown.rows.len(), unknown.from), (0, 0), "no such column");
}

#[tokio::test]
async fn a_look_ends_when_it_has_read_enough_bytes_but_not_before_the_first_row_group() {
    let little = tail(u64::MAX, &[("kind", "prime")], bounds(5, 1)).await;
    assert_eq!((little.rows.len(), little.from), (0, 90));
    assert!(little.bytes_read > 0);
    let further = tail(little.from, &[], bounds(50, little.bytes_read * 3)).await;
    assert_eq!(further.rows.len(), 30);
    assert_eq!(further.from, 60);
}

#[tokio::test]
async fn a_file_that_is_gone_or_is_no_parquet_says_so() {
    let table = Location::in_memory();
    table.store.put(&table.path("bad.parquet"), vec![7; 100].into()).await.unwrap();
    for path in ["bad.parquet", "gone.parquet"] {
        let kept = &Kept::default();
        let file = TailOf { table: &table, path, bytes: 100, kept, before: u64::MAX };
        let failed = last_rows(file, &[], bounds(1, 1), |_, row| row).await.unwrap_err();
        assert!(matches!(failed, LookError::File(_)), "{path}: {failed}");
    }
}

#[tokio::test]
async fn parts_that_were_read_lately_are_kept_and_never_more_bytes_than_there_is_room_for() {
    let store = CountedStore::default();
    let (table, bytes) = table_in(&store).await;
    let all = bounds(100, u64::MAX);
    let kept = Kept::default();
    let file = |kept, before| TailOf { table: &table, path: PATH, bytes, kept, before };
    tail_of(file(&kept, u64::MAX), &[], all).await;
    assert_eq!(store.reads(), 2 + 10 * 2, "the end, the footer, and two columns of ten row groups");
    let odd = tail_of(file(&kept, u64::MAX), &[("kind", "odd")], all).await;
    assert_eq!((odd.rows.len(), store.reads()), (50, 0));
    assert!(kept.bytes() > 0);

    // A footer of which four would not fit is read each time, and so are parts that others have pushed out.
    let little = Kept::with_room_for(1_000);
    for _ in 0..2 {
        let rows = tail_of(file(&little, u64::MAX), &[], all).await.rows;
        assert_eq!(rows.len(), 100);
        assert!(store.reads() > 2);
        assert!((1..=1_000).contains(&little.bytes()), "{little:?}");
    }
    // The newest part is among those that are kept.
    tail_of(file(&little, 10), &[], all).await;
    assert_eq!(store.reads(), 2, "the footer only");
}
