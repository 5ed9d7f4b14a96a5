//! What the owner of a chain that was reset still does when another chain has come far in its place
//! (docs/design/commit.md#chains-that-follow-each-other).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::ObjectMeta;
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::sync::watch;

use super::super::collect::{Deleted, delete_slots};
use super::super::home::Genesis;
use super::super::retire::retire;
use super::*;
use crate::body::{SlotBody, VERSION};
use crate::gone::Gone;
use crate::record::ChainRecord;
use crate::{inspect, paths};
use sluicegate_testing::held::HeldStore;
use sluicegate_testing::passes_on;

/// A lane of this many numbers is reset while somebody owns it, and another chain takes others.
fn reset_and_begin(runtime: &Runtime, storage: &LaneStorage, count: i64) {
    runtime.block_on(forget(storage, DataFiles::DeleteOwn)).unwrap();
    assert_eq!(live(runtime, storage, count), Ended::Done);
}

/// The next that it puts comes to a slot that is free, and the chain that is there gets beyond it.
#[test]
fn a_record_of_a_chain_that_was_reset_lands_and_ends_nothing() {
    for before in [4, 100] {
        let runtime = runtime();
        let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
        let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
        assert_eq!(live(&runtime, &storage, before), Ended::Done);
        let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
        let mut sleeper = spawn(&runtime, &storage, opened);
        store.hold("/chain/0000");
        sleeper.submit(epoch_of(before));
        runtime.block_on(store.is_held());
        reset_and_begin(&runtime, &storage, 2);
        runtime.block_on(store.land_and_go_on()).1.unwrap();
        let Some(CommitOutcome::Failed(error)) = sleeper.wait(LONG) else { panic!("it goes on") };
        assert!(matches!(error, ChainError::Forgotten { gone: Gone::Replaced, .. }), "{error}");
        assert_each_number_once(&runtime, &storage, 2, "it landed");
        assert_eq!(live(&runtime, &storage, before + 4), Ended::Done);
        assert_each_number_once(&runtime, &storage, before + 4, "beyond what landed");
        // The next reset finds it, too.
        runtime.block_on(forget(&storage, DataFiles::DeleteOwn)).unwrap();
        assert!(runtime.block_on(footprint(&storage)).unwrap().is_empty());
    }
}

/// It has seen its chain, and slept before it deleted.
#[test]
fn old_records_and_states_of_a_chain_that_was_reset_go_and_none_of_another() {
    let (runtime, storage) = new_lane();
    let count = 100;
    assert_eq!(live(&runtime, &storage, count), Ended::Done);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (before, recent) = (lane_of(&runtime, &storage), opened.chain.recent.clone());
    reset_and_begin(&runtime, &storage, 20);
    let deleted = Deleted::default();
    let delete = delete_slots(&before, Epoch::GENESIS.next(), Epoch(90), &deleted);
    runtime.block_on(delete).unwrap();
    runtime.block_on(retire(&before, &recent, &deleted)).unwrap();
    assert_each_number_once(&runtime, &storage, 20, "it was deleted");
    assert_eq!(live(&runtime, &storage, 24), Ended::Done);
    assert_each_number_once(&runtime, &storage, 24, "it goes on");
}

/// Earlier versions look for the others where they do not lie, so it is the genesis that they must not read.
#[test]
fn the_genesis_after_a_reset_has_a_layout_of_its_own_and_the_others_the_oldest_that_holds_them() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let record = |epoch| {
        let record = runtime.block_on(inspect::record(&storage, Epoch(epoch)));
        record.unwrap().unwrap()
    };
    assert_eq!((record(0).v, record(0).apart), (3, false));
    reset_and_begin(&runtime, &storage, 1);
    assert_eq!((record(0).v, record(0).apart), (VERSION, true));
    assert_eq!((record(1).v, record(1).apart), (3, false));
    let lane = storage.chain.child("toy/lanes/0");
    let below = format!("chains/{}/{}", record(0).chain, paths::slot(Epoch(1)));
    runtime.block_on(lane.store.head(&lane.path(&below))).unwrap();
    let fence = runtime.block_on(open(&storage, INSTANCE)).unwrap().head.unwrap();
    assert!(!fence.apart);
}

