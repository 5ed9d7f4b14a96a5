//! A way out where a topic will never take what was committed for it: the outbox of the head is given up, on purpose and
//! on record.
//!
//! A fence follows the head, with everything of it but the outbox, so that the next opening has nothing to send (O4 of
//! [`crate::outbox`]). Nobody should run the lane meanwhile: an instance that does loses the next slot, as to any
//! other writer, and nothing else. The messages themselves stay in their blob.

use super::body::SlotBody;
use super::open::{fence_of, next_term};
use super::record::{ChainRecord, OutboxRef, Writer};
use super::store::{LaneStore, SlotAttempt};
use super::{ChainError, LaneStorage, paths};

/// The outbox of the newest record, which may be unsent; none if there is none.
///
/// # Errors
///
/// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
pub async fn unsent(storage: &LaneStorage) -> Result<Option<OutboxRef>, ChainError> {
    Ok(head(storage).await?.and_then(|head| head.record.outbox))
}

/// Gives up the outbox of the newest record. Answers with what was given up; none if there was nothing.
///
/// # Errors
///
/// As [`unsent`]; [`ChainError::Contended`] if another writer took the slot meanwhile, and nothing was given up.
pub async fn give_up_outbox(
    storage: &LaneStorage,
    instance: &str,
) -> Result<Option<OutboxRef>, ChainError> {
    let Some(head) = head(storage).await? else { return Ok(None) };
    let Some(outbox) = head.record.outbox.clone() else { return Ok(None) };
    let fence = fence_of(&head, next_term(&head), &Writer::new(instance))?;
    let fence = SlotBody::freeze(ChainRecord { outbox: None, ..fence.record })?;
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    match store.try_put_slot(fence.record.epoch, &fence).await {
        SlotAttempt::Ours => {
            store.release(&fence.record.writer).await;
            Ok(Some(outbox))
        }
        SlotAttempt::Taken(_) => Err(ChainError::Contended { url: store.folder.url }),
        SlotAttempt::Unknown(error) => {
            Err(ChainError::store("put a record", &store.folder, &error))
        }
    }
}

async fn head(storage: &LaneStorage) -> Result<Option<SlotBody>, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let Some(latest) = store.latest().await.map_err(failed)? else { return Ok(None) };
    let bytes = store.get(&paths::slot(latest)).await.map_err(failed)?;
    bytes.map(|bytes| SlotBody::thaw(latest, bytes)).transpose()
}
