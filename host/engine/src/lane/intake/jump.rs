//! The guard against single times far ahead of the data around them: a row that jumps counts for
//! nothing and does not move the clock, unless the next one agrees with it
//! (docs/design/time.md#rule-6).
//!
//! ```text
//!  2024-05-01  2024-05-02  2099-01-01  2024-05-03      one row alone is a wrong clock: a dead letter
//!  2019-12-31  2024-05-01  2024-05-02                  two in a row are a gap in the data: only the first of them is lost
//! ```
//!
//! The verdict on a row is made of the rows of its partition before it, in order: their largest event time, and the row
//! just before it, if that has jumped. Both are in the chain, so that neither batches, nor workers, nor a restart
//! change it. Chunks are prepared in parallel and do not know what is before them; so they are judged afterwards, one
//! by one.

use std::time::Duration;

use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::time::EventTime;
use sluicegate_pipeline::duration;

use crate::lane::plan::Plan;
use crate::lane::rows::Prepared;

/// What is known of a partition before a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lane) struct Known {
    /// The largest event time.
    pub(in crate::lane) max: Option<EventTime>,
    /// The event time of the row just before, if it has jumped.
    pub(in crate::lane) doubted: Option<EventTime>,
}

/// Takes the rows out of a chunk that jump. Answers with the row that is doubted behind it.
pub(super) fn judge(prepared: &mut Prepared, plan: &Plan, known: Known) -> Option<EventTime> {
    let Some(seen) = prepared.seen.take() else { return known.doubted };
    let (Some(allowed), Some(max)) = (plan.jump.allowed, prepared.max_event_time) else {
        return known.doubted;
    };
    if known.max.is_some_and(|before| max.0 <= before.0.saturating_add(allowed)) {
        return None;
    }
    let mut doubted = known.doubted.map(EventTime::micros);
    let mut highest = known.max.map(EventTime::micros);
    let first = prepared.chunk.records.start;
    let mut in_chunk = i64::MIN;
    let mut before = vec![i64::MIN; prepared.chunk.records.len()];
    let mut refused = Vec::new();
    seen.each(first as u32, |record, time| {
        before[record as usize - first] = in_chunk;
        let reached = highest.filter(|highest| time > highest.saturating_add(allowed));
        let is_confirmed =
            doubted.is_some_and(|other| time.abs_diff(other) <= allowed.unsigned_abs());
        match reached {
            Some(reached) if !is_confirmed => {
                refused.push((record, reason(plan, time, reached, allowed)));
                doubted = Some(time);
            }
            _ => {
                doubted = None;
                highest = highest.max(Some(time));
                in_chunk = in_chunk.max(time);
            }
        }
    });
    if !refused.is_empty() {
        // A record that nobody asked, because it has no time that counts, stands behind as much as the one before it.
        let mut reached = i64::MIN;
        for before in &mut before {
            reached = reached.max(*before);
            *before = reached;
        }
        prepared.max_event_time = (in_chunk > i64::MIN).then_some(EventTime(in_chunk));
        take_out(prepared, plan, refused, &before);
    }
    doubted.map(EventTime)
}

/// Takes all rows of the records out and dead-letters these. A stage may have refused them as well: it should not have
/// seen them. `before` is what [`crate::lane::rows::Rows`] has, by record of the chunk.
fn take_out(prepared: &mut Prepared, plan: &Plan, refused: Vec<(u32, String)>, before: &[i64]) {
    let is_refused =
        |record: u32| refused.binary_search_by_key(&record, |(record, _)| *record).is_ok();
    let rows = &mut prepared.rows;
    let mut picked = rows.left();
    picked.retain(|row| !is_refused(rows.record(*row as usize)));
    rows.picked = Some(picked);
    for row in 0..rows.before.len() {
        rows.before[row] = before[rows.record(row) as usize - prepared.chunk.records.start];
    }
    prepared.condemned.retain(|condemned| !is_refused(condemned.record));
    for (record, reason) in refused {
        prepared.condemn_by_host(&plan.host_stage, record, DeadLetterKind::EventTime, reason);
    }
}

fn reason(plan: &Plan, time: i64, reached: i64, allowed: i64) -> String {
    let ahead = Duration::from_micros(time.abs_diff(reached));
    format!(
        "{}, {}, is {} ahead of the largest before it in its partition, {}; `event_time.max_jump` allows {}{}",
        plan.time_column.what(),
        EventTime(time),
        humantime::format_duration(Duration::from_secs(ahead.as_secs())),
        EventTime(reached),
        duration::show(Duration::from_micros(allowed.unsigned_abs())),
        plan.time_column.hint(time),
    )
}
