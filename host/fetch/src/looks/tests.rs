//! What a look sees, and whom it asks.

use std::net::Shutdown;
use std::time::Duration;

use super::{TopicLooks, TopicSeen};
use crate::fetcher::Options;
use crate::fetcher::tests::cluster::Cluster;
use crate::fetcher::tests::options;
use crate::wire::TopicId;

const PATIENCE: Duration = Duration::from_secs(60);

fn looks(cluster: &Cluster) -> TopicLooks {
    TopicLooks::new(options(cluster), PATIENCE)
}

fn seen(ends: impl IntoIterator<Item = Option<i64>>) -> TopicSeen {
    let (topic, cluster) = (TopicId([7; 16]).text(), Some("shop".to_owned()));
    TopicSeen { topic, cluster, ends: ends.into_iter().collect() }
}

#[test]
fn a_look_asks_for_the_topic_and_each_leader_by_connections_that_stay() {
    let cluster = Cluster::new(3, 7, 40, 5);
    let mut looks = looks(&cluster);
    for look in 1..=3 {
        assert_eq!(looks.look(), Ok(seen([Some(200); 7])));
        let state = cluster.lock();
        assert_eq!((state.looks, state.connections.len()), (look * 4, 3));
    }
    cluster.lock().endless = Some(2);
    let ends = (0..7).map(|partition| (partition != 2).then_some(200));
    assert_eq!(looks.look(), Ok(seen(ends)));
}

/// As a broker does with connections that say nothing for long.
#[test]
fn a_connection_that_was_closed_is_made_again() {
    let cluster = Cluster::new(1, 2, 4, 5);
    let mut looks = looks(&cluster);
    assert!(looks.look().is_ok());
    let connections = std::mem::take(&mut cluster.lock().connections);
    connections.iter().for_each(|stream| stream.shutdown(Shutdown::Both).unwrap());
    assert_eq!(looks.look(), Ok(seen([Some(20); 2])));
    assert_eq!(cluster.lock().connections.len(), 1);
}

#[test]
fn what_cannot_be_seen_is_said() {
    let cluster = Cluster::new(1, 1, 4, 5);
    let mut looks = looks(&cluster);
    cluster.lock().topic_error = 3;
    assert_eq!(looks.look(), Err("Kafka's error 3 of the topic".to_owned()));
    cluster.lock().topic_error = 0;
    assert_eq!(looks.look(), Ok(seen([Some(20)])));
    // An older one does not tell which topic it is.
    cluster.lock().newest_fetch = 12;
    let sentence = TopicLooks::new(options(&cluster), PATIENCE).look().unwrap_err();
    assert!(sentence.contains("does not speak Metadata"), "{sentence}");
}

#[test]
fn brokers_that_were_named_are_asked_one_look_after_the_other() {
    let cluster = Cluster::new(1, 1, 4, 5);
    let brokers = format!("127.0.0.1:1, {}", cluster.address());
    let mut looks = TopicLooks::new(Options { brokers, ..options(&cluster) }, PATIENCE);
    let sentence = looks.look().unwrap_err();
    assert!(sentence.starts_with("broker `127.0.0.1:1` is not reachable"), "{sentence}");
    for _ in 0..2 {
        assert_eq!(looks.look(), Ok(seen([Some(20)])));
    }
}
