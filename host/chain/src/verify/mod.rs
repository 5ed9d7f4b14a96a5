//! Comparing what the chain says with what lies in the store: which objects are missing, damaged, left over or another's.
//!
//! A [`comparison`] is pure. [`verify`] does the requests for it: it reads beside a lane that runs, and changes nothing.

mod comparison;
pub mod report;

use std::collections::BTreeSet;

use futures::StreamExt;

use super::body::SlotBody;
use super::files::all_files;
use super::floor;
use super::own::{files_id, own_chains};
use super::paths::LaneTag;
use super::record::{ChainRecord, DataFile, Epoch};
use super::store::{LaneStore, REQUESTS_AT_ONCE};
use super::{ChainError, LaneStorage};
use comparison::{Comparison, Expected};
use report::{Matter, Report};
use sluicegate_store::Location;
use sluicegate_store::failure::is_absent;
use sluicegate_store::once::holds;

/// What the logs of tables say. They follow the chain, which knows nothing of them.
pub trait TableLogs {
    /// Of a file of a record that is not there: why that is no loss, if it is none.
    fn excuse(&self, record: &ChainRecord, file: &DataFile) -> Option<String>;

    /// Whether readers are told of a file, by the table's id and the path below its folder. It is the table then, whosever it is.
    fn has(&self, table: &str, path: &str) -> bool;
}

/// Compares the chain of a lane, its retained states and outboxes, and all its data files with what lies in the store: by
/// size, and by hash if `hashes`. None if there is no chain. `progress` is told how many epochs of how many were compared.
///
/// # Errors
///
/// [`ChainError::Store`].
pub async fn verify(
    storage: &LaneStorage,
    hashes: bool,
    logs: &impl TableLogs,
    progress: impl Fn(u64, u64),
) -> Result<Option<Report>, ChainError> {
    let store = LaneStore::find_damaged(storage).await?;
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let Some(latest) = store.latest().await.map_err(failed)? else { return Ok(None) };
    let tag = LaneTag::new(&storage.job, &storage.lane);
    let mut files = Vec::new();
    for (id, table) in &storage.tables {
        let failed = |error| ChainError::store("list data files", table, &error);
        files.extend(all_files(id, table, &tag).await.map_err(failed)?);
    }
    let mut comparison = Comparison::new(storage, latest, files);
    comparison.report.hashed = hashes;
    // A head that cannot be read is found below.
    let newest = store.head().await.ok().flatten().map(|body| body.record);
    let chain = files_id(&store, newest.as_ref()).await.unwrap_or_default();
    let mut floor = floor::find(&store, &chain).await?.highest;
    let first = floor.epoch;
    let look_back = storage.keep.look_back as u64;
    comparison.let_go(first.0 - 1);
    let slots = std::iter::once(0).chain(first.0..=latest.0).map(Epoch).map(|epoch| {
        let store = &store;
        async move { (epoch, store.slot(epoch).await) }
    });
    let mut seen = BTreeSet::new();
    let mut slots = futures::stream::iter(slots).buffered(REQUESTS_AT_ONCE);
    while let Some((epoch, slot)) = slots.next().await {
        let slot = slot.map_err(failed)?;
        if slot.is_none() && !floor.has_let_go(epoch) {
            // It may have been let go since we began.
            floor = floor::find(&store, &chain).await?.highest;
        }
        if epoch == first || (slot.is_none() && floor.has_let_go(epoch)) {
            comparison.skip();
        }
        if slot.is_none() && floor.has_let_go(epoch) {
            comparison.let_go(1);
            continue;
        }
        let body = match slot.map(|bytes| SlotBody::thaw(epoch, bytes)) {
            None => {
                comparison.unreadable(epoch, Matter::Missing, "a gap in the chain".to_owned());
                continue;
            }
            Some(Err(error)) => {
                comparison.unreadable(epoch, Matter::Damaged, error.to_string());
                continue;
            }
            Some(Ok(body)) => body,
        };
        let expected = comparison.record(&body, logs);
        if hashes {
            compare_hashes(storage, expected, &mut comparison.report).await?;
        }
        if epoch.0 + look_back > latest.0 {
            let report = &mut comparison.report;
            let blobs = Blobs { store: &store, look_back, hashes };
            blobs.compare(&body.record, &mut seen, report).await?;
        }
        progress(epoch.0 + 1, latest.0 + 1);
    }
    let earlier = own_chains(&store).await?;
    Ok(Some(comparison.finish(&chain, &earlier, &floor, logs)))
}

async fn compare_hashes(
    storage: &LaneStorage,
    expected: Vec<Expected>,
    report: &mut Report,
) -> Result<(), ChainError> {
    let compared = expected.into_iter().map(|file| async move {
        let table = &storage.tables[&*file.table];
        let is_so = holds(table, &table.path(&file.path), file.bytes, &file.sha256).await;
        (file, is_so)
    });
    let mut compared = futures::stream::iter(compared).buffered(REQUESTS_AT_ONCE);
    while let Some((file, is_so)) = compared.next().await {
        let table = &storage.tables[&*file.table];
        let object = format!("{}: {}", file.table, file.path);
        report.compare(table, object, is_so)?;
    }
    Ok(())
}

/// States and outboxes, of records whose are kept.
struct Blobs<'l> {
    store: &'l LaneStore,
    look_back: u64,
    /// They are read and hashed.
    hashes: bool,
}

impl Blobs<'_> {
    /// What a record names, but for what was `seen`: records share pieces of state.
    async fn compare(
        &self,
        record: &ChainRecord,
        seen: &mut BTreeSet<String>,
        report: &mut Report,
    ) -> Result<(), ChainError> {
        let store = self.store;
        let pieces = record.state.iter().flat_map(|state| &state.pieces);
        let state = pieces.map(|piece| (&piece.key, piece.bytes, &piece.sha256));
        let outbox = record.outbox.iter().map(|outbox| (&outbox.key, outbox.bytes, &outbox.sha256));
        for (key, bytes, sha256) in state.chain(outbox) {
            if seen.contains(key) {
                continue;
            }
            let path = store.path(key);
            let is_so = match self.hashes {
                true => holds(&store.folder, &path, bytes, sha256).await,
                false => store.size(&path).await.map(|size| size == bytes),
            };
            let is_gone = is_so.as_ref().is_err_and(is_absent);
            if is_gone && self.is_retired(record.epoch).await? {
                continue;
            }
            report.blobs += 1;
            seen.insert(key.clone());
            report.compare(&store.folder, key.clone(), is_so)?;
        }
        Ok(())
    }

    /// Whether the chain went on meanwhile, and what an epoch named was deleted.
    async fn is_retired(&self, epoch: Epoch) -> Result<bool, ChainError> {
        let latest = self.store.latest().await.map_err(|error| self.store.unread(&error))?;
        Ok(latest.is_some_and(|latest| epoch.0 + self.look_back <= latest.0))
    }
}

impl Report {
    fn compare(
        &mut self,
        location: &Location,
        object: String,
        is_so: object_store::Result<bool>,
    ) -> Result<(), ChainError> {
        match is_so {
            Ok(true) => {}
            Ok(false) => {
                let detail = "its size or its hash is another than the chain says";
                self.add(Matter::Damaged, object, detail);
            }
            Err(error) if is_absent(&error) => {
                self.add(Matter::Missing, object, "a record names it");
            }
            Err(error) => {
                return Err(ChainError::store(&format!("read {object}"), location, &error));
            }
        }
        Ok(())
    }
}
