//! What leadership asks of the store. Nothing here tries twice but the claim, whose bytes stay the same.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::try_join;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::claim::{Claim, LeadTerm, Sign};
use super::fallen::{by_process, has_fallen};
use super::follow::Seen;
use crate::paths;
use crate::store::delete;
use crate::{ChainError, LaneStorage};
use sluicegate_store::fleeting::put_fleeting;
use sluicegate_store::once::{Created, Immutable, in_time, put_once};
use sluicegate_store::{Location, failure, read};

/// Terms that are kept behind the newest. Fewer listings would be as short, but people want to see who led.
const TERMS_KEPT: u64 = 10;

/// Where the instances of a pipeline agree who leads.
#[derive(Clone, Debug)]
pub struct LeadStore {
    folder: Location,
}

/// What became of an attempt to win a term.
#[derive(Debug)]
pub enum Attempt {
    /// The term is ours.
    Won,
    /// Somebody else has it, or a later one.
    Lost,
    /// Nobody knows. Only the same claim may be sent again.
    Unknown(ChainError),
}

/// What is found where a leader shows its signs.
enum Shown {
    Nothing,
    Sign(Sign),
    /// A power cut may leave a file without its bytes.
    Unreadable,
}

impl LeadStore {
    /// Beside the chain.
    pub fn new(storage: &LaneStorage) -> Self {
        Self { folder: storage.chain.child(&storage.job) }
    }

    /// The newest term and its last sign; none if nobody has ever led. `known` is the newest that was seen before: then two
    /// small reads at a time are enough.
    ///
    /// # Errors
    ///
    /// The store did not answer; [`ChainError::Unreadable`].
    pub async fn look(&self, known: Option<&Claim>) -> Result<Option<Seen>, ChainError> {
        if let Some(known) = known {
            let (next, sign) = try_join(self.claim(known.term.next()), self.sign(known)).await?;
            if next.is_none() {
                return Ok(Some(Seen { claim: known.clone(), sign }));
            }
        }
        let Some(term) = self.newest().await? else { return Ok(None) };
        let Some(claim) = self.claim(term).await? else { return Ok(None) };
        let sign = self.sign(&claim).await?;
        Ok(Some(Seen { claim, sign }))
    }

    /// The last sign of who has won a term.
    async fn sign(&self, claim: &Claim) -> Result<Option<Sign>, ChainError> {
        Ok(match self.shown(claim).await? {
            Shown::Sign(sign) => Some(sign),
            Shown::Nothing | Shown::Unreadable => None,
        })
    }

    /// What lies where who has won a term shows its signs.
    async fn shown(&self, claim: &Claim) -> Result<Shown, ChainError> {
        let Some(bytes) = self.get(&paths::lead_beat(claim.term)).await? else {
            return Ok(Shown::Nothing);
        };
        Ok(match serde_json::from_slice::<Sign>(&bytes) {
            Ok(sign) if sign.nonce == claim.nonce => Shown::Sign(sign),
            // Of somebody who had the term before its object was deleted by hand.
            Ok(_) => Shown::Nothing,
            Err(_) => Shown::Unreadable,
        })
    }

