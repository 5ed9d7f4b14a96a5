//! The steps of an opening: read the newest slots, find data files, fence, delete, load.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt};

use super::ahead::Ahead;
use super::body::SlotBody;
use super::files::{Folders, all_files, files_from, had_folders};
use super::paths::{self, LaneTag, Naming};
use super::record::{ChainRecord, Epoch, OutboxRef, Piece, RecordKind, SourceState, Term, Writer};
use super::resolve::{FoundFile, Observed};
use super::store::{LaneStore, REQUESTS_AT_ONCE, SlotAttempt, delete};
use super::{ChainError, LaneStorage, parent_of};
use sluicegate_store::backoff::Backoff;
use sluicegate_store::once::sha256_hex;
use sluicegate_store::{failure, read};

/// How often a fence is sent before the opening fails and leaves the rest to the supervisor's back-off.
const FENCE_SENDS_MAX: usize = 3;

/// See [`Observed::files`].
pub(super) async fn find_files(
    storage: &LaneStorage,
    tag: &LaneTag,
    chain: &str,
    slots: &[SlotBody],
) -> Result<Vec<FoundFile>, ChainError> {
    let found = storage.tables.iter().map(async |(id, table)| {
        let failed = |error| ChainError::store("list data files", table, &error);
        let Some(oldest) = slots.last().map(|slot| slot.record.epoch) else {
            return all_files(id, table, tag).await.map_err(failed);
        };
        let folders = match had_folders(slots, id) {
            true => Folders::Some,
            false => Folders::of(table).await.map_err(failed)?,
        };
        let has_earlier = slots.iter().any(|slot| slot.record.v < paths::CHAIN_IN_NAMES_SINCE);
        let earlier = has_earlier.then_some(Naming::Earlier);
        let mut files = Vec::new();
        for naming in earlier.into_iter().chain([Naming::OfChain(chain)]) {
            let found = files_from(id, table, tag, naming, oldest, folders).await;
            files.extend(found.map_err(failed)?);
        }
        Ok(files)
    });
    let found: Vec<Vec<FoundFile>> = try_join_all(found).await?;
    Ok(found.into_iter().flatten().collect())
}

/// The newest `look_back` slots, newest first. A missing one ends them:
/// [`resolve`](super::resolve::resolve) judges that. Of `known`, the newest slots of an earlier look, none is read again that
/// is named by the hashes of those behind it.
pub(super) async fn read_slots(
    store: &LaneStore,
    latest: Epoch,
    known: &[SlotBody],
    look_back: usize,
) -> Result<Vec<SlotBody>, ChainError> {
    let oldest = latest.0.saturating_sub(look_back as u64 - 1);
    // The newest is read in any case: it says of all others whether they are what they were.
    let behind = known.first().map_or(oldest, |head| head.record.epoch.0 + 1);
    let first = behind.clamp(oldest, latest.0);
    let mut slots = read_range(store, first, latest.0).await?;
    let is_whole = slots.len() as u64 == latest.0 - first + 1;
    if first > oldest && is_whole {
        let known = known_below(&slots, known, Epoch(first));
        match known.first() {
            Some(_) => slots.extend(known.iter().take(look_back - slots.len()).cloned()),
            None => return read_range(store, oldest, latest.0).await,
        }
    }
    if is_whole && slots.len() as u64 <= latest.0 - oldest {
        // What was known does not go back as far as it should.
        return read_range(store, oldest, latest.0).await;
    }
    Ok(slots)
}

/// Of slots that were known, newest first, those below `first`, if the oldest of those that were read names them.
fn known_below<'k>(read: &[SlotBody], known: &'k [SlotBody], first: Epoch) -> &'k [SlotBody] {
    let below = known.iter().position(|slot| slot.record.epoch < first).unwrap_or(known.len());
    let parent = read.last().and_then(|oldest| oldest.record.parent.as_ref());
    let is_named = match (&known[below..], parent) {
        ([newest, ..], Some(parent)) => {
            parent.epoch == newest.record.epoch && parent.sha256 == newest.sha256()
        }
        _ => false,
    };
    if is_named { &known[below..] } else { &[] }
}

async fn read_range(store: &LaneStore, first: u64, last: u64) -> Result<Vec<SlotBody>, ChainError> {
    let reads = (first..=last).rev().map(Epoch).map(|epoch| store.record(epoch));
    let reads = futures::stream::iter(reads).buffered(REQUESTS_AT_ONCE);
    let slots: Vec<Option<SlotBody>> = reads.try_collect().await?;
    Ok(slots.into_iter().map_while(|slot| slot).collect())
}

/// The term of who comes after the head.
pub(super) fn next_term(head: &SlotBody) -> Term {
    Term(head.record.term.0 + 1)
}

