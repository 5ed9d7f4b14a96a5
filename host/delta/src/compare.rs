//! Comparing the log of a table with the chain that it is derived from, and with what lies in the table's folder.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;

use super::contents::Contents;
use super::decide::{self, Owner};
use super::problem::LogError;
use sluicegate_chain::follow::{self, Found};
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_chain::verify::report::{Finding, Matter};
use sluicegate_chain::{LaneStorage, inspect};
use sluicegate_store::once::in_time;

/// What a comparison came to.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The newest epoch whose files the log has; none if it has nothing of this chain.
    pub through: Option<Epoch>,
    /// The chain's newest.
    pub head: Epoch,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Compares the log of one of the lane's tables, by its id, as it was read before. None if there is no chain.
///
/// # Errors
///
/// [`LogError::Store`], [`LogError::Chain`].
pub async fn compare(
    storage: &LaneStorage,
    table: &str,
    log: &Contents,
) -> Result<Option<Compared>, LogError> {
    let Some(head) = inspect::latest(storage).await? else { return Ok(None) };
    let Some(head) = inspect::record(storage, head).await? else { return Ok(None) };
    let owner = Owner {
        job: storage.job.clone(),
        lane: storage.lane.clone(),
        table: table.to_owned(),
        chain: head.chain.clone(),
    };
    let through = decide::published(&log.state, &owner);
    let found = follow::find(storage, table, Epoch::GENESIS, &head).await?;
    let first = found.kept_from.max(Epoch::GENESIS.next());
    let mut named = BTreeMap::new();
    if first <= head.epoch {
        for record in follow::records(storage, first, head.epoch, &head).await? {
            named.extend(files_of(&record, table));
        }
    }
    let lying = listed(storage, table).await?;
    let findings = Judge { table, log, through, named, found, lying }.findings();
    Ok(Some(Compared { through, head: head.epoch, findings }))
}

fn files_of(record: &ChainRecord, table: &str) -> Vec<(String, Epoch)> {
    let files = record.files.iter().filter(|file| file.table == table);
    files.map(|file| (file.path.clone(), record.epoch)).collect()
}

/// Paths of all objects in the folder of a table, below it.
async fn listed(storage: &LaneStorage, table: &str) -> Result<BTreeSet<String>, LogError> {
    let location = &storage.tables[table];
    let objects = location.store.list(Some(&location.prefix));
    let paths = objects.map_ok(|object| location.below(&object.location)).try_collect();
    in_time(paths).await.map_err(|error| LogError::store("list the table", location, &error))
}

struct Judge<'j> {
    table: &'j str,
    log: &'j Contents,
    through: Option<Epoch>,
    /// Files that the records name which are still there.
    named: BTreeMap<String, Epoch>,
    /// Files in the folder that are the chain's by their names.
    found: Found,
    lying: BTreeSet<String>,
}

impl Judge<'_> {
    fn findings(&self) -> Vec<Finding> {
        let left_out = self.named.iter().filter_map(|(path, epoch)| self.of_chain(path, *epoch));
        left_out.chain(self.log.files.keys().filter_map(|path| self.of_log(path))).collect()
    }

    fn finding(&self, matter: Matter, path: &str, detail: String) -> Finding {
        Finding { matter, object: format!("{}: {path}", self.table), detail }
    }

    /// A file that a record names. That it is not there is found by looking at the chain.
    fn of_chain(&self, path: &str, epoch: Epoch) -> Option<Finding> {
        let is_told = self.log.files.contains_key(path) || self.log.removed.contains_key(path);
        if is_told || Some(epoch) > self.through || !self.lying.contains(path) {
            return None;
        }
        let is_ours =
            |path: &String| self.named.contains_key(path) || self.found.files.contains_key(path);
        // The log forgets after a while what was taken out of it.
        let (matter, more) = match self.log.files.keys().all(is_ours) {
            true => (Matter::Missing, ""),
            false => (Matter::Undecided, "; others write to the table, and may have compacted it"),
        };
        let detail = format!("the table's log has epoch {epoch} and does not name its file{more}");
        Some(self.finding(matter, path, detail))
    }

    /// A file that readers are told of.
    fn of_log(&self, path: &str) -> Option<Finding> {
        // Others may write paths in other ways; ours have neither.
        if path.contains('%') || path.contains("://") {
            return None;
        }
        if !self.lying.contains(path) {
            let detail = "the table's log names it, and readers of the table fail".to_owned();
            return Some(self.finding(Matter::Missing, path, detail));
        }
        let epoch = *self.found.files.get(path)?;
        (epoch >= self.found.kept_from && !self.named.contains_key(path)).then(|| {
            let detail =
                format!("the table's log names it, and the record of epoch {epoch} does not");
            self.finding(Matter::LeftOver, path, detail)
        })
    }
}
