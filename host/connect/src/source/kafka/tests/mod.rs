//! Kafka keeps the promises of a source, against librdkafka's own mock of a cluster, and says what is wrong.

mod choice;
mod client;
mod linger;
mod partition;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::KafkaSource;
use crate::source::tests::{
    Fixture, Records, absorb, assert_same, genesis, keeps_the_promises, limits, read_on,
};
use crate::source::{PollLimits, RecordBlock, Source, SourceError};
use linger::{
    a_bounded_run_waits_for_nothing_at_its_end, records_that_have_come_end_silence_and_complaint,
};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::time::{Clock, LookPace};
use sluicegate_pipeline::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
};
use sluicegate_runtime::Bell;

const PARTITIONS: i32 = 3;

/// More than any test writes.
const AHEAD: u64 = 128 << 20;

/// A cluster with one topic, whose records are `0`, `1`, … with the key `k<n>`, n in partition n mod 3.
struct Topic {
    cluster: MockCluster<'static, DefaultProducerContext>,
    config: KafkaConfig,
    count: usize,
}

impl Topic {
    fn new(way: FetchWay, count: usize) -> Self {
        Self::on_brokers(1, way, count)
    }

    fn on_brokers(brokers: i32, way: FetchWay, count: usize) -> Self {
        let cluster = MockCluster::new(brokers).unwrap();
        cluster.create_topic("sales", PARTITIONS, brokers).unwrap();
        let config = KafkaConfig {
            brokers: cluster.bootstrap_servers(),
            topic: "sales".to_owned(),
            start: StartPosition::Earliest,
            end: None,
            on_data_loss: OnDataLoss::Halt,
            group: OffsetsGroup::OfPipeline,
            fetch: way,
            properties: ClientProperties::default(),
        };
        let mut topic = Self { cluster, config, count: 0 };
        topic.produce(count);
        topic
    }

    fn produce(&mut self, count: usize) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.config.brokers)
            .set("linger.ms", "0")
            .create()
            .unwrap();
        for n in self.count..self.count + count {
            let (value, key) = (n.to_string(), format!("k{n}"));
            let record =
                BaseRecord::to("sales").partition(partition_of(n)).payload(&value).key(&key);
            producer.send(record.timestamp(timestamp(n))).unwrap();
        }
        producer.flush(Duration::from_secs(20)).unwrap();
        self.count += count;
    }

    fn kafka_source(&self) -> KafkaSource {
        connect(&self.config, "sluicegate-test").unwrap()
    }
}

fn connect(config: &KafkaConfig, name: &str) -> Result<KafkaSource, SourceError> {
    KafkaSource::connect(config, name, Clock::system(), Bell::default(), AHEAD)
}

fn partition_of(n: usize) -> i32 {
    i32::try_from(n).unwrap() % PARTITIONS
}

fn timestamp(n: usize) -> i64 {
    1_700_000_000_000 + i64::try_from(n).unwrap()
}

fn partition(number: i32) -> Partition {
    Partition { stream: Arc::from("sales"), number }
}

impl Fixture for Topic {
    fn source(&self) -> Box<dyn Source> {
        Box::new(self.kafka_source())
    }

    fn records(&self) -> Records {
        let mut records: Records =
            (0..PARTITIONS).map(|number| (partition(number), Vec::new())).collect();
        for n in 0..self.count {
            let into = records.get_mut(&partition(partition_of(n))).unwrap();
            into.push((i64::try_from(into.len()).unwrap(), n.to_string().into_bytes()));
        }
        records
    }
}

