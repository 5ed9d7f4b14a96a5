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
    /// The chain's id in names of data files.
    chain: String,
    body: SlotBody,
}

impl Head {
    /// None if there is no chain.
    ///
    /// # Errors
    ///
    /// As [`LaneStore::head`].
    pub(super) async fn read(storage: &LaneStorage) -> Result<Option<Self>, ChainError> {
        let store = LaneStore::find(storage).await?;
        let Some(body) = store.head().await? else { return Ok(None) };
        let chain = files_id(&store, Some(&body.record)).await?;
        Ok(Some(Self { store, chain, body }))
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
            // C18, C20: others went on beyond that slot while we slept, and have let go of it, or of the chain.
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

    /// Whether the slot of an epoch of ours was let go, or the whole chain.
    async fn is_let_go(&self, epoch: Epoch) -> Result<bool, ChainError> {
        let floor = floor::highest(&self.store, &self.chain).await;
        let floor = floor.map_err(|error| self.store.unread(&error))?;
        let genesis = self.store.genesis().await?;
        let is_there = genesis.is_some_and(|genesis| genesis.files_id == self.chain);
        Ok(!is_there || floor::is_let_go(epoch, floor))
    }
}
