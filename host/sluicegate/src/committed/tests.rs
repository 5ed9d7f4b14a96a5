//! Looks into a table: in which order rows come, where a look ends, and what is not a row.

use super::fixture::commit;
use super::*;
use crate::handle::fixture::{storage, storage_in};
use sluicegate_connect::sink::dead_letters::DeadLetter;
use sluicegate_connect::sink::letter::Letter;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_store::Location;
use sluicegate_testing::counted::CountedStore;

fn letter(offset: i64) -> DeadLetter<'static> {
    DeadLetter { offset: Some(offset), ..DeadLetter::of("valid", DeadLetterKind::Rejected, "no") }
}

/// Epoch 1 has letters 0 to 3 in two files, epoch 3 has 4 to 6; the others have none.
async fn letters() -> LaneStorage {
    letters_in(storage()).await
}

async fn letters_in(storage: LaneStorage) -> LaneStorage {
    commit(&storage, 0, &[]).await;
    commit(&storage, 1, &[&[letter(0), letter(1)], &[letter(2), letter(3)]]).await;
    commit(&storage, 2, &[]).await;
    commit(&storage, 3, &[&[letter(4), letter(5), letter(6)]]).await;
    storage
}

fn never() -> bool {
    false
}

async fn look(
    committed: &Committed,
    before: Place,
    rows_max: usize,
    bytes: usize,
    is_over: &dyn Fn() -> bool,
) -> Found<i64> {
    let look = Look { table: DEAD_LETTERS, before, wanted: &[], rows_max, is_over };
    let take = |_, rows: &RecordBatch, row| (Letter::read(rows, row).offset.unwrap(), bytes);
    committed.look_back(look, take).await.unwrap()
}

#[tokio::test]
async fn rows_come_from_the_newest_back_whatever_the_size_of_a_page() {
    let committed = Committed::new(letters().await, Kept::default());
    assert_eq!(committed.head().await.unwrap(), Some(Epoch(3)));
    for rows_max in 1..9 {
        let (mut seen, mut before) = (Vec::new(), Some(Place::end_of(Epoch(3))));
        while let Some(place) = before {
            let found = look(&committed, place, rows_max, 1, &never).await;
            assert!(found.rows.len() <= rows_max);
            assert!(found.older.is_none_or(|older| older < place), "it goes on");
            seen.extend(found.rows);
            before = found.older;
        }
        assert_eq!(seen, [6, 5, 4, 3, 2, 1, 0], "{rows_max} at a time");
    }
}

#[tokio::test]
async fn what_no_record_names_is_not_there() {
    let storage = letters().await;
    let committed = Committed::new(storage.clone(), Kept::default());
    let found = look(&committed, Place::end_of(Epoch(2)), 9, 1, &never).await;
    assert_eq!(found.rows, [3, 2, 1, 0], "up to the epoch that was asked for");
    let ahead = look(&committed, Place::end_of(Epoch(9)), 9, 1, &never).await;
    assert_eq!(ahead.rows.len(), 7, "epochs without a record have no rows");
    // A record that comes later is seen: that there was none is not remembered.
    commit(&storage, 4, &[&[letter(7)]]).await;
    assert_eq!(look(&committed, Place::end_of(Epoch(9)), 1, 1, &never).await.rows, [7]);
}

#[tokio::test]
async fn a_look_ends_at_its_bounds_and_says_where_the_next_goes_on() {
    let committed = Committed::new(letters().await, Kept::default());
    let end = Place::end_of(Epoch(3));
    let large = look(&committed, end, 9, FOUND_BYTES_MAX / 2 + 1, &never).await;
    assert_eq!(large.rows, [6], "a row is always taken");
    assert_eq!(large.older, Some(Place { epoch: Epoch(3), file: 0, row: 2 }));
    let late = look(&committed, end, 9, 1, &|| true).await;
    assert!(late.rows.is_empty());
    assert_eq!(late.older.map(|older| older.epoch), Some(Epoch(3)));
}

#[tokio::test]
async fn a_file_that_somebody_removed_is_named_and_the_others_are_read() {
    let storage = letters().await;
    let mut moved = storage.clone();
    let table = moved.tables.get_mut(DEAD_LETTERS).unwrap();
    *table = table.child("elsewhere");
    let found =
        look(&Committed::new(moved, Kept::default()), Place::end_of(Epoch(3)), 9, 1, &never).await;
    assert_eq!(found.rows, [0_i64; 0]);
    assert_eq!(found.unread.len(), 3);
    assert_eq!(found.older, None);
}

#[tokio::test]
async fn what_was_read_once_is_not_read_again_and_what_is_new_is() {
    let store = CountedStore::default();
    let root = Location { store: Arc::new(store.clone()), ..Location::in_memory() };
    let storage = letters_in(storage_in(&root)).await;
    let committed = Committed::new(storage.clone(), Kept::default());
    store.reads();
    let first = look(&committed, Place::end_of(Epoch(3)), 9, 1, &never).await;
    let reads = store.reads();
    assert!(reads >= 4 + 3 * 2, "four records, and footer and columns of three files: {reads}");
    for _ in 0..3 {
        let again = look(&committed, Place::end_of(Epoch(3)), 9, 1, &never).await;
        assert_eq!((again.rows, store.reads()), (first.rows.clone(), 0));
    }
    commit(&storage, 4, &[&[letter(7)]]).await;
    store.reads();
    let newer = look(&committed, Place::end_of(Epoch(4)), 9, 1, &never).await;
    assert_eq!(newer.rows, [7, 6, 5, 4, 3, 2, 1, 0]);
    let reads = store.reads();
    assert!((3..=(reads_of_a_file() + 1)).contains(&reads), "the new record and its file: {reads}");
}

/// The end and the rest of the footer, and each column.
fn reads_of_a_file() -> usize {
    2 + sluicegate_connect::sink::dead_letters::schema().flattened_fields().len()
}

#[tokio::test]
async fn an_epoch_whose_record_was_removed_is_asked_for_once() {
    let store = CountedStore::default();
    let root = Location { store: Arc::new(store.clone()), ..Location::in_memory() };
    let storage = storage_in(&root);
    commit(&storage, 40, &[&[letter(1)]]).await;
    let committed = Committed::new(storage, Kept::default());
    look(&committed, Place::end_of(Epoch(40)), 9, 1, &never).await;
    look(&committed, Place::end_of(Epoch(40)), 9, 1, &never).await;
    store.reads();
    assert_eq!(look(&committed, Place::end_of(Epoch(40)), 9, 1, &never).await.rows, [1]);
    assert_eq!(store.reads(), 0);
}