/// What is promised whoever fetches.
macro_rules! both_ways {
    ($($test:ident,)*) => {
        mod by_librdkafka {
            $(#[test] fn $test() { super::$test(super::FetchWay::Librdkafka) })*
        }
        mod direct {
            $(#[test] fn $test() { super::$test(super::FetchWay::Direct) })*
        }
    };
}

both_ways! {
    a_topic_keeps_the_promises,
    keys_timestamps_and_leader_epochs_come_along,
    null_and_empty_are_told_apart,
    a_bounded_run_ends_where_the_topic_ended_when_it_was_first_started,
    a_position_that_is_gone_ends_the_source,
    a_lost_position_is_moved_where_that_is_wanted,
    a_source_knows_its_topic_and_reads_no_other,
    a_topic_made_anew_is_read_from_its_beginning_where_that_is_wanted,
    a_second_assignment_forgets_nothing_but_the_first,
    a_missing_topic_is_a_problem_that_passes,
    a_broker_that_is_away_is_a_problem_that_passes,
    a_broker_that_never_was_there_is_a_problem_too,
    errors_of_a_fetch_that_pass_lose_nothing,
    what_is_acknowledged_is_shown_to_the_group,
    offsets_that_the_group_refuses_are_told,
    records_linger_together_after_the_first,
    a_bounded_run_waits_for_nothing_at_its_end,
    records_that_have_come_end_silence_and_complaint,
    leaders_that_move_lose_and_repeat_nothing,
    partitions_that_the_topic_is_given_later_are_read_from_their_start,
}

/// Polls until the condition holds; fails after a while.
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
fn poll_until(source: &mut KafkaSource, mut done: impl FnMut(&mut KafkaSource) -> bool) {
    let started = Instant::now();
    while !done(source) {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", source.problem());
    }
}

fn a_topic_keeps_the_promises(way: FetchWay) {
    keeps_the_promises(&Topic::new(way, 600));
}

fn keys_timestamps_and_leader_epochs_come_along(way: FetchWay) {
    let topic = Topic::new(way, 30);
    let mut source = topic.kafka_source();
    let positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let mut seen = 0;
    poll_until(&mut source, |source| {
        for block in source.poll(&limits(100)).unwrap() {
            for index in 0..block.len() {
                let n: usize =
                    std::str::from_utf8(block.values.value(index)).unwrap().parse().unwrap();
                let keys = block.keys.as_ref().unwrap();
                assert_eq!(keys.value(index), format!("k{n}").as_bytes());
                assert_eq!(block.timestamps.as_ref().unwrap()[index], timestamp(n) * 1000);
                seen += 1;
            }
            assert!(block.next.leader_epoch.is_some(), "the mock tells leader epochs");
        }
        seen == 30
    });
}

fn null_and_empty_are_told_apart(way: FetchWay) {
    let topic = Topic::new(way, 0);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &topic.config.brokers).create().unwrap();
    let record = || BaseRecord::<str, str>::to("sales").partition(1);
    for record in [record().key("k"), record().key("").payload(""), record().payload("v")] {
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    let mut source = topic.kafka_source();
    let positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let mut records = Vec::new();
    poll_until(&mut source, |source| {
        for block in source.poll(&limits(10)).unwrap() {
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let both = |n| (owned(block.key(n)), owned(block.value(n)));
            records.extend((0..block.len()).map(both));
        }
        records.len() == 3
    });
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(records, [(bytes("k"), None), (bytes(""), bytes("")), (None, bytes("v"))]);
}

#[test]
fn the_start_is_resolved_once() {
    let mut topic = Topic::new(FetchWay::Librdkafka, 30);
    let start = |topic: &Topic| {
        let positions = genesis(&mut topic.kafka_source());
        positions.values().map(|position| position.next_offset.get()).collect::<Vec<_>>()
    };
    assert_eq!(start(&topic), [0, 0, 0]);
    topic.config.start = StartPosition::Latest;
    assert_eq!(start(&topic), [10, 10, 10]);
    topic.config.start = StartPosition::Offsets([(1, 4), (2, 10)].into());
    assert_eq!(start(&topic), [0, 4, 10]);

    topic.config.start = StartPosition::Offsets([(1, 11)].into());
    let refused = refused_genesis(&topic);
    assert_eq!(
        refused,
        "`source.kafka.start.offsets` begins partition 1 at 11, but topic `sales` has offsets 0 to 10 there"
    );
    topic.config.start = StartPosition::Offsets([(3, 0)].into());
    let refused = refused_genesis(&topic);
    assert_eq!(
        refused,
        "`source.kafka.start.offsets` names partition 3, but topic `sales` has the partitions 0 to 2"
    );
}

fn refused_genesis(topic: &Topic) -> String {
    let mut source = topic.kafka_source();
    loop {
        match source.genesis() {
            Ok(None) => {}
            Ok(Some(positions)) => panic!("not refused: {positions:?}"),
            Err(error) => return error.to_string(),
        }
    }
}

fn a_bounded_run_ends_where_the_topic_ended_when_it_was_first_started(way: FetchWay) {
    let mut topic = Topic::new(way, 30);
    topic.config.end = Some(EndPosition::Latest);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    let expected = topic.records();
    topic.produce(30);
    // A first run stops half way, a second one ends at the pinned end.
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(5)).unwrap(), &mut records, &mut positions);
        !records.is_empty()
    });
    let mut source = topic.kafka_source();
    source.assign(&positions).unwrap();
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
        source.progress().len() == 3 && source.progress().iter().all(|progress| progress.ended)
    });
    assert!(source.poll(&limits(100)).unwrap().is_empty());
    assert_same(&records, &expected);
    assert!(positions.values().all(|position| position.ended));

    // An empty range has ended before it is read.
    topic.config.start = StartPosition::Latest;
    assert!(genesis(&mut topic.kafka_source()).values().all(|position| position.ended));
}

