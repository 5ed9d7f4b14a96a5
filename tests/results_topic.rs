//! Results in a Kafka topic: every one once for a reader that drops repeats, in order, never before it is committed;
//! updates of open windows end at the results; a broker that is away stops the intake and loses nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::Value;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, eventually, seed, services, wait_until};
use crate::kafka_to_parquet::{RESULTS, assert_answer};

/// Fewer than in the test of tables alone: each life waits for a broker, too.
const KILLS: usize = 12;

#[test]
fn a_reader_that_drops_repeats_gets_every_result_once_through_kill_9() {
    let topic = Topic::create(services::kafka(), "to-topic", 3);
    let finals = Topic::create(services::kafka(), "finals", 3);
    let updates = Topic::create(services::kafka(), "updates", 2);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.more = sink("finals", &finals, "") + &sink("updates", &updates, "emit = \"updates\"");
    let file = pipeline.write(&place);
    let mut dice = Pcg64Mcg::seed_from_u64(seed(71));
    let mut sales = Sales::new(seed(72), 3);
    for _ in 0..KILLS {
        sales.send(&topic, 1_000);
        let host = Host::run(&place, &file);
        for _ in 0..dice.random_range(1..8) {
            wait_until(Duration::from_millis(dice.random_range(50..250)), || None::<()>);
            sales.send(&topic, 300);
        }
        host.kill();
    }
    sales.close(&topic);
    let host = Host::run(&place, &file);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();

    let answer = Rules::sales().judge(&records);
    assert_answer(&place, &answer);
    let received = finals.read_back();
    let read = read(&received);
    println!("{} messages, {} of them repeats", received.len(), received.len() - read.len());
    let mut lines: Vec<String> = read.iter().map(|message| line(&message.value)).collect();
    lines.sort();
    assert_same_rows("results in the topic", &lines, &answer.results);
    assert_a_key_has_one_partition_and_its_windows_in_order(&read);

    let updated = read_updates(&updates.read_back());
    let closed: Vec<&str> = answer.results.iter().map(String::as_str).collect();
    let mut last: Vec<String> = updated.into_values().map(|value| line(&value)).collect();
    last.sort();
    // Windows that have not fired are there too; those that have are as in the table.
    for result in closed {
        assert!(last.binary_search_by(|line| line.as_str().cmp(result)).is_ok(), "{result}");
    }
    assert!(last.len() > answer.results.len(), "no window was open in the end");
}

#[test]
fn a_topic_whose_broker_is_away_holds_the_job_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = services::own_kafka(folder.path());
    let results = Topic::create(&broker.address(), "results", 2);
    let topic = Topic::create(services::kafka(), "held", 2);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.more = sink("results", &results, "");
    let file = pipeline.write(&place);
    let mut sales = Sales::new(seed(73), 2);
    sales.send(&topic, 2_000);
    let host = Host::serve(&place, &file);
    eventually("results are sent", || (!results.read_back().is_empty()).then_some(()));

    broker.kill();
    sales.send(&topic, 2_000);
    let problem = eventually("the status names the sink's problem", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("committed results are not sent yet"), "{problem}");
    assert!(problem.contains("sink `results`") && problem.contains(&broker.address()), "{problem}");
    // It stands still: no epoch is committed on top of results that nobody has taken.
    let epoch = chain::head(&place).unwrap().epoch();
    sales.send(&topic, 2_000);
    wait_until(Duration::from_millis(1_500), || None::<()>);
    assert_eq!(chain::head(&place).unwrap().epoch(), epoch);
    // A crash in the middle of it changes nothing.
    host.kill();
    broker.restart().unwrap();
    let host = Host::serve(&place, &file);
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();

    let answer = Rules::sales().judge(&records);
    let mut lines: Vec<String> =
        read(&results.read_back()).iter().map(|message| line(&message.value)).collect();
    lines.sort();
    assert_same_rows("results in the topic", &lines, &answer.results);
    assert_answer(&place, &answer);
}

/// What one pipeline writes another reads, times and decimals included; and a bounded job that has ended sends nothing
/// more when it is run again.
#[test]
fn a_pipeline_reads_what_another_wrote() {
    let topic = Topic::create(services::kafka(), "first", 3);
    Sales::new(seed(74), 3).send(&topic, 3_000);
    let between = Topic::create(services::kafka(), "between", 3);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
    pipeline.more = sink("between", &between, "");
    let file = pipeline.write(&place);
    run_to_end(&place, &file);
    let sent = between.read_back().len();
    run_to_end(&place, &file);
    assert_eq!(between.read_back().len(), sent, "an ended job sent something again");

    let second = Place::local();
    let url = &second.url;
    let text = format!(
        "name = \"second\"\n{}\
         [schema]\nstore = \"string\"\nrevenue = \"decimal(18,2)\"\nsales = \"int64\"\n\
         window_from = {{ type = \"timestamp(rfc3339)\", pointer = \"/window_start\" }}\n\
         window_to = {{ type = \"timestamp(rfc3339)\", pointer = \"/window_end\" }}\n\
         [event_time]\ncolumn = \"window_to\"\nmax_out_of_orderness = \"1m\"\nidle_after = \"off\"\n\
         [[sinks]]\nid = \"copy\"\ntype = \"parquet\"\npath = \"{url}/copy\"\n\
         [dead_letters]\npath = \"{url}/dead\"\n\
         [checkpoint]\ninterval = \"200ms\"\npath = \"{url}/chain\"\n",
        kafka_bounded(&between)
    );
    let file = second.folder.path().join("second.toml");
    std::fs::write(&file, text).unwrap();
    run_to_end(&second, &file);
    let copied = ["store", "revenue", "sales", "window_from", "window_to"];
    assert_same_rows("copy", &rows(&second, "copy", &copied), &rows(&place, "revenue", &RESULTS));
    assert_eq!(chain::head(&second).unwrap().fates().dead_lettered, 0);
}

