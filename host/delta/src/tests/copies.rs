//! Chains that were copied, over one table.

use futures::TryStreamExt;
use tempfile::TempDir;

use super::*;
use crate::claim::{check_lane, find};
use sluicegate_chain::LaneStorage;
use sluicegate_store::{self as store, StoreOptions};

/// A lane whose table was taken by a copy of its chain in a folder.
struct Copied {
    lane: Lane,
    folder: TempDir,
}

impl Copied {
    fn new() -> Self {
        let mut lane = Lane::new();
        lane.commit(1, &["n"]);
        catch_up(&lane, &mut open(&lane, &["n"]).unwrap()).unwrap();
        let copied = Self { lane, folder: TempDir::new().unwrap() };
        copied.copy();
        copied.take();
        copied
    }

    /// The copy, as who opens it sees it.
    fn storage(&self) -> LaneStorage {
        let url = self.folder.path().to_str().unwrap();
        let chain = store::open(url, &StoreOptions::default()).unwrap();
        LaneStorage { chain, ..self.lane.storage.clone() }
    }

    fn copy(&self) {
        let from = &self.lane.storage.chain;
        let objects = from.store.list(Some(&from.prefix)).try_collect::<Vec<_>>();
        for object in self.lane.runtime.block_on(objects).unwrap() {
            let below = object.location.prefix_match(&from.prefix).unwrap();
            let into =
                below.fold(self.folder.path().to_owned(), |path, part| path.join(part.as_ref()));
            std::fs::create_dir_all(into.parent().unwrap()).unwrap();
            let bytes = async { from.store.get(&object.location).await?.bytes().await };
            std::fs::write(into, self.lane.runtime.block_on(bytes).unwrap()).unwrap();
        }
    }

    fn take(&self) {
        let (storage, head) = (self.storage(), self.lane.head.clone().unwrap());
        self.lane.runtime.block_on(async {
            let shape = Arc::new(lane::shape(&["n"]));
            let clock = Clock::manual(5_000_000);
            let opened = TableLog::open(&storage, "numbers", shape, clock, Names::random()).await;
            let mut copy = opened.unwrap().find_missing(&storage, &head).await.unwrap();
            copy.take(&[]).await.unwrap();
            let writer = find(&storage, "numbers").await.unwrap().unwrap();
            assert_eq!((writer.chain, writer.place), (head.chain_id(), storage.chain.url));
        });
    }

    fn refused(&self, storage: &LaneStorage) -> Result<(), LogError> {
        let stores = StoreOptions::default();
        let log = open(&self.lane, &["n"]).unwrap();
        let check = check_lane(storage, "numbers", None, &stores);
        let checked = self.lane.runtime.block_on(check);
        if storage.chain.url == self.lane.storage.chain.url {
            let opened = self.lane.runtime.block_on(log.refuse_copy(storage, &stores));
            assert_eq!(opened.is_err(), checked.is_err(), "a start says what `check` says");
        }
        checked
    }
}

#[test]
fn a_chain_is_refused_a_table_while_a_copy_of_it_has_that() {
    let copied = Copied::new();
    let error = copied.refused(&copied.lane.storage).unwrap_err();
    assert!(error.is_of_copy() && !error.may_pass(), "{error}");
    let said = error.to_string();
    for place in [copied.folder.path().to_str().unwrap(), &*copied.lane.storage.chain.url] {
        assert!(said.contains(place), "{said}");
    }
    copied.refused(&copied.storage()).unwrap();
}

/// A chain that was moved goes on.
#[test]
fn a_chain_takes_the_table_when_the_other_is_not_there_any_more() {
    let copied = Copied::new();
    std::fs::remove_dir_all(copied.folder.path().join("toy")).unwrap();
    copied.refused(&copied.lane.storage).unwrap();
    let mut again = open(&copied.lane, &["n"]).unwrap();
    copied.lane.runtime.block_on(again.take(&[])).unwrap();
    catch_up(&copied.lane, &mut again).unwrap();
}

/// Who would delete the other one deletes the only one.
#[test]
fn one_place_with_two_names_is_no_copy() {
    let copied = Copied::new();
    let other = copied.folder.path().with_extension("other");
    std::os::unix::fs::symlink(copied.folder.path(), &other).unwrap();
    let chain = store::open(other.to_str().unwrap(), &StoreOptions::default()).unwrap();
    let storage = LaneStorage { chain, ..copied.lane.storage.clone() };
    let said = copied.refused(&storage);
    std::fs::remove_file(&other).unwrap();
    said.unwrap();
}

/// Another chain is there now, as after a `reset`.
#[test]
fn another_chain_in_the_other_place_is_no_copy() {
    let copied = Copied::new();
    let mut other = Lane::new();
    other.commit(1, &["n"]);
    std::fs::remove_dir_all(copied.folder.path().join("toy")).unwrap();
    let Copied { lane, folder } = copied;
    let other = Copied { lane: other, folder };
    other.copy();
    let ids = [&lane, &other.lane].map(|lane| lane.head.as_ref().unwrap().chain_id());
    assert_ne!(ids[0], ids[1]);
    let copied = Copied { lane, folder: other.folder };
    copied.refused(&copied.lane.storage).unwrap();
}

/// It was opened before the copy, by an earlier version or where it could not look.
#[test]
fn a_chain_adds_no_more_when_a_copy_has_the_table() {
    let mut lane = Lane::new();
    lane.commit(1, &["n"]);
    let mut original = open(&lane, &["n"]).unwrap();
    catch_up(&lane, &mut original).unwrap();
    let mut copied = Copied { lane, folder: TempDir::new().unwrap() };
    copied.copy();
    copied.take();
    copied.lane.commit(1, &["n"]);
    let error = catch_up(&copied.lane, &mut original).unwrap_err();
    assert!(error.is_of_copy(), "{error}");
}
