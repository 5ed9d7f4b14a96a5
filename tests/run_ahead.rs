//! A partition that is far ahead waits for the others, so that few windows are open while a topic is caught up with,
//! and no result is another one.

use serde_json::Value;

use crate::files_equals_kafka::write_files;
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, eventually, services};
use crate::kafka_to_parquet::RESULTS;

/// Seconds of event time.
const LENGTH: i64 = 2_000;

fn send(topic: &Topic, partition: i32, store: i64, second: i64) {
    let ts = BEGIN + second;
    let value = format!("{{\"store\":\"store-{partition}-{store}\",\"price\":1.00,\"ts\":{ts}}}");
    topic.send(partition, ts * 1_000, value.as_bytes());
}

/// The most groups that were open at a commit.
fn most_groups(place: &Place) -> u64 {
    chain::records(place).iter().map(chain::Head::groups).max().unwrap()
}

/// Partition 0 has a record a second, partition 1 ten: read alike, the first is ahead of the second by ever more.
#[test]
fn few_windows_are_open_while_a_skewed_topic_is_caught_up_with() {
    let topic = Topic::create(services::kafka(), "skewed", 2);
    for second in 0..LENGTH {
        send(&topic, 0, second % 20, second);
        for store in 0..10 {
            send(&topic, 1, store, second);
        }
    }
    topic.flush();
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&topic.read_back());
    let run = |max_ahead: &str| {
        let place = Place::local();
        let mut pipeline = Pipeline::sales(kafka_bounded(&topic));
        pipeline.event_time += max_ahead;
        pipeline.checkpoint = "100ms";
        pipeline.more = "[limits]\nturn_records = 20\n".to_owned();
        run_to_end(&place, &pipeline.write(&place));
        assert_same_rows(max_ahead, &rows(&place, "revenue", &RESULTS), &answer.results);
        assert_eq!(chain::head(&place).unwrap().fates(), answer.fates);
        most_groups(&place)
    };
    // Of 30 groups in each of 67 windows; a lead of two minutes is four windows, and the turn may add two.
    let (bounded, unbounded) = (run("max_ahead = \"2m\"\n"), run(""));
    println!("at most {bounded} groups were open with `max_ahead`, {unbounded} without");
    assert!(bounded <= 300, "{bounded} groups were open");
    assert!(unbounded > 2 * bounded, "{unbounded} groups without, {bounded} with `max_ahead`");
}

/// Each file has an hour of its own. More files than are read at once: all would be open together, one hour after the
/// other are few windows at a time.
#[test]
fn files_of_different_hours_are_read_one_hour_after_the_other() {
    let mut records = Vec::new();
    for file in 0..12 {
        for line in 0..600 {
            let ts = BEGIN + i64::from(file) * 3_600 + line * 6;
            let value = format!("{{\"store\":\"store-{line}\",\"price\":1.00,\"ts\":{ts}}}");
            let (partition, value) = (file, value.into_bytes());
            records.push(StoredRecord {
                partition,
                offset: line,
                timestamp_ms: 0,
                key: None,
                value,
                headers: Vec::new(),
            });
        }
    }
    let rules = Rules { ended: true, max_future_skew: None, ..Rules::sales() };
    let answer = rules.judge(&records);
    let run = |max_ahead: &str| {
        let place = Place::local();
        let input = write_files(&place, &records);
        let source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{input}\"\n");
        let mut pipeline = Pipeline::sales(source);
        pipeline.event_time += max_ahead;
        pipeline.checkpoint = "100ms";
        // So small that even a fast machine commits on the way.
        pipeline.more = "[limits]\nturn_records = 5\n".to_owned();
        run_to_end(&place, &pipeline.write(&place));
        assert_same_rows(max_ahead, &rows(&place, "revenue", &RESULTS), &answer.results);
        most_groups(&place)
    };
    // A turn of each file, and what a lead of ten minutes may add.
    let (bounded, unbounded) = (run("max_ahead = \"10m\"\n"), run(""));
    println!("at most {bounded} groups were open with `max_ahead`, {unbounded} without");
    assert!(bounded <= 600, "{bounded} groups were open");
    assert!(unbounded > 2 * bounded, "{unbounded} groups without, {bounded} with `max_ahead`");
}

/// The status and the metrics name who waits; it goes on when the other one has come closer.
#[test]
fn a_waiting_partition_is_shown_and_goes_on() {
    let topic = Topic::create(services::kafka(), "waiting", 2);
    (0..600).for_each(|second| send(&topic, 0, 0, second));
    send(&topic, 1, 0, 0);
    topic.flush();
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.event_time = "idle_after = \"1h\"\nmax_ahead = \"1m\"\n".to_owned();
    pipeline.more = "[limits]\nturn_records = 20\n".to_owned();
    let host = Host::serve(&place, &pipeline.write(&place));
    let partition = |number: usize| host.get("/v1/pipelines/sales")["partitions"][number].clone();
    // It also waits before partition 1 has shown anything, but not for long.
    let waiting = eventually("partition 0 waits a minute ahead", || {
        let is_ahead = |one: &Value| one["next_offset"].as_i64().unwrap() > 60;
        Some(partition(0)).filter(|one| one["paused"] == true && is_ahead(one))
    });
    assert_eq!((&waiting["idle"], &partition(1)["paused"]), (&false.into(), &false.into()));
    let metrics = reqwest::blocking::get(format!("{}/metrics", host.url)).unwrap().text().unwrap();
    assert!(metrics.contains("sluicegate_partitions_paused{pipeline=\"sales\"} 1"), "{metrics}");
    // Whatever comes, it is not read while the other one stands still.
    send(&topic, 0, 0, 600);
    topic.flush();
    let next = partition(0)["next_offset"].as_i64().unwrap();
    assert!((61..600).contains(&next), "{waiting}");

    (1..=600).for_each(|second| send(&topic, 1, 0, second));
    topic.flush();
    eventually("partition 0 is read to its end", || {
        let partition = partition(0);
        (partition["next_offset"] == 601 && partition["paused"] == false).then_some(())
    });
    eventually("everything is committed", || {
        (chain::head(&place)?.fates().accepted == 1_202).then_some(())
    });
    host.stop();
    assert_eq!(chain::head(&place).unwrap().fates().late, 0);
}
