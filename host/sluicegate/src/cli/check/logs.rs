//! Whose the Delta tables of a pipeline are and what they can take, before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluicegate_chain::LaneStorage;
use sluicegate_chain::shape::TableShape;
use sluicegate_delta::LogError;
use sluicegate_delta::claim::check_lane;
use sluicegate_pipeline::{Pipeline, TableFormat};
use sluicegate_store::StoreOptions;

/// Refuses tables of another pipeline, those that another chain or the original of this one writes to, and those that cannot take their `columns`, as far as
/// these are known, by the table's id. What cannot be asked is not judged: a start waits for it.
///
/// # Errors
///
/// [`LogError::Refused`], or [`LogError::Several`] that are.
pub(in crate::cli) async fn refuse_others(
    pipeline: &Pipeline,
    storage: &LaneStorage,
    columns: &BTreeMap<Arc<str>, Arc<TableShape>>,
    stores: &StoreOptions,
) -> Result<(), LogError> {
    let mut refused = Vec::new();
    for (id, table) in pipeline.tables() {
        if table.format != TableFormat::Delta {
            continue;
        }
        let columns = columns.get(&id).map(|columns| &**columns);
        let may_write = check_lane(storage, &id, columns, stores).await;
        if let Err(error @ LogError::Refused { .. }) = may_write {
            refused.push(error);
        }
    }
    LogError::all(refused)
}
