//! `source.kafka.fetch = "direct"` gives the records that librdkafka gives, from topics that hold all that a log can hold.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{PartitionProgress, PollLimits, RecordBlock, Source};
use sluicegate_model::position::{Partition, Position, Positions};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
};
use sluicegate_runtime::Bell;

use crate::harness::host::run_to_end;
use crate::harness::pipeline::{Pipeline, kafka_at};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::RESULTS;

const TIMEOUT: Duration = Duration::from_secs(60);

pub const COMPRESSIONS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

const PARTITIONS: i32 = 3;

/// To the end that the topic has at the first start, from its beginning.
pub fn config(topic: &Topic, fetch: FetchWay) -> KafkaConfig {
    KafkaConfig {
        brokers: topic.brokers.clone(),
        topic: topic.name.clone(),
        start: StartPosition::Earliest,
        end: Some(EndPosition::Latest),
        on_data_loss: OnDataLoss::Halt,
        group: OffsetsGroup::Nobody,
        fetch,
        properties: ClientProperties::default(),
    }
}

/// A record as the columns of a block have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub offset: i64,
    /// µs since 1970.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

pub fn seen(block: &RecordBlock, record: usize) -> Seen {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = block.headers.as_ref().unwrap().of(record);
    Seen {
        offset: block.offsets[record],
        timestamp: block.timestamp(record),
        key: owned(block.key(record)),
        value: owned(block.value(record)),
        headers: headers.iter().map(|one| (one.name.to_vec(), owned(one.value))).collect(),
    }
}

/// Everything in the topic, where each partition was read to, and whether the clocks of senders set the times.
pub fn read(
    topic: &Topic,
    fetch: FetchWay,
    records: usize,
) -> (BTreeMap<Partition, Vec<Seen>>, Positions, bool) {
    let (config, clock) = (config(topic, fetch), Clock::system());
    let source = KafkaSource::connect(&config, "direct-fetch", clock, Bell::default(), 64 << 20);
    let mut source = source.unwrap().with_headers(true);
    let positions = eventually("the topic's range is known", || source.genesis().unwrap());
    source.assign(&positions).unwrap();
    let wait = Duration::from_millis(100);
    let limits = PollLimits {
        records,
        bytes: 1 << 20,
        wait,
        linger: Duration::ZERO,
        unseen_until: Duration::ZERO,
    };
    let mut all = BTreeMap::<_, Vec<_>>::new();
    eventually("every partition has ended", || {
        for block in source.poll(&limits).unwrap() {
            let into = all.entry(block.partition.clone()).or_default();
            into.extend((0..block.len()).map(|record| seen(&block, record)));
        }
        assert_eq!(source.problem(), None);
        source.progress().iter().all(|progress| progress.ended).then_some(())
    });
    // librdkafka does not tell the epoch of a mark at the end.
    let read_to = |progress: &PartitionProgress| {
        let position = progress.read_to.clone().unwrap();
        (progress.partition.clone(), Position { leader_epoch: None, ..position })
    };
    let positions = source.progress().iter().map(read_to).collect();
    (all, positions, source.has_times_of_senders())
}

#[track_caller]
fn assert_both_read_the_same(topic: &Topic) -> usize {
    let by_librdkafka = read(topic, FetchWay::Librdkafka, 10_000);
    for records in [7, 10_000] {
        let direct = read(topic, FetchWay::Direct, records);
        for (partition, records) in &by_librdkafka.0 {
            let found = direct.0.get(partition).map(Vec::as_slice).unwrap_or_default();
            let differs = records.iter().zip(found).find(|(one, other)| one != other);
            assert_eq!(differs, None, "{partition}");
            assert_eq!(records.len(), found.len(), "{partition}");
        }
        assert_eq!(direct.0.len(), by_librdkafka.0.len());
        assert_eq!(direct.1, by_librdkafka.1, "positions");
        assert_eq!(direct.2, by_librdkafka.2, "whose clock");
    }
    by_librdkafka.0.values().map(Vec::len).sum()
}

