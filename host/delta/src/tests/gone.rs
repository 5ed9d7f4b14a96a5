//! Records that were deleted, logs that were deleted, tables that were moved.

use super::*;
use sluicegate_chain::record::Epoch;

/// A lane of three epochs with a file each, whose table has no log.
fn lane() -> Lane {
    let mut lane = Lane::new();
    (0..3).for_each(|_| lane.commit(1, &["n"]));
    lane
}

fn files(lane: &Lane) -> usize {
    lane.runtime.block_on(contents(lane.table())).unwrap().files.len()
}

#[test]
fn a_table_that_gets_a_log_brings_the_files_that_its_chain_has_written() {
    let lane = lane();
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(files(&lane), 3);
    // And again, if its log is deleted by hand.
    lane.runtime.block_on(forget(lane.table(), |_| true)).unwrap();
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    assert_eq!(files(&lane), 3);
}

#[test]
fn files_whose_records_are_gone_are_refused_with_the_fix() {
    let lane = lane();
    lane.let_go_below(Epoch(3));
    let error = open(&lane, &["n"]).unwrap_err();
    assert!(!error.may_pass(), "{error}");
    let said = error.to_string();
    assert!(said.contains("has 2 files of epochs 1 to 2 that its log does not name"), "{said}");
    assert!(said.contains("write to another path"), "{said}");
    let log = Log { table: lane.table().clone() };
    assert!(lane.runtime.block_on(log.list(None)).unwrap().commits.is_empty(), "untouched");
}

#[test]
fn a_table_at_another_path_begins_without_the_files_of_the_old_one() {
    let mut lane = lane();
    lane.move_table("elsewhere");
    let mut log = open(&lane, &["n"]).unwrap();
    assert_eq!(log.published().through, Some(Epoch(3)), "no file is there that it could lack");
    catch_up(&lane, &mut log).unwrap();
    assert_eq!(files(&lane), 0);
    assert_eq!(log.published().through, Some(Epoch(3)));
}

/// Dead letters are rare. A log that seems to be behind at each opening would be read about, and read up to.
#[test]
fn a_table_is_behind_from_its_first_file_on_that_the_log_lacks() {
    let mut lane = Lane::new();
    (0..3).for_each(|_| lane.commit(0, &["n"]));
    assert_eq!(open(&lane, &["n"]).unwrap().published().through, Some(Epoch(3)));
    lane.commit(1, &["n"]);
    lane.commit(0, &["n"]);
    let mut log = open(&lane, &["n"]).unwrap();
    assert_eq!(log.published().through, Some(Epoch(3)));
    catch_up(&lane, &mut log).unwrap();
    assert_eq!((files(&lane), log.published().through), (1, Some(Epoch(5))));
}

#[test]
fn a_new_table_of_an_old_chain_begins_where_the_records_do() {
    let mut lane = lane();
    lane.move_table("elsewhere");
    lane.let_go_below(Epoch(3));
    let mut log = open(&lane, &["n"]).unwrap();
    catch_up(&lane, &mut log).unwrap();
    assert_eq!(files(&lane), 0);
    assert_eq!(log.published().needed_from, Epoch::GENESIS, "it does not say yet how far it is");
}

#[test]
fn a_log_that_is_deleted_under_its_writer_is_missed_before_the_next_commit() {
    let mut lane = lane();
    let mut log = open(&lane, &["n"]).unwrap();
    catch_up(&lane, &mut log).unwrap();
    lane.runtime.block_on(forget(lane.table(), |_| true)).unwrap();
    lane.commit(1, &["n"]);
    let said = catch_up(&lane, &mut log).unwrap_err().to_string();
    assert!(said.contains("has lost its log: version 1 is gone"), "{said}");
    let log = Log { table: lane.table().clone() };
    assert!(lane.runtime.block_on(log.list(None)).unwrap().commits.is_empty(), "untouched");
}
