//! A cluster of three brokers that are killed, frozen and cut off: both ways of reading get what was written, record by record.
//!
//! `SLUICEGATE_SHAKE_SECONDS` says for how long; `cargo xtask soak --brokers` runs it for minutes.

mod ledger;
pub mod reader;
mod shake;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluicegate_connect::source::SourceError;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::FetchWay;
use xtask::services::kafka::{BROKERS, Cluster};

use crate::direct_fetch::read;
use crate::harness::topic::Topic;
use crate::harness::wire::Wire;
use crate::harness::{eventually, seed, services};
use ledger::{Ledger, Writer};
use reader::{Reader, config};
use shake::Shake;

/// The default, which fetches directly here, and the other one.
const WAYS: [FetchWay; 2] = [FetchWay::Auto, FetchWay::Librdkafka];

const PARTITIONS: i32 = 3;

/// How long brokers are hurt. The short form is part of the end-to-end tests.
#[expect(clippy::disallowed_methods, reason = "a longer one is asked for by the environment")]
fn lasts() -> Duration {
    const SHORT: u64 = 15;
    let seconds = std::env::var("SLUICEGATE_SHAKE_SECONDS");
    Duration::from_secs(seconds.map_or(SHORT, |text| text.parse().unwrap()))
}

/// The cluster, and the wires through which each way of reading sees it.
struct World {
    cluster: Cluster,
    wires: [[Wire; BROKERS]; WAYS.len()],
}

impl World {
    fn start(folder: &Path) -> Self {
        let wires = WAYS.map(|_| [(); BROKERS].map(|()| Wire::new()));
        Self { cluster: services::own_cluster(folder, &wires), wires }
    }

    /// Readers of a topic, one of each way.
    fn readers(&self, topic: &Topic) -> [Reader; WAYS.len()] {
        std::array::from_fn(|way| {
            let brokers = self.wires[way].each_ref().map(Wire::address).join(",");
            Reader::start(config(brokers, &topic.name, WAYS[way]))
        })
    }

    fn topic(&self, label: &str, partitions: i32, settings: &[(&str, &str)]) -> Topic {
        Topic::create_replicated(&self.cluster.addresses(), label, partitions, settings)
    }
}

#[test]
fn both_ways_read_what_was_written_while_brokers_are_shaken() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::start(folder.path());
    a_log_that_was_cut_off_is_read_no_further(&mut world);
    let topics = [
        world.topic("shaken", PARTITIONS, &[("max.message.bytes", "16000000")]),
        world.topic("appended", PARTITIONS, &[("message.timestamp.type", "LogAppendTime")]),
    ];
    let compacted = world.topic("compacted", 1, &COMPACTED);
    let ends = [(); 2].map(|()| OnceLock::new());
    let enough = AtomicBool::new(false);
    let keys = std::thread::scope(|threads| {
        let (world, enough) = (&mut world, &enough);
        let mut readers = Vec::new();
        for (topic, ends) in topics.iter().zip(&ends) {
            for reader in world.readers(topic) {
                readers.push(threads.spawn(|| reader.until(enough, ends)));
            }
        }
        let brokers = world.cluster.addresses();
        let write = |topic: &Topic, appends: bool, write: fn(&mut Writer)| {
            let mut writer = Writer::new(&brokers, &topic.name, topic.partitions, appends);
            threads.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    write(&mut writer);
                }
                writer
            })
        };
        let [shaken, appended] = &topics;
        let writers = [write(shaken, false, Writer::write), write(appended, true, Writer::write)];
        let keys = write(&compacted, false, Writer::write_keys);
        shake(world);
        enough.store(true, Ordering::Relaxed);
        let closed = |mut writer: Writer| {
            writer.close();
            writer.ledger
        };
        let ledgers = writers.map(|writer| closed(writer.join().unwrap()));
        for (ledger, ends) in ledgers.iter().zip(&ends) {
            ends.set(ledger.ends()).unwrap();
        }
        let readers = readers.into_iter().map(|reader| reader.join().unwrap());
        compare(&ledgers, readers.collect());
        keys.join().unwrap().ledger
    });
    both_read_what_compaction_has_left(&compacted, &keys);
}

/// Segments end by the times of records.
const COMPACTED: [(&str, &str); 5] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1048576"),
    ("segment.ms", "1000"),
    ("min.cleanable.dirty.ratio", "0.001"),
    ("delete.retention.ms", "0"),
];

fn shake(world: &mut World) {
    let (clock, lasts, mut shake) = (Clock::system(), lasts(), Shake::new(seed(1_500)));
    while clock.monotonic() < lasts {
        shake.strike(&mut world.cluster, &world.wires);
    }
    println!("{} blows in {:.0?}", shake.blows, clock.monotonic());
}

