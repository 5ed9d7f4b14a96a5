//! Somebody who reads the table all the while: what the records of the chain name, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_chain::{LaneStorage, inspect, paths};
use sluicegate_pipeline::{Pipeline, TableFormat};

use super::log::LogReader;
use super::rows::{Row, rows};

/// What is gone stays gone, so it is seen a little later. Reading all again each time takes a quarter of a story.
const LOOKS_BACK_EVERY: u64 = 12;

/// What was seen so far.
pub(crate) struct Reader {
    pub(crate) store: Arc<InMemory>,
    /// Straight to the store.
    pub(crate) storage: LaneStorage,
    /// Records that were read, and the files of them.
    records: Vec<ChainRecord>,
    /// By their identities.
    rows: BTreeMap<String, Seen>,
    /// What readers of tables with a log see.
    logs: Vec<LogReader>,
    looks: u64,
}

struct Seen {
    row: Row,
    epoch: Epoch,
}

impl Reader {
    pub(crate) fn new(store: Arc<InMemory>, storage: LaneStorage, config: &Pipeline) -> Self {
        let logs = config.tables().into_iter();
        let logs = logs.filter(|(_, location)| location.format == TableFormat::Delta);
        let logs = logs.map(|(table, _)| LogReader::new(table)).collect();
        Self { store, storage, records: Vec::new(), rows: BTreeMap::new(), logs, looks: 0 }
    }

    /// Another chain has the tables: their logs are not of this one.
    pub(crate) fn leaves_logs(&mut self) {
        self.logs.clear();
    }

    /// Whether a record of the input has a fate in the chain.
    pub(crate) fn has_read(&self) -> bool {
        self.records.iter().any(|record| record.source.fates().read > 0)
    }

    /// Reads what is new, and sometimes looks whether what was there is there.
    ///
    /// # Errors
    ///
    /// What no reader may see.
    pub(crate) async fn look(&mut self) -> Result<(), String> {
        self.looks += 1;
        let latest = inspect::latest(&self.storage).await.map_err(|error| error.to_string())?;
        let count = latest.map_or(0, |epoch| epoch.0 + 1);
        if count < self.records.len() as u64 {
            return Err(format!("the chain had {} epochs, and has {count}", self.records.len()));
        }
        let before = self.records.len();
        for epoch in before as u64..count {
            let record = self.record(epoch).await?;
            self.read(record).await?;
        }
        if self.records.len() > before {
            self.blobs_are_there().await?;
        }
        if !self.looks.is_multiple_of(LOOKS_BACK_EVERY) {
            return Ok(());
        }
        self.look_at_logs().await?;
        self.look_back().await
    }

    /// Looks whether all that was read is there as it was.
    ///
    /// # Errors
    ///
    /// What has changed or vanished.
    pub(crate) async fn look_back(&self) -> Result<(), String> {
        let kept = self.records.len().saturating_sub(self.storage.keep.slots_min() as usize);
        for (epoch, before) in (0..).zip(&self.records) {
            // What is older may have been let go, and the genesis may not.
            let is_kept = epoch == 0 || epoch >= kept as u64;
            if is_kept && *before != self.record(epoch).await? {
                return Err(format!("epoch {epoch} is another one than before"));
            }
            self.files_are_there(before).await?;
        }
        self.blobs_are_there().await
    }

    /// States and outboxes of the newest records are there: whoever opens needs them (C15).
    async fn blobs_are_there(&self) -> Result<(), String> {
        let LaneStorage { chain, job, lane, keep, .. } = &self.storage;
        let folder = chain.child(&paths::lane_folder(job, lane));
        for record in self.records.iter().rev().take(keep.look_back) {
            let pieces = record.state.iter().flat_map(|state| &state.pieces);
            let pieces = pieces.map(|piece| &piece.key);
            for key in pieces.chain(record.outbox.iter().map(|outbox| &outbox.key)) {
                if self.store.head(&folder.path(key)).await.is_err() {
                    return Err(format!("epoch {} names `{key}`, which is gone", record.epoch));
                }
            }
        }
        Ok(())
    }

    /// Reads the logs of the tables. Whether they have every epoch.
    ///
    /// # Errors
    ///
    /// What no reader of a table may see.
    pub(crate) async fn look_at_logs(&mut self) -> Result<bool, String> {
        let mut are_whole = true;
        for log in &mut self.logs {
            are_whole &= log.look(&self.storage, &self.records).await?;
        }
        Ok(are_whole)
    }

    async fn record(&self, epoch: u64) -> Result<ChainRecord, String> {
        let record = inspect::record(&self.storage, Epoch(epoch)).await;
        let record = record.map_err(|error| error.to_string())?;
        record.ok_or_else(|| format!("epoch {epoch} is missing"))
    }

    /// Whether the chain says that the input was read to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.records.last().is_some_and(|record| record.source.ended)
    }

    pub(crate) fn epochs(&self) -> usize {
        self.records.len()
    }

    /// Compares with all that the source had.
    ///
    /// # Errors
    ///
    /// What is missing, or too much.
    pub(crate) fn compare(&self, wanted: &BTreeSet<String>) -> Result<usize, String> {
        let all = || self.rows.values().map(|seen| &seen.row);
        let counts = |row: &&Row| !all().any(|other| other.replaces(row));
        let rows: BTreeSet<&String> = all().filter(counts).map(|row| &row.text).collect();
        let lost: Vec<_> = wanted.iter().filter(|row| !rows.contains(row)).collect();
        if !lost.is_empty() {
            return Err(format!("lost: {lost:?}"));
        }
        match rows.iter().find(|row| !wanted.contains(**row)) {
            Some(row) => Err(format!("the tables have `{row}`, which nobody computes")),
            None => Ok(rows.len()),
        }
    }

    async fn files_are_there(&self, record: &ChainRecord) -> Result<(), String> {
        for file in &record.files {
            let path = self.path(&file.table, &file.path);
            if self.store.head(&path).await.is_err() {
                return Err(format!("the rows of `{path}` of epoch {} vanished", record.epoch));
            }
        }
        Ok(())
    }

    async fn read(&mut self, record: ChainRecord) -> Result<(), String> {
        for file in &record.files {
            let path = self.path(&file.table, &file.path);
            let gone = |_| format!("epoch {} names `{path}`, which is not there", record.epoch);
            let bytes = self.store.get(&path).await.map_err(gone)?.bytes().await.map_err(gone)?;
            let unread = |error| format!("`{path}` of epoch {}: {error}", record.epoch);
            for row in rows(bytes).map_err(unread)? {
                let (identity, epoch) = (row.identity(), record.epoch);
                if let Some(before) = self.rows.insert(identity.clone(), Seen { row, epoch }) {
                    let before = before.epoch;
                    return Err(format!("`{identity}` stands twice: epochs {before} and {epoch}"));
                }
            }
        }
        self.records.push(record);
        Ok(())
    }

    fn path(&self, table: &str, below: &str) -> Path {
        self.storage.tables[table].path(below)
    }
}
