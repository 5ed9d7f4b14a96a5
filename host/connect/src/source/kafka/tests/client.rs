//! When the client of librdkafka is there, and when it rests.

use std::ffi::CString;

use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::source::kafka::client::Client;
use crate::source::kafka::context::Context;
use crate::source::kafka::knowledge::Knowledge;
use crate::source::kafka::properties::client_config;

/// Longer than it waits to be asked.
const LONG: Duration = Duration::from_secs(31);

fn client(topic: &Topic, clock: &Clock) -> Client {
    let (brokers, bell) = (&topic.config.brokers, Bell::default());
    let (knowledge, _woken) =
        Knowledge::new("sales", CString::default(), brokers, clock.clone(), bell.clone());
    let config = client_config(&topic.config, "sluicegate-test", 1 << 20).unwrap();
    Client::new(config, Context::new(knowledge), bell, clock.clone()).unwrap()
}

#[test]
fn it_rests_when_nobody_has_asked_it_for_long_and_nobody_holds_it() {
    let (topic, clock) = (Topic::new(FetchWay::Direct, 0), Clock::manual(0));
    let client = client(&topic, &clock);
    client.rest();
    assert!(client.awake().is_some(), "it has just been made");
    clock.advance(LONG);
    let held = client.awake();
    client.rest();
    assert!(client.awake().is_some(), "somebody holds it");
    drop(held);
    client.rest();
    assert!(client.awake().is_none());
    drop(client.ask().unwrap());
    client.rest();
    assert!(client.awake().is_some(), "it was asked");
}

#[test]
fn it_does_not_rest_while_the_group_has_not_answered() {
    let (topic, clock) = (Topic::new(FetchWay::Direct, 0), Clock::manual(0));
    let client = client(&topic, &clock);
    clock.advance(LONG);
    client.rest();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("sales", 0, Offset::Offset(0)).unwrap();
    client.show(offsets);
    assert!(client.awake().is_none(), "no turn waits until one is made");
    client.rest();
    client.show_waiting();
    clock.advance(LONG);
    client.rest();
    assert!(client.context().shows() && client.awake().is_some(), "it would answer nobody");
    let mut polls = 0..3_000;
    while client.context().shows() && polls.next().is_some() {
        drop(client.awake().unwrap().poll(Duration::from_millis(10)));
    }
    client.rest();
    assert!(client.awake().is_none());
}