fn producer(topic: &Topic, more: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &topic.brokers).set("message.max.bytes", "16000000");
    for (key, value) in more {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

/// When record `n` was sent, as it says: ms since 1970.
pub fn sent_at(n: usize) -> i64 {
    1_700_000_000_000 + i64::try_from(n * 7919 % 1_000).unwrap()
}

/// All that a record can lack or have, large ones among them. `n` tells them apart. `opaque` comes back with what becomes of it.
pub fn send<C: ProducerContext>(
    producer: &BaseProducer<C>,
    topic: &str,
    partitions: i32,
    n: usize,
    opaque: C::DeliveryOpaque,
) {
    let key = format!("key {n}");
    let value = match n % 11 {
        9 => "x".repeat(n * 997 % 50_000),
        10 => String::new(),
        _ => format!("{{\"n\": {n}, \"text\": \"{}\"}}", "ab".repeat(n % 40)),
    };
    let mut record = BaseRecord::<str, str, _>::with_opaque_to(topic, opaque)
        .partition(i32::try_from(n).unwrap() % partitions)
        .timestamp(sent_at(n));
    record.key = (!n.is_multiple_of(5)).then_some(if n.is_multiple_of(7) { "" } else { &key });
    record.payload = (!n.is_multiple_of(13)).then_some(&*value);
    if n.is_multiple_of(3) {
        let none = Header { key: "none", value: None::<&[u8]> };
        let some = || Header { key: "n", value: Some(key.as_bytes()) };
        record = record.headers(OwnedHeaders::new().insert(none).insert(some()).insert(some()));
    }
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.poll(Duration::ZERO);
}

/// Five compressions, batches of few and of many records, large records, and transactions: committed, aborted, and
/// both at once by two producers.
#[test]
fn every_record_is_the_one_that_librdkafka_gives() {
    let topic = Topic::create_for_large(services::kafka(), "direct", PARTITIONS);
    let mut n = 0;
    for compression in COMPRESSIONS {
        for batch in ["1", "100000"] {
            let more = [
                ("compression.type", compression),
                ("linger.ms", "5"),
                ("batch.num.messages", batch),
            ];
            let producer = producer(&topic, &more);
            for _ in 0..150 {
                send(&producer, &topic.name, PARTITIONS, n, ());
                n += 1;
            }
            producer.flush(TIMEOUT).unwrap();
        }
        n = transactions(&topic, compression, n);
    }
    let large = producer(&topic, &[("compression.type", "lz4")]);
    let value = vec![b'y'; 3_000_000];
    let record = BaseRecord::<[u8], [u8]>::to(&topic.name).partition(0).payload(&value);
    large.send(record).unwrap();
    large.flush(TIMEOUT).unwrap();
    let seen = assert_both_read_the_same(&topic);
    assert_eq!(seen, n - COMPRESSIONS.len() * 2 * ABORTED + 1);
}

/// Records of each aborted transaction.
const ABORTED: usize = 20;

fn transactions(topic: &Topic, compression: &str, mut n: usize) -> usize {
    let open = |name: &str| {
        let id = format!("{}-{compression}-{name}", topic.name);
        let producer =
            producer(topic, &[("compression.type", compression), ("transactional.id", &id)]);
        producer.init_transactions(TIMEOUT).unwrap();
        producer
    };
    let (one, other) = (open("one"), open("other"));
    for is_aborted in [true, false, true] {
        one.begin_transaction().unwrap();
        other.begin_transaction().unwrap();
        for _ in 0..ABORTED {
            send(&one, &topic.name, PARTITIONS, n, ());
            send(&other, &topic.name, PARTITIONS, n + 1, ());
            n += 2;
        }
        one.flush(TIMEOUT).unwrap();
        other.flush(TIMEOUT).unwrap();
        other.commit_transaction(TIMEOUT).unwrap();
        if is_aborted {
            one.abort_transaction(TIMEOUT).unwrap();
        } else {
            one.commit_transaction(TIMEOUT).unwrap();
        }
    }
    n
}

#[test]
fn times_of_the_brokers_clock_are_those_that_librdkafka_gives() {
    let settings = [("message.timestamp.type", "LogAppendTime")];
    let appended = Topic::create_with(services::kafka(), "appended", PARTITIONS, &settings);
    let producer = producer(&appended, &[("compression.type", "zstd")]);
    for n in 0..600 {
        send(&producer, &appended.name, PARTITIONS, n, ());
    }
    producer.flush(TIMEOUT).unwrap();
    assert_eq!(assert_both_read_the_same(&appended), 600);
}

/// Offsets that compaction took are passed without a word.
#[test]
fn a_compacted_topic_is_read_as_librdkafka_reads_it() {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("delete.retention.ms", "0"),
    ];
    let topic = Topic::create_with(services::kafka(), "compacted", 1, &settings);
    let (mut sent, mut sends) = (0, 0);
    // Segments end by the times of records, and the last one is never compacted.
    let left = eventually("the broker compacts the topic", || {
        sends += 1;
        for n in 0..60 {
            let key = (n * 7 % 40).to_string();
            let time = 1_700_000_000_000 + sends * 10_000;
            topic.send_with_key(0, time, Some(key.as_bytes()), b"{}", &Vec::new());
        }
        topic.flush();
        sent += 60;
        let left = topic.read_back().len();
        (left < sent).then_some(left)
    });
    assert!(left > 40, "{left} of {sent} records are left");
    // The cleaner may work between the two: they are compared when it has left the log as it was.
    eventually("both read what the log holds", || {
        let before = topic.read_back();
        let direct = read(&topic, FetchWay::Direct, 7).0.into_values().flatten();
        let direct: Vec<_> = direct.map(|record| (record.offset, record.key)).collect();
        let expected: Vec<_> =
            before.iter().map(|record| (record.offset, record.key.clone())).collect();
        let has_rested = topic.read_back().len() == before.len();
        if has_rested {
            assert_eq!(direct, expected);
        }
        has_rested.then_some(())
    });
}

/// The whole way: the pipeline file says it, and the rows are those of the other run.
#[test]
fn a_pipeline_that_fetches_directly_gives_the_same_rows() {
    let topic = Topic::create(services::kafka(), "direct-rows", PARTITIONS);
    Sales::new(seed(31), PARTITIONS).send(&topic, 3_000);
    let run = |more: &str| {
        let place = Place::local();
        let more = format!("end = \"latest\"\n{more}");
        let pipeline = Pipeline::sales(kafka_at(&topic.brokers, &topic.name, &more));
        run_to_end(&place, &pipeline.write(&place));
        let head = chain::head(&place).unwrap();
        (rows(&place, "revenue", &RESULTS), head.positions(), head.fates())
    };
    let (expected, positions, fates) = run("fetch = \"librdkafka\"\n");
    let (found, direct_positions, direct_fates) = run("");
    assert_same_rows("fetched directly", &found, &expected);
    assert_eq!((direct_positions, direct_fates), (positions, fates));
}
