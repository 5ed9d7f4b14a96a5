//! What a process plugin emits: rows with the columns of the key before them and the event time behind, in an order that
//! does not depend on the number of workers.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::plugin::outcome::RefusalKind;
use crate::plugin::process::Timer;
use crate::varlen::Varlen;
use crate::window::key;

use super::plan::Plan;

/// Batches that wait to be joined: a long chain of timers makes one of a row or two for each.
const BATCHES_MAX: usize = 1_024;

/// A timer that could not fire.
#[derive(Debug)]
pub(super) struct CondemnedTimer {
    pub(super) timer: Timer,
    /// The encoded key.
    pub(super) key: Vec<u8>,
    /// The state of the key, which goes on without the timer.
    pub(super) state: Vec<u8>,
    pub(super) kind: RefusalKind,
    pub(super) reason: String,
}

/// Rows of one worker, and what could not become any.
#[derive(Default)]
pub(super) struct Emitted {
    batches: Vec<RecordBatch>,
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
        plan: &Plan,
        keys: &Varlen,
        outputs: &RecordBatch,
        times: Vec<i64>,
        order: Vec<i64>,
    ) {
        let ties = Varlen { offsets: vec![0; times.len() + 1], bytes: Vec::new() };
        self.push(plan, keys, outputs, times, order, ties);
    }

    /// Rows that timers made: by the time of the timer, then by key.
    pub(super) fn push_timed(
        &mut self,
        plan: &Plan,
        keys: Varlen,
        outputs: &RecordBatch,
        times: Vec<i64>,
        order: Vec<i64>,
    ) {
        let ties = keys.clone();
        self.push(plan, &keys, outputs, times, order, ties);
    }

    fn push(
        &mut self,
        plan: &Plan,
        keys: &Varlen,
        outputs: &RecordBatch,
        times: Vec<i64>,
        order: Vec<i64>,
        ties: Varlen,
    ) {
        if times.is_empty() {
            return;
        }
        self.batches.push(rows(plan, keys, outputs, times));
        self.order.extend(order);
        self.ties.push(ties);
        if self.batches.len() > BATCHES_MAX {
            let all = concat_batches(&plan.output, &self.batches).expect(SCHEMA);
            self.batches = vec![all];
        }
    }
}

const SCHEMA: &str = "all emitted rows have the plan's output schema";

fn rows(plan: &Plan, keys: &Varlen, outputs: &RecordBatch, times: Vec<i64>) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(times.len()));
    let mut columns: Vec<ArrayRef> =
        key::decode(&plan.key_fields, keys.iter().collect::<Vec<_>>().into_iter());
    columns.extend(outputs.columns().iter().map(Arc::clone));
    columns.push(Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")));
    RecordBatch::try_new_with_options(Arc::clone(&plan.output), columns, &options)
        .expect("the plan's output is made of key, outputs and event time")
}

/// Joins the rows of all workers. None if there are none.
pub(super) fn join(plan: &Plan, emitted: &[Emitted]) -> Option<RecordBatch> {
    let batches: Vec<&RecordBatch> = emitted.iter().flat_map(|emitted| &emitted.batches).collect();
    if batches.is_empty() {
        return None;
    }
    let all = concat_batches(&plan.output, batches).expect(SCHEMA);
    let places: Vec<i64> = emitted.iter().flat_map(|emitted| &emitted.order).copied().collect();
    let ties: Vec<&[u8]> =
        emitted.iter().flat_map(|emitted| &emitted.ties).flat_map(Varlen::iter).collect();
    let place = |row: &u32| (places[*row as usize], ties[*row as usize]);
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    if order.is_sorted_by_key(place) {
        return Some(all);
    }
    // Stable: what one row or timer made keeps the plugin's order.
    order.sort_by(|a, b| place(a).cmp(&place(b)));
    let order = UInt32Array::from(order);
    Some(take_record_batch(&all, &order).expect("the order names rows of the batch"))
}
