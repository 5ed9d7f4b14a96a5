//! Adding a record by hand: one that follows the head, takes the next slot as a fence does, and differs from it on purpose.
//!
//! Nobody should run the lane meanwhile: an instance that does loses that slot and what it has not committed, as to any other
//! writer, and nothing else.

use super::body::SlotBody;
use super::floor;
use super::open::{fence_of, next_term};
use super::own::files_id;
use super::record::{ChainRecord, Epoch, Writer};
use super::store::{LaneStore, SlotAttempt};
use super::{ChainError, LaneStorage};
use sluicegate_runtime::Names;

/// The store of a lane and its newest record.
pub(super) struct Head {
    store: LaneStore,
    body: SlotBody,
}

impl Head {
    /// None if there is no chain.
    ///
    /// # Errors
    ///
    /// As [`LaneStore::head`].
    pub(super) async fn read(storage: &LaneStorage) -> Result<Option<Self>, ChainError> {
        let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
        Ok(store.head().await?.map(|body| Self { store, body }))
    }

    pub(super) fn record(&self) -> &ChainRecord {
        &self.body.record
    }

    /// Adds a fence behind it, changed as `change` says, and says that its writer has ended. `instance` is who does it, for
    /// people; `what` it does, for messages.
    ///
    /// # Errors
    ///
    /// [`ChainError::Contended`] if another writer took the slot meanwhile; then nothing was changed.
    pub(super) async fn add(
        &self,
        instance: &str,
        what: &str,
        change: impl FnOnce(ChainRecord) -> ChainRecord,
    ) -> Result<ChainRecord, ChainError> {
        let fence =
            fence_of(&self.body, next_term(&self.body), &Writer::new(instance, &Names::random()))?;
        let body = SlotBody::freeze(change(fence.record))?;
        match self.store.try_put_slot(body.record.epoch, &body).await {
            // C18: others went on beyond that slot while we slept, and have let go of it.
            SlotAttempt::Ours if self.is_let_go(body.record.epoch).await? => {
                Err(ChainError::Contended { url: self.store.folder.url.clone() })
            }
            SlotAttempt::Ours => {
                self.store.release(&body.record.writer).await;
                Ok(body.record)
            }
            SlotAttempt::Taken(_) => {
                Err(ChainError::Contended { url: self.store.folder.url.clone() })
            }
            SlotAttempt::Unknown(error) => Err(ChainError::store(what, &self.store.folder, &error)),
        }
    }

    /// Whether the slot of an epoch of ours was let go.
    async fn is_let_go(&self, epoch: Epoch) -> Result<bool, ChainError> {
        let chain = files_id(&self.store, Some(self.record())).await?;
        let floor = floor::highest(&self.store, &chain).await;
        Ok(floor::is_let_go(epoch, floor.map_err(|error| self.store.unread(&error))?))
    }
}
