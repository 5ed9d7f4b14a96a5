//! Opening a lane: find the head, check it, remove what the chain does not name, load the state.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::body::SlotBody;
use super::paths::{self, LaneTag};
use super::record::{ChainRecord, Epoch, OutboxRef, RecordKind, StateRef, Term, Writer};
use super::resolve::{FoundFile, LOOK_BACK, Observed, Opening, resolve};
use super::store::{LIST_PAGE, LaneStore, RECORD_BYTES, SlotAttempt};
use super::{Chain, ChainError, LaneStorage, parent_of};
use crate::store::Location;
use crate::store::once::{in_time, sha256_hex};

/// Requests at a time: enough to hide the distance to a store, few enough for a small one.
const REQUESTS_AT_ONCE: usize = 8;

/// How often an opening takes a slot before it gives up: each time means that another writer is at work.
const FENCES_MAX: usize = 4;

/// How often a fence is sent before the opening fails and leaves the rest to the supervisor's back-off.
const FENCE_SENDS_MAX: usize = 3;

/// An open lane: nobody has run it yet.
#[derive(Debug)]
pub struct Opened {
    /// The right to add to the chain; for [`super::Committer::spawn`].
    pub chain: Chain,
    /// The newest record; none if the lane has no chain yet.
    pub head: Option<ChainRecord>,
    /// What [`super::FrozenState::bytes`] was; none if the head has no state.
    pub state: Option<Vec<u8>>,
    /// What [`super::FrozenOutbox::text`] was; none if the head has none. It may not have been sent.
    pub outbox: Option<Vec<u8>>,
    /// Data files that were deleted because the chain does not name them.
    pub orphans_deleted: usize,
    /// Data files of an earlier life of the lane, whose chain was forgotten and whose data were kept. Only
    /// counted when there is no chain yet.
    pub earlier_files: usize,
}

/// Opens a lane (RELIABILITY.md §1.5 in the form of [the module's page](super)). `instance` says who does, for people.
///
/// Each opening is a writer of its own (C9): requests of an earlier life of the same process may still be under way.
///
/// # Errors
///
/// [`ChainError::may_pass`] says whether trying again can help.
pub async fn open(storage: &LaneStorage, instance: &str) -> Result<Opened, ChainError> {
    let writer = Writer::new(instance);
    let mut fence = None;
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let tag = LaneTag::new(&storage.job, &storage.lane);
    for _ in 0..=FENCES_MAX {
        let observed = observe(storage, &store, &tag, fence.clone()).await?;
        let damaged = |reason| ChainError::Damaged { url: store.folder.url.clone(), reason };
        let (term, orphans_deleted, earlier_files) = match resolve(&observed).map_err(damaged)? {
            Opening::Begin { term, earlier_files } => (term, 0, earlier_files),
            Opening::Ready { term, orphans } => {
                delete_orphans(storage, &observed, &orphans).await?;
                (term, orphans.len(), 0)
            }
            Opening::Fence { term } => {
                let head = observed.slots.first().expect("only a lane with a chain is fenced");
                let body = fence_of(head, term, &writer)?;
                fence = Some(body.sha256().to_owned());
                put_fence(&store, body).await?;
                continue;
            }
        };
        let head = observed.slots.into_iter().next();
        let (mut state, mut outbox) = (None, None);
        if let Some(SlotBody { record, .. }) = &head {
            (state, outbox) =
                (load_state(&store, record).await?, load_outbox(&store, record).await?);
        }
        let chain = Chain {
            job: storage.job.clone(),
            lane: storage.lane.clone(),
            id: id_of(head.as_ref().map(|head| &head.record)),
            head: head.as_ref().map(parent_of),
            term,
            writer,
        };
        let head = head.map(|head| head.record);
        return Ok(Opened { chain, head, state, outbox, orphans_deleted, earlier_files });
    }
    Err(ChainError::Contended { url: store.folder.url })
}

