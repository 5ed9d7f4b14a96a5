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
//! Where slots were let go the floor says who wrote them ([`floor`]).
//!
//! A sweep costs one listing for each thousand files (one at least for each date folder, and one for the folders of epochs), and two small reads for each
//! opening that ever committed a file. It deletes nothing of an undecided epoch, so it may run beside whoever owns the lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;

use super::files::{Folders, each_file};
use super::floor::{self, Name};
use super::own::files_id;
use super::paths::{DataFileName, LaneTag};
use super::record::Epoch;
use super::store::LaneStore;
use super::writers::{Span, Writers};
use super::{ChainError, LaneStorage};
use sluicegate_store::Location;

/// Deletes data files of a chain that no record names, whatever their epoch, and returns how many. `chain` is its id as
/// it stands in their names.
///
/// # Errors
///
/// [`ChainError::Store`], or a record that cannot be read.
pub(super) async fn sweep(
    storage: &LaneStorage,
    store: &LaneStore,
    chain: &str,
) -> Result<usize, ChainError> {
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    // The chain first: what is decided by now stays so.
    let Some(latest) = store.latest().await.map_err(failed)? else { return Ok(0) };
    if !is_of_chain(store, latest, chain).await? {
        return Ok(0);
    }
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let floor = floor::find(store, chain).await?.highest;
    let mut writers = Writers::new(store, chain, &floor);
    let mut deleted = 0;
    for (id, table) in &storage.tables {
        // Whose the files before are is not known any more.
        let judged = Span { first: floor.since, last: latest };
        let spans = spans(id, table, &tag, chain, judged).await?;
        let suspects = suspects(spans, &mut writers).await;
        // Another look will come.
        let Some(suspects) = floor::settled(store, &floor, suspects).await? else { break };
        if !suspects.is_empty() {
            deleted += delete(id, table, &tag, chain, judged, &suspects).await?;
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

/// The writers that have files outside of the epochs that they wrote, each with the part of its files' span that it did.
async fn suspects(
    spans: BTreeMap<Name, Span>,
    writers: &mut Writers<'_>,
) -> Result<BTreeMap<Name, Option<Span>>, ChainError> {
    let mut suspects = BTreeMap::new();
    for (name, span) in spans {
        let own = writers.own(&name, span).await?;
        if own != Some(span) {
            suspects.insert(name, own);
        }
    }
    Ok(suspects)
}

/// From where to where each writer has files of the judged epochs in a table.
async fn spans(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    chain: &str,
    judged: Span,
) -> Result<BTreeMap<Name, Span>, ChainError> {
    let failed = |error| ChainError::store("list data files", table, &error);
    let folders = Folders::of(table).await.map_err(failed)?;
    let mut spans: BTreeMap<Name, Span> = BTreeMap::new();
    let listed = each_file(table, tag, chain, judged.first, folders, |_, name| {
        if !judged.holds(name.epoch) {
            return;
        }
        let span = spans.entry((name.term, name.nonce));
        let span = span.or_insert(Span { first: name.epoch, last: name.epoch });
        span.first = span.first.min(name.epoch);
        span.last = span.last.max(name.epoch);
    });
    listed.await.map_err(failed)?;
    tracing::debug!(table = %id, writers = spans.len(), "looked at all data files");
    Ok(spans)
}

/// Deletes the files of writers outside of the epochs that are theirs.
async fn delete(
    id: &Arc<str>,
    table: &Location,
    tag: &LaneTag,
    chain: &str,
    judged: Span,
    suspects: &BTreeMap<Name, Option<Span>>,
) -> Result<usize, ChainError> {
    let failed = |error| ChainError::store("list data files", table, &error);
    let folders = Folders::of(table).await.map_err(failed)?;
    let mut orphans: Vec<Path> = Vec::new();
    let listed = each_file(table, tag, chain, judged.first, folders, |path, name| {
        let DataFileName { epoch, term, nonce, .. } = name;
        let own = suspects.get(&(term, nonce));
        let is_orphan =
            own.is_some_and(|own| judged.holds(epoch) && own.is_none_or(|own| !own.holds(epoch)));
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
