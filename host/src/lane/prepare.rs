//! The first half of a turn, by chunk and in parallel: decode, observe event time, filter, map.
//!
//! Event time is observed before the plugins, so that a plugin that drops everything cannot stop time. A chunk is
//! a run of records of one partition; nothing here knows what other chunks hold.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::plugin::outcome::Refusal;
use crate::source::RecordBlock;
use crate::time::{Clock, thread_cpu_nanos};
use crate::window::RowSelection;

use super::budget::Budget;
use super::intake::preparer::Preparer;
use super::jump::Seen;
use super::logic::Judged;
use super::plan::{EventTimeSource, FittedStage, Plan};
use super::trial::{HOST_PANIC, Trial};

/// A run of records of one block.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Index of the block in the turn.
    pub(super) block: usize,
    /// Index of its partition in the lane.
    pub(super) partition: usize,
    /// Records of the block.
    pub(super) records: Range<usize>,
}

/// What became of one source record. The order is that of precedence: dead-lettered if any of it
/// was, else accepted if any row of it was, else late if any row of it was, else filtered
/// (docs/design/guarantees.md#g4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Filtered,
    Late,
    Accepted,
    DeadLettered,
}

/// A record for the dead-letter table.
#[derive(Clone, Debug)]
pub(super) struct Condemned {
    /// Record of the block.
    pub(super) record: u32,
    /// Which step refused it: a stage's id, or the host's own step.
    pub(super) stage: Arc<str>,
    /// What kind of refusal.
    pub(super) kind: &'static str,
    /// For a person; of the first of its rows.
    pub(super) reason: String,
    /// How many rows of it the step refused; none if it refused the record itself.
    pub(super) rows: Option<i64>,
    /// The module that refused it, if one did.
    pub(super) module: Option<crate::plugin::ModuleDigest>,
}

/// A chunk after its plugins.
pub(super) struct Prepared {
    pub(super) chunk: Chunk,
    pub(super) rows: Rows,
    /// The largest event time of its records, µs.
    pub(super) max_event_time: Option<i64>,
    /// Its rows as they were decoded, until it is judged whether they jump; none if nobody asks.
    pub(super) seen: Option<Seen>,
    /// An event time that looks like another unit than its column's, µs.
    pub(super) odd_time: Option<i64>,
    /// One per record of the chunk.
    pub(super) fates: Vec<Fate>,
    pub(super) condemned: Vec<Condemned>,
}

impl Prepared {
    /// Raises the fate of a record of the block.
    pub(super) fn raise(&mut self, record: u32, fate: Fate) {
        let slot = &mut self.fates[record as usize - self.chunk.records.start];
        *slot = fate.max(*slot);
    }

    /// Settles the fates of its records by what became of the rows. What was refused is dead-lettered by the stage that keeps state.
    pub(super) fn settle(&mut self, judged: &mut Judged, stage: Option<&FittedStage>) {
        // The usual chunk: nothing was mapped, every record has one row, and nothing was refused.
        for row in &judged.accepted {
            self.raise(self.rows.record(*row as usize), Fate::Accepted);
        }
        for late in &judged.late {
            self.raise(self.rows.record(late.row as usize), Fate::Late);
        }
        let Some(stage) = stage else { return };
        for (row, refusal) in judged.refused.drain(..) {
            self.condemn(row, stage, refusal);
        }
    }

    /// Dead-letters the records of the rows that a plugin refused, which counts only those that were left.
    pub(super) fn condemn_each(&mut self, stage: &FittedStage, refusals: Vec<Refusal>) {
        for refusal in refusals {
            self.condemn(self.rows.nth(refusal.row), stage, refusal);
        }
    }

    /// Dead-letters the record that a row came from.
    pub(super) fn condemn(&mut self, row: u32, stage: &FittedStage, refusal: Refusal) {
        let record = self.rows.record(row as usize);
        self.raise(record, Fate::DeadLettered);
        // One letter for a record and stage: each holds all of the record.
        if let Some(last) = self.condemned.last_mut()
            && (last.record, &last.stage) == (record, &stage.id)
            && let Some(rows) = &mut last.rows
        {
            *rows += 1;
            return;
        }
        self.condemned.push(Condemned {
            record,
            stage: Arc::clone(&stage.id),
            kind: refusal.kind.as_str(),
            reason: refusal.reason,
            rows: Some(1),
            module: Some(stage.plugin.digest),
        });
    }

    /// Dead-letters the one record of the chunk, of which a stage makes more than a turn can hold.
    pub(super) fn condemn_too_large(&mut self, stage: &FittedStage, bytes: usize, most: usize) {
        let record = self.rows.first;
        self.raise(record, Fate::DeadLettered);
        self.condemned.push(Condemned {
            record,
            stage: Arc::clone(&stage.id),
            kind: "too_large",
            reason: format!(
                "what the stage makes of this record has {bytes} bytes with the columns that its rows keep, a turn may \
                 hold {most}: let the plugin make fewer rows or keep fewer columns, or raise `limits.turn_bytes`"
            ),
            rows: None,
            module: Some(stage.plugin.digest),
        });
        self.rows.picked = Some(Vec::new());
    }
}

/// The rows that are left of a chunk. What travels with a row, hidden from plugins, stands beside
/// the batch (docs/design/decisions.md#d2). Columns are not compacted by a filter: only what
/// somebody reads next is gathered.
pub(super) struct Rows {
    /// Columns; rows that were dropped are still in it.
    pub(super) batch: RecordBatch,
    /// The rows that are left, ascending; all if none.
    pub(super) picked: Option<Vec<u32>>,
    /// For each row of the batch its record in the block; row `i` is record `first + i` if none.
    pub(super) records: Option<Vec<u32>>,
    /// The first record of the chunk.
    pub(super) first: u32,
    /// Event time of each row, µs.
    pub(super) times: Vec<i64>,
    /// The largest event time in the chunk before each row's record; `i64::MIN` if there was none.
    pub(super) before: Vec<i64>,
}

