//! Positions mean nothing in another topic of the same name: the pipeline halts, and goes on as a person says.

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
    let host = Host::run(&place, &pipeline);
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    assert_eq!(stores(&place), names((0..10).chain(105..130)));
}
