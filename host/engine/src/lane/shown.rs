//! What a lane shows of groups, open or changed, to those who ask or listen: evaluated on copies, between two turns.

use sluicegate_model::time::Watermark;

use super::desk::look::{Look, OpenWindows};
use super::{Lane, LaneError};
use crate::status::LiveResults;

impl Lane {
    /// Sends what changed, if somebody listens and it is time.
    pub(super) fn show_live(&mut self) {
        if let Some(fired) = self.desk.take_fired() {
            let max = LiveResults::ROWS_MAX;
            let changed = self.with_logic(|logic, given, _| logic.show(given, max));
            let epoch = self.ledger.next_epoch();
            self.desk.show(fired, changed, self.logic.key_columns(), epoch);
        }
    }

    /// Answers somebody who asks what stands in the open groups. Nothing of the lane changes by it.
    pub(super) fn show_open(&mut self, look: Look) -> Result<(), LaneError> {
        self.desk.outside.trial.begin_other("while open windows were shown");
        let began = self.clock.monotonic();
        let watermark: Watermark = self.intake.clock().watermark();
        let shown = self.with_logic(|logic, given, _| logic.open(given, &look.asked));
        self.pool.not_broken_off()?;
        self.desk.end_look(began);
        // Nobody asks a pipeline that has no groups.
        let Some((rows, left_out)) = shown else { return Ok(()) };
        let answer = OpenWindows {
            uncommitted_epoch: self.ledger.next_epoch(),
            watermark,
            rows,
            key_columns: self.logic.key_columns(),
            groups: self.logic.groups_len(),
            left_out: left_out as u64,
        };
        look.answer(Ok(answer));
        Ok(())
    }
}
