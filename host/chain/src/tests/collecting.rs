//! Chains whose beginning was let go: what is deleted, what stays, and what everybody who reads a chain makes of it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectMeta, Result};

use super::super::collect::collect;
use super::super::hand::Head;
use super::super::record::ChainRecord;
use super::super::store::LaneStore;
use super::super::sweep::sweep;
use super::super::verify::report::{Matter, Report};
use super::super::{floor, follow, inspect, verify};
use super::verifying::NoLogs;
use super::*;
use sluicegate_testing::held::HeldStore;
use sluicegate_testing::passes_on;

/// [`Keep::slots_min`].
const KEPT_MIN: i64 = 128;

/// Long enough that one step of collection is due.
const EPOCHS: i64 = KEPT_MIN + 200;

struct Lane {
    runtime: Runtime,
    storage: LaneStorage,
    store: LaneStore,
    chain: String,
    /// For the collections of the test: an owner that lives lets go of nothing.
    keep: Keep,
}

/// A lane of so many epochs behind its genesis, whose records may go at once.
fn lane(store: Arc<dyn ObjectStore>, epochs: i64) -> Lane {
    let runtime = runtime();
    let keep = Keep { age: Duration::ZERO, ..Keep::default() };
    let nothing = Keep { published: Published::below(Epoch::GENESIS), ..keep.clone() };
    let storage = LaneStorage { keep: nothing, ..storage(store) };
    assert_eq!(live(&runtime, &storage, epochs), Ended::Done);
    let head = runtime.block_on(inspect::latest(&storage)).unwrap().unwrap();
    let chain = runtime.block_on(inspect::record(&storage, head)).unwrap().unwrap().chain;
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    Lane { runtime, storage, store, chain, keep }
}

impl Lane {
    fn head(&self) -> Epoch {
        self.runtime.block_on(inspect::latest(&self.storage)).unwrap().unwrap()
    }

    fn collect(&self) -> bool {
        let collect = collect(&self.store, &self.chain, self.head(), &self.keep);
        self.runtime.block_on(collect).unwrap()
    }

    fn floor(&self) -> Epoch {
        self.runtime.block_on(floor::find(&self.store, &self.chain)).unwrap().highest.epoch
    }

    fn slots(&self) -> Vec<u64> {
        let listed = self.runtime.block_on(self.store.list(paths::CHAIN_FOLDER)).unwrap();
        let slots = listed.iter().map(|object| object.location.filename().unwrap());
        let mut slots: Vec<_> = slots.filter_map(paths::parse_slot).map(|slot| slot.0).collect();
        slots.sort_unstable();
        slots
    }

    fn floors(&self) -> usize {
        self.runtime.block_on(self.store.list(paths::FLOOR_FOLDER)).unwrap().len()
    }

    fn verify(&self) -> Report {
        let verify = verify::verify(&self.storage, true, &NoLogs, |_, _| ());
        self.runtime.block_on(verify).unwrap().unwrap()
    }

    fn put(&self, path: &Path, bytes: &'static str) {
        self.runtime.block_on(self.storage.chain.store.put(path, bytes.into())).unwrap();
    }
}

#[test]
fn old_records_go_and_the_lane_goes_on_from_those_that_stay() {
    let lane = lane(Arc::new(InMemory::new()), EPOCHS);
    let before = lane.slots();
    assert!(!lane.collect(), "a thousand are not due");
    let kept: Vec<u64> = std::iter::once(0).chain(129..=lane.head().0).collect();
    assert_eq!((before.len(), lane.slots()), (EPOCHS as usize + 1, kept));
    assert_eq!((lane.floor(), lane.floors()), (Epoch(129), 1));
    let deleted = &lane.keep.deleted;
    assert_eq!(deleted.objects.load(Ordering::Relaxed), 128);
    assert!(deleted.bytes.load(Ordering::Relaxed) > 128 * 100);
    assert!(!lane.collect());
    assert_eq!(lane.floor(), Epoch(129), "fewer than 128 do not go");
    assert_eq!(live(&lane.runtime, &lane.storage, EPOCHS + 3), Ended::Done);
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS + 3, "behind the floor");
}

