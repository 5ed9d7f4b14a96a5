//! Deleting states and outboxes that nothing needs any more.
//!
//! Only those of the head are ever read, or, should the head be damaged and taken back by hand, those of the records
//! before it. So a blob goes when its epoch is [`LOOK_BACK`](super::resolve::LOOK_BACK) behind the head and none of the newest records names it: a
//! fence names the state of the record before it. Slots stay for longer, and go otherwise ([`collect`](super::collect)).
//!
//! Names sort by epoch, so the first page of a listing has the oldest. One page of each kind is looked at a time, however
//! much there is to delete: sixteen epochs are one listing and one deletion of each kind, and what an earlier
//! version left goes a thousand blobs at a time.

use std::collections::{BTreeSet, VecDeque};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;

use super::collect::Deleted;
use super::paths;
use super::record::{ChainRecord, Epoch};
use super::store::{LIST_PAGE, LaneStore, delete};
use sluicegate_store::once::in_time;

/// After this part of the epochs that an opening looks back at there is something worth a listing: after sixteen.
const PART: usize = 4;

/// What the newest records of a chain need.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// How many an opening looks back at.
    look_back: usize,
    /// Ascending, at most `look_back`: the blobs that each names.
    records: VecDeque<(Epoch, Vec<String>)>,
}

impl Recent {
    /// No record yet of the newest `look_back`.
    pub(super) fn of(look_back: usize) -> Self {
        Self { look_back, records: VecDeque::new() }
    }

    /// After so many epochs it is worth another look.
    pub(super) fn epochs_at_once(&self) -> u64 {
        (self.look_back / PART).max(1) as u64
    }

    /// A record was committed, or read at an opening.
    pub(super) fn push(&mut self, record: &ChainRecord) {
        let pieces = record.state.iter().flat_map(|state| &state.pieces);
        let state = pieces.map(|piece| piece.key.clone());
        let outbox = record.outbox.iter().map(|outbox| outbox.key.clone());
        self.records.push_back((record.epoch, state.chain(outbox).collect()));
        while self.records.len() > self.look_back {
            self.records.pop_front();
        }
    }

    /// The newest; none before the genesis.
    pub(super) fn head(&self) -> Option<Epoch> {
        self.records.back().map(|(epoch, _)| *epoch)
    }

    fn names(&self) -> BTreeSet<&str> {
        self.records.iter().flat_map(|(_, keys)| keys).map(String::as_str).collect()
    }
}

/// Deletes blobs that are not needed. Whether there may be more of them.
pub(super) async fn retire(
    store: &LaneStore,
    recent: &Recent,
    deleted: &Deleted,
) -> object_store::Result<bool> {
    let behind = |head: Epoch| head.0.checked_sub(recent.look_back as u64);
    let Some(last) = recent.head().and_then(behind) else { return Ok(false) };
    let needed = recent.names();
    let mut is_more = false;
    for kind in [paths::STATE_FOLDER, paths::OUTBOX_FOLDER] {
        let folder = store.path(kind);
        let page = store.folder.store.list(Some(&folder)).take(LIST_PAGE);
        let page: Vec<ObjectMeta> = in_time(page.try_collect()).await?;
        let is_old = |object: &ObjectMeta| {
            let name = object.location.filename().unwrap_or_default();
            let is_needed = needed.contains(format!("{kind}/{name}").as_str());
            paths::parse_blob(name).is_some_and(|epoch| epoch.0 <= last) && !is_needed
        };
        is_more |= page.len() == LIST_PAGE && page.iter().any(is_old);
        let old: Vec<_> = page.into_iter().filter(is_old).collect();
        let bytes = old.iter().map(|object| object.size).sum();
        let objects = old.len() as u64;
        let old = old.into_iter().map(|object| object.location).collect();
        delete(&store.folder, old).await?;
        deleted.add(objects, bytes);
    }
    Ok(is_more)
}
