//! Several lives of a lane in one process, as its supervisor makes them, while a request of an earlier one is still on
//! its way.

use object_store::memory::InMemory;

use super::*;
use sluicegate_testing::held::HeldStore;

/// A lane with a genesis, in a store that can hold puts back.
fn begun() -> (Runtime, Arc<HeldStore>, LaneStorage) {
    let runtime = runtime();
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &storage, 0), Ended::Done);
    (runtime, store, storage)
}

fn life(runtime: &Runtime, storage: &LaneStorage) -> Committer {
    let opened = runtime.block_on(open(storage, INSTANCE)).unwrap();
    spawn(runtime, storage, opened)
}

/// Submits an epoch whose put of `part` is held back, and ends the life that waits for it.
fn die_over(
    runtime: &Runtime,
    store: &HeldStore,
    mut life: Committer,
    part: &str,
    epoch: FrozenEpoch,
) {
    store.hold(part);
    life.submit(epoch);
    runtime.block_on(store.is_held());
}

/// The first epoch, which takes the numbers up to `last`. Lives cut their epochs differently.
fn first_epoch(last: i64) -> FrozenEpoch {
    let files = (0..=last).flat_map(|number| epoch_of(number).files).collect();
    FrozenEpoch { files, ..epoch_of(last) }
}

/// As long as no window fires there is a state and no file.
fn without_files(epoch: FrozenEpoch) -> FrozenEpoch {
    FrozenEpoch { files: Vec::new(), ..epoch }
}

#[track_caller]
fn assert_opens_at(runtime: &Runtime, storage: &LaneStorage, next: i64) {
    let opened = runtime.block_on(open(storage, INSTANCE)).unwrap();
    assert_eq!(next_number(&opened), Some(next));
}

#[test]
fn a_state_of_an_earlier_life_that_lands_late_takes_nothing_from_a_later_one() {
    let (runtime, store, storage) = begun();
    let first = life(&runtime, &storage);
    die_over(&runtime, &store, first, "/state/", without_files(first_epoch(0)));
    let mut second = life(&runtime, &storage);
    second.submit(without_files(first_epoch(1)));
    assert!(matches!(second.wait(LONG), Some(CommitOutcome::Committed(_))));
    let (_, answer) = runtime.block_on(store.land());
    answer.expect("it has its name for itself");
    assert_opens_at(&runtime, &storage, 2);
}

#[test]
fn a_slot_of_an_earlier_life_that_lands_late_keeps_what_it_names() {
    let (runtime, store, storage) = begun();
    let first = life(&runtime, &storage);
    die_over(&runtime, &store, first, "/chain/", without_files(first_epoch(0)));
    let mut second = life(&runtime, &storage);
    runtime.block_on(store.land()).1.expect("the slot is free");
    second.submit(without_files(first_epoch(1)));
    let Some(CommitOutcome::Lost(lost)) = second.wait(LONG) else { panic!("both won") };
    assert_eq!(lost.record.unwrap().source, source_at(1));
    assert_opens_at(&runtime, &storage, 1);
}

#[test]
fn a_data_file_of_an_earlier_life_that_lands_late_takes_nothing_from_a_later_one() {
    let (runtime, store, storage) = begun();
    let first = life(&runtime, &storage);
    die_over(&runtime, &store, first, "table/", first_epoch(0));
    let mut second = life(&runtime, &storage);
    let mut epoch = first_epoch(1);
    epoch.files.reverse();
    second.submit(epoch);
    assert!(matches!(second.wait(LONG), Some(CommitOutcome::Committed(_))));
    runtime.block_on(store.land()).1.expect("it has its name for itself");
    assert_each_number_once(&runtime, &storage, 2, "the late file is an orphan");
}

#[test]
fn a_name_that_holds_other_bytes_fails_the_commit_and_keeps_them() {
    let (runtime, store, storage) = begun();
    let mut life = life(&runtime, &storage);
    store.hold("/state/");
    life.submit(first_epoch(0));
    runtime.block_on(store.is_held());
    let path = runtime.block_on(store.replace("something else"));
    let Some(CommitOutcome::Failed(error)) = life.wait(LONG) else { panic!("it is not ours") };
    assert!(error.may_pass(), "another opening has other names: {error}");
    assert!(error.to_string().contains(path.as_ref()), "{error}");
    let found = async { storage.chain.store.get(&path).await.unwrap().bytes().await.unwrap() };
    assert_eq!(runtime.block_on(found), "something else");
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    assert_each_number_once(&runtime, &storage, 2, "the next life");
}
