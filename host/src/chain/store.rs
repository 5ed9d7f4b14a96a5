//! The few things that the chain asks of an object store: put a slot and learn whose it is, find the newest, read.
//!
//! Nothing here tries twice. What to do after a failure differs (the committer goes on for ever, an opening gives
//! up) and is decided by the caller; that the same bytes are sent again is ensured by [`SlotBody`].

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};

use super::body::{SlotBody, sha256_hex};
use super::paths;
use super::record::Epoch;
use crate::store::{Location, failure};

/// A request that carries next to nothing is answered within this time, or counts as lost.
const SMALL_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Slower than this (512 KiB/s) an upload counts as stuck and is begun anew.
const SLOWEST_BYTES_PER_SECOND: u64 = 512 * 1024;

/// What a record has at most, short of an absurd one.
pub(super) const RECORD_BYTES: u64 = 1024 * 1024;

/// How many keys a store lists in one reply.
pub(super) const LIST_PAGE: usize = 1_000;

/// What became of one attempt to put a slot.
#[derive(Debug)]
pub(super) enum SlotAttempt {
    /// The slot holds our bytes: by this attempt or by an earlier one whose answer was lost.
    Ours,
    /// The slot holds another record, for ever.
    Taken(Bytes),
    /// The slot is empty or could not be read. Our bytes may still land in it; only the same bytes may be sent.
    Unknown(object_store::Error),
}

/// The folder of one lane.
#[derive(Clone, Debug)]
pub(super) struct LaneStore {
    pub(super) folder: Location,
}

impl LaneStore {
    /// The lane's folder below the chain's root.
    pub(super) fn new(root: &Location, job: &str, lane: &str) -> Self {
        Self { folder: root.child(&paths::lane_folder(job, lane)) }
    }

    /// Creates the slot of `epoch`, if it is empty, and settles whose record it holds (C1, C2).
    ///
    /// «It exists already», a 409, a 5xx and a timeout all mean the same: look. An object never changes once it
    /// is there, so a GET that finds one settles it; one that finds nothing settles nothing.
    pub(super) async fn try_put_slot(&self, epoch: Epoch, body: &SlotBody) -> SlotAttempt {
        let path = self.folder.path(&paths::slot(epoch));
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.folder.store.put_opts(&path, body.bytes.clone().into(), options);
        let Err(put_error) = in_time(body.bytes.len() as u64, put).await else {
            return SlotAttempt::Ours;
        };
        if !failure::is_indeterminate(&put_error) {
            return SlotAttempt::Unknown(put_error);
        }
        match self.get(&paths::slot(epoch), RECORD_BYTES).await {
            Ok(Some(found)) if sha256_hex(&found) == body.sha256 => SlotAttempt::Ours,
            Ok(Some(found)) => SlotAttempt::Taken(found),
            Ok(None) => SlotAttempt::Unknown(put_error),
            Err(get_error) => SlotAttempt::Unknown(get_error),
        }
    }

    /// The object at `below`, of about so many bytes; none if there is none.
    pub(super) async fn get(&self, below: &str, bytes: u64) -> object_store::Result<Option<Bytes>> {
        let path = self.folder.path(below);
        let get = async { self.folder.store.get(&path).await?.bytes().await };
        match in_time(bytes, get).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest epoch that has a slot; none if the lane has no chain.
    ///
    /// A chain of a month has 260 pages of slots. Slots follow each other without gaps, so the search looks for
    /// any slot beyond ever larger steps, then ever smaller ones: twenty pages instead. It ends with a page that
    /// is empty, so the answer does not depend on the order in which a store lists.
    pub(super) async fn latest(&self) -> object_store::Result<Option<Epoch>> {
        let Some(mut latest) = self.some_slot_after(None).await? else {
            return Ok(None);
        };
        let page = LIST_PAGE as u64;
        let mut step = page;
        while let Some(later) = self.some_slot_after(Some(Epoch(latest.0 + step))).await? {
            latest = later;
            step *= 2;
        }
        while step > page {
            step /= 2;
            if let Some(later) = self.some_slot_after(Some(Epoch(latest.0 + step))).await? {
                latest = later;
            }
        }
        while let Some(later) = self.some_slot_after(Some(latest)).await? {
            latest = later;
        }
        Ok(Some(latest))
    }

    /// The largest epoch in the first page of slots after `epoch`, or in the first page of all.
    async fn some_slot_after(&self, epoch: Option<Epoch>) -> object_store::Result<Option<Epoch>> {
        let folder = self.folder.path(paths::CHAIN_FOLDER);
        let listing = match epoch {
            None => self.folder.store.list(Some(&folder)),
            Some(epoch) => {
                let slot = self.folder.path(&paths::slot(epoch));
                self.folder.store.list_with_offset(Some(&folder), &slot)
            }
        };
        let slots = listing.filter_map(|object| async {
            let epoch = |path: Path| paths::parse_slot(path.filename()?);
            object.map(|object| epoch(object.location)).transpose()
        });
        let page: Vec<object_store::Result<Epoch>> =
            in_time(0, async { Ok(slots.take(LIST_PAGE).collect().await) }).await?;
        page.into_iter().try_fold(None, |max, epoch| Ok(max.max(Some(epoch?))))
    }
}

/// Bounds a request that carries `bytes` either way.
pub(super) async fn in_time<T>(
    bytes: u64,
    request: impl Future<Output = object_store::Result<T>>,
) -> object_store::Result<T> {
    let limit = SMALL_REQUEST_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND);
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result,
        Err(_) => Err(object_store::Error::Generic {
            store: "store",
            source: format!("no answer within {} s", limit.as_secs()).into(),
        }),
    }
}