/// A path is made of it.
#[test]
fn a_genesis_that_lies_apart_has_the_id_of_a_chain() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 0), Ended::Done);
    let genesis = runtime.block_on(inspect::record(&storage, Epoch::GENESIS)).unwrap().unwrap();
    for (chain, is_sound) in [("0c4a7b91e2d3", true), ("../../other", false), ("", false)] {
        let record = ChainRecord { chain: chain.to_owned(), apart: true, ..genesis.clone() };
        let bytes = SlotBody::freeze(record).unwrap().object().bytes().clone();
        assert_eq!(Genesis::thaw(bytes).is_ok(), is_sound, "{chain}");
    }
}

/// As that of a chain that does not lie apart: somebody is to look, and reset again.
#[test]
fn half_of_a_reset_begins_no_chain() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    reset_and_begin(&runtime, &storage, 3);
    let lane = storage.chain.child("toy/lanes/0");
    let genesis = lane.path(&paths::slot(Epoch::GENESIS));
    runtime.block_on(lane.store.delete(&genesis)).unwrap();
    let error = runtime.block_on(inspect::check_begin(&storage)).unwrap_err();
    assert!(error.to_string().contains("a reset has not ended"), "{error}");
    reset_and_begin(&runtime, &storage, 2);
    assert_each_number_once(&runtime, &storage, 2, "reset again");
}

/// The next start would be refused beside the data files that were kept.
#[test]
fn an_owner_that_has_put_a_record_since_the_reset_leaves_its_mark() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    reset_and_begin(&runtime, &storage, 3);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (before, head) = (lane_of(&runtime, &storage), Epoch(3));
    let record = runtime.block_on(before.slot(head)).unwrap().unwrap();
    runtime.block_on(forget(&storage, DataFiles::Keep)).unwrap();
    let slot = before.path(&paths::slot(head));
    runtime.block_on(storage.chain.store.put(&slot, record.into())).unwrap();
    let a_while = async { tokio::time::sleep(Duration::from_secs(10)).await };
    keep_house(housekeeping(&storage, &opened), a_while);
    assert!(runtime.block_on(inspect::was_reset(&storage)).unwrap());
}

/// A store that does not say which marks it has.
#[derive(Debug)]
struct MarksUnlisted {
    inner: InMemory,
}

impl fmt::Display for MarksUnlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("store that lists no marks")
    }
}

impl ObjectStore for MarksUnlisted {
    passes_on!(
        inner: put_opts, put_multipart_opts, get_opts, delete_stream, list_with_offset, list_with_delimiter, copy_opts
    );

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let source = "503 Slow Down".into();
        let error = object_store::Error::Generic { store: "store", source };
        match prefix.and_then(Path::filename) {
            Some(paths::MARK_FOLDER) => stream::once(async { Err(error) }).boxed(),
            _ => self.inner.list(prefix),
        }
    }
}

/// A chain began without the ids of those before it.
#[test]
fn a_mark_that_could_not_be_read_is_asked_for_again() {
    let (runtime, storage) =
        (runtime(), storage(Arc::new(MarksUnlisted { inner: InMemory::new() })));
    let error = runtime.block_on(inspect::own_chains(&storage)).unwrap_err();
    assert!(error.may_pass(), "{error}");
}

/// A store for somebody who falls asleep when he has deleted something, before his next listing.
#[derive(Debug)]
struct SleepyStore {
    inner: Arc<dyn ObjectStore>,
    has_deleted: AtomicBool,
    sleeps: watch::Sender<bool>,
    wakes: watch::Sender<bool>,
}

impl fmt::Display for SleepyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sleepy store")
    }
}

impl ObjectStore for SleepyStore {
    passes_on!(
        inner: put_opts, put_multipart_opts, get_opts, list_with_offset, list_with_delimiter, copy_opts
    );

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.has_deleted.store(true, Ordering::SeqCst);
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        if !self.has_deleted.load(Ordering::SeqCst) {
            return self.inner.list(prefix);
        }
        self.sleeps.send_replace(true);
        let (mut wakes, inner) = (self.wakes.subscribe(), Arc::clone(&self.inner));
        let prefix = prefix.cloned();
        let listed = async move {
            wakes.wait_for(|wakes| *wakes).await.unwrap();
            inner.list(prefix.as_ref())
        };
        stream::once(listed).flatten().boxed()
    }
}

