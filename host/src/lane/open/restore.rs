//! The state of a lane as its newest record has it, in the layout of the modules that it opens with.

use crate::chain::record::ChainRecord;
use crate::keyed;
use crate::time::Watermark;
use crate::window::snapshot::KnownClosed;
use crate::window::{WindowAssigner, key_shard, snapshot};

use super::OpenError;
use crate::lane::migrate::{migrate, other_version};
use crate::lane::plan::Plan;
use crate::lane::pool::Pool;
use crate::lane::share::owner;

/// Gives every worker the groups and keys of its shards. If the plan has another module for them than made them, their
/// states are migrated.
pub(in crate::lane) fn restore(
    pool: &mut Pool,
    plan: &Plan,
    head: Option<&ChainRecord>,
    state: Option<&[u8]>,
) -> Result<(), OpenError> {
    let Some(head) = head else { return Ok(()) };
    pool.window_firing.begin_at(head.watermark);
    let Some(state) = state else { return Ok(()) };
    decode(pool, plan, head.watermark, state)?;
    let Some(from) = other_version(plan, &head.modules) else { return Ok(()) };
    let migrated = migrate(pool, plan, from);
    pool.adopt(&migrated.map_err(|source| OpenError::Migrate { from, source })?);
    Ok(())
}

fn decode(
    pool: &mut Pool,
    plan: &Plan,
    watermark: Watermark,
    state: &[u8],
) -> Result<(), snapshot::SnapshotError> {
    let owners = pool.len();
    let workers = pool.workers_mut();
    if keyed::snapshot::holds_keys(state) {
        return keyed::snapshot::decode(state, |row| {
            let shard = key_shard(row.key);
            workers[owner(shard, owners)].keyed.restore(&row);
        });
    }
    let header = snapshot::decode(state, |row| {
        let shard = key_shard(row.key);
        workers[owner(shard, owners)].restore(plan.windows, &row);
    })?;
    let unknown_before = match (header.closed, plan.windows, watermark) {
        (KnownClosed::From(before), ..) => before,
        // Whatever was closed by then has begun before.
        (KnownClosed::Nothing, Some(WindowAssigner::Sessions(rule)), Watermark::At(time)) => {
            rule.corrected.then(|| time.0.saturating_sub(plan.lateness))
        }
        (KnownClosed::Nothing, ..) => None,
    };
    workers.iter_mut().for_each(|worker| worker.sessions.set_unknown_before(unknown_before));
    if let Some(fired) = header.fired {
        pool.window_firing.begin_cut(fired);
    }
    Ok(())
}
