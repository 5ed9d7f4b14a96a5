//! The few things that the chain asks of an object store: put a slot and learn whose it is, find the newest, read,
//! delete.
//!
//! Nothing here tries twice. What to do after a failure differs (the committer goes on for ever, an opening gives
//! up) and is decided by the caller; that the same bytes are sent again is ensured by [`SlotBody`].

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::ChainError;
use super::body::SlotBody;
use super::paths;
use super::record::Epoch;
use sluicegate_store::once::{Created, in_time, put_once};
use sluicegate_store::{Location, failure, read};

/// Requests at a time: enough to hide the distance to a store, few enough for a small one.
pub(super) const REQUESTS_AT_ONCE: usize = 8;

/// How many keys a store lists in one reply.
pub(super) const LIST_PAGE: usize = 1_000;

/// What became of one attempt to put a slot.
#[derive(Debug)]
pub(super) enum SlotAttempt {
    /// The slot holds our bytes: by this attempt or by an earlier one whose answer was lost.
    Ours,
    /// The slot holds another record.
    Taken(Bytes),
    /// The slot is empty or could not be read. Our bytes may still land in it; only the same bytes may be sent.
    Unknown(object_store::Error),
}

/// The folder of one lane, as a chain has it ([`home`](super::home)).
#[derive(Clone, Debug)]
pub(super) struct LaneStore {
    pub(super) folder: Location,
    /// The chain, if it lies apart.
    pub(super) apart: Option<String>,
}

impl LaneStore {
    /// The lane's folder below the chain's root, of a chain that does not lie apart.
    pub(super) fn new(root: &Location, job: &str, lane: &str) -> Self {
        Self { folder: root.child(&paths::lane_folder(job, lane)), apart: None }
    }

    /// Creates the slot of `epoch`, if it is empty, and settles whose record it holds (C1, C2).
    pub(super) async fn try_put_slot(&self, epoch: Epoch, body: &SlotBody) -> SlotAttempt {
        let path = self.path(&paths::slot(epoch));
        match put_once(&self.folder, &path, body.object()).await {
            Created::Ours => SlotAttempt::Ours,
            Created::Unknown(error) => SlotAttempt::Unknown(error),
            Created::Taken => self.settle_taken(epoch, &path, body).await,
        }
    }

    /// Whose record is in a slot that seems to hold another one. It is not deleted before long, so it can be read once more; what
    /// was damaged on its way was another one only to the eye.
    async fn settle_taken(&self, epoch: Epoch, path: &Path, body: &SlotBody) -> SlotAttempt {
        let whole = |bytes: Bytes| match SlotBody::thaw(epoch, bytes.clone()) {
            Err(ChainError::Unreadable { .. }) => Err(bytes),
            Ok(_) | Err(_) => Ok(bytes),
        };
        match read::checked(&self.folder, path, whole).await {
            Ok(Ok(found) | Err(found)) if found == *body.object().bytes() => SlotAttempt::Ours,
            Ok(Ok(found) | Err(found)) => SlotAttempt::Taken(found),
            Err(error) if failure::is_absent(&error) => SlotAttempt::Unknown(vanished(path)),
            Err(error) => SlotAttempt::Unknown(error),
        }
    }

    /// The bytes in the slot of an epoch; none if it is empty.
    pub(super) async fn slot(&self, epoch: Epoch) -> object_store::Result<Option<Bytes>> {
        self.get(&paths::slot(epoch)).await
    }

    /// The record of an epoch; none if its slot is empty. Neither its parent nor its state is checked.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
    pub(super) async fn record(&self, epoch: Epoch) -> Result<Option<SlotBody>, ChainError> {
        self.checked(&paths::slot(epoch), |bytes| SlotBody::thaw(epoch, bytes)).await
    }

    /// The newest record; none if the lane has no chain.
    ///
    /// # Errors
    ///
    /// As [`Self::record`]; [`ChainError::Damaged`] if it is gone before it is read.
    pub(super) async fn head(&self) -> Result<Option<SlotBody>, ChainError> {
        let latest = self.latest().await.map_err(|error| self.unread(&error))?;
        let Some(latest) = latest else { return Ok(None) };
        let gone = || ChainError::Damaged {
            url: self.folder.url.clone(),
            reason: format!("slot {latest} was there and is gone"),
        };
        self.record(latest).await?.ok_or_else(gone).map(Some)
    }

    /// The chain was not read.
    pub(super) fn unread(&self, error: &object_store::Error) -> ChainError {
        ChainError::store("read the chain", &self.folder, error)
    }