#[test]
fn a_thousand_go_in_a_step_and_a_chain_is_shortened_step_by_step() {
    let lane = lane(Arc::new(InMemory::new()), 2 * 1_000 + KEPT_MIN + 10);
    assert!(lane.collect());
    assert_eq!(lane.floor(), Epoch(1_001));
    assert!(lane.collect());
    assert!(!lane.collect());
    assert_eq!(lane.floor(), Epoch(2_001));
    assert_each_number_once(&lane.runtime, &lane.storage, lane.head().0 as i64, "shortened");
}

#[test]
fn records_stay_for_as_long_as_they_are_kept_or_needed() {
    let mut lane = lane(Arc::new(InMemory::new()), EPOCHS);
    lane.keep.age = Duration::from_secs(3_600);
    lane.collect();
    assert_eq!(lane.floor(), Epoch(1), "they are younger");
    lane.keep.age = Duration::ZERO;
    lane.keep.published = Published::below(Epoch(128));
    lane.collect();
    assert_eq!(lane.floor(), Epoch(1), "the last of them is not published");
    lane.keep.published.advance(Epoch(129));
    lane.collect();
    assert_eq!(lane.floor(), Epoch(129));
}

#[test]
fn a_chain_whose_beginning_was_let_go_is_whole_and_strays_are_still_found() {
    let lane = lane(Arc::new(InMemory::new()), EPOCHS);
    let committed = lane.runtime.block_on(inspect::record(&lane.storage, Epoch(7))).unwrap();
    let committed = committed.unwrap().files[0].path.clone();
    lane.collect();
    let report = lane.verify();
    assert!(!report.has_defects(), "{report:?}");
    assert_eq!((report.let_go, report.by_name), (128, 128));
    assert_eq!(report.epochs, EPOCHS as u64 + 1 - 128);

    let numbers = &lane.storage.tables["numbers"];
    let stray = format!("toy.0-{}-{:020}-9-abcdefabcdef-0.parquet", lane.chain, 7);
    lane.put(&numbers.path(&stray), "7");
    let report = lane.verify();
    assert_eq!(report.counts.get(&Matter::LeftOver), Some(&1), "{report:?}");
    assert_eq!(lane.runtime.block_on(sweep(&lane.storage, &lane.store, &lane.chain)).unwrap(), 1);
    let there = lane.runtime.block_on(numbers.store.head(&numbers.path(&committed)));
    assert!(there.is_ok(), "what was committed stays");
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS, "after the sweep");
}

#[test]
fn what_comes_back_below_the_floor_counts_for_nothing_and_goes_again() {
    let lane = lane(Arc::new(InMemory::new()), EPOCHS);
    let stranger = lane.runtime.block_on(lane.store.slot(Epoch(200))).unwrap().unwrap();
    lane.collect();
    let slot = lane.store.folder.path(&paths::slot(Epoch(5)));
    let put = lane.storage.chain.store.put(&slot, stranger.into());
    lane.runtime.block_on(put).unwrap();
    assert!(!lane.verify().has_defects());
    assert_eq!(lane.runtime.block_on(sweep(&lane.storage, &lane.store, &lane.chain)).unwrap(), 0);
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS, "beside a slot that came back");
    assert_eq!(live(&lane.runtime, &lane.storage, EPOCHS + 128), Ended::Done);
    lane.collect();
    assert_eq!((lane.floor(), lane.slots()[1]), (Epoch(257), 257));
}

