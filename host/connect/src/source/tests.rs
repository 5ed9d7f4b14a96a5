//! The promises of [`Source`], checked for every implementation: the tests of `files` and of `kafka` bring the fixtures.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::*;

/// An input with known records, none of which is still to come.
pub(super) trait Fixture {
    /// A source over the whole input that nobody has used yet.
    fn source(&self) -> Box<dyn Source>;

    /// Its records: offset and value, without white space around it.
    fn records(&self) -> Records;
}

pub(super) type Records = BTreeMap<Partition, Vec<(i64, Vec<u8>)>>;

/// Longer than any of these tests waits for one poll, so that a hang is seen as a failure.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn limits(records: usize) -> PollLimits {
    PollLimits {
        records,
        bytes: 1 << 20,
        wait: Duration::from_millis(200),
        linger: Duration::from_millis(1),
        unseen_until: Duration::ZERO,
    }
}

/// Waits for the answer about the start.
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
pub(super) fn genesis(source: &mut dyn Source) -> Positions {
    let started = Instant::now();
    loop {
        if let Some(positions) = source.genesis().unwrap() {
            return positions;
        }
        assert!(started.elapsed() < PATIENCE, "no genesis: {:?}", source.problem());
    }
}

/// Adds the records of a poll, and moves the positions, checking what holds for every block.
pub(super) fn absorb(blocks: &[RecordBlock], records: &mut Records, positions: &mut Positions) {
    for pair in blocks.windows(2) {
        assert!(pair[0].partition <= pair[1].partition, "blocks come in order of partitions");
    }
    for block in blocks {
        assert!(!block.is_empty(), "a block has records");
        assert_eq!(block.values.len(), block.len());
        assert_eq!(
            usize::try_from(*block.values.offsets.last().unwrap()).unwrap(),
            block.values.bytes.len()
        );
        assert!(block.keys.as_ref().is_none_or(|keys| keys.len() == block.len()));
        assert!(block.timestamps.as_ref().is_none_or(|times| times.len() == block.len()));
        let into = records.entry(block.partition.clone()).or_default();
        for (offset, value) in block.offsets.iter().zip(block.values.iter()) {
            assert!(into.last().is_none_or(|(last, _)| last < offset), "offsets ascend");
            into.push((*offset, trim(value).to_vec()));
        }
        let before = positions.insert(block.partition.clone(), block.next.clone());
        assert!(before.is_none_or(|before| before.next_offset <= block.next.next_offset));
        assert!(block.next.next_offset.get() > *block.offsets.last().unwrap());
    }
}

/// Without the white space that JSON allows around a value.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Moves the positions by what the source says beside its blocks, as a lane does that has processed all of them.
pub(super) fn learn(progress: &[PartitionProgress], positions: &mut Positions) {
    for one in progress {
        let before = positions.get(&one.partition).map(|position| position.next_offset);
        let read_to = one.read_to.as_ref();
        if let Some(read_to) = read_to.filter(|read_to| Some(read_to.next_offset) >= before) {
            positions.insert(one.partition.clone(), read_to.clone());
        }
        if let Some(position) = positions.get_mut(&one.partition) {
            position.ended = one.ended;
        }
    }
}

/// Polls until everything that is there was handed on.
#[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
pub(super) fn read_on(
    source: &mut dyn Source,
    limits: &PollLimits,
    records: &mut Records,
    positions: &mut Positions,
) {
    let started = Instant::now();
    loop {
        let blocks = source.poll(limits).unwrap();
        absorb(&blocks, records, positions);
        let progress = source.progress();
        learn(progress, positions);
        assert!(progress.is_sorted_by(|one, other| one.partition < other.partition));
        if blocks.is_empty() && !progress.is_empty() && progress.iter().all(|one| one.caught_up) {
            return;
        }
        let problem = source.problem();
        assert!(started.elapsed() < PATIENCE, "not caught up: {problem:?} {progress:?}");
    }
}

/// Runs the whole suite.
pub(super) fn keeps_the_promises(fixture: &impl Fixture) {
    every_record_comes_once_in_order(fixture);
    polls_keep_within_their_limits(fixture);
    a_new_source_goes_on_where_another_stopped(fixture);
    the_same_source_goes_on_where_it_is_told(fixture);
    partitions_without_a_position_begin_at_their_start(fixture);
    a_poll_without_records_returns_in_time(fixture);
    a_paused_partition_waits_and_loses_nothing(fixture);
}

fn every_record_comes_once_in_order(fixture: &impl Fixture) {
    let mut source = fixture.source();
    let mut positions = genesis(source.as_mut());
    assert!(positions.keys().all(|one| fixture.records().contains_key(one)));
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(source.as_mut(), &limits(10_000), &mut records, &mut positions);
    assert_same(&records, &fixture.records());
    for progress in source.progress() {
        assert_eq!(progress.end_offset, Some(positions[&progress.partition].next_offset.get()));
    }
}

