//! What becomes of Delta tables when their pipeline is forgotten: the next chain may take them, or their logs go.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluicegate_chain::inspect::own_chains;
use sluicegate_chain::{DataFiles, LaneStorage};
use sluicegate_delta::LogError;
use sluicegate_delta::claim::{self, WriterOfTable};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, TableFormat};

use super::NotForgotten;

/// The tables of a pipeline that have a log.
pub(super) struct Logged<'s> {
    storage: &'s LaneStorage,
    ids: Vec<Arc<str>>,
    data: DataFiles,
    /// The chains that have them.
    pub(super) writers: BTreeMap<Arc<str>, WriterOfTable>,
}

impl<'s> Logged<'s> {
    /// # Errors
    ///
    /// Only some of their files are to go, or those of a table that is not the pipeline's; or a log cannot be asked for.
    pub(super) async fn find(
        pipeline: &Pipeline,
        storage: &'s LaneStorage,
        data: DataFiles,
    ) -> anyhow::Result<Self> {
        let tables = pipeline.tables().into_iter();
        let logged = tables.filter(|(_, table)| table.format == TableFormat::Delta);
        let ids: Vec<Arc<str>> = logged.map(|(id, _)| id).collect();
        // A log that names files which are gone cannot be read, and one that is gone loses those that were kept.
        if let (Some(id), DataFiles::DeleteOwn) = (ids.first(), data) {
            return Err(NotForgotten(format!(
                "`{id}` is a Delta table, whose log names files of all chains: keep the data, or delete all of it with --all-data"
            ))
            .into());
        }
        let mut writers = BTreeMap::new();
        let own = match data {
            DataFiles::DeleteAll if !ids.is_empty() => own_chains(storage).await?,
            _ => Vec::new(),
        };
        for id in &ids {
            let found = match data {
                DataFiles::DeleteAll => claim::find_to_delete(storage, id, &own).await?,
                _ => match claim::find(storage, id).await {
                    // One that cannot be read stays as it is, with its files.
                    Err(LogError::Refused { .. }) => None,
                    found => found?,
                },
            };
            writers.extend(found.map(|writer| (Arc::clone(id), writer)));
        }
        Ok(Self { storage, ids, data, writers })
    }

    /// Which option deletes the data: a log says of no file that only its chain needs it.
    pub(super) fn option(&self, deletes_own: bool) -> &'static str {
        match deletes_own && self.ids.is_empty() {
            true => "--data",
            false => "--all-data",
        }
    }

    /// What would become of them, a line each.
    pub(super) fn description(&self) -> String {
        if self.data == DataFiles::DeleteAll {
            return String::new();
        }
        let line = |(id, writer): (&Arc<str>, &WriterOfTable)| {
            let WriterOfTable { chain, place } = writer;
            format!(
                "  to release: the table {id}, which the chain {chain} of {place} writes: the next may take it\n"
            )
        };
        self.writers.iter().map(line).collect()
    }

    /// The logs go before the files: without its log a table is gone as a whole. Where data are kept, the next chain may have
    /// the table, also one that knows nothing of this. A chain that was not there when it was looked for, and is none of the lane's that were
    /// `seen`, keeps its table: it has begun since.
    pub(super) async fn forget(&self, seen: &[String]) -> anyhow::Result<()> {
        let clock = Clock::system();
        for id in &self.ids {
            let had = self.writers.get(id).map(|writer| &*writer.chain);
            let these = |chain: &str| had == Some(chain) || seen.iter().any(|it| it == chain);
            match self.data {
                DataFiles::DeleteAll => {
                    sluicegate_delta::forget(&self.storage.tables[id], these).await?;
                }
                _ => match claim::release(self.storage, id, these, &clock).await {
                    Ok(()) | Err(LogError::Refused { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(())
    }
}
