//! Pipelines without state: every row that is left goes to the sinks as it is.

use super::{Effects, Given, Judged, Kind, Turn};
use crate::lane::LaneError;
use crate::lane::plan::FittedStage;
use crate::lane::pool::Pool;
use sluicegate_model::time::Watermark;
use sluicegate_state::window::snapshot::SnapshotError;

/// No windows, no keys.
pub(in crate::lane) struct Raw;

impl Kind for Raw {
    fn stage(&self) -> Option<&FittedStage> {
        None
    }

    fn restore(
        &mut self,
        _pool: &Pool,
        _watermark: Watermark,
        _pieces: &[Vec<u8>],
    ) -> Result<(), SnapshotError> {
        Err(SnapshotError { at: 0, what: "nothing, of a pipeline without windows and keys" })
    }

    fn update(
        &mut self,
        _given: &Given<'_>,
        turn: &Turn<'_>,
        _effects: &mut dyn Effects,
    ) -> Result<Vec<Judged>, LaneError> {
        let all = |accepted| Judged { accepted, are_results: true, ..Judged::default() };
        Ok(turn.chunks.iter().map(|prepared| all(prepared.rows.left())).collect())
    }
}