fn polls_keep_within_their_limits(fixture: &impl Fixture) {
    for (records_max, bytes_max) in [(1, 1 << 20), (7, 1 << 20), (10_000, 100), (10_000, 1)] {
        let mut source = fixture.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let limits = PollLimits { bytes: bytes_max, ..limits(records_max) };
        let (mut records, expected) = (Records::new(), fixture.records());
        let all = expected.values().map(Vec::len).sum::<usize>();
        while records.values().map(Vec::len).sum::<usize>() < all {
            let blocks = source.poll(&limits).unwrap();
            let count: usize = blocks.iter().map(RecordBlock::len).sum();
            assert!(count <= records_max, "{count} records, {records_max} were asked for");
            let bytes: usize = blocks.iter().map(|block| block.values.bytes.len()).sum();
            let largest =
                blocks.iter().flat_map(|block| block.values.iter()).map(<[u8]>::len).max();
            assert!(
                bytes < bytes_max + largest.unwrap_or(0).max(1),
                "{bytes} bytes of {bytes_max}"
            );
            absorb(&blocks, &mut records, &mut positions);
        }
        assert_same(&records, &expected);
    }
}

fn a_new_source_goes_on_where_another_stopped(fixture: &impl Fixture) {
    let expected = fixture.records();
    let all = expected.values().map(Vec::len).sum::<usize>();
    let mut positions = genesis(fixture.source().as_mut());
    let mut records = Records::new();
    // Stops after 1, 2, 3 … further records.
    for stop in 1.. {
        let mut source = fixture.source();
        source.assign(&positions).unwrap();
        if records.values().map(Vec::len).sum::<usize>() == all {
            read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
            break;
        }
        let blocks = loop {
            let blocks = source.poll(&limits(stop * stop)).unwrap();
            if !blocks.is_empty() {
                break blocks;
            }
        };
        absorb(&blocks, &mut records, &mut positions);
    }
    assert_same(&records, &expected);
}

fn the_same_source_goes_on_where_it_is_told(fixture: &impl Fixture) {
    let mut source = fixture.source();
    let start = genesis(source.as_mut());
    source.assign(&start).unwrap();
    let (mut records, mut positions) = (Records::new(), start.clone());
    absorb(&source.poll(&limits(5)).unwrap(), &mut records, &mut positions);
    // Read ahead, forgotten, read again.
    source.poll(&limits(5)).unwrap();
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
    assert_same(&records, &fixture.records());
    source.assign(&start).unwrap();
    let mut again = Records::new();
    read_on(source.as_mut(), &limits(100), &mut again, &mut Positions::new());
    assert_same(&again, &fixture.records());
}

fn partitions_without_a_position_begin_at_their_start(fixture: &impl Fixture) {
    let mut source = fixture.source();
    let mut positions = genesis(source.as_mut());
    let (first, _) = positions.pop_first().unwrap();
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
    assert_eq!(records.get(&first), fixture.records().get(&first));
    assert_same(&records, &fixture.records());
}

fn a_paused_partition_waits_and_loses_nothing(fixture: &impl Fixture) {
    let expected = fixture.records();
    let all: BTreeSet<Partition> = expected.keys().cloned().collect();
    let mut source = fixture.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    // Each partition waits for a while, with something of it read or nothing.
    for paused in &all {
        absorb(&source.poll(&limits(3)).unwrap(), &mut records, &mut positions);
        source.pause(&BTreeSet::from([paused.clone()])).unwrap();
        for _ in 0..5 {
            absorb(&source.poll(&limits(10)).unwrap(), &mut records, &mut positions);
            let is_read = |one: &&PartitionProgress| one.partition == *paused && one.caught_up;
            assert!(source.progress().iter().all(|one| !is_read(&one) || one.ended));
        }
    }
    // With all of them waiting nothing comes but what was on its way.
    source.pause(&all).unwrap();
    let mut silent = 0;
    while silent < 3 {
        let blocks = source.poll(&limits(ON_ITS_WAY_MAX)).unwrap();
        silent = if blocks.is_empty() { silent + 1 } else { 0 };
        absorb(&blocks, &mut records, &mut positions);
    }
    source.pause(&BTreeSet::new()).unwrap();
    read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
    assert_same(&records, &expected);
}

#[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
fn a_poll_without_records_returns_in_time(fixture: &impl Fixture) {
    let mut source = fixture.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(10_000), &mut Records::new(), &mut positions);
    let started = Instant::now();
    assert!(source.poll(&limits(10)).unwrap().is_empty());
    // It comes back at all: how busy the machine is says how much later than asked for.
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[track_caller]
pub(super) fn assert_same(records: &Records, expected: &Records) {
    let count = |records: &Records| {
        records.iter().map(|(key, of)| format!("{key}: {}", of.len())).collect::<Vec<_>>()
    };
    assert_eq!(count(records), count(expected));
    for (partition, expected) in expected {
        for (record, expected) in records[partition].iter().zip(expected) {
            assert_eq!(record, expected, "in {partition}");
        }
    }
}
