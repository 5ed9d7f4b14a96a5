//! Tables that are not ours, or that this writer would damage.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectStore};

use super::*;
use crate::actions::{Metadata, Protocol};
use crate::decide::OWNER_KEY;
use sluicegate_store::Location;

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

/// It has taken the table while whoever resets slept.
#[test]
fn the_table_of_a_chain_that_was_not_seen_is_neither_released_nor_forgotten() {
    let mut lane = lane();
    lane.commit(1, &["n"]);
    catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
    let writer = || lane.runtime.block_on(claim::find(&lane.storage, "numbers")).unwrap();
    let (before, clock) = (writer(), Clock::manual(0));
    assert!(before.is_some());
    lane.runtime.block_on(claim::release(&lane.storage, "numbers", |_| false, &clock)).unwrap();
    lane.runtime.block_on(forget(lane.table(), |_| false)).unwrap();
    assert_eq!(writer(), before);
}

#[test]
fn a_log_that_is_forgotten_leaves_no_table() {
    let lane = lane();
    lane.runtime.block_on(forget(lane.table(), |_| true)).unwrap();
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

/// Does not have the first commit yet when it is asked for it, a few times.
#[derive(Debug)]
struct JustBegun {
    inner: Arc<InMemory>,
    left: AtomicUsize,
}

impl fmt::Display for JustBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("store of a log that just begins")
    }
}

#[async_trait]
impl ObjectStore for JustBegun {
    sluicegate_testing::passes_on!(
        inner: put_opts, put_multipart_opts, delete_stream, list, list_with_offset,
        list_with_delimiter, copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let one_less = |left: usize| left.checked_sub(1);
        if path.filename() == Some("00000000000000000000.json")
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
        {
            let (path, source) = (path.to_string(), "not yet".into());
            return Err(object_store::Error::NotFound { path, source });
        }
        self.inner.get_opts(path, options).await
    }
}

/// Another leader begins it behind our question for its first commit.
#[test]
fn a_log_that_begins_while_it_is_looked_for_is_read() {
    let lane = lane();
    let store = JustBegun { inner: lane.store.untroubled(), left: AtomicUsize::new(2) };
    let log = Log { table: Location { store: Arc::new(store), ..lane.table().clone() } };
    let state = lane.runtime.block_on(log.load(|_, _| {})).unwrap();
    assert_eq!(state.version, Some(commits(&lane).len() as u64 - 1));
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
