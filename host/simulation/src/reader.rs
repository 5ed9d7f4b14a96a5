//! Somebody who reads the table all the while: what the records of the chain name, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_chain::{LaneStorage, inspect};
use sluicegate_pipeline::{Pipeline, TableFormat};

use super::log::LogReader;

/// What is gone stays gone, so it is seen a little later. Reading all again each time takes a quarter of a story.
const LOOKS_BACK_EVERY: u64 = 12;

/// What was seen so far.
pub(crate) struct Reader {
    pub(crate) store: Arc<InMemory>,
    /// Straight to the store.
    pub(crate) storage: LaneStorage,
    /// Records that were read, and the files of them.
    records: Vec<ChainRecord>,
    /// The row and where it was seen.
    rows: BTreeMap<String, String>,
    /// What readers of tables with a log see.
    logs: Vec<LogReader>,
    looks: u64,
}

impl Reader {
    pub(crate) fn new(store: Arc<InMemory>, storage: LaneStorage, config: &Pipeline) -> Self {
        let logs = config.tables().into_iter();
        let logs = logs.filter(|(_, location)| location.format == TableFormat::Delta);
        let logs = logs.map(|(table, _)| LogReader::new(table)).collect();
        Self { store, storage, records: Vec::new(), rows: BTreeMap::new(), logs, looks: 0 }
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
        for epoch in self.records.len() as u64..count {
            let record = self.record(epoch).await?;
            self.read(record).await?;
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
        for (epoch, before) in (0..).zip(&self.records) {
            if *before != self.record(epoch).await? {
                return Err(format!("epoch {epoch} is another one than before"));
            }
            self.files_are_there(before).await?;
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
        let lost: Vec<_> = wanted.iter().filter(|row| !self.rows.contains_key(*row)).collect();
        if !lost.is_empty() {
            return Err(format!("lost: {lost:?}"));
        }
        match self.rows.keys().find(|row| !wanted.contains(*row)) {
            Some(row) => Err(format!("the tables have `{row}`, which nobody computes")),
            None => Ok(self.rows.len()),
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
            for id in texts(bytes)? {
                let place = format!("epoch {}", record.epoch);
                if let Some(before) = self.rows.insert(id.clone(), place) {
                    return Err(format!(
                        "`{id}` stands twice: {before}, and epoch {}",
                        record.epoch
                    ));
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

/// The rows of a file as texts that tell them apart, whatever table it is of.
fn texts(bytes: bytes::Bytes) -> Result<Vec<String>, String> {
    let open = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|file| file.build());
    let mut texts = Vec::new();
    for batch in open.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        for row in 0..batch.num_rows() {
            texts.push(text(&batch, row)?);
        }
    }
    Ok(texts)
}

fn text(batch: &RecordBatch, row: usize) -> Result<String, String> {
    let column = |name: &str| batch.column_by_name(name);
    let string = |name: &str| Some(column(name)?.as_string_opt::<i32>()?.value(row));
    let offset = || {
        let partition = column("partition")?.as_primitive_opt::<Int32Type>()?.value(row);
        Some((partition, column("offset")?.as_primitive_opt::<Int64Type>()?.value(row)))
    };
    let text = match (string("id"), string("ids"), column("late_reason")) {
        (_, Some(ids), _) => string("key").map(|key| format!("{key} {ids}")),
        (Some(id), _, Some(_)) => Some(format!("late {id}")),
        (Some(id), ..) => Some(format!("row {id}")),
        _ => offset().map(|(partition, offset)| format!("dead {partition}-{offset}")),
    };
    text.ok_or_else(|| format!("a row of no table that is known: {}", batch.schema()))
}
