//! A chain that goes while its lane runs: nothing more is committed, and the words say what the next opening will do.

use super::*;
use crate::gone::Gone;
use crate::inspect;
use crate::paths;

#[test]
fn a_lane_whose_chain_was_forgotten_commits_nothing_more() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let open_now = || runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (mut runs, mut idle) =
        (spawn(&runtime, &storage, open_now()), spawn(&runtime, &storage, open_now()));
    runtime.block_on(forget(&storage, DataFiles::DeleteOwn)).unwrap();
    runs.submit(epoch_of(2));
    let Some(CommitOutcome::Failed(error)) = runs.wait(LONG) else { panic!("into nothing") };
    assert!(
        matches!(error, ChainError::Forgotten { epoch: Epoch(2), gone: Gone::Reset, .. }),
        "{error}"
    );
    assert!(!error.may_pass());
    assert!(runtime.block_on(footprint(&storage)).unwrap().is_empty(), "it takes its files along");
    // Nor into a chain that was begun since.
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    idle.submit(epoch_of(2));
    let Some(CommitOutcome::Failed(error)) = idle.wait(LONG) else { panic!("into another") };
    assert!(matches!(error, ChainError::Forgotten { gone: Gone::Replaced, .. }), "{error}");
    assert_each_number_once(&runtime, &storage, 3, "begun anew");
}

/// What became of a chain of epochs 0 to 2, as its owner finds it, and what an opening says then.
fn gone(delete: impl Fn(&LaneStorage, &dyn Fn(u64))) -> (Gone, Result<(), ChainError>) {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let mut runs = spawn(&runtime, &storage, opened);
    let lane = storage.chain.child("toy/lanes/0");
    delete(&storage, &|epoch| {
        let slot = lane.path(&paths::slot(Epoch(epoch)));
        runtime.block_on(lane.store.delete(&slot)).unwrap();
    });
    runs.submit(epoch_of(2));
    let Some(CommitOutcome::Failed(ChainError::Forgotten { gone, .. })) = runs.wait(LONG) else {
        panic!("into nothing")
    };
    drop(runs);
    (gone, runtime.block_on(inspect::check_begin(&storage)))
}

#[test]
fn a_chain_that_was_deleted_by_hand_is_not_begun_anew_without_a_reset() {
    let (what, next) = gone(|_, delete| (0..=2).for_each(delete));
    assert_eq!(what, Gone::Deleted);
    assert!(what.advice().contains("`sluicegate reset`, and the next start begins from scratch"));
    let said = next.unwrap_err().to_string();
    assert!(
        said.contains("run `sluicegate reset FILE`, which lets it begin from scratch"),
        "{said}"
    );
}

#[test]
fn a_chain_that_has_lost_its_newest_record_is_said_to_end_before_it() {
    let (what, next) = gone(|_, delete| delete(2));
    assert_eq!(what, Gone::Cut(Epoch(1)));
    next.unwrap();
}
