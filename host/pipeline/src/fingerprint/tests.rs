//! What may change under a state and what may not.

use expect_test::expect;

use std::collections::BTreeMap;

use super::{changed, check_state, is_same_stage};
use crate::Pipeline;
use crate::file::tests::{SALES, read};

/// Those of a first start.
fn fingerprints(pipeline: &Pipeline) -> BTreeMap<String, String> {
    super::fingerprints(pipeline, &BTreeMap::new())
}

#[test]
fn the_parts_are_written_in_words() {
    let expected = expect![[r#"
        {
          "aggregate": "stage revenue",
          "event_time": "column ts at /ts (timestamp(s))",
          "key": "store (string)",
          "source": "kafka topic sales",
          "stage revenue": "module revenue with []",
          "stage valid": "module valid-sale with [store-prefix] hashed …",
          "window": "tumbling 30s"
        }"#]];
    let mut parts = fingerprints(&read(&SALES).unwrap());
    let stage = parts.get_mut("stage valid").unwrap();
    let hash = stage.rfind(" hashed ").unwrap() + " hashed ".len();
    stage.replace_range(hash.., "…");
    expected.assert_eq(&serde_json::to_string_pretty(&parts).unwrap());
}

#[test]
fn no_value_of_a_configuration_stands_in_a_record_and_a_change_is_seen() {
    let pipeline = read(&SALES).unwrap();
    let changed = read(&SALES.replace("\"store-\"", "\"shop-\"")).unwrap();
    let record = fingerprints(&pipeline);
    assert!(!record["stage valid"].contains("store-\""), "{record:?}");
    assert!(!record.values().any(|part| part.contains("=store-")), "{record:?}");
    assert!(is_same_stage(&record, &pipeline.stages[0]));
    assert!(!is_same_stage(&record, &changed.stages[0]));
    assert_eq!(super::fingerprints(&pipeline, &record), record, "it is the same in every record");
    assert_ne!(super::fingerprints(&changed, &record), record);
    // Another chain has another salt: equal secrets do not show.
    assert_ne!(fingerprints(&pipeline), record);
}

#[test]
fn records_of_older_versions_have_the_configuration_in_clear() {
    let pipeline = read(&SALES).unwrap();
    let mut record = fingerprints(&pipeline);
    let part = "module valid-sale with [store-prefix=store-]".to_owned();
    record.insert("stage valid".to_owned(), part);
    assert!(is_same_stage(&record, &pipeline.stages[0]));
    record.insert("stage valid".to_owned(), "module valid-sale with [a=b]".to_owned());
    assert!(!is_same_stage(&record, &pipeline.stages[0]));
    assert!(is_same_stage(&record, &pipeline.window.unwrap().aggregate), "it has none");
}

#[test]
fn plugins_limits_and_patience_may_change() {
    let text = SALES
        .replace("plugin = \"revenue\"", "plugin = \"stats\"")
        .replace("max_out_of_orderness = \"5s\"", "max_out_of_orderness = \"1m\"")
        .replace("path = \"data/revenue\"", "path = \"s3://bucket/revenue\"")
        .replace("brokers = \"127.0.0.1:9092\"", "brokers = \"b:1\"");
    let old = fingerprints(&read(&SALES).unwrap());
    assert_eq!(check_state(&read(&text).unwrap(), &old, true), Ok(()));
}

#[test]
fn a_window_key_or_time_column_that_changed_is_refused_with_what_to_do() {
    let text = SALES
        .replace("size = \"30s\"", "size = \"1m\"\noffset = \"10s\"")
        .replace("key = [\"store\"]", "key = [\"store\", \"item\"]")
        .replace("ts = \"timestamp(s)\"", "ts = \"timestamp(ms)\"");
    let old = fingerprints(&read(&SALES).unwrap());
    let conflict = check_state(&read(&text).unwrap(), &old, true).unwrap_err();
    expect!["the state of pipeline `sales` was made with other settings: event_time was `column ts at /ts (timestamp(s))` and is now `column ts at /ts (timestamp(ms))`; key was `store (string)` and is now `store (string), item (string)`; window was `tumbling 30s` and is now `tumbling 1m offset 10s`; put them back, forget the state with `sluicegate reset`, or give the pipeline a new name and its Delta tables new paths"].assert_eq(&conflict.to_string());
}

/// A sum of prices does not go on as a sum of quantities. A filter may look at another column, like another filter.
#[test]
fn the_columns_that_a_state_is_made_of_are_a_part_of_it() {
    let connected = |stage: &str, columns: &str| {
        let plugin = format!("plugin = \"{stage}\"\n");
        assert!(SALES.contains(&plugin), "{plugin}");
        read(&SALES.replace(&plugin, &format!("{plugin}columns = {{ {columns} }}\n"))).unwrap()
    };
    let plain = read(&SALES).unwrap();
    let price = connected("revenue", "value = \"price\"");
    let old = fingerprints(&price);
    assert_eq!(check_state(&price, &old, true), Ok(()));
    let other = connected("revenue", "value = \"item\"");
    let conflict = check_state(&other, &old, true).unwrap_err();
    assert_eq!(conflict.changes, ["columns was `value = price` and is now `value = item`"]);
    assert!(check_state(&plain, &old, true).is_err());
    assert!(check_state(&price, &fingerprints(&plain), true).is_err());
    assert_eq!(check_state(&other, &old, false), Ok(()), "there is no state");

    let filter = connected("valid-sale", "amount = \"price\"");
    assert_eq!(check_state(&filter, &fingerprints(&plain), true), Ok(()));
    assert!(!is_same_stage(&fingerprints(&plain), &filter.stages[0]));
    assert!(is_same_stage(&fingerprints(&filter), &filter.stages[0]));
}

#[test]
fn the_zone_of_the_event_time_is_a_part_of_it() {
    let local = |zone: &str| {
        let column = format!("ts = {{ type = \"timestamp(local)\", zone = \"{zone}\" }}");
        read(&SALES.replace("ts = \"timestamp(s)\"", &column)).unwrap()
    };
    let old = fingerprints(&local("UTC"));
    assert_eq!(check_state(&local("Z"), &old, true), Ok(()));
    let conflict = check_state(&local("-01:00"), &old, true).unwrap_err().to_string();
    assert!(conflict.contains("(timestamp(local), -3600 s ahead of UTC)"), "{conflict}");
}

#[test]
fn parts_that_come_or_go_are_changes() {
    let old = fingerprints(&read(&SALES).unwrap());
    let mut new = old.clone();
    let window = new.remove("window").unwrap();
    assert_eq!(changed(&old, &new), [format!("window was `{window}` and is gone")]);
    assert_eq!(changed(&new, &old), [format!("window was not there and is now `{window}`")]);
    assert!(changed(&old, &old).is_empty());
}

/// Positions stand under names that begin with the path as it was written.
#[test]
fn another_spelling_or_order_of_the_files_is_refused() {
    let (begin, end) = (SALES.find("[source]").unwrap(), SALES.find("[schema]").unwrap());
    let files = |keys: &str| {
        let source = format!("[source]\ntype = \"files\"\n[source.files]\n{keys}\n\n");
        let text = [&SALES[..begin], &source, &SALES[end..]].concat();
        // Lines of files have no timestamp of their own.
        let kept = text.lines().filter(|line| !line.starts_with("max_future_skew"));
        read(&kept.collect::<Vec<_>>().join("\n")).unwrap()
    };
    let old = fingerprints(&files("path = \"in\""));
    for same in ["path = \"in/\"", "path = \"in\"\norder = \"unordered\""] {
        assert_eq!(check_state(&files(same), &old, false), Ok(()), "{same}");
    }
    for other in ["path = \"./in\"", "path = \"in\"\norder = \"sequential\""] {
        let conflict = check_state(&files(other), &old, false).unwrap_err().to_string();
        assert!(conflict.contains("source was `files `in`, each by itself`"), "{conflict}");
    }
    let older = [("source".to_owned(), "files".to_owned())];
    let older = old.clone().into_iter().chain(older).collect();
    assert_eq!(check_state(&files("path = \"./in\""), &older, false), Ok(()));
}
