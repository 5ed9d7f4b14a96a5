//! Every request fails once, the process dies at every request, puts land late, two writers race.

use super::faulty::{Fault, FaultyStore};
use super::*;

const COUNT: i64 = 3;

/// Far more requests than a life of [`COUNT`] epochs makes.
const REQUESTS_MAX: usize = 200;

/// Lives until the numbers are taken.
fn live_to_the_end(runtime: &Runtime, storage: &LaneStorage, story: &str) {
    for _ in 0..20 {
        if live(runtime, storage, COUNT) == Ended::Done {
            return;
        }
    }
    panic!("{story}: never got through");
}

/// Runs the first life until its fault is reached for each request there is.
fn for_each_request(fault: Fault, check: impl Fn(&Runtime, &Arc<FaultyStore>, &LaneStorage, &str)) {
    let runtime = runtime();
    for request in 0..REQUESTS_MAX {
        let story = format!("{fault:?} at request {request}");
        let store = Arc::new(FaultyStore::new(request, fault));
        let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
        check(&runtime, &store, &storage, &story);
        if !store.was_reached() {
            assert!(request > 10, "a life has more requests than {request}");
            return;
        }
    }
    panic!("{fault:?}: a life has more than {REQUESTS_MAX} requests");
}

#[test]
fn a_request_that_fails_is_repeated_and_nothing_is_doubled() {
    for fault in [Fault::Before, Fault::After, Fault::Conflict] {
        for_each_request(fault, |runtime, store, storage, story| {
            live_to_the_end(runtime, storage, story);
            if !store.was_reached() {
                return; // the lives have no such request
            }
            assert_each_number_once(runtime, storage, COUNT, story);
        });
    }
}

/// Also of what was read to learn whose a record is, whose put was not answered: bytes that are damaged on their way are
/// not those of another writer.
#[test]
fn bytes_that_are_damaged_on_their_way_are_read_again_and_nothing_is_lost() {
    for reads in 0..6 {
        for_each_request(Fault::Damages(reads), |runtime, store, storage, story| {
            assert_eq!(live(runtime, storage, COUNT), Ended::Done, "{story}");
            if !store.was_reached() {
                return; // the life has no such request
            }
            store.mend();
            assert_each_number_once(runtime, storage, COUNT, story);
        });
    }
}

/// One life that ends when the store stops to answer, as a `kill -9` at that moment.
fn live_until_death(runtime: &Runtime, store: &Arc<FaultyStore>, storage: &LaneStorage) {
    let opened = runtime.block_on(async {
        tokio::select! {
            opened = open(storage, INSTANCE) => Some(opened.unwrap()),
            () = store.death() => None,
        }
    });
    let Some(opened) = opened else { return };
    let (chain, clock) = (opened.chain, Clock::system());
    let mut committer =
        Committer::spawn(runtime.handle().clone(), chain, storage.clone(), clock, Arc::default());
    for epoch in std::iter::once(genesis()).chain((0..COUNT).map(epoch_of)) {
        committer.submit(epoch);
        let outcome = loop {
            if let Some(outcome) = committer.wait(Duration::from_millis(1)) {
                break outcome;
            }
            if store.is_dead() {
                return;
            }
        };
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    }
}

#[test]
fn a_process_that_dies_at_any_request_leaves_each_number_once() {
    for fault in [Fault::DieBefore, Fault::DieAfter] {
        for_each_request(fault, |runtime, store, storage, story| {
            live_until_death(runtime, store, storage);
            if !store.was_reached() {
                return; // this life has no such request
            }
            live_to_the_end(runtime, storage, story);
            assert_each_number_once(runtime, storage, COUNT, story);
        });
    }
}

#[test]
fn a_put_that_lands_after_its_sender_died_takes_nothing_away() {
    for later in 1..25 {
        for_each_request(Fault::DieAndLandLater(later), |runtime, store, storage, story| {
            live_until_death(runtime, store, storage);
            if !store.was_reached() {
                return; // this life has no such request
            }
            live_to_the_end(runtime, storage, story);
            // One opening more, for a file that landed after the last.
            live_to_the_end(runtime, storage, story);
            assert_each_number_once(runtime, storage, COUNT, story);
        });
    }
}

#[test]
fn two_writers_that_race_for_every_slot_take_each_number_once() {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    let count = 20;
    let contend = || {
        for _ in 0..10_000 {
            if live(&runtime, &storage, count) == Ended::Done {
                return;
            }
        }
        panic!("two writers kept each other from working");
    };
    std::thread::scope(|scope| {
        scope.spawn(contend);
        scope.spawn(contend);
    });
    assert_each_number_once(&runtime, &storage, count, "a race");
}

#[test]
fn a_lost_slot_is_an_outcome_and_names_the_winner() {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let spawn = |opened: Opened| {
        let handle = runtime.handle().clone();
        Committer::spawn(handle, opened.chain, storage.clone(), Clock::system(), Arc::default())
    };
    let first = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let second = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (mut first, mut second) = (spawn(first), spawn(second));
    first.submit(epoch_of(1));
    assert!(matches!(first.wait(LONG), Some(CommitOutcome::Committed(_))));
    second.submit(epoch_of(1));
    let Some(CommitOutcome::Lost(lost)) = second.wait(LONG) else { panic!("both won") };
    assert_eq!(lost.epoch, Epoch(2));
    assert_eq!(lost.record.unwrap().source, source_at(2));
    assert_each_number_once(&runtime, &storage, 2, "the loser's file is gone");
}

#[test]
fn while_the_store_refuses_the_committer_says_why_and_goes_on() {
    let runtime = runtime();
    let clock = Clock::manual(0);
    let folder = tempfile::tempdir().unwrap();
    let options = sluicegate_store::StoreOptions::default();
    let root = sluicegate_store::open(folder.path().to_str().unwrap(), &options).unwrap();
    let mut storage = storage(Arc::clone(&root.store));
    storage.tables.values_mut().for_each(|table| *table = root.child("table"));
    // A file where the table's folder should be: no put below it can succeed.
    std::fs::write(folder.path().join("table"), "in the way").unwrap();
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let handle = runtime.handle().clone();
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock.clone(), Arc::default());
    committer.submit(genesis());
    assert!(matches!(committer.wait(LONG), Some(CommitOutcome::Committed(_))));
    assert_eq!(committer.problem(), None);
    committer.submit(epoch_of(0));
    let problem = loop {
        assert!(committer.wait(Duration::from_millis(5)).is_none());
        if let Some(problem) = committer.problem() {
            break problem;
        }
    };
    let table = folder.path().join("table");
    let expected =
        format!("not committed for 0 s: put a data file of epoch 1 in {}: ", table.display());
    assert!(problem.starts_with(&expected), "{problem}");
    clock.advance(Duration::from_secs(35));
    assert!(committer.problem().unwrap().contains("for 35 s"));
    std::fs::remove_file(&table).unwrap();
    assert!(matches!(committer.wait(LONG), Some(CommitOutcome::Committed(_))));
    assert_eq!(committer.problem(), None);
}
