//! The second half of a turn, by key shard and in parallel: rows are added to the accumulators of their groups.
//!
//! A worker takes the chunks in their order and of each chunk the rows whose key it owns, in their
//! order, so that a key's rows are added in the order of (partition, offset) whatever the number of
//! workers (docs/design/decisions.md#d1).

use crate::plugin::outcome::Refusal;
use crate::sink::late::Missed;
use crate::time::{EventTime, thread_cpu_nanos};
use crate::varlen::Varlen;
use crate::window::{LateForSession, SessionRule, WindowAssigner};

use super::fire::CondemnedGroup;
use super::place::{LateRow, Placed};
use super::plan::{FittedStage, Plan};
use super::pool::Worker;
use super::prepare::{Prepared, project};
use super::share::Share;

/// A row that the aggregate refused.
#[derive(Debug)]
pub(super) struct RefusedRow {
    /// Index of its chunk in the turn.
    pub(super) chunk: usize,
    /// Row of the chunk's batch.
    pub(super) row: u32,
    /// Why.
    pub(super) refusal: Refusal,
}

/// What became of rows that were not simply added.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) refused: Vec<RefusedRow>,
    /// Each with the index of its chunk. Of sessions only: other windows judge rows when they are placed.
    pub(super) late: Vec<(usize, LateRow)>,
    /// Sessions that became one and could not be merged.
    pub(super) condemned: Vec<CondemnedGroup>,
}

/// Adds the rows that `worker` owns, as `share` says.
pub(super) fn update(
    worker: &mut Worker,
    plan: &Plan,
    chunks: &[(Prepared, Placed)],
    share: &Share,
) -> Answers {
    let (Some(windows), Some(stage)) = (plan.windows, &plan.aggregate) else {
        return Answers::default();
    };
    let started = thread_cpu_nanos();
    let mut answers = Answers::default();
    for (chunk, (prepared, placed)) in chunks.iter().enumerate() {
        let mine = share.of(&placed.shards);
        if mine.as_ref().map_or(placed.rows.len(), Vec::len) == 0 {
            continue;
        }
        let refused = match windows {
            WindowAssigner::Slides(_) | WindowAssigner::Global { .. } => {
                update_chunk(worker, stage, prepared, placed, mine.as_deref())
            }
            WindowAssigner::Sessions(rule) => {
                let rule = (rule, plan.lateness);
                let call = assign(worker, rule, prepared, placed, mine.as_deref());
                answers.late.extend(call.late.into_iter().map(|late| (chunk, late)));
                update_sessions(worker, stage, prepared, &call.rows, &mut answers.condemned)
            }
        };
        let refused = refused.into_iter();
        answers.refused.extend(refused.map(|(row, refusal)| RefusedRow { chunk, row, refusal }));
    }
    worker.nanos.window += thread_cpu_nanos() - started;
    answers
}

fn update_chunk(
    worker: &mut Worker,
    stage: &FittedStage,
    prepared: &Prepared,
    placed: &Placed,
    mine: Option<&[u32]>,
) -> Vec<(u32, Refusal)> {
    let Worker { state, touched, aggregate, .. } = worker;
    state.begin(touched);
    let mut places = placed.places.iter();
    let (mut place, mut end) = *places.next().expect("a row that is placed has a place");
    // Indexes come ascending, so the runs of places are passed once.
    let mut touch = |index: usize| {
        while index >= end as usize {
            (place, end) = *places.next().expect("the last run ends behind the last row");
        }
        state.touch(place, placed.hashes[index], placed.keys.value(index), touched);
    };
    let picked: Option<Vec<u32>> = match mine {
        Some(mine) => {
            mine.iter().for_each(|index| touch(*index as usize));
            Some(mine.iter().map(|index| placed.rows[*index as usize]).collect())
        }
        None => {
            (0..placed.rows.len()).for_each(&mut touch);
            (placed.rows.len() < prepared.rows.batch.num_rows()).then(|| placed.rows.clone())
        }
    };
    state.gather(touched);
    let input = project(&prepared.rows.batch, &stage.inputs, picked.as_deref());
    let runner = aggregate.as_mut().expect("a plan with windows has an aggregate");
    let answer = runner.update(&input, &touched.groups, &touched.states);
    state.scatter(touched, &answer.states, answer.refusals.iter().map(|refusal| refusal.row));
    let row = |refusal: &Refusal| {
        picked.as_ref().map_or(refusal.row, |picked| picked[refusal.row as usize])
    };
    answer.refusals.into_iter().map(|refusal| (row(&refusal), refusal)).collect()
}

/// The rows of a chunk that go into sessions, and those that are late for theirs.
struct Assigned {
    rows: Vec<u32>,
    late: Vec<LateRow>,
}

/// Finds the session of each row, in order: what a row finds depends on the rows before it.
fn assign(
    worker: &mut Worker,
    (rule, lateness): (SessionRule, i64),
    prepared: &Prepared,
    placed: &Placed,
    mine: Option<&[u32]>,
) -> Assigned {
    let Worker { sessions, session_call, .. } = worker;
    let mut assigned = Assigned { rows: Vec::with_capacity(placed.rows.len()), late: Vec::new() };
    let mut assign = |index: usize| {
        let (row, (watermark, by)) = (placed.rows[index], placed.watermarks[index]);
        let time = prepared.rows.times[row as usize];
        let key = (placed.hashes[index], placed.keys.value(index));
        let open_after = watermark.saturating_sub(lateness);
        match sessions.assign(rule, (time, open_after), key, session_call) {
            Ok(()) => assigned.rows.push(row),
            Err(LateForSession { own, covers }) => assigned.late.push(LateRow {
                row,
                missed: Missed {
                    first: own,
                    last_end: own.end,
                    windows: 1,
                    covers,
                    watermark: EventTime(watermark),
                    by,
                },
            }),
        }
    };
    match mine {
        Some(mine) => mine.iter().for_each(|index| assign(*index as usize)),
        None => (0..placed.rows.len()).for_each(assign),
    }
    assigned
}

/// Adds rows to the sessions that were found for them, merging sessions between rows where it must be.
fn update_sessions(
    worker: &mut Worker,
    stage: &FittedStage,
    prepared: &Prepared,
    rows: &[u32],
    condemned: &mut Vec<CondemnedGroup>,
) -> Vec<(u32, Refusal)> {
    let Worker { sessions, session_call: call, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("a plan with windows has an aggregate");
    let mut refused = Vec::new();
    for round in 0..call.rounds() {
        let mut merge = |left: &Varlen, right: &Varlen| runner.merge(left, right);
        call.merge_round(round, &mut merge, |key, bounds, state, refusal| {
            let (key, refusal) = (sessions.key(key).to_vec(), refusal.clone());
            condemned.push(CondemnedGroup { step: "merge", bounds, key, state, refusal });
        });
        let now = call.rows_of(round);
        let picked: Vec<u32> = now.rows.iter().map(|row| rows[*row as usize]).collect();
        let is_all = picked.len() == prepared.rows.batch.num_rows();
        let picked_or_all = (!is_all).then_some(picked.as_slice());
        let input = project(&prepared.rows.batch, &stage.inputs, picked_or_all);
        let answer = runner.update(&input, &now.groups, &now.states);
        call.put(round, &answer.states, answer.refusals.iter().map(|refusal| refusal.row));
        let row = |refusal: Refusal| (picked[refusal.row as usize], refusal);
        refused.extend(answer.refusals.into_iter().map(row));
    }
    sessions.settle(call);
    refused
}
