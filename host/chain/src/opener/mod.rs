//! Opening a lane: look first, and take it when nothing is left that could be refused.
//!
//! Nobody works while somebody who has won the leadership opens, so this asks for little: what was read before is not read
//! again, and what nothing waits for is left to the lane's housekeeping.

mod reading;

use futures::future::try_join;

use crate::activations::History;
use crate::ahead::Ahead;
use crate::body::SlotBody;
use crate::open::{
    delete_orphans, fence_of, find_files, load_outbox, load_state, put_fence, say_what_was_found,
};
use crate::own::own_chains;
use crate::paths::LaneTag;
use crate::record::{ChainRecord, Term, Writer};
use crate::resolve::{FoundFile, Observed, Opening, resolve};
use crate::retire::Recent;
use crate::store::LaneStore;
use crate::{Chain, ChainError, LaneStorage, parent_of};
use reading::Newest;
use sluicegate_runtime::Names;

/// How often an opening takes a slot before it gives up: each time means that another writer is at work.
const FENCES_MAX: usize = 4;

/// An open lane: nobody has run it yet.
#[derive(Debug)]
pub struct Opened {
    /// The right to add to the chain; for [`crate::Committer::spawn`].
    pub chain: Chain,
    /// The newest record; none if the lane has no chain yet.
    pub head: Option<ChainRecord>,
    /// What [`crate::FrozenState`] was of each piece, the oldest first; none if the head has no state.
    pub state: Vec<Vec<u8>>,
    /// What [`crate::FrozenOutbox::text`] was; none if the head has none. It may not have been sent.
    pub outbox: Option<Vec<u8>>,
    /// Data files that were deleted because the chain does not name them.
    pub orphans_deleted: usize,
    /// Data files of an earlier life of the lane, whose chain was forgotten and whose data were kept. Only
    /// counted when there is no chain yet.
    pub earlier_files: usize,
}

/// What an opening would go on from. It was read, and nothing was touched: whoever runs the lane goes on.
#[derive(Debug)]
pub struct Survey {
    newest: Newest,
    /// See [`Observed::chain`].
    chain: String,
    /// The newest slots, newest first.
    slots: Vec<SlotBody>,
    /// See [`Observed::may_begin`].
    may_begin: bool,
    /// The pieces of the state of the head, decompressed, the oldest first; none if there is no chain or nothing was stored.
    pub state: Vec<Vec<u8>>,
    outbox: Option<Vec<u8>>,
}

impl Survey {
    /// The newest record; none if the lane has no chain yet.
    pub fn head(&self) -> Option<&ChainRecord> {
        self.slots.first().map(|slot| &slot.record)
    }

    /// The newest slots, newest first.
    #[cfg(test)]
    pub(super) fn slots(&self) -> &[SlotBody] {
        &self.slots
    }
}

/// One opening of a lane (docs/design/commit.md#how-a-lane-is-opened): it looks, and takes the lane
/// when everything that could be refused was not. A writer of its own (C9): requests of an earlier
/// life of the same process may still be under way.
#[derive(Debug)]
pub struct Opener<'a> {
    storage: &'a LaneStorage,
    store: LaneStore,
    tag: LaneTag,
    writer: Writer,
    names: Names,
    /// The hash of the fence that it has put, if it has.
    fence: Option<String>,
    /// The state that is most likely read next.
    ahead: Ahead,
    /// The newest slots as last read, newest first.
    known: Vec<SlotBody>,
}

impl<'a> Opener<'a> {
    /// `instance` says who opens, for people.
    pub fn new(storage: &'a LaneStorage, instance: &str) -> Self {
        Self::named_by(storage, instance, Names::random())
    }

    /// As [`Opener::new`], with the names of writer and chain from `names`.
    pub fn named_by(storage: &'a LaneStorage, instance: &str, names: Names) -> Self {
        Self {
            storage,
            store: LaneStore::new(&storage.chain, &storage.job, &storage.lane),
            tag: LaneTag::new(&storage.job, &storage.lane),
            writer: Writer::new(instance, &names),
            names,
            fence: None,
            ahead: Ahead::default(),
            known: Vec::new(),
        }
    }

    /// The newest record, as last read; none if there was no chain.
    pub fn head(&self) -> Option<&ChainRecord> {
        self.known.first().map(|slot| &slot.record)
    }

