//! Where event time comes from, and partitions that fall silent, come back, or are added while the job runs.

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::{BEGIN, Sales};
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::RESULTS;

fn send(topic: &Topic, partition: i32, second: i64) {
    let ts = BEGIN + second;
    let value = format!("{{\"store\":\"store-{partition}\",\"price\":1.00,\"ts\":{ts}}}");
    topic.send(partition, ts * 1_000, value.as_bytes());
}

/// `from = "record"`: what stands in the records does not matter, what Kafka says of them does.
#[test]
fn event_time_may_be_the_timestamp_of_kafka() {
    let topic = Topic::create(services::kafka(), "timestamps", 2);
    let mut sales = Sales::new(seed(70), 2);
    for sent in 0..2_000 {
        // Every tenth record is stored twenty seconds after its time, and so late for its window.
        let now = BEGIN + sent / 10 - if sent % 10 == 9 { 20 } else { 0 };
        for partition in 0..2 {
            let value = sales.record(BEGIN - 86_400);
            topic.send(partition, now * 1_000, value.as_bytes());
        }
    }
    topic.flush();
    let place = Place::local();
    let path = Pipeline::sales(kafka_bounded(&topic)).write(&place);
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[event_time]\ncolumn = \"ts\"", "[event_time]\nfrom = \"record\"");
    std::fs::write(&path, text).unwrap();
    run_to_end(&place, &path);

    // The oracle reads event time from the record.
    let records: Vec<_> = topic.read_back().into_iter().map(stamped).collect();
    let answer = Rules { ended: true, ..Rules::sales() }.judge(&records);
    assert!(answer.fates.late > 100 && answer.results.len() > 50, "{:?}", answer.fates);
    assert_same_rows("results", &rows(&place, "revenue", &RESULTS), &answer.results);
    assert_eq!(chain::head(&place).unwrap().fates(), answer.fates);
}

/// The record with Kafka's timestamp in the place of its own time.
fn stamped(record: StoredRecord) -> StoredRecord {
    let text = String::from_utf8(record.value).unwrap();
    let value = match text.rsplit_once("\"ts\":") {
        Some((head, _)) => format!("{head}\"ts\":{}}}", record.timestamp_ms / 1_000),
        None => text,
    };
    StoredRecord { value: value.into_bytes(), ..record }
}

/// docs/design/time.md#rule-3: a partition that spoke and falls silent is idle after a while; when
/// it comes back in time it loses nothing, and counts again.
#[test]
fn a_partition_that_fell_silent_comes_back() {
    let topic = Topic::create(services::kafka(), "silent", 2);
    for partition in 0..2 {
        send(&topic, partition, 0);
    }
    send(&topic, 0, 100);
    topic.flush();
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.event_time = "max_out_of_orderness = \"5s\"\nidle_after = \"500ms\"\n".to_owned();
    let host = Host::serve(&place, &pipeline.write(&place));
    eventually("the first window fires without partition 1", || {
        // The other one goes on: if all fell silent, nobody would say what time it is.
        send(&topic, 0, 100);
        topic.flush();
        (rows(&place, "revenue", &["store"]).len() == 2).then_some(())
    });
    eventually("partition 1 is shown as idle", || {
        let status = host.get("/v1/pipelines/sales");
        (status["partitions"][1]["idle"] == true).then_some(())
    });
    // The lane's watermark is 95: this is on time.
    send(&topic, 1, 96);
    send(&topic, 1, 300);
    send(&topic, 0, 300);
    topic.flush();
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    assert_eq!(chain::head(&place).unwrap().fates().late, 0);
    let answer = Rules::sales().judge(&records);
    assert_same_rows("results", &rows(&place, "revenue", &RESULTS), &answer.results);
}

/// A partition that is added is read from its start, and judged by what the others have shown.
#[test]
fn a_partition_may_be_added_while_the_job_runs() {
    let mut topic = Topic::create(services::kafka(), "grows", 1);
    (0..100).for_each(|second| send(&topic, 0, second));
    topic.flush();
    let place = Place::local();
    let host = Host::run(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    wait_for_the_end(&place, &topic, &topic.read_back());

    topic.grow(2);
    // The lane's watermark is 94 before the first record of the new partition.
    (95..200).for_each(|second| send(&topic, 1, second));
    topic.flush();
    wait_for_the_end(&place, &topic, &topic.read_back());
    (100..200).for_each(|second| send(&topic, 0, second));
    topic.flush();
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();
    let answer = Rules::sales().judge(&records);
    assert_eq!(answer.fates.late, 0);
    assert_eq!(chain::head(&place).unwrap().fates(), answer.fates);
    assert_same_rows("results", &rows(&place, "revenue", &RESULTS), &answer.results);
}
