//! Positions mean nothing in another topic of the same name: the pipeline halts, and goes on as a person says.

use std::time::Duration;

use rustix::process::Signal;
use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{PollLimits, Source, SourceError};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::FetchWay;
use sluicegate_runtime::Bell;

use crate::direct_fetch::config;
use crate::exactly_once::wait_for_the_end;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::table::rows;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, eventually, services};

fn send(topic: &Topic, stores: std::ops::Range<i64>) {
    for store in stores {
        let value = format!("{{\"store\":\"store-{store}\",\"price\":1.00,\"ts\":{BEGIN}}}");
        topic.send(0, BEGIN * 1_000, value.as_bytes());
    }
    topic.flush();
}

fn stores(place: &Place) -> Vec<String> {
    let mut stores = rows(place, "revenue", &["store"]);
    stores.sort_by_key(|store| store["store-".len()..].parse::<i64>().unwrap());
    stores
}

fn names(stores: impl Iterator<Item = i64>) -> Vec<String> {
    stores.map(|store| format!("store-{store}")).collect()
}

/// The new topic is longer than the position in the old one: by offsets alone it would be read from its middle.
#[test]
fn a_topic_made_anew_while_it_is_read_halts_until_somebody_says_how_to_go_on() {
    let topic = Topic::create(services::kafka(), "made-anew", 1);
    send(&topic, 0..10);
    let place = Place::local();
    let pipeline = Pipeline { window: None, ..Pipeline::sales(kafka(&topic)) }.write(&place);
    let mut host = Host::run(&place, &pipeline);
    wait_for_the_end(&place, &topic, &topic.read_back());
    topic.delete();
    eventually("the host misses it", || host.daemon.log().contains("does not exist").then_some(()));
    topic.make_anew();
    send(&topic, 100..130);
    let status = host.daemon.wait(PATIENCE).unwrap();
    assert!(!status.success(), "{}", host.daemon.log());
    assert!(host.daemon.log().contains("deleted and created again"), "{}", host.daemon.log());
    drop(host);
    assert_eq!(stores(&place), names(0..10));

    // Neither does a new start read a record of it.
    let again = ended(sluicegate(&place).arg("run").arg(&pipeline));
    assert!(!again.status.success(), "{again:?}");
    assert_eq!(stores(&place), names(0..10));

    let mut moved = sluicegate(&place);
    moved.arg("positions").arg(&pipeline).args(["--accept-topic", "--set", "0=5"]);
    let moved = ended(&mut moved);
    assert!(moved.status.success(), "{moved:?}");
    let shown = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(shown.contains("10 -> 5: moved by hand"), "{shown}");
    for what in ["cluster", "topic id"] {
        assert!(shown.contains(&format!("{what} whichever the next run finds")), "{shown}");
    }
    let host = Host::run(&place, &pipeline);
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    assert_eq!(stores(&place), names((0..10).chain(105..130)));
}

/// A host that stands by has asked where a first run begins before another one began the chain. What was read since then
/// is the other's, so records that retention took are not its to pass over.
#[test]
fn a_source_that_asked_for_a_beginning_does_not_begin_where_a_chain_stands() {
    let topic = Topic::create(services::kafka(), "taken", 1);
    send(&topic, 0..10);
    let source = |fetch| {
        let (clock, bell) = (Clock::system(), Bell::default());
        let source = KafkaSource::connect(&config(&topic, fetch), "taken", clock, bell, 64 << 20);
        let mut source = source.unwrap();
        let start = eventually("the topic is known", || source.genesis().unwrap());
        (source, start)
    };
    let sources = [FetchWay::Librdkafka, FetchWay::Direct].map(source);
    send(&topic, 10..30);
    topic.delete_records(0, 25);
    for (mut source, start) in sources {
        let identity = source.identity();
        source.expect(&identity);
        source.assign(&start).unwrap();
        let wait = Duration::from_millis(100);
        let limits = PollLimits {
            records: 100,
            bytes: 1 << 20,
            wait,
            linger: Duration::ZERO,
            unseen_until: Duration::ZERO,
        };
        let error = eventually("it halts", || match source.poll(&limits) {
            Ok(blocks) => {
                assert!(blocks.is_empty(), "records are passed over");
                None
            }
            Err(error) => Some(error),
        });
        let SourceError::Lost(sentence) = error else { panic!("{error}") };
        assert!(sentence.contains("position 0 in") && sentence.contains("begins at 25 now"));
    }
}

/// Whoever leads next says the same, and reads nothing either; a person is heard once for all of them.
#[test]
fn records_that_retention_took_while_the_leader_changed_halt_every_host() {
    let place = Place::local();
    let topic = Topic::existing(services::kafka(), &Topic::unused("taken-over"), 1);
    let more = "[leadership]\nttl = \"3s\"\nmargin = \"500ms\"\n".to_owned();
    let sales = Pipeline::sales(kafka(&topic));
    let pipeline = Pipeline { window: None, more, ..sales }.write(&place);
    let start =
        |number: usize| Host::serve_logging(&place, &pipeline, &format!("host-{number}.log"));
    let mut hosts: Vec<_> = (0..3).map(start).collect();
    // All of them ask where to begin, and one of them begins.
    topic.make();
    send(&topic, 0..10);
    wait_for_the_end(&place, &topic, &topic.read_back());
    let leads = |host: &Host| host.get("/v1/pipelines/sales")["leadership"]["role"] == "leader";
    let leader = hosts.remove(hosts.iter().position(leads).unwrap());
    leader.daemon.signal_all(Signal::STOP).unwrap();
    send(&topic, 10..30);
    topic.delete_records(0, 25);
    leader.kill();
    for host in &hosts {
        let problem = eventually("every host halts", || {
            let status = host.get("/v1/pipelines/sales");
            (status["phase"] == "halted").then(|| status["problem"].as_str().unwrap().to_owned())
        });
        assert!(
            problem.contains("position 10 in") && problem.contains("begins at 25"),
            "{problem}"
        );
    }
    assert_eq!(stores(&place), names(0..10));

    let mut moved = sluicegate(&place);
    let moved = ended(moved.arg("positions").arg(&pipeline).args(["--set", "0=25"]));
    assert!(moved.status.success(), "{moved:?}");
    hosts.clear();
    let _host = start(3);
    wait_for_the_end(&place, &topic, &topic.read_back());
    assert_eq!(stores(&place), names((0..10).chain(25..30)));
}
