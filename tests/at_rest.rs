//! A host with nothing to do sleeps, and wakes when there is something.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use xtask::process::Used;

use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka_at};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, eventually, services, wait_until};

/// Long enough that what happens every few seconds shows.
const WATCHED: Duration = Duration::from_secs(5);

fn send(topic: &Topic, second: i64) {
    let ts = BEGIN + second;
    let value = format!("{{\"store\":\"store-1\",\"price\":1.00,\"ts\":{ts}}}");
    topic.send(0, ts * 1_000, value.as_bytes());
    topic.flush();
}

fn status(host: &Host) -> Value {
    host.get("/v1/pipelines/sales")
}

/// Waits until so many records were read and nothing of them is left to be committed.
fn comes_to_rest(host: &Host, records: u64) {
    eventually("all is read", || (status(host)["records"]["read"] == records).then_some(()));
    let mut before = None;
    eventually("nothing is left to be committed", || {
        let _commits_are_not_further_apart = wait_until(Duration::from_secs(1), || None::<()>);
        let epoch = status(host)["epoch"].as_u64();
        (before.replace(epoch) == Some(epoch)).then_some(())
    });
}

fn watched(host: &Host) -> Used {
    Used::while_watched(host.daemon.id(), WATCHED).unwrap()
}

/// Whether a host has a client of librdkafka.
fn has_client(host: &Host) -> bool {
    let used = Used::by(host.daemon.id()).unwrap();
    used.threads.keys().any(|name| name.starts_with("rdk:"))
}

/// Where the group of the pipeline stands.
fn shown(topic: &Topic) -> Offset {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &topic.brokers).set("group.id", "sluicegate-sales");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition(&topic.name, 0);
    let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
    committed.find_partition(&topic.name, 0).unwrap().offset()
}

/// Wake-ups are a count: no load of the machine adds any. The lane wakes once a second to say that it lives, and with each look
/// at the topic. librdkafka wakes by itself, most often for the looks and for fetches that bring nothing.
fn sleeps_while_nothing_comes(fetch: &str) {
    let topic = Topic::create(services::kafka(), "at-rest", 1);
    let place = Place::local();
    let way = format!("fetch = \"{fetch}\"\n");
    let pipeline = Pipeline::sales(kafka_at(&topic.brokers, &topic.name, &way));
    let host = Host::serve(&place, &pipeline.write(&place));
    send(&topic, 0);
    comes_to_rest(&host, 1);
    let used = watched(&host);
    println!("by {fetch}: {used:#?}");
    let in_a_second = |threads: &[&str]| {
        let of = |name: &&str| used.threads.get(*name).map_or(0, |thread| thread.wakeups);
        threads.iter().map(of).sum::<u64>() as f64 / WATCHED.as_secs_f64()
    };
    assert!(in_a_second(&["lane-sales"]) < 6.0, "the lane: {used:?}");
    assert!(in_a_second(&["plugin-ticks"]) < 1.0, "the ticker: {used:?}");
    assert!(in_a_second(&["worker-1"]) < 1.0, "the worker beside the lane: {used:?}");
    if fetch == "direct" {
        // It is not asked for the looks: its threads wake once a second by themselves, and for each question three times.
        assert!(in_a_second(&["rdk:main"]) < 3.0, "librdkafka: {used:?}");
        eventually("the client of librdkafka rests", || (!has_client(&host)).then_some(()));
        assert_eq!(shown(&topic), Offset::Offset(1));
    }
    let all = used.total().wakeups as f64 / WATCHED.as_secs_f64();
    assert!(all < 60.0, "{all} wake-ups a second: {used:?}");
    // What comes then is heard.
    for second in 1..20 {
        send(&topic, second);
        let read = 1 + u64::try_from(second).unwrap();
        eventually("it is read", || (status(&host)["records"]["read"] == read).then_some(()));
    }
    eventually("the group is shown it", || (shown(&topic) == Offset::Offset(20)).then_some(()));
    assert!(has_client(&host), "somebody else has shown it");
    host.stop();
}

#[test]
fn a_host_that_reads_by_librdkafka_sleeps_while_nothing_comes() {
    sleeps_while_nothing_comes("librdkafka");
}

#[test]
fn a_host_that_fetches_itself_sleeps_while_nothing_comes() {
    sleeps_while_nothing_comes("direct");
}
