//! What may change under a state and what may not.

use expect_test::expect;

use super::{changed, check_state, fingerprints};
use crate::config::file::tests::{SALES, read};

#[test]
fn the_parts_are_written_in_words() {
    let expected = expect![[r#"
        {
          "aggregate": "stage revenue",
          "event_time": "column ts at /ts (timestamp(s))",
          "key": "store (string)",
          "source": "kafka topic sales",
          "stage revenue": "module revenue with []",
          "stage valid": "module valid-sale with [store-prefix=store-]",
          "window": "tumbling 30s"
        }"#]];
    let parts = fingerprints(&read(&SALES).unwrap());
    expected.assert_eq(&serde_json::to_string_pretty(&parts).unwrap());
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
    expect!["the state of pipeline `sales` was made with other settings: event_time was `column ts at /ts (timestamp(s))` and is now `column ts at /ts (timestamp(ms))`; key was `store (string)` and is now `store (string), item (string)`; window was `tumbling 30s` and is now `tumbling 1m offset 10s`; put them back, forget the state with `sluicegate reset`, or give the pipeline a new name"].assert_eq(&conflict.to_string());
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
