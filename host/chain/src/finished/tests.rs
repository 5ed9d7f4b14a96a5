//! The set of finished files is exact and small.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn set(names: impl IntoIterator<Item = String>) -> FinishedFiles {
    let mut set = FinishedFiles::default();
    for name in names {
        set.insert(Arc::from(name));
    }
    set
}

fn json(record: &FinishedRecord) -> String {
    serde_json::to_string(record).unwrap()
}

fn back(text: &str) -> FinishedFiles {
    FinishedFiles::thaw(&serde_json::from_str(text).unwrap()).unwrap()
}

#[test]
fn a_hundred_thousand_numbered_files_are_one_run() {
    let files = set((0..100_000).map(|number| format!("in/part-{number:05}.json")));
    let text = json(&files.freeze(Fates::default()).unwrap());
    assert!(text.contains(r#""runs":[["in/part-","00000",".json",99999]]"#), "{text}");
    assert_eq!(back(&text), files);
}

#[test]
fn a_gap_is_no_member() {
    let numbers = (0..1000).filter(|number| *number != 500);
    let files = set(numbers.map(|number| format!("{number:04}.json")));
    let text = json(&files.freeze(Fates::default()).unwrap());
    assert!(text.len() < 250, "{text}");
    let files = back(&text);
    assert!(
        files.contains("0499.json") && !files.contains("0500.json") && !files.contains("1000.json")
    );
    assert!(!files.contains("500.json"));
}

#[test]
fn days_of_years_take_a_run_a_month() {
    let days = (0..731).map(|day| chrono::NaiveDate::from_epoch_days(20_000 + day).unwrap());
    let files = set(days.map(|day| format!("s3://b/{}.json.gz", day.format("%Y-%m-%d"))));
    let text = json(&files.freeze(Fates::default()).unwrap());
    assert!(text.len() < 2000, "{} bytes", text.len());
    assert_eq!(back(&text), files);
}

/// Names without any order are what costs most: a tenth of what they took one by one, and far below a record's limit.
#[test]
fn names_by_chance_are_packed() {
    let digest = |number: u64| xxhash_rust::xxh3::xxh3_128(&number.to_le_bytes());
    let files =
        set((0..100_000).map(|number| format!("s3://bucket/events/{:032x}.json", digest(number))));
    let text = json(&files.freeze(Fates::default()).unwrap());
    assert!(text.len() < 2_600_000, "{} bytes", text.len());
    assert_eq!(back(&text), files);
}

#[test]
fn what_does_not_add_up_is_refused() {
    let refused = |text: &str| FinishedFiles::thaw(&serde_json::from_str(text).unwrap()).is_err();
    let fates = r#""fates":{"read":0,"accepted":0,"filtered":0,"late":0,"dead_lettered":0}"#;
    assert!(refused(&format!(r#"{{"files":2,{fates},"runs":[["a"]]}}"#)));
    assert!(refused(&format!(r#"{{"files":2,{fates},"runs":[["a","x","b",1]]}}"#)));
    assert!(refused(&format!(
        r#"{{"files":2,{fates},"runs":[["a","1","b",18446744073709551615]]}}"#
    )));
    assert!(refused(&format!(r#"{{"files":2,{fates},"packed":"AAAA"}}"#)));
}

proptest! {
    #[test]
    fn every_set_comes_back(
        names in prop::collection::btree_set("[a-b]{0,1}[0-9]{0,3}[.]?[0-9]{0,2}", 0..200),
        large in any::<bool>(),
    ) {
        let prefix = if large { "x".repeat(200) } else { String::new() };
        let files = set(names.into_iter().map(|name| prefix.clone() + &name));
        match files.freeze(Fates::default()) {
            None => prop_assert!(files.is_empty()),
            Some(record) => prop_assert_eq!(back(&json(&record)), files),
        }
    }
}
