//! All that counts at a version of a log, files included: for checkpoints, and for people who look at a table.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};

use super::actions::{Add, Line, Remove};
use super::log::Log;
use super::paths;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_store::Location;
use sluicegate_store::once::in_time;

/// A table as its readers see it.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Version, columns and settings.
    pub state: LogState,
    /// The files that belong to it, by path.
    pub files: BTreeMap<String, Add>,
    /// Those that did, by path, as far as the log still tells.
    pub removed: BTreeMap<String, Remove>,
    /// Commits that say that they only hold rows in other files, and hold another number of them.
    pub uneven: Vec<Uneven>,
}

/// A commit that should have kept the rows, and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uneven {
    /// Its number.
    pub version: u64,
    /// Rows in the files that it took out.
    pub before: u64,
    /// Rows in the files that it brought.
    pub after: u64,
}

impl Contents {
    pub(super) fn apply(&mut self, version: u64, lines: Vec<Line>) {
        self.uneven.extend(self.unevenness(version, &lines));
        for line in lines {
            if let Some(add) = line.add {
                self.removed.remove(&add.path);
                self.files.insert(add.path.clone(), add);
            }
            if let Some(remove) = line.remove {
                self.files.remove(&remove.path);
                self.removed.insert(remove.path.clone(), remove);
            }
        }
    }

    /// Whether a file belongs to it, by its path below the table's folder.
    pub fn has(&self, below: &str) -> bool {
        self.files.contains_key(&paths::logged(below))
    }

    /// Whether a file did, as far as the log still tells, by its path below the table's folder.
    pub fn had(&self, below: &str) -> bool {
        self.removed.contains_key(&paths::logged(below))
    }

    /// Where its files lie below the table's folder.
    ///
    /// # Errors
    ///
    /// One lies elsewhere, as the end of a sentence.
    pub fn lying(&self) -> Result<Vec<String>, String> {
        self.files.keys().map(|path| paths::below(path)).collect()
    }

    /// None too if it cannot be told. A checkpoint takes nothing out. A file that had been taken out before had no rows in the table any
    /// more: whoever compacts without looking who else did brings them once more.
    fn unevenness(&self, version: u64, lines: &[Line]) -> Option<Uneven> {
        let (mut before, mut after) = (None, 0);
        for line in lines {
            if let Some(remove) = &line.remove {
                let rows = match self.files.get(&remove.path) {
                    Some(file) => rows_of(file)?,
                    None if self.removed.contains_key(&remove.path) => 0,
                    None => return None,
                };
                before = Some(before.unwrap_or(0) + rows);
            }
            if let Some(add) = &line.add {
                after += rows_of(add)?;
            }
            let has_changed = line.add.as_ref().is_some_and(|add| add.data_change)
                || line.remove.as_ref().is_some_and(|remove| remove.data_change);
            if has_changed {
                return None;
            }
        }
        let before = before.filter(|before| *before != after)?;
        Some(Uneven { version, before, after })
    }

    /// As the rows of a checkpoint. Files that were removed before `since` (ms since 1970) are left out.
    pub(super) fn into_lines(self, since: i64) -> Vec<Line> {
        let Self { state, files, removed, uneven: _ } = self;
        let protocol = Line { protocol: state.protocol, ..Line::default() };
        let metadata = Line { meta_data: state.metadata, ..Line::default() };
        let txns = state.txns.into_iter().map(|(app_id, version)| {
            let txn = super::actions::Txn { app_id, version, last_updated: None };
            Line { txn: Some(txn), ..Line::default() }
        });
        let adds = files.into_values().map(|add| {
            let add = Add { data_change: false, ..add };
            Line { add: Some(add), ..Line::default() }
        });
        let is_late = |it: &Remove| it.deletion_timestamp.is_some_and(|time| time >= since);
        let removes = removed.into_values().filter(is_late).map(|remove| {
            let remove = Remove { data_change: false, ..remove };
            Line { remove: Some(remove), ..Line::default() }
        });
        [protocol, metadata].into_iter().chain(txns).chain(adds).chain(removes).collect()
    }
}

/// The rows of a file as the log tells them, if it does.
pub fn rows_of(file: &Add) -> Option<u64> {
    let statistics: serde_json::Value = serde_json::from_str(file.stats.as_ref()?).ok()?;
    statistics.get("numRecords")?.as_u64()
}

/// Whether the folder of a table holds a log, or what is left of one.
///
/// # Errors
///
/// [`LogError::Store`].
pub async fn has_log(table: &Location) -> Result<bool, LogError> {
    let folder = Log { table: table.clone() }.folder();
    let mut objects = table.store.list(Some(&folder)).take(1);
    let first = in_time(objects.try_next()).await;
    let failed = |error| LogError::store("look for the table's log", table, &error);
    first.map(|first| first.is_some()).map_err(failed)
}

/// Reads a table's log.
///
/// # Errors
///
/// [`LogError::Store`]; [`LogError::Refused`] if the log cannot be read.
pub async fn contents(table: &Location) -> Result<Contents, LogError> {
    of_log(&Log { table: table.clone() }).await
}

pub(super) async fn of_log(log: &Log) -> Result<Contents, LogError> {
    let mut contents = Contents::default();
    let state = log.load(|version, lines| contents.apply(version, lines)).await?;
    contents.state = state;
    Ok(contents)
}