/// The chain first, then the files: a file that a record names was there before the record.
async fn observe(
    storage: &LaneStorage,
    store: &LaneStore,
    tag: &LaneTag,
    fence: Option<String>,
) -> Result<Observed, ChainError> {
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let latest = store.latest().await.map_err(failed)?;
    let slots = match latest {
        Some(latest) => read_slots(store, latest).await?,
        None => Vec::new(),
    };
    let from = slots.last().map(|slot| slot.record.epoch);
    let mut files = Vec::new();
    for (id, table) in &storage.tables {
        let failed = |error| ChainError::store("list data files", table, &error);
        let folders = match had_folders(&slots, id) {
            true => Folders::Some,
            false => Folders::of(table).await.map_err(failed)?,
        };
        let found = lane_files(id, table, tag, from, folders).await;
        files.extend(found.map_err(failed)?);
    }
    let (job, lane) = (storage.job.clone(), storage.lane.clone());
    Ok(Observed { job, lane, fence, slots, latest, files })
}

/// The newest slots, newest first. A missing one ends them: [`resolve`] judges that.
async fn read_slots(store: &LaneStore, latest: Epoch) -> Result<Vec<SlotBody>, ChainError> {
    let oldest = latest.0.saturating_sub(LOOK_BACK as u64 - 1);
    let reads = (oldest..=latest.0).rev().map(Epoch).map(|epoch| async move {
        let bytes = store.get(&paths::slot(epoch), RECORD_BYTES).await;
        let failed = |error| ChainError::store("read the chain", &store.folder, &error);
        bytes.map_err(failed)?.map(|bytes| SlotBody::thaw(epoch, bytes)).transpose()
    });
    let reads = futures::stream::iter(reads).buffered(REQUESTS_AT_ONCE);
    let slots: Vec<Option<SlotBody>> = reads.try_collect().await?;
    Ok(slots.into_iter().map_while(|slot| slot).collect())
}

/// Whether the table had date folders lately.
fn had_folders(slots: &[SlotBody], table: &str) -> bool {
    let mut files = slots.iter().flat_map(|slot| &slot.record.files);
    files.any(|file| file.table == table && !file.partition_values.is_empty())
}

/// Whether a table has date folders. The pipeline file may have changed its mind, so the store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    None,
    Some,
}

impl Folders {
    /// Asks with one request: where keys come in order, the first after `date=` lies in a folder if any does.
    async fn of(table: &Location) -> object_store::Result<Self> {
        let before = table.path(&format!("{}=", paths::DATE_COLUMN));
        let listing = table.store.list_with_offset(root_of(table), &before).take(LIST_PAGE);
        let objects: Vec<ObjectMeta> = in_time(0, listing.try_collect()).await?;
        let depth = table.prefix.parts_count() + 1;
        let in_folder = |object: &ObjectMeta| object.location.parts_count() > depth;
        Ok(if objects.iter().any(in_folder) { Self::Some } else { Self::None })
    }
}

/// Listings take no empty prefix.
fn root_of(table: &Location) -> Option<&Path> {
    (!table.prefix.as_ref().is_empty()).then_some(&table.prefix)
}

/// The lane's data files in a table, from an epoch on or all.
///
/// Names sort by epoch within a folder, so a listing from an epoch on costs a request or two however old the
/// table is; with date folders that much for each of them.
pub(super) async fn lane_files(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    from: Option<Epoch>,
    folders: Folders,
) -> object_store::Result<Vec<FoundFile>> {
    let (store, root) = (&table.store, root_of(table));
    let objects = match (from, folders) {
        (None, _) => store.list(root).try_collect().await?,
        (Some(epoch), Folders::None) => from_epoch(store, root, tag, epoch).await?,
        (Some(epoch), Folders::Some) => {
            let top = in_time(0, store.list_with_delimiter(root)).await?;
            let within = top.common_prefixes.iter();
            let within = within.map(|folder| from_epoch(store, Some(folder), tag, epoch));
            let within = futures::stream::iter(within).buffered(REQUESTS_AT_ONCE);
            let mut objects: Vec<Vec<ObjectMeta>> = within.try_collect().await?;
            objects.push(top.objects);
            objects.into_iter().flatten().collect()
        }
    };
    let found = objects.into_iter().filter_map(|object| {
        let name = tag.parse(object.location.filename()?)?;
        let is_wanted = from.is_none_or(|epoch| name.epoch >= epoch);
        let (table, bytes) = (Arc::clone(id), object.size);
        is_wanted.then_some(FoundFile { table, path: object.location, name, bytes })
    });
    Ok(found.collect())
}