fn a_position_that_is_gone_ends_the_source(way: FetchWay) {
    let topic = Topic::new(way, 30);
    let positions = [(partition(1), Position::at(NextOffset::at(1000)))].into();
    let mut source = topic.kafka_source();
    source.assign(&positions).unwrap();
    let lost = lost_in(&mut source);
    assert!(lost.starts_with("the position 1000 in sales/1 is lost: it ends at 10 now"), "{lost}");
    assert!(lost.contains("sluicegate positions"), "{lost}");

    let positions = [(partition(7), Position::at(NextOffset::at(5)))].into();
    let mut source = topic.kafka_source();
    genesis(&mut source);
    let lost = source.assign(&positions).unwrap_err().to_string();
    assert!(lost.contains("created again"), "{lost}");
}

/// The sentence with which it ends.
fn lost_in(source: &mut KafkaSource) -> String {
    loop {
        match source.poll(&limits(100)) {
            Ok(_) => {}
            Err(SourceError::Lost(sentence)) => return sentence,
            Err(error) => panic!("{error}"),
        }
    }
}

fn a_lost_position_is_moved_where_that_is_wanted(way: FetchWay) {
    let mut topic = Topic::new(way, 30);
    topic.config.on_data_loss = OnDataLoss::Earliest;
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    positions.get_mut(&partition(1)).unwrap().next_offset = NextOffset::at(1000);
    source.assign(&positions).unwrap();
    let (mut records, mut jumps) = (Records::new(), Vec::new());
    poll_until(&mut source, |source| {
        let blocks = source.poll(&limits(100)).unwrap();
        for jump in source.take_jumps() {
            positions.insert(jump.partition.clone(), Position::at(NextOffset::at(jump.to)));
            jumps.push((jump.partition, jump.from, jump.to));
        }
        absorb(&blocks, &mut records, &mut positions);
        !jumps.is_empty()
    });
    assert_eq!(jumps, [(partition(1), 1000, 10)]);
    topic.produce(3);
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
        records.values().map(Vec::len).sum::<usize>() == 20 + 3
    });
    let mut expected = topic.records();
    expected.get_mut(&partition(1)).unwrap().drain(..10);
    assert_same(&records, &expected);
}

