//! Pipeline files with values that nobody writes: refused or taken, and never a panic.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use toml::Value;

use super::parse;

const FILES: [&str; 4] = [
    include_str!("../../../../deploy/pipelines/sales-topics.toml"),
    include_str!("../../../../deploy/pipelines/fraud-velocity.toml"),
    include_str!("../../../../deploy/pipelines/raw-sales.toml"),
    include_str!("../../../../deploy/pipelines/sales-files.toml"),
];

fn odd_value() -> impl Strategy<Value = Value> {
    let text = |text: &str| Just(Value::from(text.to_owned())).boxed();
    prop_oneof![
        prop::sample::select(&[i64::MIN, -1, 0, 1, 1 << 32, i64::MAX][..]).prop_map(Value::from),
        prop::sample::select(&[f64::NAN, f64::NEG_INFINITY, 1e308, 0.5][..]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(
            &[
                "3660d",
                "3661d",
                "0s",
                "1us",
                "99999999999999999999d",
                "18446744073709551615us",
                "16777216TiB",
                "0B",
                "-5s",
                "1h ",
                "é",
                "\u{0}",
                "//",
                "s3://",
                "file://",
                "${env:",
                "${env:é}",
                "/~",
                "*",
                "decimal(0,0)",
                "decimal(18,18)",
                "decimal(255,255)",
                "timestamp(local)",
                "+99:99",
                "%",
                "%Q%",
                "%Y%Y",
                "127.0.0.1:99999",
                "off",
                "9999-12-31T23:59:60Z",
                "-9999-01-01T00:00:00Z",
            ][..]
        )
        .prop_map(Value::from),
        text(&"x".repeat(70_000)),
        Just(Value::Array(Vec::new())),
        Just(Value::Table(toml::Table::new())),
    ]
}

/// The places of a file, as keys and indexes on the way there.
fn places(of: &Value, way: &[String], all: &mut Vec<Vec<String>>) {
    all.push(way.to_vec());
    let mut go = |step: String, value: &Value| places(value, &[way, &[step]].concat(), all);
    match of {
        Value::Table(table) => table.iter().for_each(|(key, value)| go(key.clone(), value)),
        Value::Array(array) => {
            (0..).zip(array).for_each(|(at, value): (usize, _)| go(at.to_string(), value))
        }
        _ => {}
    }
}

fn place<'v>(of: &'v mut Value, way: &[String]) -> &'v mut Value {
    way.iter().fold(of, |value, step| match value {
        Value::Array(array) => &mut array[step.parse::<usize>().unwrap()],
        table => &mut table[step.as_str()],
    })
}

fn check(text: &str) {
    if let Err(error) = parse(text, Path::new("jobs/odd.toml"), &BTreeMap::new()) {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_file_with_any_values_replaced_is_refused_or_taken(
        file in prop::sample::select(&FILES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd_value()), 1..4),
        key in "\\PC{0,6}",
    ) {
        let mut pipeline: Value = toml::from_str(file).unwrap();
        for (at, value) in changes {
            let mut all = Vec::new();
            places(&pipeline, &[], &mut all);
            let way = &all[at.index(all.len())];
            // The file itself is a table.
            if !way.is_empty() {
                *place(&mut pipeline, way) = value;
            }
        }
        check(&toml::to_string(&pipeline).unwrap());
        if let Some(table) = pipeline.as_table_mut() {
            table.insert(key, Value::from(1));
        }
        check(&toml::to_string(&pipeline).unwrap());
    }

    #[test]
    fn a_text_that_was_changed_anywhere_is_refused_or_taken(
        file in prop::sample::select(&FILES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut text: Vec<char> = file.chars().collect();
        for (at, other) in changes {
            let at = at.index(text.len());
            text[at] = other;
        }
        check(&text.iter().collect::<String>());
        text.truncate(cut.index(text.len()));
        check(&text.into_iter().collect::<String>());
    }
}
