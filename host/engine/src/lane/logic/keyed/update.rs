//! The second half of a turn of a keyed plugin: rows of a key in order, and what is due between them. What is due
//! between turns is the business of [`super::timers`].
//!
//! ```text
//!  row ─► key, running watermark ─► process (by key shard) ─► rows with key and event time ─► sinks
//!                                    fires what is due before each row
//!  watermark of the lane ─► what is due (by key shard) ─► on-timer, until nothing is ─► sinks
//! ```
//!
//! A row's watermark is that which judges lateness for windows: its partition's, by the records before it, and never
//! less than the lane's (docs/design/time.md#rule-2). So it makes no difference to a key of one partition whether a
//! timer fires before a row or between two turns: the rules are those of `interface process-rows` in the contract.

use super::Worker;
use super::emitted::{CondemnedTimer, Emitted};
use crate::lane::logic::judged::RefusedRow;
use crate::lane::logic::placed::{Judge, Placed};
use crate::lane::logic::share::Share;
use crate::lane::plan::KeyedPlan;
use crate::lane::rows::{Prepared, Rows, project};
use sluicegate_model::refusal::Refusal;
use sluicegate_model::time::{EventTime, thread_cpu_nanos};
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::plugin::answer::KeyedRows;
use sluicegate_sandbox::run::outcome::TimerRefusal;
use sluicegate_state::watermark::LaneClock;

/// The rows of a chunk with their keys.
pub(super) struct PlacedRows {
    pub(super) placed: Placed,
    /// Of each row that which judges it; [`EventTime::MIN`] for none. A column, as the plugin is given it.
    watermarks: Vec<EventTime>,
}

/// Key and watermark of each row that is left: no row is late.
pub(super) fn place(plan: &KeyedPlan, clock: &LaneClock, rows: &Rows, judge: Judge) -> PlacedRows {
    let mut placed = Placed { rows: rows.left(), ..Placed::default() };
    let watermark = |row: &u32| judge.watermark(rows.before[*row as usize], clock);
    let watermarks = placed.rows.iter().map(watermark).collect();
    placed.set_keys(rows, &plan.grouped.key);
    PlacedRows { placed, watermarks }
}

/// Processes the rows that `worker` owns, as `share` says, chunk by chunk.
pub(super) fn update(
    worker: &mut Worker,
    plan: &KeyedPlan,
    chunks: &[Prepared],
    placed: &[PlacedRows],
    share: &Share,
) -> (Vec<RefusedRow>, Emitted) {
    let started = thread_cpu_nanos();
    let (mut refused, mut emitted) = (Vec::new(), Emitted::default());
    for (chunk, (prepared, placed)) in chunks.iter().zip(placed).enumerate() {
        let PlacedRows { placed, watermarks } = placed;
        let mine = share.of(placed).unwrap_or_else(|| (0..placed.rows.len() as u32).collect());
        if mine.is_empty() {
            continue;
        }
        let work = ChunkWork { plan, chunk, prepared, placed, watermarks, mine: &mine };
        let refusals = work.update(worker, &mut emitted);
        refused.extend(refusals.into_iter().map(|(row, refusal)| RefusedRow {
            chunk,
            row,
            refusal,
        }));
    }
    worker.nanos += thread_cpu_nanos() - started;
    (refused, emitted)
}

/// The rows of a chunk that one worker owns.
#[derive(Clone, Copy)]
struct ChunkWork<'a> {
    plan: &'a KeyedPlan,
    /// Its number in the turn.
    chunk: usize,
    prepared: &'a Prepared,
    placed: &'a Placed,
    /// Of each placed row.
    watermarks: &'a [EventTime],
    /// Indexes of the worker's rows among the placed ones.
    mine: &'a [u32],
}

impl ChunkWork<'_> {
    /// Answers with the rows of the chunk's batch that were refused.
    fn update(self, worker: &mut Worker, emitted: &mut Emitted) -> Vec<(u32, Refusal)> {
        let Self { placed, prepared, watermarks, mine, .. } = self;
        let Worker { keyed, call, plugin, .. } = worker;
        let picked: Vec<u32> = mine.iter().map(|index| placed.rows[*index as usize]).collect();
        let time_of = |row: &u32| EventTime(prepared.rows.times[*row as usize]);
        let times: Vec<EventTime> = picked.iter().map(time_of).collect();
        let watermarks: Vec<EventTime> =
            mine.iter().map(|index| watermarks[*index as usize]).collect();
        keyed.begin(call);
        for ((index, time), watermark) in mine.iter().zip(&times).zip(&watermarks) {
            let index = *index as usize;
            let (hash, key) = (placed.keys.hash(index), placed.keys.key(index));
            keyed.touch(hash, key, *time, *watermark, call);
        }
        keyed.gather(call);
        let all = picked.len() == prepared.rows.batch.num_rows();
        let rows = KeyedRows {
            batch: project(
                &prepared.rows.batch,
                &self.plan.grouped.stage.inputs,
                (!all).then_some(&picked),
            ),
            times: &times,
            watermarks: &watermarks,
            expired: &call.expired,
            groups: &call.groups,
        };
        let outcome = plugin.runner.process(&rows, &call.given);
        let key_of = |row: &u32| placed.keys.key(mine[*row as usize] as usize);
        let keys: Varlen = outcome.source_rows.iter().map(key_of).collect();
        // Rows are emitted in the order of the source: by chunk, and within it by row.
        let place = |row: &u32| ((self.chunk as i64) << 32) | i64::from(picked[*row as usize]);
        let order = outcome.source_rows.iter().map(place).collect();
        emitted.push_rows(&self.plan.grouped, &keys, &outcome.batch, outcome.times, order);
        for TimerRefusal { group, timer, state, kind, reason } in outcome.timers {
            // Any row of the group has its key.
            let row = call.groups.iter().position(|of| *of == group);
            let row = row.expect("a group was touched by a row") as u32;
            let key = key_of(&row).to_vec();
            emitted.condemned.push(CondemnedTimer { timer, key, state, kind, reason });
        }
        keyed.scatter(call, &outcome.groups);
        let refusals = outcome.refusals.into_iter();
        refusals.map(|refusal| (picked[refusal.row as usize], refusal)).collect()
    }
}
