//! A way out where a topic will never take what was committed for it: the outbox of the head is given up, on purpose and
//! on record.
//!
//! A fence follows the head, with everything of it but the outbox, so that the next opening has nothing to send (O4 of
//! `outbox`). The messages themselves stay in their blob.

use super::hand::Head;
use super::record::{ChainRecord, OutboxRef};
use super::{ChainError, LaneStorage};

/// The outbox of the newest record, which may be unsent; none if there is none.
///
/// # Errors
///
/// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
pub async fn unsent(storage: &LaneStorage) -> Result<Option<OutboxRef>, ChainError> {
    Ok(Head::read(storage).await?.and_then(|head| head.record().outbox.clone()))
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
    let Some(head) = Head::read(storage).await? else { return Ok(None) };
    let Some(outbox) = head.record().outbox.clone() else { return Ok(None) };
    let without = |fence| ChainRecord { outbox: None, ..fence };
    head.add(instance, "give up an outbox", without).await?;
    Ok(Some(outbox))
}
