//! Which chains are a lane's own, by the id in names of data files (C10): the one that it has, and those that were forgotten.

use super::body::SlotBody;
use super::record::{ChainRecord, Epoch};
use super::store::LaneStore;
use super::{ChainError, mark, paths};
use sluicegate_store::once::sha256_hex;

/// The chain's id as it stands in names of data files; empty if there is no chain.
///
/// Chains that are older than their id share `job/lane` with others that are as old. What they have of their own is their
/// genesis.
pub(super) async fn files_id(
    store: &LaneStore,
    head: Option<&ChainRecord>,
) -> Result<String, ChainError> {
    let Some(head) = head else { return Ok(String::new()) };
    if paths::is_chain_id(&head.chain) {
        return Ok(head.chain.clone());
    }
    let genesis = store.slot(Epoch::GENESIS).await;
    let missing = || ChainError::Damaged {
        url: store.folder.url.clone(),
        reason: "there is no record of epoch 0".to_owned(),
    };
    let genesis = genesis.map_err(|error| store.unread(&error))?.ok_or_else(missing)?;
    Ok(files_id_of(head, &sha256_hex(&genesis)))
}

/// The same of a record of the chain whose genesis has this hash.
pub(super) fn files_id_of(record: &ChainRecord, genesis: &str) -> String {
    match paths::is_chain_id(&record.chain) {
        true => record.chain.clone(),
        false => genesis[..paths::CHAIN_ID_BYTES].to_owned(),
    }
}

/// The chains that this lane has or had, by their ids and by those in names of data files. A record that cannot be read names none: the
/// chain may be damaged, and is to be forgotten all the same.
pub(super) async fn own_chains(store: &LaneStore) -> Result<Vec<String>, ChainError> {
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let mut chains = readable(mark::find(store).await)?.flatten().unwrap_or_default();
    let latest = store.latest().await.map_err(failed)?;
    for epoch in [Some(Epoch::GENESIS), latest].into_iter().flatten() {
        let slot = store.slot(epoch).await.map_err(failed)?;
        let record = slot.and_then(|slot| Some(SlotBody::thaw(epoch, slot).ok()?.record));
        let Some(record) = record else { continue };
        chains.extend(record.earlier.clone());
        chains.push(record.chain_id());
        chains.extend(readable(files_id(store, Some(&record)).await)?);
    }
    chains.sort_unstable();
    chains.dedup();
    Ok(chains)
}

/// None for what can be read and makes no sense. What the store did not answer may be asked again.
pub(super) fn readable<T>(read: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ ChainError::Store { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}
