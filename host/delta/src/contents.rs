//! All that counts at a version of a log, files included: for checkpoints, and for people who look at a table.

use std::collections::BTreeMap;

use super::actions::{Add, Line, Remove};
use super::log::Log;
use super::problem::LogError;
use super::state::LogState;
use sluicegate_store::Location;

/// A table as its readers see it.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Version, columns and settings.
    pub state: LogState,
    /// The files that belong to it, by path.
    pub files: BTreeMap<String, Add>,
    /// Those that did, by path, as far as the log still tells.
    pub removed: BTreeMap<String, Remove>,
}

impl Contents {
    fn apply(&mut self, lines: Vec<Line>) {
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

    /// As the rows of a checkpoint. Files that were removed before `since` (ms since 1970) are left out.
    pub(super) fn into_lines(self, since: i64) -> Vec<Line> {
        let Self { state, files, removed } = self;
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
    let state = log.load(|_, lines| contents.apply(lines)).await?;
    contents.state = state;
    Ok(contents)
}
