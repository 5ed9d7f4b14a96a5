//! The logs of the tables, as an opening finds them.

use std::iter;
use std::sync::Arc;

use futures::future::try_join_all;

use super::{LaneParts, OpenError};
use crate::lane::outputs::logs::Compactions;
use crate::lane::plan::Plan;
use sluicegate_chain::inspect::{latest, own_chains};
use sluicegate_chain::record::ChainRecord;
use sluicegate_chain::shape::TableShape;
use sluicegate_chain::{ChainError, LaneStorage, Published as Mark};
use sluicegate_delta::compact::Sizes;
use sluicegate_delta::{LogError, TableLog};
use sluicegate_pipeline::{CompactionConfig, Pipeline};

/// Reads the logs of the pipeline's tables: whether they can be written.
pub(super) async fn open_logs(parts: &LaneParts, plan: &Plan) -> Result<Vec<TableLog>, OpenError> {
    let open = |(table, shape): (Arc<str>, Arc<TableShape>)| async move {
        let (clock, names) = (parts.clock.clone(), parts.names.clone());
        TableLog::open(&parts.storage, &table, shape, clock, names).await
    };
    Ok(try_join_all(plan.shapes(&parts.config)?.into_iter().map(open)).await?)
}

/// Looks how far the logs are behind a chain that there is.
pub(super) async fn find_missing(
    logs: Vec<TableLog>,
    storage: &LaneStorage,
    head: Option<&ChainRecord>,
) -> Result<Vec<TableLog>, LogError> {
    let Some(head) = head else { return Ok(logs) };
    try_join_all(logs.into_iter().map(|log| log.find_missing(storage, head))).await
}

/// The chains that the lane has or had: from those it takes tables. It asks for them unless the tables name its chain already.
async fn own(logs: &[TableLog], storage: &LaneStorage) -> Result<Vec<String>, ChainError> {
    match logs.iter().all(TableLog::is_taken) {
        true => Ok(Vec::new()),
        false => own_chains(storage).await,
    }
}

/// Refuses tables that another chain writes to, before this one has a record. A chain that is surveyed may be old: whoever
/// leads may have begun another meanwhile.
pub(super) async fn none_is_taken(
    logs: &[TableLog],
    storage: &LaneStorage,
) -> Result<(), OpenError> {
    let own = own(logs, storage).await?;
    let taken = logs.iter().filter_map(|log| log.check_writer(&own).err());
    Ok(LogError::all(taken.collect())?)
}

/// Refuses to go on with a chain that is the copy of one that is there.
pub(super) async fn none_is_copied(logs: &[TableLog], parts: &LaneParts) -> Result<(), OpenError> {
    for log in logs {
        log.refuse_copy(&parts.storage, &parts.stores).await?;
    }
    Ok(())
}

/// Takes the tables for a chain that has a record. Of two that begin at the same time one gets all of them, because both take
/// them in the same order, and the other is refused before it has read anything.
pub(super) async fn take(logs: &mut [TableLog], storage: &LaneStorage) -> Result<(), OpenError> {
    let own = own(logs, storage).await?;
    let mut logs = logs.iter_mut();
    while let Some(log) = logs.next() {
        let Err(error) = log.take(&own).await else { continue };
        // The rest stays to whoever has this one. What is known of it is said.
        let is_refused = matches!(error, LogError::Refused { .. });
        let others = logs.filter(|_| is_refused).filter_map(|log| log.check_writer(&own).err());
        return Ok(LogError::all(iter::once(error).chain(others).collect())?);
    }
    Ok(())
}

/// Refuses a chain that does not have what the log of a table has of it: its newest records are gone. Taking it would write
/// others in their place, and delete files that the log names.
pub(super) async fn none_is_ahead(
    logs: &[TableLog],
    storage: &LaneStorage,
    head: Option<&ChainRecord>,
) -> Result<(), OpenError> {
    let Some(head) = head else { return Ok(()) };
    if logs.iter().all(|log| log.check_ahead(head.epoch).is_ok()) {
        return Ok(());
    }
    // Whoever leads writes on while chain and logs are read.
    let newest = latest(storage).await?.unwrap_or(head.epoch);
    let ahead = logs.iter().filter_map(|log| log.check_ahead(newest).err());
    Ok(LogError::all(ahead.collect())?)
}

/// The mark of a lane with these logs: records from the first on that one of them needs stay. It is made for each opening,
/// because epochs of a chain that was begun again say nothing of those before.
pub(super) fn mark(logs: &[TableLog]) -> Mark {
    let first = logs.iter().map(|log| log.published().needed_from).min();
    first.map_or_else(Mark::everything, Mark::below)
}

/// When the small files of the pipeline's tables become larger ones.
pub(super) fn compactions(config: &Pipeline) -> Compactions {
    let tables = config.tables().into_iter();
    let compacted = tables.filter_map(|(id, table)| {
        let CompactionConfig { after_files, file_bytes } = table.compaction?;
        Some((id, Sizes { target: file_bytes, after_files: Some(after_files) }))
    });
    compacted.collect()
}
