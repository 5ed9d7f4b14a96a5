//! Whether the chain is still the writer's to add to: it is asked before a slot is put, and after.

use bytes::Bytes;
use futures::future::try_join;

use super::ChainWriter;
use crate::home::Genesis;
use crate::outcome::LostSlot;
use crate::record::{ChainRecord, Epoch, Parent};
use crate::{ChainError, floor, gone, paths};
use sluicegate_store::once::sha256_hex;

/// Whether what lies in the slot of the head is the head.
fn is_head(head: &Parent, found: Option<&Bytes>) -> bool {
    found.is_some_and(|found| sha256_hex(found) == head.sha256)
}

impl ChainWriter {
    /// Whether the head is there, at one look: it may have been damaged on its way.
    pub(super) async fn has_head(&self) -> object_store::Result<bool> {
        let Some(head) = &self.chain.head else { return Ok(true) };
        Ok(is_head(head, self.store.slot(head.epoch).await?.as_ref()))
    }

    /// That the record which the next one names is still there: somebody may have forgotten the chain, and begun another,
    /// while we ran (C14). Or we slept for so long that others have gone on and let go of it: then who has the chain.
    pub(super) async fn check_head(&self) -> Result<Option<LostSlot>, ChainError> {
        let Some(head) = &self.chain.head else {
            self.check_begin().await?;
            return Ok(None);
        };
        let (what, epoch) = (format!("look for the record of epoch {}", head.epoch), head.epoch);
        let look = self.persist(&what, &self.store.folder, async || self.has_head().await);
        let is_there = look.await?
            // It may have been damaged on its way.
            || self.store.record(epoch).await?.is_some_and(|body| body.sha256() == head.sha256);
        if is_there {
            return Ok(None);
        }
        if let Some(lost) = self.overtaken().await? {
            return Ok(Some(lost));
        }
        let gone = gone::judge(&self.store, &self.chain.id).await?;
        Err(ChainError::Forgotten { url: self.store.folder.url.clone(), epoch, gone })
    }

    /// That no chain has come and gone since it was seen that there is none: then the next one lies apart (C21).
    async fn check_begin(&self) -> Result<(), ChainError> {
        let look = self.persist("look for marks of a reset", &self.store.folder, async || {
            self.store.list(paths::MARK_FOLDER).await
        });
        match self.chain.apart.is_some() || look.await?.is_empty() {
            true => Ok(()),
            false => Err(ChainError::Contended { url: self.store.folder.url.clone() }),
        }
    }

    /// The newest record, if the chain has gone on beyond the slot that would be ours. None if there is nothing behind it, or
    /// another chain.
    pub(super) async fn overtaken(&self) -> Result<Option<LostSlot>, ChainError> {
        let epoch = self.chain.next_epoch();
        let newest = self.store.head().await?.map(|body| body.record);
        let is_ours =
            |record: &ChainRecord| record.chain_id() == self.chain.id && record.epoch >= epoch;
        let lost = |record| LostSlot { epoch, record: Some(Box::new(record)) };
        Ok(newest.filter(is_ours).map(lost))
    }

    /// Whether the slot of an epoch has never been let go, so that what lies there is what was committed there. If not, or if
    /// that cannot be told, an earlier attempt of ours may have been committed (C19), and our files stay: a sweep knows.
    pub(super) async fn is_decided(&self, epoch: Epoch) -> bool {
        let floor = floor::highest(&self.store, &self.chain.files_id).await;
        floor.is_ok_and(|floor| !floor::is_let_go(epoch, floor))
    }

    /// That the slot that we have put was never let go (C18): we may have slept while others went on, and then its name was
    /// free again. Else the newest record. And that the chain is still there (C20): somebody may have forgotten it while we slept.
    pub(super) async fn confirm(&mut self, epoch: Epoch) -> Result<Option<LostSlot>, ChainError> {
        let what = format!("look whether epoch {epoch} was let go");
        // Each is asked for until it is answered: a store that refuses most requests seldom answers two in a row.
        let floor = self.persist(&what, &self.store.folder, async || {
            floor::highest(&self.store, &self.chain.files_id).await
        });
        let genesis =
            self.persist(&what, &self.store.folder, async || self.store.slot(Epoch::GENESIS).await);
        let (floor, genesis) = try_join(floor, genesis).await?;
        if !self.is_genesis(genesis).await? {
            let gone = gone::judge(&self.store, &self.chain.id).await?;
            return Err(ChainError::Forgotten { url: self.store.folder.url.clone(), epoch, gone });
        }
        if !floor::is_let_go(epoch, floor) {
            return Ok(None);
        }
        let record = self.store.head().await?.map(|body| Box::new(body.record));
        Ok(Some(LostSlot { epoch, record }))
    }

    /// Whether what lies in the slot of the genesis is that of our chain.
    async fn is_genesis(&mut self, found: Option<Bytes>) -> Result<bool, ChainError> {
        let Some(found) = found else { return Ok(false) };
        if self.genesis.as_ref().is_some_and(|hash| *hash == sha256_hex(&found)) {
            return Ok(true);
        }
        let genesis = match Genesis::thaw(found) {
            Ok(genesis) => Some(genesis),
            // It may have been damaged on its way.
            Err(_) => self.store.genesis().await?,
        };
        let genesis = genesis.filter(|genesis| genesis.files_id == self.chain.files_id);
        self.genesis = genesis.map(|genesis| genesis.sha256);
        Ok(self.genesis.is_some())
    }
}
