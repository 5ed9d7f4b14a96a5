//! Reading a chain without opening the lane: for people and tools, beside a lane that runs.

use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

pub use super::opener::check_begin;
use super::record::{ChainRecord, Epoch};
use super::store::LaneStore;
use super::{ChainError, LaneStorage, mark, own, paths};
use sluicegate_store::failure;
use sluicegate_store::once::in_time;

/// The newest epoch; none if the lane has no chain.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn latest(storage: &LaneStorage) -> Result<Option<Epoch>, ChainError> {
    let store = LaneStore::find(storage).await?;
    let latest = store.latest().await;
    latest.map_err(|error| ChainError::store("list the chain", &store.folder, &error))
}

/// The record of an epoch; none if its slot is empty. Neither its parent nor its state is checked.
///
/// # Errors
///
/// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
pub async fn record(
    storage: &LaneStorage,
    epoch: Epoch,
) -> Result<Option<ChainRecord>, ChainError> {
    let store = LaneStore::find(storage).await?;
    Ok(store.record(epoch).await?.map(|body| body.record))
}

/// The ids of the chain that the lane has, and of those that were forgotten for it.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn own_chains(storage: &LaneStorage) -> Result<Vec<String>, ChainError> {
    own::own_chains(&LaneStore::new(&storage.chain, &storage.job, &storage.lane)).await
}

/// The first object of a lane's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstObject {
    /// The chain's id, as a Delta table names it.
    pub chain: String,
    /// Bytes, time and tag by its store: two places that show the same are one.
    object: ObjectMeta,
}

/// The first object of the chain that the lane has; none if it has no chain.
///
/// # Errors
///
/// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
pub async fn first_object(storage: &LaneStorage) -> Result<Option<FirstObject>, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let slot = store.path(&paths::slot(Epoch::GENESIS));
    let object = match in_time(store.folder.store.head(&slot)).await {
        Ok(object) => ObjectMeta { location: Path::default(), ..object },
        Err(error) if failure::is_absent(&error) => return Ok(None),
        Err(error) => return Err(store.unread(&error)),
    };
    let body = store.record(Epoch::GENESIS).await?;
    Ok(body.map(|body| FirstObject { chain: body.record.chain_id(), object }))
}

/// Whether the lane was forgotten on purpose and has not begun again.
///
/// # Errors
///
/// [`ChainError::Store`], [`ChainError::Unreadable`].
pub async fn was_reset(storage: &LaneStorage) -> Result<bool, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    Ok(mark::find(&store).await?.is_some())
}
