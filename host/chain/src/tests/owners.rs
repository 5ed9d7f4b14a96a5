//! Openings beside an owner: what they leave alone until they take the lane, and how owners show themselves.

use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use crate::beat::{Signs, look};
use crate::inspect;
use sluicegate_testing::gate::{Gate, GatedStore};

const EVERY: Duration = Duration::from_millis(10);

fn begun() -> (Runtime, LaneStorage) {
    let (runtime, storage) = (runtime(), storage(Arc::new(InMemory::new())));
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    (runtime, storage)
}

fn own(runtime: &Runtime, storage: &LaneStorage, opened: Opened) -> Committer {
    let (handle, storage) = (runtime.handle().clone(), storage.clone());
    Committer::spawn_beating(
        handle,
        opened.chain,
        storage,
        Clock::system(),
        Arc::default(),
        Some(EVERY),
    )
}

/// Waits until the signs of life are as wanted.
fn seen(runtime: &Runtime, storage: &LaneStorage, wanted: impl Fn(&Signs) -> bool) {
    let clock = Clock::system();
    while !wanted(&runtime.block_on(look(storage)).unwrap()) {
        assert!(clock.monotonic() < LONG, "the owner does not show itself so");
    }
}

/// Every object of the store.
fn objects(runtime: &Runtime, storage: &LaneStorage) -> Vec<Path> {
    let listing = storage.chain.store.list(None).map_ok(|object| object.location);
    runtime.block_on(listing.try_collect()).unwrap()
}

#[test]
fn a_survey_changes_nothing_and_a_chain_that_has_moved_since_is_not_taken() {
    let (runtime, storage) = begun();
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let handle = runtime.handle().clone();
    let mut owner =
        Committer::spawn(handle, opened.chain, storage.clone(), Clock::system(), Arc::default());
    let record = runtime.block_on(inspect::record(&storage, Epoch(1))).unwrap().unwrap();
    let table = &storage.tables["numbers"];
    let orphan = record.files[0].path.replace(&record.writer.nonce, "0123456789ab");
    runtime.block_on(storage.chain.store.put(&table.path(&orphan), "7".into())).unwrap();
    let mut opener = Opener::new(&storage, INSTANCE);
    let before = objects(&runtime, &storage);
    let survey = runtime.block_on(opener.survey()).unwrap();
    assert_eq!(survey.head().unwrap().epoch, Epoch(1));
    assert_eq!(objects(&runtime, &storage), before);

    // Whoever runs the lane commits while the other prepares itself.
    owner.submit(epoch_of(1));
    assert!(matches!(owner.wait(LONG), Some(CommitOutcome::Committed(_))));
    let before = objects(&runtime, &storage);
    assert!(runtime.block_on(opener.take(survey)).unwrap().is_none());
    assert_eq!(objects(&runtime, &storage), before);

    // Held, it moves no more.
    runtime.block_on(opener.hold()).unwrap();
    owner.submit(epoch_of(2));
    assert!(matches!(owner.wait(LONG), Some(CommitOutcome::Lost(_))));
    let survey = runtime.block_on(opener.survey()).unwrap();
    let opened = runtime.block_on(opener.take(survey)).unwrap().unwrap();
    let head = opened.head.as_ref().unwrap();
    assert_eq!((head.epoch, head.kind), (Epoch(3), RecordKind::Fence));
    assert_eq!(opened.orphans_deleted, 1, "what was lost was withdrawn by its writer");
    assert_eq!(next_number(&opened), Some(2));
}

#[test]
fn an_owner_without_news_is_fenced_by_the_next_and_hears_of_it() {
    let (runtime, storage) = begun();
    let mut owner = own(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    seen(&runtime, &storage, |signs| signs.beat.is_some());
    let next = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(next.head.as_ref().unwrap().kind, RecordKind::Fence);
    let clock = Clock::system();
    let lost = loop {
        if let Some(outcome) = owner.try_take() {
            break outcome;
        }
        assert!(clock.monotonic() < LONG, "the owner does not hear of it");
    };
    let CommitOutcome::Lost(lost) = lost else { panic!("{lost:?}") };
    assert_eq!(lost.epoch, Epoch(2));
    assert_eq!(lost.record.unwrap().kind, RecordKind::Fence);
}

#[test]
fn an_owner_that_has_ended_says_so_and_need_not_be_fenced() {
    let (runtime, storage) = begun();
    let mut owner = own(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    owner.submit(epoch_of(1));
    assert!(matches!(owner.wait(LONG), Some(CommitOutcome::Committed(_))));
    owner.release();
    assert!(runtime.block_on(look(&storage)).unwrap().is_released());
    let next = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let head = next.head.as_ref().unwrap();
    assert_eq!((head.epoch, head.kind), (Epoch(2), RecordKind::Data));
}

#[test]
fn an_owner_beats_as_long_as_its_loop_goes_round() {
    let (runtime, storage) = begun();
    let mut owner = own(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    let clock = Clock::system();
    let count = || {
        let signs = runtime.block_on(look(&storage)).unwrap();
        signs.beat.map_or(0, |beat| beat.count)
    };
    while count() < 3 {
        assert!(owner.try_take().is_none());
        assert!(clock.monotonic() < LONG, "it does not beat");
    }
}

/// Its beats would be missed by others, and nobody here would know why.
#[test]
fn a_committer_that_dies_without_news_is_noticed() {
    let runtime = runtime();
    let store = GatedStore::new(Gate::Open);
    let storage = storage(Arc::new(store.clone()));
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let mut owner = own(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    seen(&runtime, &storage, |signs| signs.beat.is_some());
    store.set(Gate::Panics);
    let clock = Clock::system();
    let outcome = loop {
        if let Some(outcome) = owner.try_take() {
            break outcome;
        }
        assert!(clock.monotonic() < LONG, "nobody notices");
    };
    let CommitOutcome::Failed(error) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(error, ChainError::CommitterDied) && error.may_pass(), "{error}");
}

/// Whoever doubts that it leads has nothing in flight, and must not ask again and again without a pause.
#[test]
fn an_owner_with_nothing_in_flight_waits_as_long_as_it_says() {
    let (runtime, storage) = begun();
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let mut owner = own(&runtime, &storage, opened);
    let clock = Clock::system();
    assert!(owner.wait(EVERY).is_none());
    assert!(clock.monotonic() >= EVERY);
}
