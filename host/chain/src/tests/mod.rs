//! The real opening and the real committer against a store that fails, delays, lies and dies at every request.
//!
//! The tests run a toy lane: its source is the numbers 0, 1, 2, …; each epoch takes one number, writes it as the
//! only content of one data file, and keeps all numbers so far as its state. A reader of the table sees what lies in
//! its folder. Whatever happens, in the end that must be each number once.

mod search;
mod activations;
mod faulty;
mod following;
mod gone;
mod housekept;
mod collecting;
mod crashes;
mod damage;
mod days;
mod lives;
mod older;
mod opening;
mod owners;
mod parts;
mod pieces;
mod modules;
mod moves;
mod sweeping;
mod verifying;
mod warm;
mod year;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::housekeeping::Housekeeping;
use super::record::{PartitionState, RecordKind, SourceKind, SourceState};
use super::*;
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::partition::PartitionValues;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::time::{Clock, Watermark};
use sluicegate_store::Location;

/// Longer than any test takes; a hang becomes a failure.
const LONG: Duration = Duration::from_secs(60);

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn storage(store: Arc<dyn ObjectStore>) -> LaneStorage {
    let root = Location { store, ..Location::in_memory() };
    let table = root.child("table");
    LaneStorage {
        chain: root.child("chain"),
        tables: BTreeMap::from([(Arc::from("numbers"), table)]),
        job: "toy".to_owned(),
        lane: "0".to_owned(),
        keep: Keep::default(),
    }
}

/// A lane whose store is empty.
fn new_lane() -> (Runtime, LaneStorage) {
    (runtime(), storage(Arc::new(object_store::memory::InMemory::new())))
}

fn spawn(runtime: &Runtime, storage: &LaneStorage, opened: Opened) -> Committer {
    let handle = runtime.handle().clone();
    Committer::spawn(handle, opened.chain, storage.clone(), Clock::system(), Arc::default())
}

/// The lane's folder, as the chain has it that is there.
fn lane_of(runtime: &Runtime, storage: &LaneStorage) -> LaneStore {
    runtime.block_on(LaneStore::find(storage)).unwrap()
}

/// What the owner of a lane does beside its commits.
fn housekeeping(storage: &LaneStorage, opened: &Opened) -> Housekeeping {
    Housekeeping {
        storage: storage.clone(),
        store: opened.chain.store(storage),
        chain: opened.chain.files_id.clone(),
        recent: Arc::new(Mutex::new(opened.chain.recent.clone())),
    }
}

/// Does it while `meanwhile` runs. Time passes when nobody has anything to do.
fn keep_house(housekeeping: Housekeeping, meanwhile: impl Future<Output = ()>) {
    let mut paused = tokio::runtime::Builder::new_current_thread();
    let paused = paused.enable_time().start_paused(true).build().unwrap();
    paused.block_on(async {
        let stop = CancellationToken::new();
        let running = tokio::spawn(housekeeping.run(stop.clone()));
        meanwhile.await;
        stop.cancel();
        running.await.unwrap();
    });
}

/// Who opens, in every test: what tells writers apart is the opening's to make.
const INSTANCE: &str = "test";

fn source_at(next: i64) -> SourceState {
    let partition = Partition { stream: Arc::from("numbers"), number: 0 };
    let next_offset = NextOffset::at(next);
    SourceState {
        kind: SourceKind::Files,
        ended: false,
        identity: SourceIdentity::default(),
        jumps: Vec::new(),
        partitions: vec![PartitionState {
            partition,
            position: Position::at(next_offset),
            max_event_time: None,
            doubted: None,
            fates: fates::Fates::default(),
        }],
        finished: None,
    }
}

fn genesis() -> FrozenEpoch {
    FrozenEpoch {
        kind: RecordKind::Genesis,
        source: source_at(0),
        watermark: Watermark::None,
        state: None,
        files: Vec::new(),
        outbox: None,
        modules: Vec::new(),
        config: BTreeMap::new(),
    }
}