    /// Reads the newest records ahead, and the state of the newest if it is not too large: whoever stands by opens the sooner.
    /// Asks for nothing that it has. Changes nothing in the store.
    ///
    /// # Errors
    ///
    /// As [`Opener::survey`].
    pub async fn follow(&mut self) -> Result<(), ChainError> {
        self.read_chain().await?;
        let Some(head) = self.known.first() else { return Ok(()) };
        self.ahead.fetch(&self.store, &head.record).await
    }

    /// Reads the chain and the state that it names. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`ChainError::may_pass`] says whether trying again can help.
    pub async fn survey(&mut self) -> Result<Survey, ChainError> {
        for _ in 0..=Self::LOOKS_MAX {
            let mut survey = self.read_judged().await?;
            let Some(head) = survey.head() else { return Ok(survey) };
            let state = load_state(&self.store, head, &self.ahead);
            match try_join(state, load_outbox(&self.store, head)).await {
                Ok((state, outbox)) => {
                    (survey.state, survey.outbox) = (state, outbox);
                    return Ok(survey);
                }
                // An opening may sleep for as long as the chain goes on by more than is looked back at, and what its head
                // named is gone.
                Err(ChainError::Damaged { .. }) if self.newest().await? != survey.newest => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.contended())
    }

    /// Takes the slot behind the newest, so that the chain stands still while it is surveyed again. Only what was found to
    /// be good but for its age may be held: whoever runs the lane stops.
    ///
    /// # Errors
    ///
    /// As [`Opener::survey`].
    pub async fn hold(&mut self) -> Result<(), ChainError> {
        let survey = self.read_chain().await?;
        let decided = self.decide(&self.observed(&survey, Vec::new(), true))?;
        if let (Opening::Fence { term }, Some(head)) = (decided, survey.slots.first()) {
            self.put_fence(head, term).await?;
        }
        Ok(())
    }

    /// Takes the lane: fences whoever may be at work, and deletes what the chain does not name. None if the chain is not
    /// any more what was surveyed; then nothing was deleted.
    ///
    /// # Errors
    ///
    /// As [`Opener::survey`].
    pub async fn take(&mut self, mut survey: Survey) -> Result<Option<Opened>, ChainError> {
        for _ in 0..=FENCES_MAX {
            // The chain first, then the files: a file that a record names was there before the record.
            if self.newest().await? != survey.newest {
                return Ok(None);
            }
            let files = find_files(self.storage, &self.tag, &survey.chain, &survey.slots);
            let (files, is_owned) = try_join(files, self.is_owned()).await?;
            let observed = self.observed(&survey, files, is_owned);
            if survey.slots.is_empty() && self.newest().await? != survey.newest {
                // The files may be of a chain that somebody has begun meanwhile.
                return Ok(None);
            }
            let (term, orphans_deleted, earlier_files) = match self.decide(&observed)? {
                Opening::Beside => unreachable!("it was refused"),
                Opening::Begin { term, earlier_files } => (term, 0, earlier_files),
                Opening::Ready { term, orphans, unproven } => {
                    delete_orphans(self.storage, &observed, &orphans).await?;
                    say_what_was_found(self.storage, &observed, &orphans, unproven);
                    (term, orphans.len(), 0)
                }
                Opening::Fence { term } => {
                    let head = survey.slots.first().expect("only a lane with a chain is fenced");
                    let Some(fence) = self.put_fence(head, term).await? else {
                        return Ok(None);
                    };
                    survey.newest.epoch = Some(fence.record.epoch);
                    survey.slots.insert(0, fence);
                    continue;
                }
            };
            let mut opened = self.opened(survey, term).await?;
            opened.orphans_deleted = orphans_deleted;
            opened.earlier_files = earlier_files;
            return Ok(Some(opened));
        }
        Err(self.contended())
    }

    /// There is nothing left to decide.
    async fn opened(&self, survey: Survey, term: Term) -> Result<Opened, ChainError> {
        let Survey { chain, slots, may_begin, state, outbox, .. } = survey;
        let mut recent = Recent::of(self.storage.keep.look_back);
        slots.iter().rev().for_each(|slot| recent.push(&slot.record));
        let head = slots.into_iter().next();
        let id = id_of(head.as_ref().map(|head| &head.record), &self.names);
        let (earlier, apart) = match &head {
            None => (own_chains(&self.store).await?, may_begin.then(|| id.clone())),
            Some(_) => (Vec::new(), self.store.apart.clone()),
        };
        let chain = Chain {
            job: self.storage.job.clone(),
            lane: self.storage.lane.clone(),
            // Of a chain to begin they are the same.
            files_id: if chain.is_empty() { id.clone() } else { chain },
            id,
            earlier,
            apart,
            head: head.as_ref().map(parent_of),
            history: head.as_ref().map(|head| history_of(&head.record)).unwrap_or_default(),
            state: head.as_ref().and_then(|head| head.record.state.clone()),
            recent,
            term,
            writer: self.writer.clone(),
        };
        let head = head.map(|head| head.record);
        Ok(Opened { chain, head, state, outbox, orphans_deleted: 0, earlier_files: 0 })
    }

    /// How often an opening looks again before it gives up.
    pub const LOOKS_MAX: usize = FENCES_MAX;

    /// Somebody else takes slot after slot.
    pub fn contended(&self) -> ChainError {
        ChainError::Contended { url: self.store.folder.url.clone() }
    }

    /// Whether an owner says that it lives, or has not said that it has ended.
    async fn is_owned(&self) -> Result<bool, ChainError> {
        let failed = |error| ChainError::store("read the chain", &self.store.folder, &error);
        let beat = self.store.beat().await.map_err(failed)?;
        Ok(beat.is_some_and(|beat| !beat.released))
    }

    fn observed(&self, survey: &Survey, files: Vec<FoundFile>, is_owned: bool) -> Observed {
        Observed {
            job: self.storage.job.clone(),
            lane: self.storage.lane.clone(),
            chain: survey.chain.clone(),
            may_begin: survey.may_begin,
            fence: self.fence.clone(),
            look_back: self.storage.keep.look_back,
            has_genesis: survey.newest.genesis.is_some(),
            latest: survey.newest.epoch,
            slots: survey.slots.clone(),
            is_owned,
            files,
        }
    }

    fn decide(&self, observed: &Observed) -> Result<Opening, ChainError> {
        let url = || self.store.folder.url.clone();
        let decided = resolve(observed);
        match decided.map_err(|reason| ChainError::Damaged { url: url(), reason })? {
            Opening::Beside => {
                let first = observed.files.first().map(|file| {
                    let table = &self.storage.tables[&file.table];
                    format!("{}/{}", table.url.trim_end_matches('/'), table.below(&file.path))
                });
                Err(ChainError::Beside {
                    job: self.storage.job.clone(),
                    url: url(),
                    files: observed.files.len(),
                    example: first.unwrap_or_default(),
                })
            }
            decided => Ok(decided),
        }
    }

    /// None if somebody else won the slot. If it stays unknown, the opening fails, and nothing was deleted.
    async fn put_fence(
        &mut self,
        head: &SlotBody,
        term: Term,
    ) -> Result<Option<SlotBody>, ChainError> {
        let fence = fence_of(head, term, &self.writer)?;
        let is_ours = put_fence(&self.store, &fence).await?;
        self.fence = is_ours.then(|| fence.sha256().to_owned());
        Ok(is_ours.then_some(fence))
    }
}

/// Looks whether a chain could begin, or goes on. Writes nothing.
///
/// # Errors
///
/// [`ChainError::Beside`], and what an opening would say of a damaged chain.
pub async fn check_begin(storage: &LaneStorage) -> Result<(), ChainError> {
    Opener::new(storage, "").read_judged().await.map(drop)
}

/// Opens a lane of which nothing else has to be prepared.
///
/// # Errors
///
/// As [`Opener::take`].
#[cfg(test)]
pub async fn open(storage: &LaneStorage, instance: &str) -> Result<Opened, ChainError> {
    let mut opener = Opener::new(storage, instance);
    for _ in 0..=Opener::LOOKS_MAX {
        let survey = opener.survey().await?;
        if let Some(opened) = opener.take(survey).await? {
            return Ok(opened);
        }
    }
    Err(opener.contended())
}

fn history_of(head: &ChainRecord) -> History {
    History { modules: head.modules.clone(), activations: head.activations.clone() }
}

/// See [`ChainRecord::chain`]: of the head, or a new one for a chain to begin.
fn id_of(head: Option<&ChainRecord>, names: &Names) -> String {
    head.map_or_else(|| names.next_short(), ChainRecord::chain_id)
}