#[test]
fn a_deletion_that_did_not_end_ends_with_the_next() {
    let lane = lane(Arc::new(InMemory::new()), EPOCHS);
    let floors = lane.runtime.block_on(floor::find(&lane.store, &lane.chain)).unwrap();
    lane.runtime.block_on(floor::put(&lane.store, &floors.highest)).unwrap();
    let head = lane.runtime.block_on(inspect::record(&lane.storage, lane.head())).unwrap().unwrap();
    let run = floor::Run { first: Epoch(1), term: head.term, nonce: head.writer.nonce };
    let raised = floors.highest.raised(Epoch(129), vec![run]);
    lane.runtime.block_on(floor::put(&lane.store, &raised)).unwrap();
    assert_eq!((lane.slots()[1], lane.floors()), (1, 2));
    assert!(!lane.verify().has_defects());
    lane.collect();
    assert_eq!((lane.slots()[1], lane.floors()), (129, 1));
}

/// Its process was stopped between its look at the head and its put, for as long as it took to let go of that slot.
#[test]
fn an_owner_that_slept_finds_its_slot_free_and_is_told_that_it_has_lost() {
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let lane = lane(Arc::clone(&store) as Arc<dyn ObjectStore>, 3);
    let opened = lane.runtime.block_on(open(&lane.storage, INSTANCE)).unwrap();
    let handle = lane.runtime.handle().clone();
    let (storage, clock) = (lane.storage.clone(), Clock::system());
    let mut slept = Committer::spawn(handle, opened.chain, storage, clock, Arc::default());
    store.hold(&format!("chain/{:020}", 4));
    slept.submit(epoch_of(3));
    lane.runtime.block_on(store.is_held());

    assert_eq!(live(&lane.runtime, &lane.storage, EPOCHS), Ended::Done);
    lane.collect();
    assert!(lane.slots()[1] > 4);
    let (path, answer) = lane.runtime.block_on(store.land_and_go_on());
    assert!(answer.is_ok(), "{path} is free again");
    let CommitOutcome::Lost(lost) = slept.wait(LONG).unwrap() else { panic!("it has not lost") };
    assert_eq!((lost.epoch, lost.record.unwrap().epoch), (Epoch(4), lane.head()));
    // Its file went with the fence of who came next.
    assert_eq!(lane.runtime.block_on(sweep(&lane.storage, &lane.store, &lane.chain)).unwrap(), 0);
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS, "beside one that slept");
}

/// It slept before its look at the head.
#[test]
fn an_owner_whose_head_was_let_go_has_lost_and_was_not_forgotten() {
    let lane = lane(Arc::new(InMemory::new()), 3);
    let opened = lane.runtime.block_on(open(&lane.storage, INSTANCE)).unwrap();
    let handle = lane.runtime.handle().clone();
    let (storage, clock) = (lane.storage.clone(), Clock::system());
    let mut slept = Committer::spawn(handle, opened.chain, storage, clock, Arc::default());
    assert_eq!(live(&lane.runtime, &lane.storage, EPOCHS), Ended::Done);
    lane.collect();
    slept.submit(epoch_of(3));
    let outcome = slept.wait(LONG).unwrap();
    let CommitOutcome::Lost(lost) = outcome else { panic!("{outcome:?}") };
    assert_eq!(lost.record.unwrap().epoch, lane.head());
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS, "it withdrew its file");
}

/// A record is added by hand, and while its answer is on the way `meanwhile` happens. What is told of it.
fn added_by_hand(
    store: &Arc<HeldStore>,
    lane: &Lane,
    meanwhile: impl FnOnce(),
) -> Result<ChainRecord, ChainError> {
    let head = lane.runtime.block_on(Head::read(&lane.storage)).unwrap().unwrap();
    store.hold(&format!("chain/{:020}", lane.head().0 + 1));
    let adding = lane.runtime.spawn(async move { head.add(INSTANCE, "try", |fence| fence).await });
    lane.runtime.block_on(store.is_held());
    meanwhile();
    store.go_on();
    lane.runtime.block_on(adding).unwrap()
}

