//! Reading the chain that a lane has now: which one it is, how far it has come, and its newest records.

use futures::future::try_join;

use super::{FENCES_MAX, Opener, Survey};
use crate::home::Genesis;
use crate::open::{find_files, read_slots};
use crate::own::files_id;
use crate::record::Epoch;
use crate::{ChainError, mark, paths};

/// How far which chain has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) genesis: Option<Genesis>,
    /// As the listing gave it; none if there is no chain.
    pub(super) epoch: Option<Epoch>,
}

impl Opener<'_> {
    /// Reads the chain and judges it, before anything else of it is read.
    pub(super) async fn read_judged(&mut self) -> Result<Survey, ChainError> {
        let survey = self.read_chain().await?;
        let has_chain = !survey.slots.is_empty();
        let files = match has_chain {
            true => Vec::new(),
            false => find_files(self.storage, &self.tag, &survey.chain, &survey.slots).await?,
        };
        match self.decide(&self.observed(&survey, files, false)) {
            Ok(_) => Ok(survey),
            Err(_) if !has_chain && self.newest().await?.epoch.is_some() => {
                // Somebody has begun a chain meanwhile, and the files are of it.
                let survey = self.read_chain().await?;
                self.decide(&self.observed(&survey, Vec::new(), false)).map(|_| survey)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read_chain(&mut self) -> Result<Survey, ChainError> {
        let (mut newest, mut slots) = (self.newest().await?, Vec::new());
        let look_back = self.storage.keep.look_back;
        for _ in 0..=FENCES_MAX {
            let Some(epoch) = newest.epoch else { break };
            slots = read_slots(&self.store, epoch, &self.known, look_back).await?;
            if slots.len() as u64 == (epoch.0 + 1).min(look_back as u64) {
                break;
            }
            // An owner in a hurry may have let go of the oldest meanwhile. If none is, something is missing.
            let now = self.newest().await?;
            if now == newest {
                break;
            }
            newest = now;
        }
        self.known.clone_from(&slots);
        if newest.epoch.is_none() && self.store.has_leftovers().await? {
            self.check_leftovers(&newest).await?;
        }
        let chain = files_id(&self.store, slots.first().map(|head| &head.record)).await?;
        let may_begin = slots.is_empty() && mark::find(&self.store).await?.is_some();
        Ok(Survey { newest, chain, slots, may_begin, state: Vec::new(), outbox: None })
    }

    /// There are records of a chain that lies apart, and its genesis was not there before.
    async fn check_leftovers(&mut self, before: &Newest) -> Result<(), ChainError> {
        if self.newest().await? != *before {
            // Somebody has begun it meanwhile.
            return Err(self.contended());
        }
        let reason = format!(
            "records lie in `{}` and there is none of epoch 0: a reset has not ended, or an owner that it did not see has \
             written since",
            paths::CHAINS_FOLDER
        );
        Err(ChainError::Damaged { url: self.store.folder.url.clone(), reason })
    }

    /// How far which chain has come. From here on it is looked at as it lies.
    pub(super) async fn newest(&mut self) -> Result<Newest, ChainError> {
        for _ in 0..=FENCES_MAX {
            let (genesis, epoch) = try_join(self.store.genesis(), self.latest()).await?;
            let apart = genesis.as_ref().and_then(|genesis| genesis.apart.clone());
            if apart != self.store.apart {
                self.store.apart = apart;
                self.known.clear();
                continue;
            }
            // It may have begun between the two looks.
            if genesis.is_some() || epoch.is_none() || self.store.genesis().await?.is_none() {
                return Ok(Newest { genesis, epoch });
            }
        }
        Err(self.contended())
    }

    async fn latest(&self) -> Result<Option<Epoch>, ChainError> {
        let latest = match self.known.first() {
            Some(known) => self.store.latest_since(known.record.epoch).await,
            None => self.store.latest().await,
        };
        latest.map_err(|error| self.store.unread(&error))
    }
}
