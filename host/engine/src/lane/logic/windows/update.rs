//! The second half of a turn, by key shard and in parallel: rows are added to the accumulators of their groups.
//!
//! A worker takes the chunks in their order and of each chunk the rows whose key it owns, in their order, so that
//! a key's rows are added in the order of (partition, offset) whatever the number of workers
//! (docs/design/decisions.md#d1).

use super::Worker;
use super::aggregate::CondemnedGroup;
use crate::lane::logic::placed::{LateRow, Placed};
use crate::lane::logic::share::Share;
use crate::lane::plan::WindowsPlan;
use crate::lane::rows::Prepared;
use sluicegate_model::refusal::Refusal;

/// The rows of a chunk that one worker owns.
#[derive(Clone, Copy)]
pub(super) struct Owned<'o> {
    pub(super) prepared: &'o Prepared,
    pub(super) placed: &'o Placed,
    /// Indexes of its rows among those placed, ascending; none if all are.
    pub(super) mine: Option<&'o [u32]>,
}

/// What became of the rows of a chunk that were not simply added.
#[derive(Default)]
pub(super) struct Answers {
    /// Rows of the batch that the aggregate refused.
    pub(super) refused: Vec<(u32, Refusal)>,
    /// Of sessions only: other windows judge rows when they are placed.
    pub(super) late: Vec<LateRow>,
    /// Sessions that became one and could not be merged.
    pub(super) condemned: Vec<CondemnedGroup>,
}

/// Adds the rows that `worker` owns, as `share` says. Answers by chunk, with the number of the chunk.
pub(super) fn update(
    worker: &mut Worker,
    plan: &WindowsPlan,
    chunks: &[Prepared],
    placed: &[Placed],
    share: &Share,
) -> Vec<(usize, Answers)> {
    let mut all = Vec::new();
    for (chunk, (prepared, placed)) in chunks.iter().zip(placed).enumerate() {
        let mine = share.of(placed);
        if mine.as_ref().map_or(placed.rows.len(), Vec::len) == 0 {
            continue;
        }
        let mut answers = Answers::default();
        let (shape, mut aggregate) = worker.with_aggregate(plan);
        let owned = Owned { prepared, placed, mine: mine.as_deref() };
        shape.update(&mut aggregate, owned, &mut answers);
        all.push((chunk, answers));
    }
    all
}
