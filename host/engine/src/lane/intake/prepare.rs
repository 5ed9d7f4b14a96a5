//! The first half of a turn, by chunk and in parallel: decode, observe event time, filter, map.
//!
//! Event time is observed before the plugins, so that a plugin that drops everything cannot stop time. A chunk is
//! a run of records of one partition; nothing here knows what other chunks hold.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;

use super::preparer::Preparer;
use crate::lane::budget::Budget;
use crate::lane::plan::{EventTimeSource, Plan};
use crate::lane::rows::codes::Codes;
use crate::lane::rows::{Chunk, Fate, Prepared, Rows, Seen};
use crate::lane::trial::Trial;
use sluicegate_connect::source::RecordBlock;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::time::{Clock, EventTime, thread_cpu_nanos};

/// Decodes a chunk, takes its event times and runs the filters and maps. None: the budget does not suffice for it.
pub(super) fn prepare(
    worker: &mut Preparer,
    plan: &Plan,
    clock: &Clock,
    blocks: &[RecordBlock],
    chunk: &Chunk,
    trial: &Trial,
    budget: &Budget,
) -> Option<Prepared> {
    if budget.is_spent() {
        return None;
    }
    let started = thread_cpu_nanos();
    let block = &blocks[chunk.block];
    let panicked = trial.verdict(block, &chunk.records);
    let looked_at = match panicked {
        Some(_) => chunk.records.start..chunk.records.start,
        None => chunk.records.clone(),
    };
    let first =
        u32::try_from(chunk.records.start).expect("a block is bounded far below 2^32 records");
    let decoded = worker.decoder.decode(&block.values, looked_at);
    worker.reread += decoded.reread;
    let decoded = match &plan.metadata {
        Some(metadata) => metadata.add(decoded, block, first),
        None => decoded,
    };
    let records = decoded.batch.num_rows();
    let mut prepared = Prepared {
        chunk: chunk.clone(),
        rows: Rows {
            codes: Codes::of(&decoded.batch),
            batch: decoded.batch,
            picked: None,
            records: decoded.records,
            first,
            times: Vec::with_capacity(records),
            before: Vec::with_capacity(records),
        },
        max_event_time: None,
        seen: None,
        odd_time: None,
        fates: vec![Fate::Filtered; chunk.records.len()],
        condemned: Vec::new(),
    };
    for (record, reason) in decoded.rejects {
        // To the decoder both are empty.
        let is_tombstone = block.no_value.has(record as usize);
        let reason = if is_tombstone { "the record has no value".to_owned() } else { reason };
        prepared.condemn_by_host(&plan.host_stage, record, DeadLetterKind::Decode, reason);
    }
    if let Some(panic) = panicked {
        let reason = format!("the host panicked over this record alone: {panic}");
        prepared.condemn_by_host(&plan.host_stage, first, DeadLetterKind::HostPanic, reason);
    }
    observe(&mut prepared, plan, block, clock);
    let decoded_at = thread_cpu_nanos();
    for (stage, step) in plan.stages.iter().zip(&mut worker.stages) {
        if prepared.rows.len() == 0 {
            break;
        }
        if !stage.apply(step, &mut prepared, budget) {
            return None;
        }
    }
    worker.decode_nanos += decoded_at - started;
    worker.plugin_nanos += thread_cpu_nanos() - decoded_at;
    Some(prepared)
}

/// Takes the event time of every row. A row without one, or with one too far ahead, is
/// dead-lettered and does not move the clock (docs/design/time.md#rule-6).
fn observe(prepared: &mut Prepared, plan: &Plan, block: &RecordBlock, clock: &Clock) {
    let rows = prepared.rows.batch.num_rows();
    let times: Vec<i64> = match &plan.event_time {
        EventTimeSource::Column(column) => {
            let column = prepared.rows.batch.column(*column);
            column.as_primitive::<TimestampMicrosecondType>().values().to_vec()
        }
        EventTimeSource::RecordTimestamp => {
            let time = |row| block.timestamp(prepared.rows.record(row) as usize);
            // Those without are refused below.
            (0..rows).map(|row| time(row).unwrap_or(0)).collect()
        }
    };
    let refused = refused_times(prepared, plan, block, clock, &times);
    let mut max = i64::MIN;
    let mut start = 0;
    let refused_rows = refused.iter().map(|(row, _)| *row as usize);
    for end in refused_rows.chain([rows]) {
        prepared.rows.before.extend(times[start..end].iter().map(|time| {
            let before = max;
            max = max.max(*time);
            before
        }));
        // The time of a row that is refused does not count for those behind it.
        prepared.rows.before.extend((end < rows).then_some(max));
        start = end + 1;
    }
    let odd = times.iter().copied().find(|time| plan.time_column.is_odd(*time));
    prepared.odd_time = odd.map(EventTime);
    prepared.rows.times = times;
    if refused.len() < rows {
        prepared.max_event_time = Some(EventTime(max));
    }
    if !refused.is_empty() {
        let mut gone = refused.iter().map(|(row, _)| *row).peekable();
        let left = (0..rows as u32).filter(|row| gone.next_if_eq(row).is_none()).collect();
        prepared.rows.picked = Some(left);
        for (row, reason) in refused {
            let record = prepared.rows.record(row as usize);
            prepared.condemn_by_host(&plan.host_stage, record, DeadLetterKind::EventTime, reason);
        }
    }
    if plan.jump.allowed.is_some() {
        let Rows { times, records, picked, .. } = &prepared.rows;
        let (times, records, picked) = (times.clone(), records.clone(), picked.clone());
        prepared.seen = Some(Seen { times, records, picked });
    }
}

/// The rows whose event time counts for nothing, ascending, with the reason.
fn refused_times(
    prepared: &Prepared,
    plan: &Plan,
    block: &RecordBlock,
    clock: &Clock,
    times: &[i64],
) -> Vec<(u32, String)> {
    let timestamp = |row: usize| block.timestamp(prepared.rows.record(row) as usize);
    let mut refused: Vec<(u32, String)> = match &plan.event_time {
        EventTimeSource::Column(column) => {
            let column = prepared.rows.batch.column(*column);
            let nulls = if column.null_count() > 0 { 0..times.len() } else { 0..0 };
            let nulls = nulls.filter(|row| column.is_null(*row));
            nulls.map(|row| (row as u32, "the event time is null".to_owned())).collect()
        }
        EventTimeSource::RecordTimestamp => {
            let without = (0..times.len()).filter(|row| timestamp(*row).is_none());
            let reason = "the record has no timestamp, and `event_time.from` is \"record\"";
            without.map(|row| (row as u32, reason.to_owned())).collect()
        }
    };
    let wall = if plan.future.needs_host() { clock.wall_micros() } else { 0 };
    let without_time = refused.len();
    for (row, reason) in plan.future.refused(times, timestamp, wall) {
        if refused[..without_time].binary_search_by_key(&row, |(row, _)| *row).is_err() {
            refused.push((row, reason + &plan.time_column.hint(times[row as usize])));
        }
    }
    refused.sort_unstable_by_key(|(row, _)| *row);
    refused
}