fn a_source_knows_its_topic_and_reads_no_other(way: FetchWay) {
    let topic = Topic::new(way, 30);
    let mut source = topic.kafka_source();
    let positions = genesis(&mut source);
    let identity = source.identity();
    assert!(identity.cluster.is_some() && identity.topic.is_some(), "{identity:?}");

    let elsewhere = SourceIdentity { cluster: Some("other".to_owned()), ..identity.clone() };
    let mut source = topic.kafka_source();
    source.expect(&elsewhere);
    source.assign(&positions).unwrap();
    assert!(lost_in(&mut source).contains("the one that was read in other"));

    let anew = SourceIdentity { topic: Some("before".to_owned()), ..identity.clone() };
    let mut source = topic.kafka_source();
    source.expect(&anew);
    source.assign(&positions).unwrap();
    assert!(lost_in(&mut source).contains("deleted and created again"));

    // A chain that is older than this knows nothing, and learns it.
    let mut source = topic.kafka_source();
    source.expect(&SourceIdentity::default());
    source.assign(&positions).unwrap();
    read_on(&mut source, &limits(100), &mut Records::new(), &mut positions.clone());
    assert_eq!(source.identity(), identity);
}

fn a_topic_made_anew_is_read_from_its_beginning_where_that_is_wanted(way: FetchWay) {
    let mut topic = Topic::new(way, 30);
    topic.config.on_data_loss = OnDataLoss::Earliest;
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    let identity = source.identity();
    for position in positions.values_mut() {
        position.next_offset = NextOffset::at(7);
    }
    let mut source = topic.kafka_source();
    let before = SourceIdentity { topic: Some("before".to_owned()), ..identity.clone() };
    source.expect(&before);
    source.assign(&positions).unwrap();
    let (mut records, mut jumps) = (Records::new(), Vec::new());
    poll_until(&mut source, |source| {
        let blocks = source.poll(&limits(100)).unwrap();
        for jump in source.take_jumps() {
            positions.insert(jump.partition.clone(), Position::at(NextOffset::at(jump.to)));
            jumps.push((jump.from, jump.to));
        }
        absorb(&blocks, &mut records, &mut positions);
        records.values().map(Vec::len).sum::<usize>() == 30
    });
    assert_eq!(jumps, [(7, 0); 3]);
    assert_same(&records, &topic.records());
    assert_eq!(source.identity(), identity);
}

fn a_second_assignment_forgets_nothing_but_the_first(way: FetchWay) {
    let topic = Topic::new(way, 3);
    let mut source = topic.kafka_source().with_headers(true);
    let positions = genesis(&mut source);
    for _ in 0..2 {
        source.assign(&positions).unwrap();
        poll_until(&mut source, |source| {
            let blocks = source.poll(&limits(10)).unwrap();
            assert!(blocks.iter().all(|block| block.headers.is_some()));
            !blocks.is_empty()
        });
    }
}

