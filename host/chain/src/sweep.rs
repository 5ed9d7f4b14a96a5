//! Looking again at all epochs: data files that landed when everybody had looked, or that a loser could not remove.
//!
//! An opening looks at the newest [`LOOK_BACK`](super::resolve::LOOK_BACK) epochs, whose records it reads. A put may land
//! later than that. To tell an orphan of any epoch from a committed file takes no look into its record:
//!
//! * A record lists files of its own writer only, and all that this writer put for the epoch: they are put first. So a file
//!   is committed if and only if the slot of its epoch is by its writer, and an orphan for ever if the slot is by another.
//! * Terms grow with every writer of a chain (C7), so the slots of a writer are one run of epochs. If those of its first
//!   and its last file are its own, all between them are.
//!
//! A sweep costs one listing for each thousand files (one at least for each date folder), and two small reads for each
//! opening that ever committed a file. It deletes nothing of an undecided epoch, so it may run beside whoever owns the lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;

use super::files::{Folders, each_file};
use super::own::files_id;
use super::paths::{DataFileName, LaneTag};
use super::record::{Epoch, Term};
use super::store::LaneStore;
use super::{ChainError, LaneStorage};
use sluicegate_store::Location;

/// A writer as its files name it.
type Name = (Term, String);

/// The run of epochs that a writer has files of.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: Epoch,
    last: Epoch,
}

/// Deletes data files of a chain that no record names, whatever their epoch, and returns how many. `chain` is its id as
/// it stands in their names.
///
/// # Errors
///
/// [`ChainError::Store`], or a record that cannot be read.
pub(super) async fn sweep(storage: &LaneStorage, chain: &str) -> Result<usize, ChainError> {
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    // The chain first: what is decided by now stays so.
    let Some(latest) = store.latest().await.map_err(failed)? else { return Ok(0) };
    if !is_of_chain(&store, latest, chain).await? {
        return Ok(0);
    }
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let mut slots = Slots { store: &store, chain, known: BTreeMap::new() };
    let mut deleted = 0;
    for (id, table) in &storage.tables {
        let runs = runs(id, table, &tag, chain, latest).await?;
        let mut suspects = BTreeMap::new();
        for (name, run) in runs {
            let own = slots.own(&name, run).await?;
            if own.is_none_or(|own| own.first > run.first || own.last < run.last) {
                suspects.insert(name, own);
            }
        }
        if !suspects.is_empty() {
            deleted += delete(id, table, &tag, chain, latest, &suspects).await?;
        }
    }
    if deleted > 0 {
        tracing::warn!(
            pipeline = %storage.job, files = deleted,
            "deleted data files that no record of the chain names: they landed late"
        );
    }
    Ok(deleted)
}

/// Whether the record of an epoch belongs to the chain with this id: somebody may have forgotten the chain and begun
/// another while its owner was away. What the records of one say proves nothing about the files of the other.
pub(super) async fn is_of_chain(
    store: &LaneStore,
    epoch: Epoch,
    chain: &str,
) -> Result<bool, ChainError> {
    let Some(body) = store.record(epoch).await? else { return Ok(false) };
    Ok(files_id(store, Some(&body.record)).await? == chain)
}

/// From where to where each writer has files of decided epochs in a table.
async fn runs(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    chain: &str,
    latest: Epoch,
) -> Result<BTreeMap<Name, Run>, ChainError> {
    let failed = |error| ChainError::store("list data files", table, &error);
    let folders = Folders::of(table).await.map_err(failed)?;
    let mut runs: BTreeMap<Name, Run> = BTreeMap::new();
    let listed = each_file(table, tag, chain, Epoch::GENESIS, folders, |_, name| {
        if name.epoch > latest {
            return;
        }
        let run = runs.entry((name.term, name.nonce));
        let run = run.or_insert(Run { first: name.epoch, last: name.epoch });
        run.first = run.first.min(name.epoch);
        run.last = run.last.max(name.epoch);
    });
    listed.await.map_err(failed)?;
    tracing::debug!(table = %id, writers = runs.len(), "looked at all data files");
    Ok(runs)
}

/// Deletes the files of writers outside of the epochs that are theirs.
async fn delete(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    chain: &str,
    latest: Epoch,
    suspects: &BTreeMap<Name, Option<Run>>,
) -> Result<usize, ChainError> {
    let failed = |error| ChainError::store("list data files", table, &error);
    let folders = Folders::of(table).await.map_err(failed)?;
    let mut orphans: Vec<Path> = Vec::new();
    let listed = each_file(table, tag, chain, Epoch::GENESIS, folders, |path, name| {
        let DataFileName { epoch, term, nonce, .. } = name;
        let own = suspects.get(&(term, nonce));
        let is_orphan = own.is_some_and(|own| {
            own.is_none_or(|own| epoch < own.first || epoch > own.last) && epoch <= latest
        });
        if is_orphan {
            orphans.push(path);
        }
    });
    listed.await.map_err(failed)?;
    let count = orphans.len();
    let failed = |error| ChainError::store("delete late data files", table, &error);
    super::store::delete(table, orphans).await.map_err(failed)?;
    tracing::debug!(table = %id, files = count, "deleted late data files");
    Ok(count)
}

/// Who wrote which slot, each asked once.
struct Slots<'s> {
    store: &'s LaneStore,
    /// Whose slots they must be.
    chain: &'s str,
    known: BTreeMap<Epoch, Name>,
}

impl Slots<'_> {
    /// The part of a run whose slots are by this writer; none if none is.
    async fn own(&mut self, name: &Name, run: Run) -> Result<Option<Run>, ChainError> {
        let Run { first, last } = run;
        if self.writer(first).await? == *name && self.writer(last).await? == *name {
            return Ok(Some(run));
        }
        // The first slot of a term that is not below, and the first of one that is above.
        let begin = self.first(run, |term| term >= name.0).await?;
        let end = self.first(run, |term| term > name.0).await?;
        if begin >= end || self.writer(begin).await? != *name {
            return Ok(None);
        }
        Ok(Some(Run { first: begin.max(first), last: Epoch(end.0 - 1).min(last) }))
    }

    /// The first epoch of a run from which on slots have such terms; the one behind the run if none has. Terms grow.
    async fn first(
        &mut self,
        run: Run,
        is_such: impl Fn(Term) -> bool,
    ) -> Result<Epoch, ChainError> {
        let (mut low, mut high) = (run.first.0, run.last.0 + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_such(self.writer(Epoch(middle)).await?.0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Epoch(low))
    }

    async fn writer(&mut self, epoch: Epoch) -> Result<Name, ChainError> {
        if let Some(name) = self.known.get(&epoch) {
            return Ok(name.clone());
        }
        let missing = || ChainError::Damaged {
            url: self.store.folder.url.clone(),
            reason: format!("there is no record of epoch {epoch}"),
        };
        let record = self.store.record(epoch).await?.ok_or_else(missing)?.record;
        if files_id(self.store, Some(&record)).await? != self.chain {
            let (url, reason) = (self.store.folder.url.clone(), "is of another chain");
            return Err(ChainError::Damaged { url, reason: format!("epoch {epoch} {reason}") });
        }
        let name = (record.term, record.writer.nonce);
        self.known.insert(epoch, name.clone());
        Ok(name)
    }
}