/// It has deleted what it had seen, and slept before it looked what had come since.
#[test]
fn a_reset_that_sleeps_before_its_last_look_forgets_nothing_of_the_next_chain() {
    for data in [DataFiles::Keep, DataFiles::DeleteOwn, DataFiles::DeleteAll] {
        let (runtime, lane) = new_lane();
        // Of several chains that have lain there the last is apart.
        assert_eq!(live(&runtime, &lane, 2), Ended::Done);
        reset_and_begin(&runtime, &lane, 3);
        let store = Arc::new(SleepyStore {
            inner: Arc::clone(&lane.chain.store),
            has_deleted: AtomicBool::new(false),
            sleeps: watch::Sender::new(false),
            wakes: watch::Sender::new(false),
        });
        let sleepy = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
        let sleeper = runtime.spawn(async move { forget(&sleepy, data).await });
        runtime.block_on(store.sleeps.subscribe().wait_for(|sleeps| *sleeps)).unwrap();
        // Somebody else sees that it has not ended, and what it left goes.
        runtime.block_on(forget(&lane, DataFiles::DeleteAll)).unwrap();
        assert_eq!(live(&runtime, &lane, 5), Ended::Done);
        store.wakes.send_replace(true);
        runtime.block_on(sleeper).unwrap().unwrap();
        assert_each_number_once(&runtime, &lane, 5, "it was forgotten in part");
        assert_eq!(live(&runtime, &lane, 8), Ended::Done);
        assert_each_number_once(&runtime, &lane, 8, "it goes on");
    }
}

/// It looks, asks somebody, and waits for a sign of life: for a minute, or for a night.
#[test]
fn a_reset_forgets_what_it_saw_before_it_asked_and_nothing_of_the_next_chain() {
    for data in [DataFiles::Keep, DataFiles::DeleteOwn, DataFiles::DeleteAll] {
        let (runtime, storage) = new_lane();
        assert_eq!(live(&runtime, &storage, 3), Ended::Done);
        let seen = runtime.block_on(Seen::look(&storage)).unwrap();
        reset_and_begin(&runtime, &storage, 5);
        runtime.block_on(seen.forget(&storage, data)).unwrap();
        assert_each_number_once(&runtime, &storage, 5, "it was forgotten in part");
        assert_eq!(live(&runtime, &storage, 8), Ended::Done);
        assert_each_number_once(&runtime, &storage, 8, "it goes on");
    }
}

/// It does not lie apart.
#[test]
fn a_first_chain_that_a_reset_has_not_seen_stays() {
    for data in [DataFiles::Keep, DataFiles::DeleteOwn, DataFiles::DeleteAll] {
        let (runtime, storage) = new_lane();
        let seen = runtime.block_on(Seen::look(&storage)).unwrap();
        assert_eq!(live(&runtime, &storage, 3), Ended::Done);
        runtime.block_on(seen.forget(&storage, data)).unwrap();
        assert_each_number_once(&runtime, &storage, 3, "it was forgotten in part");
        assert_eq!(live(&runtime, &storage, 5), Ended::Done);
        assert_each_number_once(&runtime, &storage, 5, "it goes on");
    }
}

/// Its mark lands when another has done all, and a chain has begun.
#[test]
fn a_reset_that_sleeps_before_it_deletes_anything_forgets_nothing_of_the_next_chain() {
    let runtime = runtime();
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    store.hold(paths::MARK_FOLDER);
    let sleeper = runtime.spawn({
        let storage = storage.clone();
        async move { forget(&storage, DataFiles::DeleteAll).await }
    });
    runtime.block_on(store.is_held());
    reset_and_begin(&runtime, &storage, 5);
    runtime.block_on(store.land_and_go_on()).1.unwrap();
    runtime.block_on(sleeper).unwrap().unwrap();
    assert_each_number_once(&runtime, &storage, 5, "it was forgotten in part");
    assert_eq!(live(&runtime, &storage, 8), Ended::Done);
    assert_each_number_once(&runtime, &storage, 8, "it goes on");
}

/// It saw that there was no chain, and slept through the whole life of one.
#[test]
fn a_first_chain_does_not_begin_behind_a_reset() {
    let (runtime, storage) = new_lane();
    let slept = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    runtime.block_on(forget(&storage, DataFiles::DeleteOwn)).unwrap();
    let mut slept = spawn(&runtime, &storage, slept);
    slept.submit(genesis());
    let Some(CommitOutcome::Failed(error)) = slept.wait(LONG) else { panic!("it begins") };
    assert!(error.may_pass(), "{error}");
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
}
