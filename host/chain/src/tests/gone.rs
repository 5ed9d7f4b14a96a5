//! A chain that goes while its lane runs: nothing more is committed, and the words say what the next opening will do.

use super::*;
use crate::body::SlotBody;
use crate::gone::Gone;
use crate::inspect;
use crate::paths;
use crate::record::ChainRecord;

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
    assert!(said.contains("`sluicegate reset FILE` lets it begin from scratch"), "{said}");
}

#[test]
fn a_chain_that_has_lost_its_newest_record_is_said_to_end_before_it() {
    let (what, next) = gone(|_, delete| delete(2));
    assert_eq!(what, Gone::Cut(Epoch(1)));
    next.unwrap();
}

/// Records of the first layouts do not name their chain. Hosts of that version have gone on, and let go of the sleeper's head.
#[test]
fn an_owner_of_a_chain_without_id_that_was_overtaken_has_lost_and_was_not_forgotten() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let lane = storage.chain.child("toy/lanes/0");
    let mut parent = None;
    let mut put = |of: u64, to: u64| {
        let record = runtime.block_on(inspect::record(&storage, Epoch(of))).unwrap().unwrap();
        let (chain, epoch) = (String::new(), Epoch(to));
        let record = ChainRecord { chain, epoch, parent: parent.take(), ..record };
        let body = SlotBody::freeze(record).unwrap();
        parent = Some(parent_of(&body));
        let slot = lane.path(&paths::slot(epoch));
        let bytes = body.object().bytes().clone();
        runtime.block_on(lane.store.put(&slot, bytes.into())).unwrap();
    };
    (0..=2).for_each(|epoch| put(epoch, epoch));
    let mut slept = spawn(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    let head = runtime.block_on(inspect::latest(&storage)).unwrap().unwrap().0;
    (head + 1..head + 3).for_each(|epoch| put(head, epoch));
    (1..=head + 1).for_each(|gone| {
        let slot = lane.path(&paths::slot(Epoch(gone)));
        runtime.block_on(lane.store.delete(&slot)).unwrap();
    });
    slept.submit(epoch_of(2));
    let outcome = slept.wait(LONG).unwrap();
    let CommitOutcome::Lost(lost) = outcome else { panic!("{outcome:?}") };
    assert_eq!(lost.record.unwrap().epoch, Epoch(head + 2));
}
