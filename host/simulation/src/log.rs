//! A reader of a Delta table, who knows nothing but its log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sluicegate_chain::LaneStorage;
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_delta::contents::contents;

/// What was seen so far.
pub(crate) struct LogReader {
    table: Arc<str>,
    files: BTreeSet<String>,
}

impl LogReader {
    pub(crate) fn new(table: Arc<str>) -> Self {
        Self { table, files: BTreeSet::new() }
    }

    /// Reads the log, and compares it with the records of the chain, which were read before. Whether it has all of them.
    ///
    /// # Errors
    ///
    /// Files that no record names, that vanished, or that are not there although those of later epochs are.
    pub(crate) async fn look(
        &mut self,
        storage: &LaneStorage,
        records: &[ChainRecord],
    ) -> Result<bool, String> {
        let read = contents(&storage.tables[&self.table]).await;
        let files: BTreeSet<String> =
            read.map_err(|error| error.to_string())?.files.into_keys().collect();
        let table = &self.table;
        if let Some(gone) = self.files.difference(&files).next() {
            return Err(format!("`{gone}` is not in the log of `{table}` any more"));
        }
        let of_table = |record: &ChainRecord| {
            let (files, epoch) = (record.files.clone(), record.epoch);
            let files = files.into_iter().filter(|file| file.table == **table);
            files.map(move |file| (file.path, epoch)).collect::<Vec<_>>()
        };
        let committed: BTreeMap<String, Epoch> = records.iter().flat_map(of_table).collect();
        if let Some(file) = files.iter().find(|file| !committed.contains_key(*file)) {
            return Err(format!("the log of `{table}` has `{file}`, which no epoch names"));
        }
        let newest = files.iter().map(|file| committed[file]).max();
        let lacks =
            |(file, epoch): &(&String, &Epoch)| Some(**epoch) <= newest && !files.contains(*file);
        if let Some((file, epoch)) = committed.iter().find(lacks) {
            return Err(format!(
                "the log of `{table}` has epoch {}, and `{file}` of epoch {epoch} is not there",
                newest.unwrap_or_default()
            ));
        }
        let is_whole = files.len() == committed.len();
        self.files = files;
        Ok(is_whole)
    }
}
