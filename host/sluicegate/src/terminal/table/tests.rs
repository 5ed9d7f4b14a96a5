//! What a terminal shows of live results.

use expect_test::expect;
use serde_json::json;

use super::*;

fn table(columns: &[&str], rows: Vec<Vec<Value>>) -> Table {
    Table {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: 13,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows,
        left_out: 0,
    }
}

#[test]
fn numbers_and_decimals_stand_right_and_windows_are_read_as_utc() {
    let columns = ["store", "revenue", "count", "window_start", "window_end"];
    let end = 1_795_255_230_500_000_i64;
    let mut table = table(
        &columns,
        vec![
            vec![
                json!("store-1"),
                json!("120.50"),
                json!(4),
                json!("2026-11-21T10:00:00Z"),
                json!(end),
            ],
            vec![
                json!("a"),
                json!("-9.00"),
                Value::Null,
                json!("2026-11-21T10:00:00Z"),
                json!(end),
            ],
        ],
    );
    table.left_out = 7;
    expect![[r#"
        sales: 9 changed rows of epoch 13, not yet committed (times in UTC)
        store   | revenue | count | window_start        | window_end
        --------+---------+-------+---------------------+------------------------
        store-1 |  120.50 |     4 | 2026-11-21 10:00:00 | 2026-11-21 10:00:30.500
        a       |   -9.00 |     – | 2026-11-21 10:00:00 | 2026-11-21 10:00:30.500
        … 7 more rows"#]]
    .assert_eq(&render(&table, Moment::Running));
}

#[test]
fn a_hostile_key_is_neither_long_nor_a_terminal_command() {
    let key = format!("\u{1b}[2J{}", "x".repeat(100));
    let text = render(&table(&["store", "n"], vec![vec![json!(key), json!(1)]]), Moment::Running);
    assert!(!text.contains('\u{1b}'));
    assert!(text.lines().all(|line| line.chars().count() <= 70), "{text}");
    assert!(text.contains("xxx… | 1"), "{text}");
}

#[test]
fn rows_and_columns_beyond_the_limits_are_counted_not_shown() {
    let rows = vec![vec![json!(1)]; LiveResults::ROWS_MAX + 2];
    let text = render(&table(&["n"], rows), Moment::Running);
    assert_eq!(text.lines().count(), 3 + LiveResults::ROWS_MAX + 1);
    assert!(text.ends_with("… 2 more rows"));

    let wide: Vec<Value> = vec![json!("y".repeat(40)); 6];
    let text = render(&table(&["a", "b", "c", "d", "e", "f"], vec![wide]), Moment::Running);
    assert!(text.lines().all(|line| line.chars().count() <= LINE_WIDTH_MAX));
    assert!(text.ends_with("… 2 more columns"), "{text}");
}

#[test]
fn wide_and_combined_letters_are_aligned() {
    let rows = [("東京", 1), ("Zürich", 20), ("e\u{301}", 3), ("🚀🚀", 4)];
    let rows = rows.map(|(store, n)| vec![json!(store), json!(n)]).to_vec();
    let text = render(&table(&["store", "n"], rows), Moment::Ended);
    expect![[r#"
        sales: 4 changed rows, the last before the end (times in UTC)
        store  |  n
        -------+---
        東京   |  1
        Zürich | 20
        é      |  3
        🚀🚀   |  4"#]]
    .assert_eq(&text);

    let text = render(&table(&["store"], vec![vec![json!("京".repeat(30))]]), Moment::Ended);
    let row = text.lines().last().unwrap();
    assert_eq!(row, format!("{}…", "京".repeat(19)));
}
