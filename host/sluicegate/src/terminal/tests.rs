//! Which groups a table shows, and that the last one is shown when the lane is gone.

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;

use super::*;
use sluicegate_engine::live::LiveRows;

fn results(rows: &[(&str, i64)]) -> LiveResults {
    let (stores, counts): (Vec<&str>, Vec<i64>) = rows.iter().copied().unzip();
    let stores: ArrayRef = Arc::new(StringArray::from(stores));
    let counts: ArrayRef = Arc::new(Int64Array::from(counts));
    let rows = RecordBatch::try_from_iter([("store", stores), ("n", counts)]).unwrap();
    LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: 1,
        columns: vec!["store".to_owned(), "n".to_owned()],
        key_columns: 1,
        rows: LiveRows::last_of(vec![rows], usize::MAX),
        rows_left_out: 0,
        rows_gone: 0,
    }
}

/// The stores of the next table, without the head and what is said below.
fn stores(changed: &mut Changed, rows_max: usize) -> Vec<String> {
    let table = changed.take(rows_max, Moment::Running).unwrap_or_default();
    let rows = table.lines().skip(3).filter(|line| !line.starts_with('…'));
    rows.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn the_groups_that_changed_last_are_shown() {
    let mut changed = Changed::default();
    changed.add(&results(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]));
    changed.add(&results(&[("a", 2)]));
    changed.add(&results(&[("c", 2)]));
    assert_eq!(stores(&mut changed, 2), ["a", "c"]);
}

#[test]
fn groups_that_change_together_take_turns() {
    let mut changed = Changed::default();
    let all: Vec<(&str, i64)> = ["a", "b", "c", "d", "e"].map(|store| (store, 1)).to_vec();
    let mut tables = Vec::new();
    for _ in 0..4 {
        changed.add(&results(&all));
        tables.push(stores(&mut changed, 2).concat());
    }
    assert_eq!(tables, ["ab", "cd", "ae", "bc"]);
}

#[test]
fn rows_of_a_group_stand_together_or_not_at_all() {
    let mut changed = Changed::default();
    changed.add(&results(&[("a", 1), ("a", 2), ("b", 1)]));
    assert_eq!(stores(&mut changed, 3), ["a", "a", "b"]);
    changed.add(&results(&[("a", 1), ("a", 2), ("b", 1)]));
    changed.add(&results(&[("b", 1)]));
    let table = changed.take(2, Moment::Running).unwrap();
    assert!(table.contains("\nb ") && !table.contains("\na "), "{table}");
    assert!(table.ends_with("… 2 more rows"), "{table}");
}

#[test]
fn what_a_table_leaves_out_waits_for_the_next_ones() {
    let mut changed = Changed::default();
    changed.add(&results(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]));
    assert_eq!(stores(&mut changed, 2), ["a", "b"]);
    changed.add(&results(&[("a", 2)]));
    let table = changed.take(2, Moment::Running).unwrap();
    assert!(table.contains(": 4 changed rows of") && table.ends_with("… 2 more rows"), "{table}");
    assert!(table.contains("\na ") && table.contains("\nc "), "{table}");
    assert_eq!(stores(&mut changed, 1), ["d"], "though nothing has changed");
    let table = changed.take(LiveResults::ROWS_MAX, Moment::Ended).unwrap();
    assert!(table.contains(": 1 changed row,") && table.contains("\ne "), "{table}");
    assert_eq!(changed.take(2, Moment::Running), None);
}

#[test]
fn a_group_with_more_rows_than_a_table_is_cut_and_keeps_no_other_from_its_turn() {
    let mut changed = Changed::default();
    changed.add(&results(&[("a", 1), ("a", 2), ("a", 3), ("b", 1)]));
    let table = changed.take(2, Moment::Running).unwrap();
    assert!(table.contains(": 4 changed rows of") && table.ends_with("… 2 more rows"), "{table}");
    assert_eq!(stores(&mut changed, 2), ["b"]);
    assert_eq!(changed.take(2, Moment::Running), None);
}

#[test]
fn no_more_groups_wait_than_the_last_table_could_show() {
    let mut changed = Changed::default();
    let all: Vec<String> =
        (0..2 * LiveResults::ROWS_MAX).map(|store| format!("s{store:04}")).collect();
    for part in all.chunks(100) {
        changed.add(&results(&part.iter().map(|store| (&**store, 1)).collect::<Vec<_>>()));
    }
    assert_eq!(stores(&mut changed, 1), ["s0900"], "of those that came last");
    let rest = stores(&mut changed, LiveResults::ROWS_MAX);
    assert_eq!((rest.len(), &*rest[0], &**rest.last().unwrap()), (500, "s0400", "s0999"));
    assert_eq!(changed.take(1, Moment::Running), None);
}

#[test]
fn what_is_left_out_of_several_results_counts_once_unless_it_is_gone() {
    let mut changed = Changed::default();
    // Two of five groups come at once: the others come next.
    let of_open = |rows, left_out| LiveResults { rows_left_out: left_out, ..results(rows) };
    changed.add(&of_open(&[("a", 1), ("b", 1)], 3));
    changed.add(&of_open(&[("c", 1), ("d", 1)], 1));
    let table = changed.take(4, Moment::Running).unwrap();
    assert!(table.contains(": 5 changed rows of") && table.ends_with("… 1 more row"), "{table}");
    // They fire, and only one row of each window is told.
    let of_fired = |rows| LiveResults { rows_left_out: 2, rows_gone: 2, ..results(rows) };
    changed.add(&of_fired(&[("a", 2)]));
    changed.add(&of_fired(&[("b", 2)]));
    let table = changed.take(4, Moment::Running).unwrap();
    assert!(table.contains(": 6 changed rows of") && table.ends_with("… 4 more rows"), "{table}");
    assert_eq!(changed.take(4, Moment::Running), None, "all of it was told");
}

/// A console that has shown nothing yet, and whose lane ends at once.
#[tokio::test]
async fn what_was_not_shown_is_shown_at_the_end() {
    let (sender, receiver) = broadcast::channel(4);
    sender.send(Arc::new(results(&[("a", 1)]))).unwrap();
    let end = End { gone: CancellationToken::new(), is_whole: Arc::default() };
    end.gone.cancel();
    let shown =
        tokio::time::timeout(LAST_TABLE, show(receiver, Duration::from_secs(3600), 20, end));
    assert!(shown.await.is_ok(), "the console does not end with its lane");
    assert_eq!(sender.receiver_count(), 0);
}
