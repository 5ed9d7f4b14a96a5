//! What leads from one value to the next is taken where it may stand, and nowhere else.

use proptest::prelude::*;
use proptest::sample::select;

use super::plain::{decoder, each_as_alone};
use crate::json::decode::shape::{KeyPlace, Shape, Way};
use sluicegate_model::varlen::Varlen;

/// An entry of a record: what stands before its key, the key, what stands around the colon, the value.
fn entry() -> impl Strategy<Value = String> {
    let before = prop_oneof![
        12 => select(vec![",", ", ", " ,", ",\n  "]),
        1 => select(vec!["{", "", "}", ",,", ",{", ":"]),
    ];
    let key = select(vec![
        "store",
        "price",
        "n",
        "deep",
        "x",
        "",
        "\\u0070rice",
        "a key that nobody wants to have",
    ]);
    let colon = prop_oneof![12 => select(vec![":", ": ", " :"]), 1 => select(vec!["", ",", "::"])];
    let value = select(vec![
        "1",
        "2.5",
        "-0",
        "1e2",
        "\"s\"",
        "\"\\n\"",
        "\"a text with \\\"escapes\\\"\"",
        "null",
        "{\"er\":3}",
        "{\"er\": 3}",
        "{ }",
        "[1, 2]",
    ]);
    (before, key, colon, value)
        .prop_map(|(before, key, colon, value)| format!("{before}\"{key}\"{colon}{value}"))
}

/// Mostly a record: what stands before its first key is a brace as a rule.
fn record() -> impl Strategy<Value = String> {
    let begin =
        prop_oneof![9 => select(vec!["{", "{ ", " {"]), 1 => select(vec!["", ",", "{{", "{,"])];
    let end = prop_oneof![9 => select(vec!["}", " }", "}\n"]), 1 => select(vec!["", ",}", "}}"])];
    let ordinary = select(vec!["\"store\":\"s\",\"price\":1", "\"price\": 1, \"store\": \"s\""]);
    let entries = prop::collection::vec(entry(), 0..4);
    (begin, ordinary, entries, end, any::<bool>()).prop_map(
        |(begin, ordinary, entries, end, first)| {
            let entries = entries.concat();
            match (first, entries.trim_start().strip_prefix(',')) {
                (true, Some(entries)) => format!("{begin}{entries},{ordinary}{end}"),
                _ => format!("{begin}{ordinary}{entries}{end}"),
            }
        },
    )
}

/// The same, or what is left of it where it is cut in two that follow each other.
fn parts() -> impl Strategy<Value = Vec<String>> {
    let cut = prop::option::weighted(0.2, any::<prop::sample::Index>());
    (record(), cut).prop_map(|(record, cut)| match cut.map(|it| it.index(record.len())) {
        Some(at) if record.is_char_boundary(at) => {
            vec![record[..at].to_owned(), record[at..].to_owned()]
        }
        _ => vec![record],
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_learned_before_a_record_is_judged_as_if_it_stood_alone(
        records in prop::collection::vec(parts(), 1..24),
    ) {
        each_as_alone(&records.concat())?;
    }
}

#[test]
fn a_brace_leads_to_the_first_value_only() {
    // Either key was the first of a record, and followed the other in one.
    let learned =
        [r#"{"price":1,"store":"s"}"#, r#"{"store":"s","price":1}"#, r#"{"price":1,"store":"s"}"#];
    let wrong = [
        r#"{"store":"s"{"price":1}"#,
        r#"{"price":1{"store":"s"}"#,
        r#"{,"store":"s","price":1}"#,
        r#"{"store":"s","price":1,}"#,
        r#"{"store":"s""price":1}"#,
        r#",{"store":"s","price":1}"#,
    ];
    let all: Vec<&str> =
        wrong.iter().flat_map(|one| learned.iter().chain([one])).copied().collect();
    let values: Varlen = all.iter().map(|record| record.as_bytes()).collect();
    let decoded = decoder().decode(&values, 0..all.len());
    let rejects: Vec<u32> = decoded.rejects.iter().map(|(record, _)| *record).collect();
    assert_eq!(rejects, [3, 7, 11, 15, 19, 23]);
}

#[test]
fn white_space_is_learned_like_everything_else() {
    let spaced = r#"{ "store" : "s" , "price" : 1 , "n" : 2 , "deep" : { "er" : 3 } }"#;
    let dense = r#"{"store":"s","price":1,"n":2,"deep":{"er":3}}"#;
    let all = [spaced, spaced, dense, dense, spaced, dense, spaced];
    let values: Varlen = all.iter().map(|record| record.as_bytes()).collect();
    let decoded = decoder().decode(&values, 0..all.len());
    assert_eq!((decoded.reread, decoded.batch.num_rows()), (0, all.len()));
    for row in 1..all.len() {
        assert_eq!(decoded.batch.slice(row, 1), decoded.batch.slice(0, 1));
    }
}

#[test]
fn a_key_that_is_wanted_has_its_place_however_many_others_came_before() {
    let path = ["store".to_owned()];
    let mut shape = Shape::new([(&path[..], false)].into_iter());
    shape.begin_record();
    let mut last = KeyPlace::BEGIN;
    for number in 0..200 {
        let key = format!("id-{number}");
        last = shape.meet(0, last, &key, format!(",\"{key}\":").as_bytes()).unwrap().place;
    }
    shape.meet(0, last, "store", b",\"store\":").unwrap();
    // The next record has keys that were never met, and is read without a look at names all the same.
    shape.begin_record();
    let unknown = shape.meet(0, KeyPlace::BEGIN, "id-1000", b"{\"id-1000\":").unwrap();
    let (length, store) = shape.expected(0, unknown.next, b",\"store\":\"berlin\"}", 0).unwrap();
    assert_eq!(length, 9);
    assert!(matches!(store.way, Way::Column(0)));
}