#[test]
fn properties_that_correctness_needs_are_refused_by_name() {
    let mut topic = Topic::new(FetchWay::Librdkafka, 0);
    let mut refused = |key: &str, value: &str| {
        topic.config.properties = ClientProperties([(key.to_owned(), value.to_owned())].into());
        match connect(&topic.config, "test") {
            Err(SourceError::Refused(reason)) => Some(reason),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    };
    assert_eq!(
        refused("isolation.level", "read_uncommitted").unwrap(),
        "`source.kafka.properties.\"isolation.level\"` is always `read_committed`, cannot be set: records of aborted transactions must not be counted"
    );
    assert!(
        refused("bootstrap.servers", "elsewhere").unwrap().contains("write `source.kafka.brokers`")
    );
    let unknown = refused("no.such.property", "secret").unwrap();
    assert!(unknown.contains("no.such.property") && !unknown.contains("secret"), "{unknown}");
    let wrong = refused("fetch.min.bytes", "secret").unwrap();
    assert!(wrong.contains("fetch.min.bytes") && !wrong.contains("secret"), "{wrong}");
    assert_eq!(refused("isolation.level", "read_committed"), None);
    assert_eq!(refused("fetch.queue.backoff.ms", "5"), None);
}

fn a_missing_topic_is_a_problem_that_passes(way: FetchWay) {
    let mut topic = Topic::new(way, 3);
    topic.config.topic = "later".to_owned();
    topic
        .cluster
        .topic_error("later", RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        .unwrap();
    let mut source = topic.kafka_source();
    poll_until(&mut source, |source| {
        assert_eq!(source.genesis().unwrap(), None);
        source.problem().is_some()
    });
    let problem = source.problem().unwrap();
    assert!(problem.starts_with("topic `later` does not exist on `127.0.0.1:"), "{problem}");
    topic.cluster.topic_error("later", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    genesis(&mut source);
    assert_eq!(source.problem(), None);
}

fn a_broker_that_is_away_is_a_problem_that_passes(way: FetchWay) {
    let mut topic = Topic::new(way, 9);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(&mut source, &limits(100), &mut records, &mut positions);
    assert_eq!(source.problem(), None);
    topic.cluster.broker_down(1).unwrap();
    poll_until(&mut source, |source| {
        assert!(source.poll(&limits(100)).unwrap().is_empty());
        source.problem().is_some()
    });
    let problem = source.problem().unwrap();
    assert!(
        problem.starts_with("broker `127.0.0.1:") && problem.contains("is not reachable"),
        "{problem}"
    );
    topic.cluster.broker_up(1).unwrap();
    topic.produce(9);
    poll_until(&mut source, |source| {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
        records.values().map(Vec::len).sum::<usize>() == 18 && source.problem().is_none()
    });
    assert_same(&records, &topic.records());
}

fn a_broker_that_never_was_there_is_a_problem_too(way: FetchWay) {
    let config = KafkaConfig {
        brokers: "127.0.0.1:1".to_owned(),
        topic: "sales".to_owned(),
        start: StartPosition::Earliest,
        end: None,
        on_data_loss: OnDataLoss::Halt,
        group: OffsetsGroup::OfPipeline,
        fetch: way,
        properties: ClientProperties::default(),
    };
    let mut source = connect(&config, "test").unwrap();
    poll_until(&mut source, |source| {
        assert_eq!(source.genesis().unwrap(), None);
        source.problem().is_some()
    });
    let problem = source.problem().unwrap();
    assert!(problem.starts_with("broker `127.0.0.1:1` is not reachable"), "{problem}");
    // With positions from the chain the lane assigns and polls.
    source.assign(&[(partition(0), Position::at(NextOffset::START))].into()).unwrap();
    assert!(source.poll(&limits(1)).unwrap().is_empty());
}

fn errors_of_a_fetch_that_pass_lose_nothing(way: FetchWay) {
    let topic = Topic::new(way, 300);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    topic.cluster.request_errors(
        RDKafkaApiKey::Fetch,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        ],
    );
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(&mut source, &limits(50), &mut records, &mut positions);
    assert_same(&records, &topic.records());
}

fn what_is_acknowledged_is_shown_to_the_group(way: FetchWay) {
    use rdkafka::consumer::{BaseConsumer, Consumer};

    let topic = Topic::new(way, 9);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    read_on(&mut source, &limits(100), &mut Records::new(), &mut positions);
    source.acknowledge(&positions);
    let group: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &topic.config.brokers)
        .set("group.id", "sluicegate-sluicegate-test")
        .create()
        .unwrap();
    let mut wanted = rdkafka::TopicPartitionList::new();
    wanted.add_partition_range("sales", 0, PARTITIONS - 1);
    poll_until(&mut source, |source| {
        source.poll(&limits(1)).unwrap();
        let committed = group.committed_offsets(wanted.clone(), Duration::from_secs(30)).unwrap();
        committed.elements().iter().all(|entry| entry.offset() == rdkafka::Offset::Offset(3))
    });
    // The answer is heard.
    poll_until(&mut source, |source| {
        source.poll(&limits(1)).unwrap();
        !source.client.context().shows()
    });
    assert!(!source.client.context().is_told());
}

fn offsets_that_the_group_refuses_are_told(way: FetchWay) {
    let topic = Topic::new(way, 9);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    read_on(&mut source, &limits(100), &mut Records::new(), &mut positions);
    topic.cluster.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED],
    );
    source.acknowledge(&positions);
    poll_until(&mut source, |source| {
        source.poll(&limits(1)).unwrap();
        source.client.context().is_told()
    });
    source.acknowledge(&positions);
    poll_until(&mut source, |source| {
        source.poll(&limits(1)).unwrap();
        !source.client.context().is_told()
    });
}

