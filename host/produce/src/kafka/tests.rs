//! Against librdkafka's own broker in this process: everything arrives, once, in the partition of its key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;

use super::{KafkaSender, KafkaTarget, Pace, ProduceError};
use crate::event::{Event, TimeUnit};
use crate::sales::{Sales, SalesSettings};
use sluicegate_model::time::Clock;

fn target(brokers: String) -> KafkaTarget {
    KafkaTarget {
        brokers,
        topic: "sales".to_owned(),
        partitions: None,
        properties: BTreeMap::new(),
    }
}

fn values(brokers: &str, count: usize) -> BTreeMap<(i32, String), Vec<Vec<u8>>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["sales"]).unwrap();
    let mut values: BTreeMap<_, Vec<Vec<u8>>> = BTreeMap::new();
    let (mut arrived, mut empty_polls) = (0, 0);
    while arrived < count {
        // A poll may also end early, for an event that is no record.
        let Some(message) = consumer.poll(Duration::from_secs(1)) else {
            empty_polls += 1;
            assert!(empty_polls < 100, "{arrived} of {count} records came");
            continue;
        };
        let message = message.unwrap();
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let value = message.payload().unwrap().to_vec();
        values.entry((message.partition(), key)).or_default().push(value);
        arrived += 1;
    }
    assert!(consumer.poll(Duration::from_millis(200)).is_none(), "nothing comes twice");
    values
}

#[test]
fn every_sale_arrives_once_in_order_in_one_partition_of_its_store() {
    const EVENTS: usize = 3_000;
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("sales", 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let sender = KafkaSender::connect(&target(brokers.clone())).unwrap();
    let settings = SalesSettings { stores: 10, ..SalesSettings::default() };
    let sales = || Sales::new(settings).take(EVENTS);
    let never = AtomicBool::new(false);
    let clock = Clock::system();
    let pace = Pace { rate: None, clock: &clock, stop: &never };
    let sent = sender.send(sales(), TimeUnit::Seconds, &pace, |_| ());
    assert_eq!((sent.delivered, sent.lost, sent.reason), (3_000, 0, None));

    let mut expected: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for sale in sales() {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        sale.write_key(&mut key);
        sale.write_value(TimeUnit::Seconds, &mut value);
        expected.entry(String::from_utf8(key).unwrap()).or_default().push(value);
    }
    let arrived: Vec<_> = values(&brokers, EVENTS).into_iter().collect();
    assert_eq!(arrived.len(), expected.len(), "a store lives in one partition");
    for ((_, key), values) in arrived {
        assert_eq!(expected[&key], values, "{key}");
    }
}

#[test]
fn at_a_rate_it_keeps_to_it_and_stops_when_asked() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("sales", 1, 1).unwrap();
    let sender = KafkaSender::connect(&target(cluster.bootstrap_servers())).unwrap();
    let (stop, clock) = (AtomicBool::new(false), Clock::system());
    let begin = clock.monotonic();
    let sales = Sales::new(SalesSettings::default());
    let pace = Pace { rate: Some(2_000), clock: &clock, stop: &stop };
    let sent = sender.send(sales, TimeUnit::Seconds, &pace, |handed_over| {
        if handed_over >= 500 {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let elapsed = (clock.monotonic() - begin).as_millis();
    assert_eq!(sent.lost, 0, "{:?}", sent.reason);
    // At most what was due; how much less depends on how busy the machine is.
    assert!(sent.delivered >= 500 && u128::from(sent.delivered) <= elapsed * 2 + 1, "{sent:?}");
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_named() {
    let mut target = target("127.0.0.1:1".to_owned());
    target.properties.insert("sasl.pasword".to_owned(), "x".to_owned());
    let Err(ProduceError::Configuration(source)) = KafkaSender::connect(&target) else {
        panic!("it is refused")
    };
    assert!(source.to_string().contains("sasl.pasword"), "{source}");
}