impl Rows {
    /// The record of the block that a row of the batch came from.
    pub(super) fn record(&self, row: usize) -> u32 {
        match &self.records {
            Some(records) => records[row],
            None => self.first + row as u32,
        }
    }

    /// How many rows are left.
    pub(super) fn len(&self) -> usize {
        self.picked.as_ref().map_or(self.batch.num_rows(), Vec::len)
    }

    /// The rows of the batch that are left, without a copy.
    pub(super) fn selection(&self) -> RowSelection<'_> {
        match &self.picked {
            Some(picked) => RowSelection::Picked(picked),
            None => RowSelection::All(self.batch.num_rows()),
        }
    }

    /// The rows of the batch that are left.
    pub(super) fn left(&self) -> Vec<u32> {
        match &self.picked {
            Some(picked) => picked.clone(),
            None => (0..self.batch.num_rows() as u32).collect(),
        }
    }

    /// The row of the batch that is number `index` among those left.
    pub(super) fn nth(&self, index: u32) -> u32 {
        self.picked.as_ref().map_or(index, |picked| picked[index as usize])
    }

    /// Gathers the rows left, with these columns only.
    pub(super) fn project(&self, columns: &[usize]) -> RecordBatch {
        project(&self.batch, columns, self.picked.as_deref())
    }
}

/// The columns `columns` of a batch, with the rows `picked`, or without a copy if all are.
pub(super) fn project(
    batch: &RecordBatch,
    columns: &[usize],
    picked: Option<&[u32]>,
) -> RecordBatch {
    let Some(picked) = picked else {
        return batch.project(columns).expect("fitted columns are columns of the rows");
    };
    let schema = batch.schema().project(columns).expect("fitted columns are columns of the rows");
    let indices = UInt32Array::from_iter_values(picked.iter().copied());
    let gather = |column: &usize| gather(batch.column(*column), &indices);
    let columns = columns.iter().map(gather).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(picked.len()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
        .expect("gathered columns have as many rows as were picked")
}

fn gather(column: &ArrayRef, indices: &UInt32Array) -> ArrayRef {
    take(column, indices, None).expect("picked rows are rows of the batch")
}

/// Decodes a chunk, takes its event times and runs the filters and maps. None: the budget does not suffice for it.
pub(super) fn prepare(
    worker: &mut Preparer,
    plan: &Plan,
    clock: &Clock,
    blocks: &[RecordBlock],
    chunk: &Chunk,
    (trial, budget): (&Trial, &Budget),
) -> Option<Prepared> {
    if budget.is_spent() {
        return None;
    }
    let started = thread_cpu_nanos();
    let block = &blocks[chunk.block];
    let panicked = trial.verdict(block);
    let looked_at = match panicked {
        Some(_) => chunk.records.start..chunk.records.start,
        None => chunk.records.clone(),
    };
    let first =
        u32::try_from(chunk.records.start).expect("a block is bounded far below 2^32 records");
    let decoded = worker.decoder.decode(&block.values, looked_at);
    let decoded = match &plan.metadata {
        Some(metadata) => metadata.add(decoded, block, first),
        None => decoded,
    };
    let records = decoded.batch.num_rows();
    let mut prepared = Prepared {
        chunk: chunk.clone(),
        rows: Rows {
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
        condemn_by_host(&mut prepared, plan, record, "decode", reason);
    }
    if let Some(panic) = panicked {
        let reason = format!("the host panicked over this record alone: {panic}");
        condemn_by_host(&mut prepared, plan, first, HOST_PANIC, reason);
    }
    observe(&mut prepared, plan, block, clock);
    let decoded_at = thread_cpu_nanos();
    for (stage, runner) in plan.stages.iter().zip(&mut worker.stages) {
        if prepared.rows.len() == 0 {
            break;
        }
        if !stage.apply(&mut runner.runner, &mut prepared, budget) {
            return None;
        }
    }
    worker.decode_nanos += decoded_at - started;
    worker.plugin_nanos += thread_cpu_nanos() - decoded_at;
    Some(prepared)
}

/// Dead-letters a record by a step of the host.
pub(super) fn condemn_by_host(
    prepared: &mut Prepared,
    plan: &Plan,
    record: u32,
    kind: &'static str,
    reason: String,
) {
    prepared.raise(record, Fate::DeadLettered);
    let stage = Arc::clone(&plan.host_stage);
    prepared.condemned.push(Condemned { record, stage, kind, reason, rows: None, module: None });
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
    let before = &mut prepared.rows.before;
    let mut next_refused = refused.iter().map(|(row, _)| *row as usize).peekable();
    for (row, time) in times.iter().enumerate() {
        before.push(max);
        if next_refused.next_if_eq(&row).is_none() {
            max = max.max(*time);
        }
    }
    prepared.odd_time = times.iter().copied().find(|time| plan.time_column.is_odd(*time));
    prepared.rows.times = times;
    if refused.len() < rows {
        prepared.max_event_time = Some(max);
    }
    if !refused.is_empty() {
        let mut gone = refused.iter().map(|(row, _)| *row).peekable();
        let left = (0..rows as u32).filter(|row| gone.next_if_eq(row).is_none()).collect();
        prepared.rows.picked = Some(left);
        for (row, reason) in refused {
            let record = prepared.rows.record(row as usize);
            condemn_by_host(prepared, plan, record, "event_time", reason);
        }
    }
    if plan.jump.is_on() {
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
