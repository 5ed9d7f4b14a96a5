//! The state of a lane as its newest record has it, in the layout of the modules that it opens with.

use sluicegate_chain::record::ChainRecord;

use super::OpenError;
use crate::lane::logic::Logic;
use crate::lane::logic::migrate::{migrate, other_version};
use crate::lane::plan::Plan;
use crate::lane::pool::Pool;

/// Gives a logic the groups or keys of a state. If the plan has another module for them than made them, their states
/// are migrated.
pub(in crate::lane) fn restore(
    logic: &mut Logic,
    pool: &Pool,
    plan: &Plan,
    head: Option<&ChainRecord>,
    pieces: &[Vec<u8>],
) -> Result<(), OpenError> {
    let Some(head) = head else { return Ok(()) };
    logic.begin_at(head.watermark);
    if pieces.is_empty() {
        return Ok(());
    }
    logic.restore(pool, head.watermark, pieces)?;
    let Some(from) = other_version(plan, &head.modules) else { return Ok(()) };
    let migrated = migrate(logic, pool, plan, from);
    migrated.map_err(|source| OpenError::Migrate { from, source })?.put(logic, pool);
    Ok(())
}
