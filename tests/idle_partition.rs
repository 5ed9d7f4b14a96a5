//! A partition that says nothing holds the windows back only as long as it may still say something.

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::BEGIN;
use crate::harness::table::rows;
use crate::harness::topic::Topic;
use crate::harness::{eventually, services};

fn send(topic: &Topic, partition: i32, second: i64) {
    let ts = BEGIN + second;
    let value = format!("{{\"store\":\"store-{partition}\",\"price\":1.00,\"ts\":{ts}}}");
    topic.send(partition, ts * 1_000, value.as_bytes());
}

/// docs/design/time.md#rule-3: caught up and silent for `idle_after`, an empty partition does not
/// stop the others.
#[test]
fn an_empty_partition_does_not_hold_the_windows_back() {
    let topic = Topic::create(services::kafka(), "idle", 2);
    send(&topic, 0, 0);
    send(&topic, 0, 100);
    topic.flush();
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.event_time = "max_out_of_orderness = \"5s\"\nidle_after = \"500ms\"\n".to_owned();
    let host = Host::run(&place, &pipeline.write(&place));
    let found = eventually("the first window fires", || {
        let found = rows(&place, "revenue", &["store", "sales"]);
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(found, ["store-0 | 1"]);

    // It comes back with an event that the lane's watermark has passed: late, and the watermark stays.
    send(&topic, 1, 10);
    send(&topic, 1, 200);
    send(&topic, 0, 200);
    topic.flush();
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    let late = rows(&place, "late", &["store"]);
    assert_eq!(late, ["store-1"]);
    assert_eq!(rows(&place, "revenue", &["store", "sales"]), ["store-0 | 1", "store-0 | 1"]);
}

/// With `idle_after = "off"` it always holds them back.
#[test]
fn a_partition_that_is_never_idle_holds_the_windows_back() {
    let topic = Topic::create(services::kafka(), "never-idle", 2);
    send(&topic, 0, 0);
    send(&topic, 0, 100);
    topic.flush();
    let place = Place::local();
    let host = Host::run(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    wait_for_the_end(&place, &topic, &topic.read_back());
    host.stop();
    assert!(place.list("revenue").is_empty());
}
