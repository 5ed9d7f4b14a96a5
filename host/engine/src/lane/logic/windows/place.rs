//! Where a row lies among windows that follow from its time alone: late, or in its pane. Pure, by chunk.

use super::shape::By;
use crate::lane::logic::placed::{LateRow, Placed};
use crate::lane::rows::Rows;
use sluicegate_connect::sink::late::Missed;
use sluicegate_model::time::EventTime;
use sluicegate_state::window::slides::Pane;
use sluicegate_state::window::{Place, Placement, Slides};

/// Places the rows that are left of a chunk.
pub(super) fn place_in_slides(
    slides: &Slides,
    rows: &Rows,
    By { judge, clock, lateness }: By<'_>,
    placed: &mut Placed,
) {
    let times = &rows.times;
    debug_assert!(rows.before.is_sorted(), "times before a row only grow");
    // The last that judges a row of the chunk. What is on time for it is on time for those before.
    let latest = rows.before.last().map_or(EventTime::MAX, |it| judge.watermark(*it, clock));
    let is_safe = |pane: &Pane| {
        slides.place(pane, latest.minus(lateness)) == Placement::OnTime { skipped: 0 }
    };
    // Rows of a chunk mostly share a pane.
    let mut pane = slides.pane(EventTime(0));
    let mut safe = is_safe(&pane);
    let whole = |pane: &Pane| Place { bounds: pane.bounds(), skipped: 0 };
    rows.selection().for_each(|row| {
        let time = EventTime(times[row]);
        if !pane.contains(time) {
            if safe {
                placed.end_run(whole(&pane));
            }
            pane = slides.pane(time);
            safe = is_safe(&pane);
        }
        if safe {
            return placed.push(row);
        }
        let watermark = judge.watermark(rows.before[row], clock);
        match slides.place(&pane, watermark.minus(lateness)) {
            Placement::OnTime { skipped } => {
                placed.push(row);
                placed.end_run(Place { bounds: pane.bounds(), skipped });
            }
            Placement::Late => {
                let missed = Missed {
                    first: pane.first_window(),
                    last_end: pane.last_end(),
                    windows: pane.windows(),
                    covers: false,
                    watermark,
                    by: judge.whose(rows.before[row], clock),
                };
                placed.late.push(LateRow { row: row as u32, missed });
            }
            Placement::Outside => {}
        }
    });
    if safe {
        placed.end_run(whole(&pane));
    }
}
