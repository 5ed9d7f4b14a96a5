//! A record that is larger than the client receives: the status says which, how large, and the two ways on, and both lead on.
//!
//! The limits of the client are small here; what happens at its real ones (100 MB) is the same.

use serde_json::Value;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka_at};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::table::rows;
use crate::harness::topic::Topic;
use crate::harness::{eventually, services};

/// Bytes that the client receives at first.
const LIMIT: usize = 1_000_000;
/// Bytes of the large record.
const LARGE: usize = 3_000_000;

/// Three records, one that is too large, three more; and three in a partition of their own.
fn topic(label: &str) -> Topic {
    let topic = Topic::create_for_large(services::kafka(), label, 2);
    let large = "x".repeat(LARGE);
    for (number, item) in [(0, ""), (1, ""), (2, ""), (3, &*large), (4, ""), (5, ""), (6, "")] {
        let value = format!(
            "{{\"store\":\"store-{number}\",\"item\":\"{item}\",\"price\":1.00,\"ts\":{BEGIN}}}"
        );
        topic.send(0, BEGIN * 1_000, value.as_bytes());
        // Each in a batch of its own: a batch is received whole.
        topic.flush();
    }
    for number in 7..10 {
        let value = format!("{{\"store\":\"store-{number}\",\"price\":1.00,\"ts\":{BEGIN}}}");
        topic.send(1, BEGIN * 1_000, value.as_bytes());
    }
    topic.flush();
    topic
}

fn pipeline(topic: &Topic, place: &Place, limit: usize) -> std::path::PathBuf {
    let properties = format!(
        "[source.kafka.properties]\n\"receive.message.max.bytes\" = \"{limit}\"\n\
         \"fetch.max.bytes\" = \"500000\"\n\"message.max.bytes\" = \"500000\"\n"
    );
    let source = kafka_at(&topic.brokers, &topic.name, &properties);
    Pipeline { window: None, ..Pipeline::sales(source) }.write(place)
}

fn stores(place: &Place) -> Vec<String> {
    let mut stores = rows(place, "revenue", &["store"]);
    stores.sort();
    stores
}

fn names(stores: impl IntoIterator<Item = i64>) -> Vec<String> {
    stores.into_iter().map(|store| format!("store-{store}")).collect()
}

/// Runs the pipeline until it stands before the large record, and looks at what it says.
fn stands(topic: &Topic, place: &Place) {
    let host = Host::serve(place, &pipeline(topic, place, LIMIT));
    let at = format!("{}/0 cannot be read at offset 3", topic.name);
    let problem = eventually("the status names the record", || {
        let status: Value = host.get("/v1/pipelines/sales");
        let problem = status["problem"].as_str()?.to_owned();
        problem.contains(&at).then_some(problem)
    });
    for part in [
        "larger than the client receives",
        "and the client takes 1000000",
        "receive.message.max.bytes",
        "`sluicegate positions FILE --set 0=4`",
    ] {
        assert!(problem.contains(part), "{part} in {problem}");
    }
    let bytes = problem.split_once("has ").unwrap().1.split_once(" bytes").unwrap().0;
    assert!((LARGE..LARGE + 1_000).contains(&bytes.parse().unwrap()), "{problem}");
    let ready = reqwest::blocking::get(format!("{}/health/ready", host.url)).unwrap();
    assert_eq!(ready.status(), 503, "a pipeline that stands is not ready");
    // The other partition goes on, and all before the record is there.
    let committed = names([0, 1, 2, 7, 8, 9]);
    eventually("all others are committed", || (stores(place) == committed).then_some(()));
    assert!(!host.log().contains("the problem has passed"), "{}", host.log());
    host.stop();
}

#[test]
fn a_record_that_is_too_large_is_named_and_read_with_a_larger_limit() {
    let (topic, place) = (topic("large-raised"), Place::local());
    stands(&topic, &place);
    let host = Host::run(&place, &pipeline(&topic, &place, 2 * LARGE));
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    assert_eq!(stores(&place), names(0..10));
}

#[test]
fn a_record_that_is_too_large_is_named_and_left_out_by_hand() {
    let (topic, place) = (topic("large-left-out"), Place::local());
    stands(&topic, &place);
    let file = pipeline(&topic, &place, LIMIT);
    let mut moved = sluicegate(&place);
    let moved = ended(moved.arg("positions").arg(&file).args(["--set", "0=4"]));
    assert!(moved.status.success(), "{moved:?}");
    let host = Host::run(&place, &file);
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    assert_eq!(stores(&place), names((0..10).filter(|number| *number != 3)));
}
