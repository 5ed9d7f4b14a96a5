//! The logs of Delta tables, beside the chain that they are derived from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use sluicegate_chain::LaneStorage;
use sluicegate_chain::record::{ChainRecord, DataFile};
use sluicegate_chain::verify::TableLogs;
use sluicegate_chain::verify::report::{Matter, Report};
use sluicegate_delta::LogError;
use sluicegate_delta::compare::{Rows, compare};
use sluicegate_delta::contents::{Contents, contents};
use sluicegate_pipeline::fingerprint::columns::{is_same_place, place_of};
use sluicegate_pipeline::{Pipeline, TableFormat};

/// The logs as they were read before the chain, by the tables' ids.
pub(super) struct Logs {
    read: BTreeMap<Arc<str>, Contents>,
    /// What is wrong with those that cannot be read.
    unreadable: Vec<(Arc<str>, String)>,
    /// Where tables lie, as the pipeline file writes it.
    places: BTreeMap<Arc<str>, String>,
}

/// How far the log of a table is.
#[derive(Debug, Serialize)]
pub(super) struct LogLine {
    table: String,
    /// None: there is no table yet.
    version: Option<u64>,
    files: usize,
    /// The newest epoch that is in it.
    through: Option<u64>,
    /// The chain's newest.
    epoch: u64,
    /// Rows on both sides, where files are not the same: the table was compacted, or others add to it.
    rows: Option<RowsLine>,
}

/// Rows of a table that has other files; null where they cannot be counted.
#[derive(Clone, Copy, Debug, Serialize)]
struct RowsLine {
    log: Option<u64>,
    chain: Option<u64>,
}

impl RowsLine {
    fn in_words(self) -> String {
        match (self.log, self.chain) {
            (Some(log), Some(chain)) => format!("; it was compacted, or others add to it: {log} rows, and {chain} in the chain"),
            (Some(log), None) => format!("; it was compacted, or others add to it: {log} rows, not compared, for records of its first epochs are gone"),
            (None, _) => "; it was compacted, or others add to it, and its rows cannot be counted: the log does not say those of each file".to_owned(),
        }
    }
}

impl LogLine {
    pub(super) fn in_words(&self) -> String {
        let Self { table, version, files, through, epoch, rows } = self;
        let Some(version) = version else { return format!("{table} has no log yet") };
        let through = through.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string());
        let rows = rows.map(RowsLine::in_words).unwrap_or_default();
        format!(
            "the log of {table} is at version {version}: {files} files, says epoch {through} of {epoch}{rows}"
        )
    }
}

impl Logs {
    /// Reads the logs of the tables that have one.
    pub(super) async fn read(pipeline: &Pipeline, storage: &LaneStorage) -> anyhow::Result<Self> {
        let mut logs =
            Self { read: BTreeMap::new(), unreadable: Vec::new(), places: BTreeMap::new() };
        for (id, table) in pipeline.tables() {
            logs.places.insert(Arc::clone(&id), table.written.clone());
            if table.format != TableFormat::Delta {
                continue;
            }
            match contents(&storage.tables[&id]).await {
                Ok(read) => drop(logs.read.insert(id, read)),
                Err(LogError::Refused { reason, .. }) => logs.unreadable.push((id, reason)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(logs)
    }

    /// Adds to a report what does not fit. How far each log is.
    pub(super) async fn compare(
        &self,
        storage: &LaneStorage,
        report: &mut Report,
    ) -> anyhow::Result<Vec<LogLine>> {
        for (id, reason) in &self.unreadable {
            report.add(Matter::Damaged, format!("log of {id}"), format!("the table {reason}"));
        }
        let mut lines = Vec::new();
        for (id, log) in &self.read {
            let compared = match compare(storage, id, log).await {
                // Which records it are is found by looking at the chain.
                Err(LogError::Chain(error)) if !error.may_pass() => {
                    let detail = format!("it was not compared with the chain: {error}");
                    report.add(Matter::Undecided, format!("log of {id}"), detail);
                    continue;
                }
                compared => compared?,
            };
            let Some(compared) = compared else { continue };
            for finding in compared.findings {
                report.add(finding.matter, finding.object, finding.detail);
            }
            lines.push(LogLine {
                table: id.to_string(),
                version: log.state.version,
                files: log.files.len(),
                through: compared.through.map(|epoch| epoch.0),
                epoch: compared.head.0,
                rows: compared.rows.map(|Rows { log, chain }| RowsLine { log, chain }),
            });
        }
        Ok(lines)
    }
}

impl TableLogs for Logs {
    fn excuse(&self, record: &ChainRecord, file: &DataFile) -> Option<String> {
        let log = self.read.get(&*file.table);
        if log.is_some_and(|log| log.had(&file.path)) {
            return Some("somebody else has taken it out of the table's log".to_owned());
        }
        let now = self.places.get(&*file.table)?;
        let then = place_of(&record.config, &file.table)?;
        let is_elsewhere = !is_same_place(then, now);
        is_elsewhere.then(|| format!("the table was in {then} then; not looked for there"))
    }

    fn has(&self, table: &str, path: &str) -> bool {
        self.read.get(table).is_some_and(|log| log.has(path))
    }
}
