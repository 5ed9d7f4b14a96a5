//! States that go up in parts, with a fault at every request about an upload.

use super::*;
use sluicegate_store::Parts;
use sluicegate_testing::parted::{Ask, Fault, PartedStore};

const COUNT: i64 = 3;

/// A lane whose states have several parts each.
fn lane() -> (PartedStore, LaneStorage) {
    let store = PartedStore::default();
    let parts = Some(Parts { store: Arc::new(store.clone()), bytes: 4 });
    let root = Location { store: Arc::new(store.clone()), parts, ..Location::in_memory() };
    let storage = LaneStorage {
        chain: root.child("chain"),
        tables: BTreeMap::from([(Arc::from("numbers"), root.child("table"))]),
        ..storage(Arc::new(store.clone()))
    };
    (store, storage)
}

/// A life that ends with its last commit, or as a process that is stopped while the store is silent.
fn live_until_silence(runtime: &Runtime, store: &PartedStore, storage: &LaneStorage) {
    let opened = runtime.block_on(open(storage, INSTANCE)).unwrap();
    let (chain, handle) = (opened.chain, runtime.handle().clone());
    let mut life =
        Committer::spawn(handle, chain, storage.clone(), Clock::system(), Arc::default());
    for epoch in std::iter::once(genesis()).chain((0..COUNT).map(epoch_of)) {
        life.submit(epoch);
        while life.wait(Duration::from_millis(1)).is_none() {
            if store.is_silent() {
                return;
            }
        }
    }
}

#[test]
fn whatever_fails_of_an_upload_the_epoch_is_there_once_and_no_part_is_left() {
    let runtime = runtime();
    for fault in [Fault::Before, Fault::After, Fault::Forget, Fault::Silence] {
        for request in 0.. {
            let story = format!("{fault:?} at request {request}");
            let (store, storage) = lane();
            store.fail_nth(request, fault);
            live_until_silence(&runtime, &store, &storage);
            if store.is_due() {
                assert!(request > 10, "a life has more requests than {request}");
                break;
            }
            assert_eq!(live(&runtime, &storage, COUNT), Ended::Done, "{story}");
            assert_each_number_once(&runtime, &storage, COUNT, &story);
            // A create whose answer is lost makes an upload that nobody knows of; so does one whose abort fails.
            let unknown = match fault {
                Fault::After => store.asked()[request] == Ask::Create,
                _ => false,
            };
            assert_eq!(store.open_uploads(), usize::from(unknown), "{story}");
        }
    }
}