#[test]
fn a_record_added_by_hand_that_an_owner_follows_at_once_was_added() {
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let lane = lane(Arc::clone(&store) as Arc<dyn ObjectStore>, 3);
    let added = added_by_hand(&store, &lane, || {
        assert!(lane.runtime.block_on(store.land()).1.is_ok());
        assert_eq!(live(&lane.runtime, &lane.storage, 5), Ended::Done);
    });
    let added = added.unwrap();
    assert_eq!((added.epoch, added.kind), (Epoch(4), RecordKind::Fence));
    assert!(lane.head() > added.epoch);
    assert_each_number_once(&lane.runtime, &lane.storage, 5, "behind a record added by hand");
}

/// C18, as for an owner.
#[test]
fn a_record_added_by_hand_into_a_slot_that_was_let_go_was_not_added() {
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let lane = lane(Arc::clone(&store) as Arc<dyn ObjectStore>, 3);
    let added = added_by_hand(&store, &lane, || {
        assert_eq!(live(&lane.runtime, &lane.storage, EPOCHS), Ended::Done);
        lane.collect();
        assert!(lane.runtime.block_on(store.land()).1.is_ok(), "the slot is free again");
    });
    assert!(matches!(added, Err(ChainError::Contended { .. })), "{added:?}");
    assert_each_number_once(&lane.runtime, &lane.storage, EPOCHS, "beside a hand that slept");
}

#[test]
fn a_reset_forgets_the_floor_and_the_next_chain_keeps_its_records() {
    let lane = lane(Arc::new(InMemory::new()), EPOCHS);
    lane.collect();
    let forgotten = lane.runtime.block_on(forget(&lane.storage, DataFiles::DeleteAll)).unwrap();
    assert_eq!(forgotten.data_files, EPOCHS as u64);
    assert_eq!((lane.floors(), lane.slots().len()), (0, 0));
    assert_eq!(live(&lane.runtime, &lane.storage, 9), Ended::Done);
    assert_each_number_once(&lane.runtime, &lane.storage, 9, "after the reset");
}

#[test]
fn a_floor_of_another_chain_says_nothing_of_this_one() {
    let lane = lane(Arc::new(InMemory::new()), 9);
    let other = floor::Floor::ground("fedcba987654").raised(Epoch(7), Vec::new());
    lane.runtime.block_on(floor::put(&lane.store, &other)).unwrap();
    assert_eq!(lane.floor(), Epoch(1));
    assert!(!lane.verify().has_defects());
    lane.collect();
    assert_eq!(lane.slots().len(), 10);
}

/// Its owner puts the floor and lets go of slots after the floor was read, and before they are.
#[derive(Debug)]
struct RaisedMeanwhile {
    inner: Arc<dyn ObjectStore>,
    has_read_a_slot: AtomicBool,
}

impl fmt::Display for RaisedMeanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("raised meanwhile")
    }
}

#[async_trait]
impl ObjectStore for RaisedMeanwhile {
    passes_on!(
        inner: put_opts, put_multipart_opts, delete_stream, list_with_offset, list_with_delimiter,
        copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let is_slot = path.filename().and_then(paths::parse_slot).is_some();
        self.has_read_a_slot.fetch_or(is_slot, Ordering::Relaxed);
        self.inner.get_opts(path, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let is_floor = prefix.is_some_and(|path| path.as_ref().ends_with(paths::FLOOR_FOLDER));
        match is_floor && !self.has_read_a_slot.load(Ordering::Relaxed) {
            true => futures::stream::empty().boxed(),
            false => self.inner.list(prefix),
        }
    }
}

#[test]
fn records_that_are_let_go_while_they_are_read_are_no_damage() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let lane = lane(Arc::clone(&inner), EPOCHS);
    let head = lane.runtime.block_on(inspect::record(&lane.storage, lane.head())).unwrap().unwrap();
    lane.collect();
    let has_read_a_slot = AtomicBool::new(false);
    let raised = storage(Arc::new(RaisedMeanwhile { inner, has_read_a_slot }));
    let records = lane.runtime.block_on(follow::kept_records(&raised, &head)).unwrap();
    let epochs: Vec<u64> = records.iter().map(|record| record.epoch.0).collect();
    assert_eq!(epochs, Vec::from_iter(129..=lane.head().0));
}
