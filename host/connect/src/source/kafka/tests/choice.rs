//! `fetch = "auto"`: connections of our own read where they can, and librdkafka goes on exactly where they stood.

use std::collections::BTreeSet;

use super::*;
use crate::source::Fetched;

fn fetched(source: &KafkaSource) -> (&'static str, Option<String>) {
    let Fetched { by, instead } = source.fetched().unwrap();
    (by, instead.as_deref().map(str::to_owned))
}

fn properties(topic: &mut Topic, properties: &[(&str, &str)]) {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    topic.config.properties = ClientProperties(properties.iter().map(owned).collect());
}

#[test]
fn connections_of_our_own_keep_the_promises_by_themselves() {
    let topic = Topic::new(FetchWay::Auto, 600);
    keeps_the_promises(&topic);
    assert_eq!(fetched(&topic.kafka_source()), ("direct", None));
}

#[test]
fn what_only_librdkafka_obeys_is_read_by_it() {
    let mut topic = Topic::new(FetchWay::Auto, 30);
    properties(&mut topic, &[("broker.address.family", "v4")]);
    let mut source = topic.kafka_source();
    let (by, instead) = fetched(&source);
    assert_eq!(by, "librdkafka");
    assert!(instead.unwrap().contains("\"broker.address.family\"`"));
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(&mut source, &limits(100), &mut records, &mut positions);
    assert_same(&records, &topic.records());

    // It takes a folder of authorities too.
    let folder = env!("CARGO_MANIFEST_DIR");
    properties(&mut topic, &[("security.protocol", "ssl"), ("ssl.ca.location", folder)]);
    let (by, instead) = fetched(&topic.kafka_source());
    assert_eq!(by, "librdkafka");
    assert!(instead.unwrap().contains("\"ssl.ca.location\"`"));
    topic.config.fetch = FetchWay::Direct;
    assert!(connect(&topic.config, "test").is_err());
}

/// Makes the mock understand what brokers before Kafka 2.7 did, and ends all connections.
fn grow_old(topic: &Topic) {
    topic.cluster.apiversion(RDKafkaApiKey::Fetch, Some(4), Some(11)).unwrap();
    topic.cluster.broker_down(1).unwrap();
    topic.cluster.broker_up(1).unwrap();
}

/// In the middle of a topic, with a partition that is paused, and with two that were not known when it began.
#[test]
fn librdkafka_goes_on_where_a_broker_understands_too_little() {
    let mut topic = Topic::new(FetchWay::Auto, 900);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    positions.retain(|partition, _| partition.number == 0);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(7)).unwrap(), &mut records, &mut positions);
        records.len() == 3 && records.values().map(Vec::len).sum::<usize>() > 60
    });
    assert_eq!(fetched(&source), ("direct", None));
    // They come in any order: of one, all may have been read.
    let paused = (0..3).min_by_key(|number| records[&partition(*number)].len()).unwrap();
    source.pause(&BTreeSet::from([partition(paused)])).unwrap();
    let paused_at = records[&partition(paused)].len();
    assert!(paused_at < 300, "nothing is left to be paused");

    grow_old(&topic);
    topic.produce(60);
    let has_all = |records: &Records, number| records[&partition(number)].len() == 320;
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(7)).unwrap(), &mut records, &mut positions);
        (0..3).all(|number| number == paused || has_all(&records, number))
    });
    let (by, instead) = fetched(&source);
    assert_eq!(by, "librdkafka");
    let instead = instead.unwrap();
    assert!(instead.contains("it speaks Fetch up to version 11"), "{instead}");
    assert_eq!(records[&partition(paused)].len(), paused_at, "it is paused");

    source.pause(&BTreeSet::new()).unwrap();
    read_on(&mut source, &limits(50), &mut records, &mut positions);
    assert_same(&records, &topic.records());
    // It stays so, whatever is assigned later.
    source.assign(&positions).unwrap();
    assert_eq!(fetched(&source), (by, Some(instead)));
}

#[test]
fn who_wants_no_other_is_told_that_a_broker_understands_too_little() {
    let mut topic = Topic::new(FetchWay::Direct, 30);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    read_on(&mut source, &limits(100), &mut Records::new(), &mut positions);
    grow_old(&topic);
    topic.produce(30);
    let mut said = None;
    poll_until(&mut source, |source| {
        said = source.poll(&limits(100)).err().map(|error| error.to_string());
        said.is_some()
    });
    assert!(said.unwrap().contains("needs Kafka 2.7 or later"));
}
