//! Which groups a table shows, and that the last one is shown when the lane is gone.

use serde_json::json;

use super::*;

fn results(rows: &[(&str, i64)]) -> LiveResults {
    LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: 1,
        columns: vec!["store".to_owned(), "n".to_owned()],
        key_columns: 1,
        rows: rows.iter().map(|(store, n)| vec![json!(store), json!(n)]).collect(),
        rows_left_out: 0,
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