/// A topic that is not there holds the start, and says so.
#[test]
fn a_topic_that_is_missing_is_named_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let broker = services::own_kafka(folder.path());
    let topic = Topic::create(services::kafka(), "waiting-topic", 1);
    let place = Place::local();
    let missing = Topic::existing(&broker.address(), "missing", 1);
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.more = sink("results", &missing, "");
    let host = Host::serve(&place, &pipeline.write(&place));
    let problem = eventually("the status names the topic", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.contains("topic `missing` of sink `results`"), "{problem}");
    assert!(problem.contains("create it"), "{problem}");
    missing.make();
    eventually("the job begins", || chain::head(&place));
    host.stop();
}

/// A sink that is a topic, with more lines.
pub fn sink(id: &str, topic: &Topic, more: &str) -> String {
    format!(
        "[[sinks]]\nid = \"{id}\"\ntype = \"kafka\"\nbrokers = \"{}\"\ntopic = \"{}\"\n{more}\n",
        topic.brokers, topic.name
    )
}

/// A message with its value read.
struct Result {
    partition: i32,
    key: Value,
    value: Value,
}

/// The messages for a reader that remembers of each chain and partition the largest (epoch, sequence), as
/// docs/topics.md tells it. Panics if the order is not what it may rely on.
fn read(records: &[StoredRecord]) -> Vec<Result> {
    let mut seen: BTreeMap<(String, i32), (u64, u64)> = BTreeMap::new();
    let mut results = Vec::new();
    for record in records {
        let header = |name: &str| record.header(name).to_owned();
        assert_eq!(header("sluicegate-pipeline"), "sales");
        let number = |name: &str| header(name).parse::<u64>().unwrap();
        let place = (number("sluicegate-epoch"), number("sluicegate-sequence"));
        let reader = (header("sluicegate-chain"), record.partition);
        if seen.get(&reader).is_some_and(|last| place <= *last) {
            continue;
        }
        seen.insert(reader, place);
        results.push(Result {
            partition: record.partition,
            key: serde_json::from_slice(record.key.as_deref().unwrap()).unwrap(),
            value: serde_json::from_slice(&record.value).unwrap(),
        });
    }
    let chains: Vec<&String> = seen.keys().map(|(chain, _)| chain).collect();
    assert!(chains.windows(2).all(|pair| pair[0] == pair[1]), "one chain: {chains:?}");
    results
}

/// Of each key the value with the highest revision, whatever the headers say. Without repeats the revisions of a key grow.
fn read_updates(records: &[StoredRecord]) -> BTreeMap<String, Value> {
    let revision = |value: &Value| value["revision"].as_u64().unwrap();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for Result { key, value, .. } in read(records) {
        let identity = ["store", "window_start", "window_end"];
        assert!(identity.iter().all(|name| key[*name] == value[*name]), "{key} of {value}");
        let before = last.insert(key.to_string(), revision(&value));
        assert!(before < Some(revision(&value)), "{before:?} before {value}");
    }
    let mut table: BTreeMap<String, Value> = BTreeMap::new();
    for record in records {
        let key: Value = serde_json::from_slice(record.key.as_deref().unwrap()).unwrap();
        let value: Value = serde_json::from_slice(&record.value).unwrap();
        let before = table.get(&key.to_string()).map_or(0, revision);
        if before <= revision(&value) {
            table.insert(key.to_string(), value);
        }
    }
    table
}

/// As [`Rules::judge`] writes it.
fn line(value: &Value) -> String {
    let cell = |name: &&str| match &value[*name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    RESULTS.iter().map(cell).collect::<Vec<_>>().join(" | ")
}

fn assert_a_key_has_one_partition_and_its_windows_in_order(results: &[Result]) {
    let mut last: BTreeMap<String, (i32, String)> = BTreeMap::new();
    for Result { partition, key, value } in results {
        assert_eq!(key["store"], value["store"]);
        let window = value["window_start"].as_str().unwrap().to_owned();
        if let Some((before, earlier)) = last.insert(key.to_string(), (*partition, window.clone()))
        {
            assert_eq!(before, *partition, "{key} lies in two partitions");
            assert!(earlier < window, "{key}: {earlier} comes before {window}");
        }
    }
}