    /// Who has won a term; none if nobody has.
    ///
    /// # Errors
    ///
    /// As [`LeadStore::look`].
    pub async fn claim(&self, term: LeadTerm) -> Result<Option<Claim>, ChainError> {
        let path = paths::lead_term(term);
        let Some(bytes) = self.get(&path).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| ChainError::Unreadable {
            what: format!("`{path}` in {}", self.folder.url),
            reason: error.to_string(),
        })
    }

    /// The leaders that have fallen in a row, up to that of the newest term, each process once, newest first. Two small reads for each,
    /// and no more of them than terms are kept. What cannot be read ends the row: nobody waits because of it.
    ///
    /// # Errors
    ///
    /// The store did not answer.
    pub async fn fallen(&self, newest: &Claim) -> Result<Vec<Claim>, ChainError> {
        let (mut fallen, mut next) = (Vec::new(), Some(newest.clone()));
        while let Some(claim) = next.filter(|_| fallen.len() as u64 <= TERMS_KEPT) {
            let sign = match self.shown(&claim).await? {
                Shown::Nothing => None,
                Shown::Sign(sign) => Some(sign),
                Shown::Unreadable => break,
            };
            if !has_fallen(&claim, sign.as_ref()) {
                break;
            }
            let before = LeadTerm(claim.term.0.saturating_sub(1));
            fallen.push(claim);
            next = match self.claim(before).await {
                Err(ChainError::Unreadable { .. }) => None,
                claim => claim?,
            };
        }
        Ok(by_process(fallen))
    }

    /// Tries to win a term. What is won counts only after a look that finds no later one: the object of a term that is long
    /// over may have been deleted, and then it can be created again.
    pub async fn try_win(&self, claim: &Claim) -> Attempt {
        let body = serde_json::to_vec(claim).expect("a claim is plain JSON");
        let path = self.folder.path(&paths::lead_term(claim.term));
        match put_once(&self.folder, &path, &Immutable::new(Bytes::from(body))).await {
            Created::Ours => {}
            Created::Taken => return Attempt::Lost,
            Created::Unknown(error) => {
                return Attempt::Unknown(self.failed("claim the leadership", &error));
            }
        }
        match self.newest().await {
            Ok(newest) if newest == Some(claim.term) => Attempt::Won,
            Ok(_) => Attempt::Lost,
            Err(error) => Attempt::Unknown(error),
        }
    }

    /// Gives up a claim that was sent and whose fate is unknown. It is sent once more, because its bytes may land at any time;
    /// a term that it wins is released at once. Takes up to twice `limit`; then others wait for nobody.
    pub async fn withdraw(&self, claim: &Claim, limit: Duration) {
        if let Ok(Attempt::Won) = tokio::time::timeout(limit, self.try_win(claim)).await {
            let sign = Sign { released: true, ..Sign::of_life(claim, 1) };
            if let Err(error) = self.put_sign(claim.term, &sign, None, limit).await {
                tracing::debug!("{error}");
            }
        }
    }

    /// Replaces the sign of a term, `before` if there was one. Only its leader does. One that repeats what was said is fleeting: a
    /// power cut ends the leader as well.
    ///
    /// # Errors
    ///
    /// The store did not take it within `limit`, or nobody knows whether it did.
    pub async fn put_sign(
        &self,
        term: LeadTerm,
        sign: &Sign,
        before: Option<&Sign>,
        limit: Duration,
    ) -> Result<(), ChainError> {
        let bytes = Bytes::from(serde_json::to_vec(sign).expect("a sign is plain JSON"));
        let path = self.folder.path(&paths::lead_beat(term));
        let put = async {
            match before.is_some_and(|before| sign.repeats(before)) {
                true => put_fleeting(&self.folder, &path, bytes).await,
                false => self.folder.store.put(&path, bytes.into()).await.map(drop),
            }
        };
        let what = "show that the leader lives";
        match tokio::time::timeout(limit, put).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(what, &error)),
            Err(_) => {
                let source = format!("no answer within {} s", limit.as_secs_f32()).into();
                Err(self.failed(what, &object_store::Error::Generic { store: "store", source }))
            }
        }
    }

    /// Deletes the objects of terms that are long over. Whoever sleeps through so many finds out by its look after winning.
    pub async fn forget_old(&self, newest: LeadTerm) {
        let forget = async {
            let mut old = Vec::new();
            for folder in [paths::LEAD_TERMS_FOLDER, paths::LEAD_BEATS_FOLDER] {
                let is_old = |path: &Path| {
                    let term = path.filename().and_then(paths::parse_lead_term);
                    term.is_some_and(|term| term.0 + TERMS_KEPT < newest.0)
                };
                old.extend(self.list(folder).await?.into_iter().filter(is_old));
            }
            delete(&self.folder, old).await
        };
        if let Err(error) = forget.await {
            tracing::debug!(%error, "terms that are over were not deleted");
        }
    }

    /// The newest term that was won.
    async fn newest(&self) -> Result<Option<LeadTerm>, ChainError> {
        let listed = self.list(paths::LEAD_TERMS_FOLDER).await;
        let listed = listed.map_err(|error| self.failed("look for the leader", &error))?;
        Ok(listed.iter().filter_map(|path| paths::parse_lead_term(path.filename()?)).max())
    }

    async fn list(&self, folder: &str) -> object_store::Result<Vec<Path>> {
        let folder = self.folder.path(folder);
        let listing = self.folder.store.list(Some(&folder)).map_ok(|object| object.location);
        in_time(listing.try_collect()).await
    }

    async fn get(&self, below: &str) -> Result<Option<Bytes>, ChainError> {
        match in_time(read::whole(&self.folder, &self.folder.path(below))).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if failure::is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("look for the leader", &error)),
        }
    }

    fn failed(&self, what: &str, error: &object_store::Error) -> ChainError {
        ChainError::store(what, &self.folder, error)
    }
}
