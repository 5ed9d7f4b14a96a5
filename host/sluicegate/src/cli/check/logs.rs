//! Whose the Delta tables of a pipeline are, before anything is written.

use sluicegate_chain::LaneStorage;
use sluicegate_delta::LogError;
use sluicegate_delta::claim::check_lane;
use sluicegate_pipeline::{Pipeline, TableFormat};

/// Refuses tables of another pipeline, and those that another chain writes to. What cannot be asked is not judged: a start
/// waits for it.
///
/// # Errors
///
/// [`LogError::Refused`], or [`LogError::Several`] that are.
pub(in crate::cli) async fn refuse_others(
    pipeline: &Pipeline,
    storage: &LaneStorage,
) -> Result<(), LogError> {
    let mut refused = Vec::new();
    for (id, table) in pipeline.tables() {
        if table.format != TableFormat::Delta {
            continue;
        }
        if let Err(error @ LogError::Refused { .. }) = check_lane(storage, &id).await {
            refused.push(error);
        }
    }
    LogError::all(refused)
}