/// `group = ""`: who reads without telling shows nothing, also where another tells.
#[test]
fn without_a_group_nothing_is_shown_to_anybody() {
    use rdkafka::consumer::{BaseConsumer, Consumer};

    let topic = Topic::new(FetchWay::Librdkafka, 9);
    let silent = KafkaConfig { group: OffsetsGroup::Nobody, ..topic.config.clone() };
    let telling =
        KafkaConfig { group: OffsetsGroup::Named("told".to_owned()), ..topic.config.clone() };
    let read = |config: &KafkaConfig| {
        let mut source = connect(config, "sluicegate-test").unwrap();
        let mut positions = genesis(&mut source);
        source.assign(&positions).unwrap();
        read_on(&mut source, &limits(100), &mut Records::new(), &mut positions);
        source.acknowledge(&positions);
        source
    };
    let mut silent = read(&silent);
    let mut telling = read(&telling);
    let mut wanted = rdkafka::TopicPartitionList::new();
    wanted.add_partition_range("sales", 0, PARTITIONS - 1);
    let shown = |group: &str| {
        let group: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &topic.config.brokers)
            .set("group.id", group)
            .create()
            .unwrap();
        let shown = group.committed_offsets(wanted.clone(), Duration::from_secs(30)).unwrap();
        let is_shown = |offset| matches!(offset, rdkafka::Offset::Offset(_));
        shown.elements().iter().filter(|entry| is_shown(entry.offset())).count()
    };
    // By the time that the later of both is shown, the earlier would be.
    poll_until(&mut telling, |source| {
        source.poll(&limits(1)).unwrap();
        silent.poll(&limits(1)).unwrap();
        shown("told") == PARTITIONS as usize
    });
    assert_eq!(shown("sluicegate-sluicegate-test"), 0);
}

fn records_linger_together_after_the_first(way: FetchWay) {
    let topic = Topic::new(way, 3000);
    let mut source = topic.kafka_source();
    let positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let limits = PollLimits {
        records: 3000,
        bytes: 1 << 20,
        wait: Duration::from_secs(60),
        linger: Duration::from_secs(60),
        unseen_until: Duration::ZERO,
    };
    let mut blocks = Vec::new();
    // A poll before may hear of the topic, and bring nothing.
    poll_until(&mut source, |source| {
        blocks = source.poll(&limits).unwrap();
        !blocks.is_empty()
    });
    assert_eq!(blocks.iter().map(RecordBlock::len).sum::<usize>(), 3000);
    assert_eq!(blocks.len(), 3, "one block a partition");
}

fn leaders_that_move_lose_and_repeat_nothing(way: FetchWay) {
    let mut topic = Topic::on_brokers(3, way, 300);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    for round in 0..4 {
        for number in 0..PARTITIONS {
            topic
                .cluster
                .partition_leader("sales", number, Some(1 + (number + round) % 3))
                .unwrap();
        }
        topic.produce(30);
        poll_until(&mut source, |source| {
            absorb(&source.poll(&limits(7)).unwrap(), &mut records, &mut positions);
            records.values().map(Vec::len).sum::<usize>() == topic.count
        });
    }
    assert_same(&records, &topic.records());
    let is_known = |position: &Position| position.leader_epoch.is_some_and(|epoch| epoch > 0);
    assert!(positions.values().all(is_known), "{positions:?}");
}

fn partitions_that_the_topic_is_given_later_are_read_from_their_start(way: FetchWay) {
    let topic = Topic::new(way, 300);
    let mut source = topic.kafka_source();
    let mut positions = genesis(&mut source);
    // As if the topic had had one partition when it was read first.
    positions.retain(|partition, _| partition.number == 0);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(&mut source, &limits(50), &mut records, &mut positions);
    assert_same(&records, &topic.records());
}
