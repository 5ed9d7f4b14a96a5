//! Topics in memory, and couriers that take their time, are killed half-way, and sometimes go on although they are
//! dead.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::Value;

use crate::lane::outputs::outbox::Post;
use sluicegate_connect::outbox::{Courier, Message, Outgoing, PartitionCount, messages};
use sluicegate_pipeline::{Pipeline, SinkKind};

const PARTITIONS: u32 = 3;

/// A message as a reader of the topic gets it.
#[derive(Clone, Debug)]
struct Received {
    chain: Arc<str>,
    /// Epoch and sequence.
    place: (u64, usize),
    partition: u32,
    key: Option<String>,
    value: String,
}

/// All topics, by the id of the sink.
#[derive(Clone, Default)]
pub(super) struct Topics {
    log: Arc<Mutex<BTreeMap<String, Vec<Received>>>>,
    /// Couriers whose lane has died.
    dead: Arc<Mutex<Vec<Carried>>>,
    couriers: Arc<AtomicU64>,
}

/// What a courier has in hand, and how much of it is delivered.
struct Carried {
    outgoing: Outgoing,
    next: usize,
}

struct SlowCourier {
    topics: Topics,
    in_hand: Option<Carried>,
    random: Pcg64Mcg,
}

impl Topics {
    pub(super) fn post(&self, config: &Pipeline) -> Option<Post> {
        let topics = config.sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Kafka(_)));
        let count = |sink: &sluicegate_pipeline::SinkConfig| {
            (Arc::clone(&sink.id), PartitionCount::new(PARTITIONS.into()))
        };
        let counts: BTreeMap<_, _> = topics.map(count).collect();
        // Each life of a lane has a courier of its own pace.
        let random = Pcg64Mcg::seed_from_u64(self.couriers.fetch_add(1, Ordering::Relaxed));
        let courier = SlowCourier { topics: self.clone(), in_hand: None, random };
        (!counts.is_empty()).then(|| (Box::new(courier) as Box<dyn Courier>, counts))
    }

    /// Delivers the next message. Whether there was one.
    fn deliver(&self, carried: &mut Carried) -> bool {
        let all = messages(&carried.outgoing.text).unwrap();
        let Some(Message { sink, partition, key, value }) = all.get(carried.next) else {
            return false;
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let received = Received {
            chain: Arc::clone(&carried.outgoing.chain),
            place: (carried.outgoing.epoch.0, carried.next),
            partition: *partition,
            key: key.map(text),
            value: text(value),
        };
        self.log.lock().unwrap().entry((*sink).to_owned()).or_default().push(received);
        carried.next += 1;
        true
    }

    /// The messages of a topic for a reader that follows the rule of [`sluicegate_connect::outbox`]: key and value, in
    /// the order they came within each partition.
    pub(super) fn read(&self, sink: &str) -> Vec<(Option<String>, Value)> {
        let mut seen = BTreeMap::new();
        let log = self.log.lock().unwrap();
        let received = log.get(sink).into_iter().flatten();
        let new = received.filter(|message| {
            let last = seen.entry((&message.chain, message.partition)).or_insert(None);
            let is_new = *last < Some(message.place);
            *last = (*last).max(Some(message.place));
            is_new
        });
        new.map(|message| (message.key.clone(), serde_json::from_str(&message.value).unwrap()))
            .collect()
    }

    /// The values of a topic, sorted.
    pub(super) fn values(&self, sink: &str) -> Vec<String> {
        let mut values: Vec<String> =
            self.read(sink).into_iter().map(|(_, value)| value.to_string()).collect();
        values.sort();
        values
    }

    /// What a reader has in the end that keeps of each key the message with the highest revision, without looking at
    /// the headers; the values without what only updates have. Without repeats the revisions of a key grow, each
    /// message says something new, and the last of each key, and only that, is final.
    pub(super) fn upserted(&self, sink: &str) -> Vec<String> {
        let strip = |value: &mut Value| {
            let members = value.as_object_mut().unwrap();
            let revision = members.remove("revision").unwrap().as_u64().unwrap();
            (revision, members.remove("final").unwrap().as_bool().unwrap())
        };
        let mut last: BTreeMap<Option<String>, (u64, bool, Value)> = BTreeMap::new();
        for (key, mut value) in self.read(sink) {
            let (revision, is_final) = strip(&mut value);
            if let Some(before) = last.insert(key.clone(), (revision, is_final, value.clone())) {
                assert!(before.0 < revision, "{key:?}: revision {revision} after {before:?}");
                assert!(!before.1, "{key:?}: {value} after {before:?}, which was final");
                assert!(is_final || before.2 != value, "{key:?}: {before:?} twice");
            }
        }
        assert!(last.values().all(|(_, is_final, _)| *is_final), "{last:?}");
        let mut table: BTreeMap<String, (u64, Value)> = BTreeMap::new();
        for message in self.log.lock().unwrap().get(sink).into_iter().flatten() {
            let mut value: Value = serde_json::from_str(&message.value).unwrap();
            let (revision, _) = strip(&mut value);
            let key = message.key.clone().expect("updates have keys");
            if table.get(&key).is_none_or(|(before, _)| *before <= revision) {
                table.insert(key, (revision, value));
            }
        }
        table.into_values().map(|(_, value)| value.to_string()).collect()
    }
}

impl Courier for SlowCourier {
    fn submit(&mut self, outgoing: Outgoing) {
        assert!(self.in_hand.is_none(), "one outbox at a time (O3)");
        self.in_hand = Some(Carried { outgoing, next: 0 });
    }

    fn in_flight(&self) -> bool {
        self.in_hand.is_some()
    }

    fn wait(&mut self, _: Duration) -> bool {
        let mut dead = self.topics.dead.lock().unwrap();
        for carried in dead.iter_mut() {
            if self.random.random_bool(0.3) {
                self.topics.deliver(carried);
            }
        }
        drop(dead);
        let Some(carried) = &mut self.in_hand else { return false };
        // Often slow enough that an epoch has several turns.
        if self.random.random_bool(0.6) {
            return false;
        }
        for _ in 0..self.random.random_range(0..6) {
            if !self.topics.deliver(carried) {
                self.in_hand = None;
                return true;
            }
        }
        false
    }

    fn problem(&self) -> Option<String> {
        None
    }
}

impl Drop for SlowCourier {
    fn drop(&mut self) {
        // What it handed to its client may still arrive, in order; the rest is lost with it.
        if let Some(carried) = self.in_hand.take() {
            self.topics.dead.lock().unwrap().push(carried);
        }
    }
}