/// A record that takes the slot after the head and changes nothing.
pub(super) fn fence_of(
    head: &SlotBody,
    term: Term,
    writer: &Writer,
) -> Result<SlotBody, ChainError> {
    SlotBody::freeze(ChainRecord {
        epoch: head.record.epoch.next(),
        kind: RecordKind::Fence,
        parent: Some(parent_of(head)),
        term,
        writer: writer.clone(),
        earlier: Vec::new(),
        apart: false,
        files: Vec::new(),
        tables: BTreeMap::new(),
        source: SourceState { jumps: Vec::new(), ..head.record.source.clone() },
        ..head.record.clone()
    })
}

/// Whether the slot is ours. Whoever wins it, it is decided then.
pub(super) async fn put_fence(store: &LaneStore, fence: &SlotBody) -> Result<bool, ChainError> {
    let epoch = fence.record.epoch;
    let mut backoff = Backoff::of_store(epoch.0);
    for sends_left in (0..FENCE_SENDS_MAX).rev() {
        match store.try_put_slot(epoch, fence).await {
            SlotAttempt::Ours => return Ok(true),
            SlotAttempt::Taken(_) => return Ok(false),
            SlotAttempt::Unknown(error) if sends_left == 0 => {
                return Err(ChainError::store("put a fence", &store.folder, &error));
            }
            SlotAttempt::Unknown(_) => tokio::time::sleep(backoff.wait()).await,
        }
    }
    unreachable!("the last send returns")
}

pub(super) async fn delete_orphans(
    storage: &LaneStorage,
    observed: &Observed,
    orphans: &[usize],
) -> Result<(), ChainError> {
    for (id, table) in &storage.tables {
        let of_table = orphans.iter().map(|index| &observed.files[*index]);
        let of_table = of_table.filter(|file| file.table == *id).map(|file| file.path.clone());
        let deleted = delete(table, of_table.collect()).await;
        let failed = |error| ChainError::store("delete orphaned data files", table, &error);
        deleted.map_err(failed)?;
    }
    Ok(())
}

pub(super) fn say_what_was_found(
    storage: &LaneStorage,
    observed: &Observed,
    orphans: &[usize],
    unproven: usize,
) {
    let pipeline = &storage.job;
    if let Some(first) = orphans.first() {
        let (files, first) = (orphans.len(), &observed.files[*first].path);
        tracing::warn!(%pipeline, files, %first, "deleted data files that no record of the chain names");
    }
    if unproven > 0 {
        tracing::warn!(
            %pipeline, files = unproven,
            "data files without a chain in their names belong to no record of this chain; they may be another \
             chain's and are left alone: `sluicegate verify` names them"
        );
    }
}

/// The pieces of the state as they were frozen, the oldest first.
pub(super) async fn load_state(
    store: &LaneStore,
    head: &ChainRecord,
    ahead: &Ahead,
) -> Result<Vec<Vec<u8>>, ChainError> {
    let what = format!("state of epoch {}", head.epoch);
    let pieces = head.state.iter().flat_map(|state| &state.pieces);
    let loads = pieces.map(|piece| load_piece(store, &what, piece, ahead));
    futures::stream::iter(loads).buffered(REQUESTS_AT_ONCE).try_collect().await
}

/// One piece of a state as it was frozen.
pub(super) async fn load_piece(
    store: &LaneStore,
    what: &str,
    piece: &Piece,
    ahead: &Ahead,
) -> Result<Vec<u8>, ChainError> {
    load_blob(store, what, &piece.key, &piece.sha256, ahead.bytes(piece)).await
}

/// The outbox as it was frozen.
pub(super) async fn load_outbox(
    store: &LaneStore,
    head: &ChainRecord,
) -> Result<Option<Vec<u8>>, ChainError> {
    let Some(OutboxRef { epoch, key, sha256, .. }) = &head.outbox else { return Ok(None) };
    load_blob(store, &format!("outbox of epoch {epoch}"), key, sha256, None).await.map(Some)
}

/// What was compressed and put below the lane's folder, checked against the record's hash.
async fn load_blob(
    store: &LaneStore,
    what: &str,
    key: &str,
    sha256: &str,
    fetched: Option<&Bytes>,
) -> Result<Vec<u8>, ChainError> {
    let what = format!("{what} at `{key}`");
    let damaged = |reason: String| ChainError::Damaged { url: store.folder.url.clone(), reason };
    let whole = |bytes: Bytes| match sha256_hex(&bytes) == *sha256 {
        true => Ok(bytes),
        false => Err(damaged(format!("{what} has another hash than its record says"))),
    };
    let bytes = match fetched.cloned().map(whole) {
        Some(Ok(bytes)) => bytes,
        _ => match read::checked(&store.folder, &store.path(key), whole).await {
            Ok(taken) => taken?,
            Err(error) if failure::is_absent(&error) => {
                return Err(damaged(format!("there is no {what}")));
            }
            Err(error) => {
                return Err(ChainError::store(&format!("read the {what}"), &store.folder, &error));
            }
        },
    };
    let unreadable =
        |error: std::io::Error| ChainError::Unreadable { what, reason: error.to_string() };
    zstd::decode_all(bytes.as_ref()).map_err(unreadable)
}