    /// The object at `below`; none if there is none.
    pub(super) async fn get(&self, below: &str) -> object_store::Result<Option<Bytes>> {
        match read::whole(&self.folder, &self.path(below)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What `check` makes of the object at `below`; none if there is none.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`], or the check's if the object is as it was read.
    pub(super) async fn checked<T>(
        &self,
        below: &str,
        check: impl Fn(Bytes) -> Result<T, ChainError>,
    ) -> Result<Option<T>, ChainError> {
        match read::checked(&self.folder, &self.path(below), check).await {
            Ok(taken) => taken.map(Some),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(self.unread(&error)),
        }
    }

    /// The size of an object.
    pub(super) async fn size(&self, path: &Path) -> object_store::Result<u64> {
        in_time(self.folder.store.head(path)).await.map(|object| object.size)
    }

    /// When the store took the slot of an epoch, by its own clock; none if it is empty.
    pub(super) async fn put_at(&self, epoch: Epoch) -> object_store::Result<Option<DateTime<Utc>>> {
        let slot = self.path(&paths::slot(epoch));
        match in_time(self.folder.store.head(&slot)).await {
            Ok(object) => Ok(Some(object.last_modified)),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects in a folder below the lane's.
    pub(super) async fn list(&self, below: &str) -> object_store::Result<Vec<ObjectMeta>> {
        self.folder.store.list(Some(&self.path(below))).try_collect().await
    }

    /// The newest epoch that has a slot; none if the lane has no chain.
    ///
    /// A chain that nobody has shortened has 260 pages of slots a month. Slots follow each other without gaps but for those that
    /// were let go, so the search looks for any slot beyond ever larger steps, then ever smaller ones: twenty pages
    /// instead. It ends with a page that is not full, so the answer does not depend on the order in which a store lists.
    pub(super) async fn latest(&self) -> object_store::Result<Option<Epoch>> {
        let first = self.slots_after(None).await?;
        let Some(newest) = first.newest else {
            // The genesis of a chain that lies apart does not lie beside its other records.
            let has_begun = self.apart.is_some() && self.put_at(Epoch::GENESIS).await?.is_some();
            return Ok(has_begun.then_some(Epoch::GENESIS));
        };
        if first.is_last {
            return Ok(Some(newest));
        }
        self.latest_behind(newest).await.map(Some)
    }

    /// The same, where `known` was the newest once: one page, if the slot is still there and not many came since.
    pub(super) async fn latest_since(&self, known: Epoch) -> object_store::Result<Option<Epoch>> {
        let Some(before) = known.0.checked_sub(1) else { return self.latest().await };
        let page = self.slots_after(Some(Epoch(before))).await?;
        match page.newest {
            // The chain was forgotten.
            None => self.latest().await,
            Some(newest) if page.is_last => Ok(Some(newest)),
            Some(newest) => self.latest_behind(newest).await.map(Some),
        }
    }

    /// The newest, where there is one and pages may follow.
    async fn latest_behind(&self, mut latest: Epoch) -> object_store::Result<Epoch> {
        let size = LIST_PAGE as u64;
        let mut step = size;
        let mut grows = true;
        while grows || step > size {
            step = if grows { step } else { step / 2 };
            let page = self.slots_after(Some(Epoch(latest.0 + step))).await?;
            match page.newest {
                Some(newest) if page.is_last => return Ok(newest),
                Some(newest) => latest = newest,
                None => grows = false,
            }
            step = if grows { step * 2 } else { step };
        }
        loop {
            let page = self.slots_after(Some(latest)).await?;
            latest = page.newest.unwrap_or(latest);
            if page.is_last {
                return Ok(latest);
            }
        }
    }

    /// A page of the slots after `epoch`, or of all.
    async fn slots_after(&self, epoch: Option<Epoch>) -> object_store::Result<Page> {
        let folder = self.path(paths::CHAIN_FOLDER);
        let listing = match epoch {
            None => self.folder.store.list(Some(&folder)),
            Some(epoch) => {
                let slot = self.path(&paths::slot(epoch));
                self.folder.store.list_with_offset(Some(&folder), &slot)
            }
        };
        let slots = listing.filter_map(|object| async {
            let epoch = |path: Path| paths::parse_slot(path.filename()?);
            object.map(|object| epoch(object.location)).transpose()
        });
        let page: Vec<object_store::Result<Epoch>> =
            in_time(async { Ok(slots.take(LIST_PAGE).collect().await) }).await?;
        let is_last = page.len() < LIST_PAGE;
        let epochs = page.into_iter().collect::<object_store::Result<Vec<Epoch>>>()?;
        Ok(Page { newest: epochs.into_iter().max(), is_last })
    }
}

/// A page of a listing of slots.
struct Page {
    /// The largest epoch; none if the page is empty.
    newest: Option<Epoch>,
    /// It holds all that there is.
    is_last: bool,
}

/// Deletes objects; one that is not there any more is fine.
pub(super) async fn delete(location: &Location, paths: Vec<Path>) -> object_store::Result<()> {
    let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
    let deleted = location.store.delete_stream(paths).map(|path| match path {
        Err(error) if !failure::is_absent(&error) => Err(error),
        _ => Ok(()),
    });
    deleted.try_collect().await
}

/// Somebody deletes slots.
fn vanished(path: &Path) -> object_store::Error {
    let source = "the slot was taken, and then it was gone".into();
    object_store::Error::NotFound { path: path.to_string(), source }
}
