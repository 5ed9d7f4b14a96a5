//! Forgetting a lane on purpose, and saying first what would be forgotten.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::files::all_files;
use super::paths::{self, LaneTag};
use super::record::Epoch;
use super::store::LaneStore;
use super::{ChainError, LaneStorage};
use crate::store::{Location, failure};

/// What a lane has in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Slots of its chain.
    pub epochs: u64,
    /// The newest of them.
    pub latest: Option<Epoch>,
    /// State blobs, also those that no record needs any more.
    pub states: u64,
    /// Their size as stored.
    pub state_bytes: u64,
    /// Outboxes, those that were sent included.
    pub outboxes: u64,
    /// Data files of this lane in all its tables, those of earlier lives included.
    pub data_files: u64,
    /// Their size.
    pub data_bytes: u64,
}

impl Footprint {
    /// Whether there is nothing to forget.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What [`forget`] would delete.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn footprint(storage: &LaneStorage) -> Result<Footprint, ChainError> {
    Ok(Objects::list(storage).await?.footprint())
}

/// Deletes the lane's chain, states and outboxes, and its data files if `with_data`. Nobody may run the lane meanwhile.
///
/// The slots go first, from the genesis up: until the newest is gone, an opening either finds the chain damaged
/// or goes on as if nothing had happened. Data files that are kept are never taken for orphans of the lane's next
/// life, whose terms are above theirs ([`super::resolve::Opening::Begin`]).
///
/// # Errors
///
/// [`ChainError::Store`]; some objects may be gone then, and calling it again deletes the rest.
pub async fn forget(storage: &LaneStorage, with_data: bool) -> Result<Footprint, ChainError> {
    let objects = Objects::list(storage).await?;
    let mut forgotten = objects.footprint();
    let folder = LaneStore::new(&storage.chain, &storage.job, &storage.lane).folder;
    let failed = |error| ChainError::store("delete the chain", &folder, &error);
    let paths = |objects: Vec<ObjectMeta>| objects.into_iter().map(|object| object.location);
    delete(&folder, paths(objects.slots).collect()).await.map_err(failed)?;
    delete(&folder, paths(objects.states).collect()).await.map_err(failed)?;
    delete(&folder, paths(objects.outboxes).collect()).await.map_err(failed)?;
    delete(&folder, vec![folder.path(paths::BEAT)]).await.map_err(failed)?;
    if !with_data {
        (forgotten.data_files, forgotten.data_bytes) = (0, 0);
        return Ok(forgotten);
    }
    for (location, files) in objects.data {
        let paths = files.into_iter().map(|(path, _)| path).collect();
        let failed = |error| ChainError::store("delete data files", &location, &error);
        delete(&location, paths).await.map_err(failed)?;
    }
    Ok(forgotten)
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

struct Objects {
    /// Ascending.
    slots: Vec<ObjectMeta>,
    states: Vec<ObjectMeta>,
    outboxes: Vec<ObjectMeta>,
    data: Vec<(Location, Vec<(Path, u64)>)>,
}

impl Objects {
    async fn list(storage: &LaneStorage) -> Result<Self, ChainError> {
        let folder = LaneStore::new(&storage.chain, &storage.job, &storage.lane).folder;
        let failed = |error| ChainError::store("list the chain", &folder, &error);
        let mut slots = list(&folder, paths::CHAIN_FOLDER).await.map_err(failed)?;
        slots.sort_by(|left, right| left.location.cmp(&right.location));
        let states = list(&folder, paths::STATE_FOLDER).await.map_err(failed)?;
        let outboxes = list(&folder, paths::OUTBOX_FOLDER).await.map_err(failed)?;
        let tag = LaneTag::new(&storage.job, &storage.lane);
        let mut data = Vec::new();
        for (id, table) in &storage.tables {
            let files = all_files(id, table, &tag).await;
            let failed = |error| ChainError::store("list data files", table, &error);
            let files = files.map_err(failed)?.into_iter().map(|file| (file.path, file.bytes));
            data.push((table.clone(), files.collect()));
        }
        Ok(Self { slots, states, outboxes, data })
    }

    fn footprint(&self) -> Footprint {
        let epoch = |object: &ObjectMeta| paths::parse_slot(object.location.filename()?);
        let files = || self.data.iter().flat_map(|(_, files)| files);
        Footprint {
            epochs: self.slots.len() as u64,
            latest: self.slots.iter().filter_map(epoch).max(),
            states: self.states.len() as u64,
            state_bytes: self.states.iter().map(|object| object.size).sum(),
            outboxes: self.outboxes.len() as u64,
            data_files: files().count() as u64,
            data_bytes: files().map(|(_, bytes)| bytes).sum(),
        }
    }
}

async fn list(folder: &Location, below: &str) -> object_store::Result<Vec<ObjectMeta>> {
    let store: &Arc<dyn ObjectStore> = &folder.store;
    store.list(Some(&folder.path(below))).try_collect().await
}
