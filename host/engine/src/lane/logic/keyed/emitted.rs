//! What a keyed plugin emits: rows with the columns of the key before them and the event time behind, in an order that
//! does not depend on the number of workers.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use sluicegate_model::refusal::RefusalKind;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::Timer;
use sluicegate_model::varlen::Varlen;
use sluicegate_state::window::key;

use crate::lane::logic::pieces::{At, by_key_bytes, runs};
use crate::lane::plan::Grouped;

/// Batches that wait to be joined: a long chain of timers makes one of a row or two for each.
const BATCHES_MAX: usize = 1_024;

/// Small batches have together less than that.
const JOINED_BYTES_MAX: usize = 256 << 20;

/// A timer that could not fire.
#[derive(Debug)]
pub(in crate::lane) struct CondemnedTimer {
    pub(in crate::lane) timer: Timer,
    /// The encoded key.
    pub(in crate::lane) key: Vec<u8>,
    /// The state of the key, which goes on without the timer.
    pub(in crate::lane) state: Vec<u8>,
    pub(in crate::lane) kind: RefusalKind,
    pub(in crate::lane) reason: String,
}

/// Rows of one worker, and what could not become any.
#[derive(Default)]
pub(super) struct Emitted {
    batches: Vec<RecordBatch>,
    /// So many of them are not looked at again.
    joined: usize,
    /// Of each row: its place among those of all workers.
    order: Vec<i64>,
    /// Of each row, behind the place: the key for what timers made, nothing for what rows made.
    ties: Vec<Varlen>,
    pub(super) condemned: Vec<CondemnedTimer>,
}

impl Emitted {
    /// Rows that rows made: `order` is the place of the source in the turn, which no two workers share.
    pub(super) fn push_rows(
        &mut self,
        plan: &Grouped,
        keys: &Varlen,
        outputs: &RecordBatch,
        times: Vec<EventTime>,
        order: Vec<i64>,
    ) {
        let ties = Varlen { offsets: vec![0; times.len() + 1], bytes: Vec::new() };
        self.push(plan, keys, outputs, times, order, ties);
    }

    /// Rows that timers made: by the time of the timer, then by key.
    pub(super) fn push_timed(
        &mut self,
        plan: &Grouped,
        keys: Varlen,
        outputs: &RecordBatch,
        times: Vec<EventTime>,
        order: Vec<i64>,
    ) {
        let ties = keys.clone();
        self.push(plan, &keys, outputs, times, order, ties);
    }

    fn push(
        &mut self,
        plan: &Grouped,
        keys: &Varlen,
        outputs: &RecordBatch,
        times: Vec<EventTime>,
        order: Vec<i64>,
        ties: Varlen,
    ) {
        if times.is_empty() {
            return;
        }
        // The rows of a key all get it, and it may be long.
        for part in by_key_bytes(keys.iter().map(<[u8]>::len)) {
            let of_part: Varlen = part.clone().map(|row| keys.value(row)).collect();
            let outputs = outputs.slice(part.start, part.len());
            self.batches.push(rows(plan, &of_part, &outputs, &times[part]));
        }
        self.order.extend(order);
        self.ties.push(ties);
        if self.batches.len() - self.joined > BATCHES_MAX {
            self.join_the_small(plan);
        }
    }

    /// Makes one batch of those that came since the last time, if it is not too large.
    fn join_the_small(&mut self, plan: &Grouped) {
        let small = &self.batches[self.joined..];
        let bytes: usize = small.iter().map(RecordBatch::get_array_memory_size).sum();
        if bytes < JOINED_BYTES_MAX {
            let all = concat_batches(&plan.output, small).expect(SCHEMA);
            self.batches.truncate(self.joined);
            self.batches.push(all);
        }
        self.joined = self.batches.len();
    }
}

const SCHEMA: &str = "all emitted rows have the plan's output schema";

fn rows(plan: &Grouped, keys: &Varlen, outputs: &RecordBatch, times: &[EventTime]) -> RecordBatch {
    let micros = times.iter().map(|time| time.micros());
    let options = RecordBatchOptions::new().with_row_count(Some(times.len()));
    let mut columns: Vec<ArrayRef> =
        key::decode(&plan.key_fields, keys.iter().collect::<Vec<_>>().into_iter());
    columns.extend(outputs.columns().iter().map(Arc::clone));
    columns
        .push(Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC")));
    RecordBatch::try_new_with_options(Arc::clone(&plan.output), columns, &options)
        .expect("the plan's output is made of key, outputs and event time")
}

/// Joins the rows of all workers, in batches of a bearable size.
pub(super) fn join(emitted: &[Emitted]) -> Vec<RecordBatch> {
    let batches: Vec<&RecordBatch> = emitted.iter().flat_map(|emitted| &emitted.batches).collect();
    let places: Vec<i64> = emitted.iter().flat_map(|emitted| &emitted.order).copied().collect();
    let ties: Vec<&[u8]> =
        emitted.iter().flat_map(|emitted| &emitted.ties).flat_map(Varlen::iter).collect();
    let rows =
        |(batch, rows): (usize, &&RecordBatch)| (0..rows.num_rows()).map(move |row| (batch, row));
    let rows: Vec<At> = batches.iter().enumerate().flat_map(rows).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // Stable: what one row or timer made keeps the plugin's order.
    order.sort_by_key(|row| (places[*row], ties[*row]));
    let order: Vec<At> = order.into_iter().map(|row| rows[row]).collect();
    runs(&batches, &order, |_| true)
}
