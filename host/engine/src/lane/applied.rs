//! What the logic makes, applied: part of the epoch that is being made.

use super::LaneError;
use super::desk::Desk;
use super::ledger::Ledger;
use super::logic::{Effect, Effects};
use super::outputs::Outputs;

/// Hands effects to those that they are for.
pub(super) struct Applied<'l> {
    pub(super) outputs: &'l mut Outputs,
    pub(super) ledger: &'l mut Ledger,
    pub(super) desk: &'l mut Desk,
}

impl Effects for Applied<'_> {
    fn take(&mut self, effect: Effect<'_>) -> Result<(), LaneError> {
        self.ledger.dirty = true;
        let epoch = self.ledger.next_epoch();
        match effect {
            Effect::Rows(rows) => {
                self.desk.fired(rows);
                self.outputs.write_results(rows, None, epoch)
            }
            Effect::Updates { rows, last } => self.outputs.write_updates(rows, last, epoch),
            Effect::Fired => Ok(()),
            Effect::Groups { stage, condemned } => {
                self.outputs.write_condemned_groups(stage, condemned, epoch)
            }
            Effect::Timers { stage, condemned } => {
                self.outputs.write_condemned_timers(stage, condemned, epoch)
            }
        }
    }
}
