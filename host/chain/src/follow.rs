//! Reading records that follow each other up to a known one: for whoever makes something of every epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};

use super::body::SlotBody;
use super::files::{Folders, files_from};
use super::own::files_id;
use super::paths::{CHAIN_IN_NAMES_SINCE, LaneTag, Naming};
use super::record::{ChainRecord, Epoch};
use super::store::{LaneStore, REQUESTS_AT_ONCE};
use super::{ChainError, LaneStorage, floor};

/// The records from `first` to `last`, each the parent of the next. `head` is the newest and is known to be committed; the
/// last is it, or one before it.
///
/// # Errors
///
/// [`ChainError::Store`]; [`ChainError::Damaged`] if a slot is empty or its record is not the parent of the next one.
pub async fn records(
    storage: &LaneStorage,
    first: Epoch,
    last: Epoch,
    head: &ChainRecord,
) -> Result<Vec<Arc<ChainRecord>>, ChainError> {
    let store = LaneStore::find(storage).await?;
    let damaged = |reason: String| ChainError::Damaged { url: store.folder.url.clone(), reason };
    // The head is at hand: mostly nothing has to be read.
    let stored = (first.0..last.0).chain((last != head.epoch).then_some(last.0));
    let read = futures::stream::iter(stored).map(|epoch| store.record(Epoch(epoch)));
    let read: Vec<Option<SlotBody>> = read.buffered(REQUESTS_AT_ONCE).try_collect().await?;
    let mut records: Vec<Arc<ChainRecord>> = Vec::new();
    let mut before: Option<SlotBody> = None;
    let is_parent = |before: &Option<SlotBody>, record: &ChainRecord| {
        let named = record.parent.as_ref().map(|parent| parent.sha256.as_str());
        before.as_ref().is_none_or(|before| named == Some(before.sha256()))
    };
    for (body, epoch) in read.into_iter().zip(first.0..) {
        let body = body.ok_or_else(|| damaged(format!("slot {epoch} is empty")))?;
        if !is_parent(&before, &body.record) {
            return Err(damaged(format!(
                "record {epoch} has another parent than the one before it"
            )));
        }
        records.push(Arc::new(body.record.clone()));
        before = Some(body);
    }
    if last == head.epoch {
        if !is_parent(&before, head) {
            return Err(damaged(format!(
                "record {last} has another parent than the one before it"
            )));
        }
        records.push(Arc::new(head.clone()));
    }
    Ok(records)
}

/// The records behind the genesis that a chain has not let go, up to its head. Its owner may let go of the oldest while they
/// are read.
///
/// # Errors
///
/// As [`records`]; [`ChainError::Contended`] if it lets go faster than they are read.
pub async fn kept_records(
    storage: &LaneStorage,
    head: &ChainRecord,
) -> Result<Vec<Arc<ChainRecord>>, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let chain = files_id(&store, Some(head)).await?;
    for _ in 0..LOOKS_MAX {
        let floor = floor::find(&store, &chain).await?.highest;
        let read = match floor.epoch.max(Epoch::GENESIS.next()) {
            first if first <= head.epoch => records(storage, first, head.epoch, head).await,
            _ => Ok(Vec::new()),
        };
        match read {
            Ok(records) => return Ok(records),
            Err(error) => drop(floor::settled(&store, &floor, Err::<(), _>(error)).await?),
        }
    }
    Err(ChainError::Contended { url: store.folder.url.clone() })
}

/// How often records are read again of which the oldest were let go meanwhile.
const LOOKS_MAX: usize = 4;

/// What lies in a table's folder of a chain, and what the chain has let go.
#[derive(Clone, Debug)]
pub struct Found {
    /// Paths of data files below the table's folder, with their epochs. Whether a record names them is not asked.
    pub files: BTreeMap<String, Epoch>,
    /// The first epoch behind the genesis whose record is still there.
    pub kept_from: Epoch,
}

/// Looks in the folder of a table, by its id, for the chain's data files from an epoch on.
///
/// # Errors
///
/// [`ChainError::Store`], or a floor that cannot be read.
pub async fn find(
    storage: &LaneStorage,
    table: &str,
    from: Epoch,
    head: &ChainRecord,
) -> Result<Found, ChainError> {
    let store = LaneStore::find(storage).await?;
    let chain = files_id(&store, Some(head)).await?;
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let (id, location) = (Arc::from(table), &storage.tables[table]);
    let failed = |error| ChainError::store("list data files", location, &error);
    let folders = async { Folders::of(location).await.map_err(failed) };
    let (floors, folders) = try_join(floor::find(&store, &chain), folders).await?;
    let kept_from = floors.highest.epoch;
    // Files of before have no chain in their names.
    let is_old = head.v < CHAIN_IN_NAMES_SINCE || from < kept_from || from == Epoch::GENESIS;
    let earlier = is_old.then_some(Naming::Earlier);
    let mut files = BTreeMap::new();
    for naming in earlier.into_iter().chain([Naming::OfChain(&chain)]) {
        let found = files_from(&id, location, &tag, naming, from, folders).await;
        for file in found.map_err(failed)? {
            files.insert(location.below(&file.path), file.name.epoch);
        }
    }
    Ok(Found { files, kept_from })
}
