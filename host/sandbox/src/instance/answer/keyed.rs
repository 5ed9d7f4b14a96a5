//! Checks what comes back from a keyed plugin: as [its parent](super) does for the other kinds.

use arrow::datatypes::SchemaRef;

use super::{ascending, batch, check_offsets, rejects, states};
use crate::contract::bindings::exports::sluicegate::plugin::process_rows;
use crate::plugin::answer::{KeyedAnswer, KeyedRows, TimerAnswer};
use sluicegate_model::call::CallLimits;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer, TimerSets};
use sluicegate_model::varlen::Varlen;

/// Rows that one call may emit: some hundred for each row of a full call. Their bytes have a bound of their own,
/// `limits.plugin_output`.
const OUTPUT_ROWS_MAX: usize = 1 << 20;

/// What a keyed plugin answered to `rows`, of `groups` groups.
pub(crate) fn process(
    raw: process_rows::ProcessAnswer,
    rows: &KeyedRows<'_>,
    groups: usize,
    outputs: &SchemaRef,
    limits: &CallLimits,
) -> Result<KeyedAnswer, String> {
    let states = states(raw.states, groups)?;
    let groups = checked_groups(states, raw.timers, limits)?;
    let batch = batch(raw.rows, outputs)?;
    check_output(batch.num_rows())?;
    ascending("source-rows", &raw.source_rows, batch.num_rows(), rows.times.len())?;
    if raw.times.len() != batch.num_rows() {
        return Err(format!("{} times came back for {} rows", raw.times.len(), batch.num_rows()));
    }
    let (source_rows, times) = (raw.source_rows, event_times(raw.times));
    for (time, source) in times.iter().zip(&source_rows) {
        let source = *source as usize;
        // The row's own, or that of a timer that fired before it.
        if *time != rows.times[source] && *time > rows.watermarks[source] {
            let time = time.micros();
            return Err(format!("a new row has the time {time}, which its source has not reached"));
        }
    }
    let rejects = rejects(raw.rejects, rows.times.len())?;
    Ok(KeyedAnswer { groups, batch, source_rows, times, rejects })
}

/// What a keyed plugin answered to `fired`, one timer a group.
pub(crate) fn on_timer(
    raw: process_rows::TimerAnswer,
    fired: &[Timer],
    outputs: &SchemaRef,
    limits: &CallLimits,
) -> Result<TimerAnswer, String> {
    let states = states(raw.states, fired.len())?;
    let groups = checked_groups(states, raw.timers, limits)?;
    for (group, fired) in fired.iter().enumerate() {
        // Those that were there follow it, as the smallest fires; those that it sets lie behind it.
        if groups.timers.get(group).next().is_some_and(|next| next <= *fired) {
            let why = "a timer sets a timer that is not behind it";
            return Err(format!("{why}: group {group}, at {}", fired.time.micros()));
        }
    }
    let batch = batch(raw.rows, outputs)?;
    check_output(batch.num_rows())?;
    ascending("groups", &raw.groups, batch.num_rows(), fired.len())?;
    Ok(TimerAnswer { groups, batch, of: raw.groups })
}

/// In place: the times keep the memory of the numbers.
fn event_times(micros: Vec<i64>) -> Vec<EventTime> {
    micros.into_iter().map(EventTime).collect()
}

fn check_output(rows: usize) -> Result<(), String> {
    if rows > OUTPUT_ROWS_MAX {
        return Err(format!("{rows} rows came back, at most {OUTPUT_ROWS_MAX} are taken"));
    }
    Ok(())
}

fn checked_groups(
    states: Varlen,
    raw: process_rows::TimerSetsResult,
    limits: &CallLimits,
) -> Result<KeyedGroups, String> {
    let process_rows::TimerSetsResult { offsets, times, ids } = raw;
    check_offsets("timers", &offsets, times.len(), states.len())?;
    if ids.len() != times.len() {
        return Err(format!("{} timers have {} ids", times.len(), ids.len()));
    }
    let timers = TimerSets { offsets, times: event_times(times), ids };
    for (group, state) in states.iter().enumerate() {
        if state.len() > limits.key_state {
            return Err(format!(
                "the state of a key has {} bytes, `limits.key_state` allows {}",
                state.len(),
                limits.key_state
            ));
        }
        check_timers(timers.get(group), limits)?;
    }
    Ok(KeyedGroups { states, timers })
}

fn check_timers(
    mut timers: impl ExactSizeIterator<Item = Timer>,
    limits: &CallLimits,
) -> Result<(), String> {
    if timers.len() > limits.key_timers {
        return Err(format!(
            "a key has {} timers, `limits.key_timers` allows {}",
            timers.len(),
            limits.key_timers
        ));
    }
    let Some(mut before) = timers.next() else { return Ok(()) };
    if before.time == EventTime::MIN {
        return Err("a timer is set for -2^63, which is not a time".to_owned());
    }
    for timer in timers {
        if timer <= before {
            let (timer, before) = (shown(timer), shown(before));
            return Err(format!("timers are not ascending: {timer} after {before}"));
        }
        before = timer;
    }
    Ok(())
}

/// For the author of a plugin, who sees numbers: the id, and the time in µs.
fn shown(timer: Timer) -> String {
    format!("timer {} at {}", timer.id, timer.time.micros())
}