/// The epoch that takes `number`. Of every four two store all of the state, and two what the number adds.
fn epoch_of(number: i64) -> FrozenEpoch {
    let is_delta = number % 4 >= 2;
    let first = if is_delta { number } else { 0 };
    let section = |number: i64| format!("{number} ").into_bytes();
    let sections = (first..=number).map(section).collect();
    FrozenEpoch {
        kind: RecordKind::Data,
        source: source_at(number + 1),
        state: Some(FrozenState {
            header: Vec::new(),
            sections,
            groups: 1,
            is_delta,
            merged: None,
        }),
        files: vec![EncodedFile {
            table: Arc::from("numbers"),
            partition: partition_of(number),
            bytes: number.to_string().into(),
            rows: 1,
            event_time_range: Some((number, number)),
            shape: None,
            statistics: BTreeMap::new(),
        }],
        ..genesis()
    }
}

/// Of every three files one lies flat, one in the folder of a day, and one in those of values, as a table has them that was
/// parted otherwise at times.
fn partition_of(number: i64) -> PartitionValues {
    let date = ("date".to_owned(), Some("2026-11-21".to_owned()));
    match number % 3 {
        0 => Vec::new(),
        1 => vec![date],
        _ => vec![("store".to_owned(), Some(format!("a/b {number}%"))), date],
    }
}

/// The number to take next, checked against the state.
fn next_number(opened: &Opened) -> Option<i64> {
    let head = opened.head.as_ref()?;
    let next = head.source.partitions[0].position.next_offset.get();
    let numbers = String::from_utf8(opened.state.concat()).unwrap();
    let expected: String = (0..next).map(|number| format!("{number} ")).collect();
    assert_eq!(numbers, expected, "the state belongs to the positions");
    Some(next)
}

/// How a life of the toy lane ended.
#[derive(Debug, PartialEq)]
enum Ended {
    /// All numbers were taken.
    Done,
    /// The slot was lost, or the opening found somebody else at work.
    Fenced,
    /// The opening failed.
    Failed,
}

/// Opens the lane and takes numbers until `count` of them are committed.
fn live(runtime: &Runtime, storage: &LaneStorage, count: i64) -> Ended {
    let opened = match runtime.block_on(open(storage, INSTANCE)) {
        Ok(opened) => opened,
        Err(ChainError::Contended { .. }) => return Ended::Fenced,
        Err(error) => {
            assert!(error.may_pass(), "{error}");
            return Ended::Failed;
        }
    };
    let next = next_number(&opened);
    let clock = Clock::system();
    let handle = runtime.handle().clone();
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock, Arc::default());
    let begin = next.is_none().then(genesis);
    let numbers = (next.unwrap_or(0)..count).map(epoch_of);
    for epoch in begin.into_iter().chain(numbers) {
        committer.submit(epoch);
        match committer.wait(LONG).expect("no commit takes so long") {
            CommitOutcome::Committed(_) => {}
            CommitOutcome::Lost(_) => return Ended::Fenced,
            CommitOutcome::Failed(error) => panic!("{error}"),
        }
    }
    Ended::Done
}

/// What a reader of the plain directory sees, sorted.
fn table(runtime: &Runtime, storage: &LaneStorage) -> Vec<i64> {
    let location = &storage.tables["numbers"];
    let read = async {
        let files = location.store.list(Some(&location.prefix));
        let files: Vec<_> = files.try_collect().await.unwrap();
        let mut rows = Vec::new();
        for file in files {
            let bytes = location.store.get(&file.location).await.unwrap().bytes().await.unwrap();
            rows.push(std::str::from_utf8(&bytes).unwrap().parse().unwrap());
        }
        rows
    };
    let mut rows = runtime.block_on(read);
    rows.sort_unstable();
    rows
}

/// Opens the lane once more, as the next start would, and compares table and head with what must be.
#[track_caller]
fn assert_each_number_once(runtime: &Runtime, storage: &LaneStorage, count: i64, story: &str) {
    let opened = runtime.block_on(open(storage, INSTANCE));
    let opened = opened.unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(next_number(&opened), Some(count), "{story}");
    assert_eq!(table(runtime, storage), (0..count).collect::<Vec<_>>(), "{story}");
}
