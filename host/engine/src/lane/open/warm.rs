//! What an opening has loaded, reached and read, and keeps while it stands by: whoever has won the leadership reads only what
//! has come since.

use std::num::NonZero;
use std::sync::Arc;

use futures::future::try_join_all;

use super::logs::open_logs;
use super::wait::request;
use super::{LaneParts, OpenError};
use crate::lane::desk::brake::brake;
use crate::lane::outputs::outbox::Post;
use crate::lane::plan::Plan;
use crate::lane::pool::Pool;
use crate::lane::{Outside, PlacedModule};
use sluicegate_connect::source::Source;
use sluicegate_delta::{LogError, TableLog};
use sluicegate_pipeline::Pipeline;
use sluicegate_store::probe;

/// It stays good whatever the chain says. The stores have passed their probe.
pub(super) struct Warm {
    /// Compiled.
    pub(super) modules: Vec<PlacedModule>,
    pub(super) pool: Pool,
    pub(super) post: Option<Post>,
    /// The logs of the tables, as last read.
    pub(super) logs: Vec<TableLog>,
    pub(super) source: Box<dyn Source>,
}

impl Warm {
    /// Tries the stores, reads the logs, and reaches topics. Modules come with the chain.
    pub(super) fn up(parts: &LaneParts, plan: &Plan, outside: &Outside) -> Result<Self, OpenError> {
        let LaneParts { config, storage, ends, runtime, clock, .. } = parts;
        let pool = Pool::new(worker_count(config), brake(outside), outside.pulse.clone())?;
        request(outside, runtime, probe::ensure(&storage.chain))??;
        let logged = plan.shapes(config)?;
        let tables = logged.keys().map(|table| &storage.tables[table]);
        request(outside, runtime, probe::ensure_tables(&storage.chain, tables))??;
        let logs = request(outside, runtime, open_logs(parts, plan))??;
        let deliveries = Arc::clone(&outside.metrics.deliveries);
        let post =
            ends.post(config, clock, &outside.bell, deliveries, &|| outside.stop.is_asked())?;
        let source = ends.source(config, clock, &outside.bell)?;
        Ok(Self { modules: Vec::new(), pool, post, logs, source })
    }

    /// The same for another preparation, with what others have added to the logs.
    pub(super) async fn freshened(warm: Option<Self>) -> Result<Option<Self>, OpenError> {
        let Some(warm) = warm else { return Ok(None) };
        let logs = try_join_all(warm.logs.into_iter().map(TableLog::reopened)).await?;
        Ok(Some(Self { logs, ..warm }))
    }
}

/// Reads what others add to the logs, while it stands by.
pub(super) async fn follow(logs: &mut [TableLog]) -> Result<(), LogError> {
    try_join_all(logs.iter_mut().map(TableLog::follow)).await.map(drop)
}

fn worker_count(config: &Pipeline) -> usize {
    match config.limits.workers {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        workers => workers,
    }
}
