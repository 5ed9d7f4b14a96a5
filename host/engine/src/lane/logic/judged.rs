//! What a logic says of the rows of a chunk.

use super::placed::{LateRow, Placed};
use crate::lane::plan::FittedStage;
use crate::lane::rows::{Fate, Prepared};
use sluicegate_model::refusal::Refusal;

/// What became of the rows of a chunk. Rows are those of its batch.
#[derive(Debug, Default)]
pub(in crate::lane) struct Judged {
    /// Ascending.
    pub(in crate::lane) accepted: Vec<u32>,
    pub(in crate::lane) late: Vec<LateRow>,
    /// Those among the accepted that the plugin refused, ascending.
    pub(in crate::lane) refused: Vec<(u32, Refusal)>,
    /// The accepted rows are results by themselves.
    pub(in crate::lane) are_results: bool,
}

/// A row that a plugin refused.
#[derive(Debug)]
pub(super) struct RefusedRow {
    /// Index of its chunk in the turn.
    pub(super) chunk: usize,
    /// Row of the chunk's batch.
    pub(super) row: u32,
    /// Why.
    pub(super) refusal: Refusal,
}

impl Judged {
    /// Of all chunks of a turn, with the rows that plugins refused.
    pub(super) fn of(placed: Vec<Placed>, mut refused: Vec<RefusedRow>) -> Vec<Self> {
        let judged = |Placed { rows, late, .. }| Self { accepted: rows, late, ..Self::default() };
        let mut judged: Vec<Self> = placed.into_iter().map(judged).collect();
        refused.sort_unstable_by_key(|refused| (refused.chunk, refused.row));
        for RefusedRow { chunk, row, refusal } in refused {
            judged[chunk].refused.push((row, refusal));
        }
        judged
    }

    /// Settles the fates of the records of a chunk by what became of its rows. What was refused is dead-lettered by the
    /// stage that keeps state.
    pub(in crate::lane) fn settle(&mut self, prepared: &mut Prepared, stage: Option<&FittedStage>) {
        prepared.raise_each(&self.accepted, Fate::Accepted);
        for late in &self.late {
            prepared.raise(prepared.rows.record(late.row as usize), Fate::Late);
        }
        let Some(stage) = stage else { return };
        for (row, refusal) in self.refused.drain(..) {
            prepared.condemn(row, stage, refusal);
        }
    }
}
