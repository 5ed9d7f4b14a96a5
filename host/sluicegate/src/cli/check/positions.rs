//! Whether the files of a pipeline are still those that the positions in its chain belong to.

use tokio::runtime::Handle;

use sluicegate_chain::finished::FinishedFiles;
use sluicegate_chain::record::{ChainRecord, SourceKind};
use sluicegate_connect::source::files::FilesSource;
use sluicegate_connect::source::{Source, SourceError};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, SourceConfig};
use sluicegate_runtime::Bell;
use sluicegate_store::StoreOptions;

/// Positions from which a start could not go on.
#[derive(Debug, thiserror::Error)]
#[error("a start would halt")]
pub(crate) struct LostPositions(#[from] SourceError);

/// Lists the files and reads none. A topic is not asked, nor is a place that does not answer: a start would wait for it.
///
/// # Errors
/// [`LostPositions`], or a set of finished files that cannot be read.
pub(super) fn check_positions(
    pipeline: &Pipeline,
    head: &ChainRecord,
    stores: &StoreOptions,
    runtime: &Handle,
) -> anyhow::Result<()> {
    let SourceConfig::Files(files) = &pipeline.source else { return Ok(()) };
    if head.source.ended || head.source.kind != SourceKind::Files {
        return Ok(());
    }
    let (runtime, clock) = (runtime.clone(), Clock::system());
    let source = FilesSource::open(files, stores, runtime, clock, Bell::default());
    let mut source = source.map_err(LostPositions)?;
    if let Some(finished) = &head.source.finished {
        source.know_finished(FinishedFiles::thaw(finished)?);
    }
    let states = head.source.partitions.iter();
    let positions = states.map(|state| (state.partition.clone(), state.position.clone())).collect();
    Ok(source.check(&positions).map_err(LostPositions)?)
}
