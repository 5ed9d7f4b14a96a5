//! Tables that are not ours, or that this writer would damage.

use futures::StreamExt;

use super::*;
use crate::actions::{Metadata, Protocol};
use crate::decide::OWNER_KEY;

/// A lane whose table is there.
fn lane() -> Lane {
    let mut lane = Lane::new();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    lane
}

fn refusal(lane: &Lane, columns: &[&str]) -> String {
    let error = open(lane, columns).unwrap_err();
    assert!(!error.may_pass(), "{error}");
    error.to_string()
}

fn change(lane: &Lane, change: impl FnOnce(&mut Metadata)) {
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    let mut metadata = table.state.metadata.unwrap();
    change(&mut metadata);
    put_foreign(lane, vec![Line { meta_data: Some(metadata), ..Line::default() }]);
}

#[test]
fn a_table_of_another_pipeline_or_of_nobody_is_left_alone() {
    let lane = lane();
    change(&lane, |table| {
        table.configuration.insert(OWNER_KEY.to_owned(), "sales/revenue".to_owned());
    });
    let said = refusal(&lane, &["n"]);
    assert!(said.contains("belongs to `sales/revenue`, not to `toy/numbers`"), "{said}");
    change(&lane, |table| _ = table.configuration.remove(OWNER_KEY));
    let said = refusal(&lane, &["n"]);
    assert!(said.contains("set its property `sluicegate.table` to `toy/numbers`"), "{said}");
}

#[test]
fn a_table_with_a_feature_that_we_lack_is_left_alone() {
    let lane = lane();
    let protocol = Protocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: Some(vec!["deletionVectors".to_owned()]),
        writer_features: Some(vec!["deletionVectors".to_owned(), "appendOnly".to_owned()]),
    };
    put_foreign(&lane, vec![Line { protocol: Some(protocol), ..Line::default() }]);
    let said = refusal(&lane, &["n"]);
    assert!(said.contains("version 7 with deletionVectors"), "{said}");
}

#[test]
fn a_refused_table_that_runs_gets_nothing_more() {
    let mut lane = lane();
    let mut log = open(&lane, &["n"]).unwrap();
    change(&lane, |table| {
        table.configuration.insert(OWNER_KEY.to_owned(), "sales/revenue".to_owned());
    });
    lane.commit(1, &["n"]);
    let before = commits(&lane).len();
    assert!(catch_up(&lane, &mut log).is_err());
    assert_eq!(commits(&lane).len(), before);
}

#[test]
fn a_chain_that_was_put_back_to_an_older_copy_is_noticed() {
    let mut lane = lane();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    lane.head = Some(Arc::clone(&lane.records[1]));
    let said = catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap_err().to_string();
    assert!(said.contains("has epoch 2 of this chain, whose newest is 1"), "{said}");
}

#[test]
fn a_log_that_is_forgotten_leaves_no_table() {
    let lane = lane();
    lane.runtime.block_on(forget(lane.table())).unwrap();
    let table = lane.runtime.block_on(contents(lane.table())).unwrap();
    assert_eq!((table.state.version, table.files.len()), (None, 0));
    assert!(lane.runtime.block_on(lane.table().store.list(None).count()) > 1, "the files stay");
}

#[test]
fn a_log_that_begins_in_its_middle_is_refused() {
    let lane = lane();
    let log = Log { table: lane.table().clone() };
    lane.runtime.block_on(lane.table().store.delete(&log.commit_path(0))).unwrap();
    let said = refusal(&lane, &["n"]);
    assert!(said.contains("begins in its middle"), "{said}");
}

#[test]
fn a_table_whose_log_forgets_writers_is_refused() {
    let lane = lane();
    let name = "delta.setTransactionRetentionDuration";
    change(&lane, |table| {
        table.configuration.insert(name.to_owned(), "interval 30 days".to_owned());
    });
    let said = refusal(&lane, &["n"]);
    assert!(said.contains("lets its log forget after interval 30 days how far"), "{said}");
    assert!(said.contains(&format!("take the property `{name}` off it")), "{said}");
}
