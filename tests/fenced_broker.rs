//! A broker is taken for dead while it sleeps. Until it is taken back it lists no broker at all, and clients let go of it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::host::{Host, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{PATIENCE, chain, eventually, services, wait_until};
use crate::results_topic::sink;

/// Which of them loses its broker for good is chance, if nobody gives it back. There are many, so that one does.
const PRODUCERS: u64 = 12;

/// Each has a client of its own.
const SINKS: usize = 8;

/// The broker goes to sleep so often.
const SLEEPS: usize = 3;

/// Longer than the controller waits for a sign of life.
const SLEEP: Duration = Duration::from_secs(8);

/// Long enough to be taken back and to produce again.
const BETWEEN: Duration = Duration::from_secs(5);

/// Of each producer, in a second. They send until the broker has slept for the last time.
const RATE: u64 = 50;

/// What each producer sends.
const COUNT: u64 = RATE * 40;

#[test]
fn clients_find_a_broker_again_that_was_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let mut led = services::led_kafka(folder.path());
    let brokers = led.broker.address();
    let place = Place::local();
    let produced = Topic::create(&brokers, "produced", 4);
    let log = |number| folder.path().join(format!("producer-{number}.log"));
    let mut producers: Vec<_> =
        (0..PRODUCERS).map(|number| producer(&place, &produced, &log(number))).collect();
    let updates: Vec<_> =
        (0..SINKS).map(|number| Topic::create(&brokers, &format!("updates-{number}"), 1)).collect();
    let host = serve(&place, &produced, &updates);
    let read = || chain::head(&place).map_or(0, |head| head.fates().read);
    eventually("the first commits", || (read() > 0).then_some(()));

    for _ in 0..SLEEPS {
        wait_until(BETWEEN, || None::<()>);
        led.broker.daemon().signal(Signal::STOP).unwrap();
        wait_until(SLEEP, || None::<()>);
        led.broker.daemon().signal(Signal::CONT).unwrap();
    }

    for (number, producer) in producers.iter_mut().enumerate() {
        let ended = wait_until(PATIENCE, || producer.try_wait().unwrap());
        if ended.is_none() {
            producer.kill().unwrap();
        }
        let is_well = ended.is_some_and(|status| status.success());
        assert!(is_well, "producer {number}: {ended:?}; it says {}", said(&log(number as u64)));
    }
    eventually("the host has read all of it", || (read() == PRODUCERS * COUNT).then_some(()));
    // One more epoch begins when every sink has sent what it owes of the last.
    let epoch = || chain::head(&place).map(|head| head.epoch());
    let last = epoch();
    eventually("all of it is sent", || (epoch() > last).then_some(()));
    let mut sent = updates.iter().map(|topic| messages(&topic.read_back()));
    let first = sent.next().unwrap();
    assert!(!first.is_empty());
    sent.for_each(|other| assert!(other == first, "the sinks sent different things"));
    host.stop();

    let bereft = (0..PRODUCERS).filter(|number| is_bereft(&said(&log(*number)))).count();
    println!("{bereft} of {PRODUCERS} producers lost their only broker");
    let of_host = said(&place.folder.path().join("host.log"));
    assert!(bereft > 0 && is_bereft(&of_host), "nobody was taken for dead: this has shown nothing");
}

fn producer(place: &Place, topic: &Topic, log: &Path) -> Child {
    let mut command = sluicegate(place);
    command.args(["produce", "sales", "--brokers", &topic.brokers, "--topic", &topic.name]);
    command.args(["--rate", &RATE.to_string(), "--count", &COUNT.to_string(), "--paced"]);
    command.env("SLUICEGATE_LOG", "kafka=debug");
    command.stdout(Stdio::null()).stderr(File::create(log).unwrap()).spawn().unwrap()
}

/// A host that has all its topics from that broker, by clients of librdkafka.
fn serve(place: &Place, produced: &Topic, updates: &[Topic]) -> Host {
    let mut pipeline = Pipeline::sales(kafka(produced) + "fetch = \"librdkafka\"\n");
    for (number, topic) in updates.iter().enumerate() {
        pipeline.more += &sink(&format!("updates-{number}"), topic, "emit = \"updates\"");
    }
    Host::launch(
        place,
        &pipeline.write(place),
        "host.log",
        &[("SLUICEGATE_LOG", "info,kafka=debug")],
    )
}

fn said(log: &Path) -> String {
    fs::read_to_string(log).unwrap()
}

/// Whether a log tells of a client that was given its brokers again.
fn is_bereft(log: &str) -> bool {
    log.lines()
        .any(|line| line.contains("bootstrap servers given again") && line.contains("added=1"))
}

/// Each message once, and what tells it from others.
fn messages(records: &[StoredRecord]) -> Vec<(u64, Vec<u8>)> {
    let epoch = |record: &StoredRecord| record.header("sluicegate-epoch").parse().unwrap();
    let mut messages: Vec<_> =
        records.iter().map(|record| (epoch(record), record.value.clone())).collect();
    messages.sort();
    messages.dedup();
    messages
}
