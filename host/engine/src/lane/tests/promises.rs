//! What a table was written with stands in the chain, and later starts keep to it.

use super::*;
use sluicegate_pipeline::fingerprint::columns::{TableConflict, check_tables};

const RAW: &str = r#"
[[sinks]]
id = "rows"
type = "parquet"
path = "unused-rows"
[checkpoint]
path = "unused-chain"
"#;

fn world(key: &str) -> World {
    World::of(&[&HEAD.replace("key = \"string\"", key), RAW].concat(), None)
}

fn log(line: &str) -> Logs {
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    Arc::new(BTreeMap::from([(partition, vec![line.to_owned()])]))
}

/// Whether a start with this column would go on from a record.
fn start(key: &str, record: &ChainRecord) -> Result<(), TableConflict> {
    let fitting = fit_all(&world(key).config, &[]).unwrap();
    check_tables(&fitting.tables, &record.config)
}

#[test]
fn the_type_of_a_column_is_promised_once_its_table_has_a_file() {
    let world = world("key = \"int64\"");
    let (mut lane, _commands) = world.open(&log(r#"{"key":5,"text":"a","at":1}"#), 1, 1);
    lane.run().unwrap();
    let chain = world.chain();
    let (genesis, last) = (chain.first().unwrap(), chain.last().unwrap());
    assert_eq!(last.config["table rows"], "at timestamp, key int64, text string in unused-rows");
    assert_eq!(start("key = \"int64\"", last), Ok(()));
    let changes = start("key = \"float64\"", last).unwrap_err().changes;
    assert_eq!(changes, ["`key` was int64 and is now float64"]);
    assert_eq!(start("key = \"float64\"", genesis), Ok(()), "no file has it yet");
    // Another life of the lane keeps what it does not write again.
    let (mut lane, _commands) = world.open(&log(r#"{"key":5,"text":"a","at":1}"#), 1, 1);
    lane.run().unwrap();
    assert_eq!(world.chain().last().unwrap().config, last.config);
}

#[test]
fn a_column_that_may_be_null_may_be_added() {
    let world = world("key = \"int64\"");
    let (mut lane, _commands) = world.open(&log(r#"{"key":5,"text":"a","at":1}"#), 1, 1);
    lane.run().unwrap();
    let last = world.chain().pop().unwrap();
    let with = |more: &str| start(&format!("key = \"int64\"\nmore = {more}"), &last);
    assert_eq!(with("{ type = \"string\", nullable = true }"), Ok(()));
    assert!(with("\"string\"").is_err());
}

/// What plugins make is only known when they are fitted.
#[test]
fn a_column_of_a_plugin_does_not_clash_with_date_folders() {
    let text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml()).replace("UPDATES", "");
    let text = text.replace("plugin = \"join\"", "plugin = \"dated\"");
    let by_date = text.replace("\"unused-results\"", "\"unused-results\"\npartition_by = \"date\"");
    for (text, is_good) in [(text, true), (by_date, false)] {
        let world = World::of(&text, None);
        let fitted = fit_all(&world.config, &world.modules(None)).map(drop);
        let clash = fitted.err().map(|error| error.to_string());
        let expected = "the folders `date=…` of table `results` would clash with its column `Date`: rename the column, or remove `partition_by`";
        assert_eq!(clash.as_deref(), (!is_good).then_some(expected));
    }
}