async fn from_epoch(
    store: &Arc<dyn ObjectStore>,
    folder: Option<&Path>,
    tag: &LaneTag,
    epoch: Epoch,
) -> object_store::Result<Vec<ObjectMeta>> {
    let offset = folder.into_iter().flat_map(Path::parts);
    let offset = offset.chain([tag.before_epoch(epoch).into()]).collect();
    store.list_with_offset(folder, &offset).try_collect().await
}

/// See [`ChainRecord::chain`]: of the head, or a new one for a chain to begin.
fn id_of(head: Option<&ChainRecord>) -> String {
    match head {
        None => uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
        // Older than the field: there was no chain of this lane with messages before it.
        Some(ChainRecord { chain, job, lane, .. }) if chain.is_empty() => format!("{job}/{lane}"),
        Some(record) => record.chain.clone(),
    }
}

/// A record that takes the slot after the head and changes nothing.
fn fence_of(head: &SlotBody, term: Term, writer: &Writer) -> Result<SlotBody, ChainError> {
    SlotBody::freeze(ChainRecord {
        epoch: head.record.epoch.next(),
        kind: RecordKind::Fence,
        parent: Some(parent_of(head)),
        term,
        writer: writer.clone(),
        files: Vec::new(),
        ..head.record.clone()
    })
}

/// Whoever wins the slot, it is decided then; the caller looks again. If it stays unknown, the opening fails, and
/// nothing was deleted.
async fn put_fence(store: &LaneStore, fence: SlotBody) -> Result<(), ChainError> {
    let epoch = fence.record.epoch;
    let mut backoff = super::backoff::Backoff::new(epoch.0);
    for sends_left in (0..FENCE_SENDS_MAX).rev() {
        match store.try_put_slot(epoch, &fence).await {
            SlotAttempt::Ours | SlotAttempt::Taken(_) => return Ok(()),
            SlotAttempt::Unknown(error) if sends_left == 0 => {
                return Err(ChainError::store("put a fence", &store.folder, &error));
            }
            SlotAttempt::Unknown(_) => tokio::time::sleep(backoff.wait()).await,
        }
    }
    unreachable!("the last send returns")
}

async fn delete_orphans(
    storage: &LaneStorage,
    observed: &Observed,
    orphans: &[usize],
) -> Result<(), ChainError> {
    for (id, table) in &storage.tables {
        let of_table = orphans.iter().map(|index| &observed.files[*index]);
        let of_table = of_table.filter(|file| file.table == *id).map(|file| file.path.clone());
        let deleted = super::reset::delete(table, of_table.collect()).await;
        let failed = |error| ChainError::store("delete orphaned data files", table, &error);
        deleted.map_err(failed)?;
    }
    Ok(())
}

/// The state as it was frozen.
async fn load_state(store: &LaneStore, head: &ChainRecord) -> Result<Option<Vec<u8>>, ChainError> {
    let Some(StateRef { key, bytes, sha256, groups: _ }) = &head.state else { return Ok(None) };
    load_blob(store, &format!("state of epoch {}", head.epoch), key, (*bytes, sha256)).await
}

/// The outbox as it was frozen.
async fn load_outbox(store: &LaneStore, head: &ChainRecord) -> Result<Option<Vec<u8>>, ChainError> {
    let Some(OutboxRef { epoch, key, bytes, sha256, messages: _ }) = &head.outbox else {
        return Ok(None);
    };
    load_blob(store, &format!("outbox of epoch {epoch}"), key, (*bytes, sha256)).await
}

/// What was compressed and put below the lane's folder, checked against the record's size and hash.
async fn load_blob(
    store: &LaneStore,
    what: &str,
    key: &str,
    (size, sha256): (u64, &str),
) -> Result<Option<Vec<u8>>, ChainError> {
    let what = format!("{what} at `{key}`");
    let bytes = store.get(key, size).await;
    let failed = |error| ChainError::store(&format!("read the {what}"), &store.folder, &error);
    let damaged = |reason: String| ChainError::Damaged { url: store.folder.url.clone(), reason };
    let bytes = bytes.map_err(failed)?.ok_or_else(|| damaged(format!("there is no {what}")))?;
    if sha256_hex(&bytes) != *sha256 {
        return Err(damaged(format!("{what} has another hash than its record says")));
    }
    let unreadable =
        |error: std::io::Error| ChainError::Unreadable { what, reason: error.to_string() };
    zstd::decode_all(bytes.as_ref()).map(Some).map_err(unreadable)
}
