//! The second half of a turn, by key shard and in parallel: rows are added to the accumulators of their groups.
//!
//! A worker takes the chunks in their order and of each chunk the rows whose key it owns, in their order, so that
//! a key's rows are added in the order of (partition, offset) whatever the number of workers (DESIGN.md D1).

use crate::plugin::outcome::Refusal;
use crate::time::thread_cpu_nanos;
use crate::window::key_shard;

use super::place::Placed;
use super::plan::FittedStage;
use super::pool::Worker;
use super::prepare::{Prepared, project};

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

/// Adds the rows that `worker` owns. `owns` tells whether a key shard is its own; none if all are.
pub(super) fn update(
    worker: &mut Worker,
    stage: &FittedStage,
    chunks: &[(Prepared, Placed)],
    owns: Option<&(dyn Fn(u8) -> bool + Sync)>,
) -> Vec<RefusedRow> {
    let started = thread_cpu_nanos();
    let mut refused = Vec::new();
    for (chunk, (prepared, placed)) in chunks.iter().enumerate() {
        let mine = owns.map(|owns| owned(placed, owns));
        let answers = update_chunk(worker, stage, prepared, placed, mine.as_deref());
        refused.extend(answers.into_iter().map(|(row, refusal)| RefusedRow {
            chunk,
            row,
            refusal,
        }));
    }
    worker.nanos.window += thread_cpu_nanos() - started;
    refused
}

/// The indexes among the placed rows whose key shard is owned.
fn owned(placed: &Placed, owns: &(dyn Fn(u8) -> bool + Sync)) -> Vec<u32> {
    let mine = placed.hashes.iter().enumerate().filter(|(_, hash)| owns(key_shard(**hash)));
    mine.map(|(index, _)| index as u32).collect()
}

fn update_chunk(
    worker: &mut Worker,
    stage: &FittedStage,
    prepared: &Prepared,
    placed: &Placed,
    mine: Option<&[u32]>,
) -> Vec<(u32, Refusal)> {
    if mine.map_or(placed.rows.len(), <[u32]>::len) == 0 {
        return Vec::new();
    }
    let Worker { state, touched, aggregate, .. } = worker;
    state.begin(touched);
    let mut touch = |index: usize| {
        state.touch(placed.places[index], placed.hashes[index], placed.keys.value(index), touched);
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
