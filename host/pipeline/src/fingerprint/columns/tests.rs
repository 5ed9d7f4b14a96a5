//! Which columns a table may get and lose, and what is said of the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use expect_test::expect;

use super::*;

fn table(place: &str, columns: &[(&str, DataType, bool)]) -> TableColumns {
    let field = |(name, kind, nullable): &(&str, DataType, bool)| {
        Field::new(*name, kind.clone(), *nullable)
    };
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    TableColumns { id: "results".to_owned(), place: place.to_owned(), schema }
}

fn written(tables: &[&TableColumns]) -> BTreeMap<String, String> {
    let mut record = BTreeMap::from([("source".to_owned(), "files".to_owned())]);
    for table in tables {
        let part = table.part(&record);
        record.insert(table.key(), part);
    }
    record
}

fn first() -> TableColumns {
    table(
        "data/results",
        &[
            ("store", DataType::Utf8, true),
            ("n", DataType::Int64, false),
            ("price", DataType::Decimal64(18, 2), false),
        ],
    )
}

#[test]
fn the_columns_are_written_in_words_and_read_back() {
    let record = written(&[&first()]);
    expect!["n int64, price decimal(18,2), store string? in data/results"]
        .assert_eq(&record["table results"]);
    assert_eq!(first().check(&record), Ok(()));
}

#[test]
fn a_column_keeps_its_type() {
    let mut changed = first();
    changed.schema = table(
        "",
        &[
            ("store", DataType::Utf8, true),
            ("n", DataType::Float64, false),
            ("price", DataType::Decimal64(18, 4), false),
        ],
    )
    .schema;
    let conflict = changed.check(&written(&[&first()])).unwrap_err();
    expect!["the table `results` in data/results has files with other columns: `n` was int64 and is now float64; `price` was decimal(18,2) and is now decimal(18,4); put that back, or give the table another `path`"].assert_eq(&conflict.to_string());
    // Elsewhere it is another table; under another id in the same place it is the same one.
    changed.place = "data/others".to_owned();
    assert_eq!(changed.check(&written(&[&first()])), Ok(()));
    changed.place = "file://data/results/".to_owned();
    changed.id = "renamed".to_owned();
    assert!(changed.check(&written(&[&first()])).is_err());
}

#[test]
fn nullable_columns_come_and_go_and_others_do_not() {
    let n = ("n", DataType::Int64, false);
    let price = ("price", DataType::Decimal64(18, 2), false);
    let with = |more: (&'static str, DataType, bool)| {
        table("data/results", &[n.clone(), price.clone(), more])
    };
    let without = table("data/results", &[n.clone(), price.clone()]);
    assert_eq!(without.check(&written(&[&first()])), Ok(()), "`store` may go");
    let record = written(&[&first(), &without]);
    assert_eq!(with(("city", DataType::Utf8, true)).check(&record), Ok(()));
    // Older files still have it.
    let conflict = with(("store", DataType::Int64, true)).check(&record).unwrap_err();
    assert_eq!(conflict.changes, ["`store` was string and is now int64"]);
    let conflict = with(("city", DataType::Utf8, false)).check(&record).unwrap_err();
    assert_eq!(
        conflict.changes,
        ["`city` (string) is new, and older files have null there: make it nullable"]
    );
    let conflict = table("data/results", std::slice::from_ref(&n)).check(&record).unwrap_err();
    assert_eq!(
        conflict.changes,
        ["`price` (decimal(18,2)) is gone, and it never was null: only a nullable column may go"]
    );
    let conflict = with(("Store", DataType::Utf8, true)).check(&record).unwrap_err();
    assert_eq!(conflict.changes, ["`Store` differs from `store` of `results` in its case only"]);
}

#[test]
fn a_record_that_knows_no_tables_adopts_them() {
    assert_eq!(first().check(&written(&[])), Ok(()));
}

#[test]
fn a_file_is_compared_by_the_columns_that_both_have() {
    let file = table(
        "",
        &[
            ("store", DataType::Utf8, true),
            ("price", DataType::Decimal128(18, 2), true),
            ("N", DataType::Int64, false),
            ("old", DataType::Int64, false),
        ],
    );
    let conflict = first().check_file("a.parquet", &file.schema).unwrap_err();
    expect![[r#"the table `results` in data/results has a file with other columns, `a.parquet`: `n` differs from `N` there in its case only; put that back, or give the table another `path`"#]]
        .assert_eq(&conflict.to_string());
    let file = table("", &[("price", DataType::Decimal128(18, 3), true)]);
    let conflict = first().check_file("a.parquet", &file.schema).unwrap_err();
    assert_eq!(conflict.changes, ["`price` is decimal(18,3) there and would be decimal(18,2)"]);
}
