//! Where a chain lies: in the folder of its lane, or in one of its own in it (docs/design/commit.md#chains-that-follow-each-other).
//!
//! Chains follow each other in one place: `reset` forgets one, and the next start begins another. Whoever owned the forgotten one may
//! have slept, and may put a slot or delete old ones when the other has come far. So a chain that begins after a reset has a folder of its own,
//! and shares one name with those before it: that of the genesis, which is created once and says where the others lie.
//!
//! ```text
//! chain/00000000000000000000.json                       {… "chain":"0c4a7b91e2d3","apart":true, …}
//! chains/0c4a7b91e2d3/chain/00000000000000000001.json   its other records
//! chains/0c4a7b91e2d3/state/…, chains/0c4a7b91e2d3/outbox/…
//! ```
//!
//! The first chain of a lane does not lie apart, nor do those that earlier versions have begun.

use bytes::Bytes;

use super::body::SlotBody;
use super::own::files_id_of;
use super::record::Epoch;
use super::store::LaneStore;
use super::{ChainError, LaneStorage, paths};

/// Which chain a lane has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Genesis {
    /// Of its record.
    pub(super) sha256: String,
    /// The chain's id in names of data files.
    pub(super) files_id: String,
    /// The chain's id, if it lies apart.
    pub(super) apart: Option<String>,
}

impl Genesis {
    /// Reads what lies in the slot of the genesis.
    ///
    /// # Errors
    ///
    /// As [`SlotBody::thaw`].
    pub(super) fn thaw(bytes: Bytes) -> Result<Self, ChainError> {
        let body = SlotBody::thaw(Epoch::GENESIS, bytes)?;
        let apart = body.record.apart.then(|| body.record.chain.clone());
        let files_id = files_id_of(&body.record, body.sha256());
        Ok(Self { sha256: body.sha256().to_owned(), files_id, apart })
    }
}

impl LaneStore {
    /// The lane's folder, as the chain has it that is there now.
    ///
    /// # Errors
    ///
    /// As [`LaneStore::genesis`].
    pub(super) async fn find(storage: &LaneStorage) -> Result<Self, ChainError> {
        Self::new(&storage.chain, &storage.job, &storage.lane).found().await
    }

    /// The same folder, as the chain has it that is there now.
    ///
    /// # Errors
    ///
    /// As [`LaneStore::genesis`].
    pub(super) async fn found(self) -> Result<Self, ChainError> {
        let apart = self.genesis().await?.and_then(|genesis| genesis.apart);
        Ok(Self { apart, ..self })
    }

    /// As [`LaneStore::find`], for who tells of damage: as a chain has it that does not lie apart, where the genesis is no record.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`].
    pub(super) async fn find_damaged(storage: &LaneStorage) -> Result<Self, ChainError> {
        match Self::find(storage).await {
            Err(ChainError::Unreadable { .. } | ChainError::Version { .. }) => {
                Ok(Self::new(&storage.chain, &storage.job, &storage.lane))
            }
            found => found,
        }
    }

    /// Which chain the lane has; none if none has begun.
    ///
    /// # Errors
    ///
    /// [`ChainError::Store`], [`ChainError::Version`], [`ChainError::Unreadable`].
    pub(super) async fn genesis(&self) -> Result<Option<Genesis>, ChainError> {
        self.checked(&paths::slot(Epoch::GENESIS), Genesis::thaw).await
    }

    /// Where something lies that is named below the lane's folder: what chains share, or what is this one's.
    pub(super) fn path(&self, below: &str) -> object_store::path::Path {
        self.folder.path(&below_lane(self.apart.as_deref(), below))
    }

    /// Whether records of a chain that lay apart are there. It is asked where there is no genesis: then they are what a reset has left
    /// that did not end, or what its owner has put since.
    pub(super) async fn has_leftovers(&self) -> Result<bool, ChainError> {
        let listed = self.list(paths::CHAINS_FOLDER).await.map_err(|error| self.unread(&error))?;
        Ok(listed.iter().any(|object| {
            let below = self.folder.below(&object.location);
            paths::parse_of_chain(&below).is_some_and(|(_, kind)| kind == paths::CHAIN_FOLDER)
        }))
    }
}

/// What a reset forgets, by the chains that it saw before it put its mark (C23). Made when the mark is there. Pure.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Forgets {
    /// By their ids in names of data files, which are those of their folders.
    seen: Vec<String>,
    /// The chain that is there began before the mark, does not lie apart, and was not seen: where it lies nothing goes.
    first_stays: bool,
    /// It is one that was seen.
    pub(super) genesis: bool,
}

impl Forgets {
    /// `there` is the chain that is there now, by its id and whether it lies apart. One that begins later lies apart.
    pub(super) fn of(seen: Vec<String>, there: Option<(&str, bool)>) -> Self {
        let mut forgets = Self { seen, first_stays: false, genesis: true };
        if let Some((chain, is_apart)) = there {
            forgets.genesis = forgets.knows(chain);
            forgets.first_stays = !forgets.genesis && !is_apart;
        }
        forgets
    }

    /// Whether a chain was seen.
    pub(super) fn knows(&self, chain: &str) -> bool {
        self.seen.iter().any(|it| it == chain)
    }

    /// Whether what lies `below` the lane's folder goes. Not the genesis, whose name is that of every chain's.
    pub(super) fn takes(&self, below: &str) -> bool {
        match paths::parse_of_chain(below) {
            Some((chain, _)) => self.knows(chain),
            None => !self.first_stays && below != paths::slot(Epoch::GENESIS),
        }
    }
}

/// Where something lies below the lane's folder that its chain names `below`. `apart` is the chain, if it lies apart. Pure.
pub(super) fn below_lane(apart: Option<&str>, below: &str) -> String {
    let folders = [paths::CHAIN_FOLDER, paths::STATE_FOLDER, paths::OUTBOX_FOLDER];
    let is_of_one_chain = folders.contains(&below.split('/').next().unwrap_or(below))
        && below != paths::slot(Epoch::GENESIS);
    match apart.filter(|_| is_of_one_chain) {
        Some(chain) => paths::of_chain(chain, below),
        None => below.to_owned(),
    }
}