/// `readers`: of each topic one by each way.
fn compare(ledgers: &[Ledger], readers: Vec<Reader>) {
    for (ledger, readers) in ledgers.iter().zip(readers.chunks(WAYS.len())) {
        println!("{ledger}");
        // Whether one way lacks it or both says whose fault it is.
        let lost = readers.iter().zip(["direct", "librdkafka"]).filter_map(|(reader, way)| {
            ledger.lost(&reader.records).map(|what| format!("{way}: {what}"))
        });
        let lost: Vec<_> = lost.collect();
        assert!(lost.is_empty(), "{}", lost.join("\n"));
        for (reader, expected) in readers.iter().zip(["direct", "librdkafka"]) {
            println!("  {expected}, failed {} times; it said:", reader.failures.len());
            reader.problems.iter().for_each(|problem| println!("    {problem}"));
            assert_eq!(reader.by(), expected);
            ledger.assert_read(expected, &reader.records);
        }
        // Of a transaction whose end nobody knows too.
        assert!(readers[0].records == readers[1].records, "the two ways differ");
    }
}

/// Each record stands where it was written, and the newest of each key is there.
fn both_read_what_compaction_has_left(topic: &Topic, ledger: &Ledger) {
    let sent: i64 = ledger.ends()[&0];
    let gaps = eventually("the topic is compacted, and both read what is left", || {
        let [direct, by_librdkafka] = WAYS.map(|way| read(topic, way, 100).0);
        let direct: Vec<_> = direct.into_values().flatten().collect();
        // The cleaner may work between the two.
        let is_same = by_librdkafka.into_values().flatten().eq(direct.iter().cloned());
        let gaps = sent - i64::try_from(direct.len()).unwrap();
        (is_same && gaps > 0).then(|| {
            let wrong = direct.iter().find(|one| ledger.at(0, one.offset) != Some(one));
            assert_eq!(wrong, None, "nobody wrote it");
            let mut newest = ledger.newest_of_keys(0);
            newest.retain(|offset| !direct.iter().any(|one| one.offset == *offset));
            assert!(newest.is_empty(), "lost by the way: {newest:?}");
            gaps
        })
    });
    println!("compaction has taken {gaps} of {sent} records");
}

/// Records that one broker alone had are lost with it, and others stand in their place: who has read them says so.
fn a_log_that_was_cut_off_is_read_no_further(world: &mut World) {
    // Without the first broker, which keeps the quorum.
    let (settings, brokers) = ([("unclean.leader.election.enable", "true")], [2, 3]);
    let topic = Topic::create_on(&world.cluster.addresses(), "cut-off", &brokers, &settings);
    let send = |records: std::ops::Range<i64>, what: &str| {
        let topic = Topic::existing(&topic.brokers, &topic.name, 1);
        records
            .for_each(|n| topic.send(0, 1_700_000_000_000 + n, format!("{what} {n}").as_bytes()));
        topic.flush();
    };
    let mut readers = world.readers(&topic);
    let read_to = |readers: &mut [Reader], end| {
        let ends = BTreeMap::from([(0, end)]);
        for reader in readers {
            eventually("it is read", || {
                reader.read().unwrap();
                reader.has_read(&ends).then_some(())
            });
        }
    };
    send(0..10, "both have");
    read_to(&mut readers, 10);
    world.cluster.brokers[2].kill();
    send(10..20, "one has");
    read_to(&mut readers, 20);
    world.cluster.brokers[1].kill();
    world.cluster.brokers[2].restart().unwrap();
    send(10..45, "written instead:");
    // Who goes on, and who begins where the other stood.
    let mut later = world.readers(&topic);
    for (reader, stood) in later.iter_mut().zip(&readers) {
        reader.stand_where(stood);
    }
    let [directly, by_librdkafka] = &mut later;
    // Where it begins, librdkafka asks nobody about epochs: it compares them when a leader changes while it reads.
    eventually("librdkafka goes on", || {
        by_librdkafka
            .read()
            .err()
            .map(drop)
            .or_else(|| (!by_librdkafka.records.is_empty()).then_some(()))
    });
    println!("begun later, librdkafka reads on: {}", !by_librdkafka.records.is_empty());
    for (reader, way) in readers.iter_mut().chain([directly]).zip(WAYS.iter().cycle()) {
        let error = eventually("it halts", || reader.read().err());
        let SourceError::Lost(sentence) = error else { panic!("{way:?}: {error}") };
        println!("{way:?}: {sentence}");
        assert!(sentence.contains("cut off and written again"), "{way:?}: {sentence}");
        let read: Vec<_> = reader.records.values().flatten().collect();
        assert!(read.len() <= 20, "{way:?} has read on: {read:?}");
    }
    world.cluster.brokers[1].restart().unwrap();
}
