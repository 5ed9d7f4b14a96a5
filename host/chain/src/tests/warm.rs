//! What an opening asks a store for when the same opener has looked before: that of an instance that stood by.

use super::super::opener::Survey;
use super::super::store::LaneStore;
use super::*;
use sluicegate_testing::counted::CountedStore;

/// A lane that has read so many numbers, and an opener that has followed it.
fn followed<'a>(
    runtime: &Runtime,
    storage: &'a LaneStorage,
    store: &CountedStore,
    count: i64,
) -> Opener<'a> {
    assert_eq!(live(runtime, storage, count), Ended::Done);
    let mut opener = Opener::new(storage, INSTANCE);
    runtime.block_on(opener.follow()).unwrap();
    forget_asked(store);
    opener
}

fn forget_asked(store: &CountedStore) {
    store.reads();
    store.lists();
}

fn slots(survey: &Survey) -> Vec<(Epoch, String)> {
    let slot = |slot: &SlotBody| (slot.record.epoch, slot.sha256().to_owned());
    survey.slots().iter().map(slot).collect()
}

#[test]
fn whoever_stood_by_asks_for_what_has_come_since_and_no_more() {
    let (runtime, store) = (runtime(), CountedStore::default());
    let storage = storage(Arc::new(store.clone()));
    let mut opener = followed(&runtime, &storage, &store, 100);
    runtime.block_on(opener.follow()).unwrap();
    let looked = (store.reads(), store.lists());
    assert_eq!(looked, (2, 1), "the genesis and the newest slot: they may be others");
    let survey = runtime.block_on(opener.survey()).unwrap();
    assert_eq!((store.reads(), store.lists()), (2, 1), "its state was fetched before");
    assert_eq!(survey.slots().len(), resolve::LOOK_BACK);

    // A hand-over: the leader has committed and ended.
    assert_eq!(live(&runtime, &storage, 104), Ended::Done);
    forget_asked(&store);
    let survey = runtime.block_on(opener.survey()).unwrap();
    // A base and two deltas: the states before have none of them.
    assert_eq!(survey.head().unwrap().state.as_ref().unwrap().pieces.len(), 3);
    assert_eq!((store.reads(), store.lists()), (1 + 4 + 3, 1), "four slots and a state");
    let opened = runtime.block_on(opener.take(survey)).unwrap().unwrap();
    let looked = (store.reads(), store.lists());
    assert_eq!(
        looked,
        (1 + 1, 1 + 3),
        "the genesis, the beat, and the table: its folder, that of a day, epochs"
    );
    assert_eq!(next_number(&opened), Some(104));
}

/// Slots that were read before are those of the chain only if the ones behind them say so.
#[test]
fn a_chain_that_was_begun_again_is_never_mixed_with_what_was_known() {
    for (before, after) in
        [(3, 3), (3, 1), (3, 9), (3, 100), (100, 100), (100, 3), (100, 120), (100, 300)]
    {
        let (runtime, store) = (runtime(), CountedStore::default());
        let storage = storage(Arc::new(store.clone()));
        let mut opener = followed(&runtime, &storage, &store, before);
        runtime.block_on(forget(&storage, DataFiles::DeleteAll)).unwrap();
        let survey = runtime.block_on(opener.survey()).unwrap();
        assert!(survey.slots().is_empty());
        assert_eq!(live(&runtime, &storage, after), Ended::Done);
        let mut opener = followed(&runtime, &storage, &store, before.max(after));
        runtime.block_on(forget(&storage, DataFiles::DeleteAll)).unwrap();
        assert_eq!(live(&runtime, &storage, after), Ended::Done);
        let warm = runtime.block_on(opener.survey()).unwrap();
        let cold = runtime.block_on(Opener::new(&storage, INSTANCE).survey()).unwrap();
        assert_eq!(slots(&warm), slots(&cold), "{before} numbers, then {after}");
        assert_eq!(warm.state, cold.state);
    }
}

/// One listing, also where there are more slots than a page holds.
#[test]
fn the_newest_slot_of_a_long_chain_is_found_again_with_one_listing() {
    let (runtime, store) = (runtime(), CountedStore::default());
    let storage = storage(Arc::new(store.clone()));
    let lane = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let put = |epoch: u64| {
        let path = lane.folder.path(&paths::slot(Epoch(epoch)));
        runtime.block_on(lane.folder.store.put(&path, "x".into())).unwrap();
    };
    let mut there = 0;
    for length in [1_u64, 2, 999, 1_000, 1_001, 1_002, 2_500, 5_003] {
        (there..length).for_each(put);
        there = length;
        let newest = Some(Epoch(length - 1));
        assert_eq!(runtime.block_on(lane.latest()).unwrap(), newest);
        for known in [length - 1, length.saturating_sub(900), length / 2, 0] {
            store.lists();
            assert_eq!(runtime.block_on(lane.latest_since(Epoch(known))).unwrap(), newest);
            assert!(length - known > 900 || store.lists() == 1, "{known} of {length}");
        }
        assert_eq!(runtime.block_on(lane.latest_since(Epoch(length + 7))).unwrap(), newest);
    }
}
