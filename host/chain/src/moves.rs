//! Moving positions on purpose: a record after the head that is like it, but for them.

use super::hand::Head;
use super::record::{ChainRecord, SourceKind, SourceState};
use super::sound::is_offset;
use super::{ChainError, LaneStorage};
use sluicegate_model::identity::{Jump, SourceIdentity};
use sluicegate_model::position::{NextOffset, Position};

/// Where reading is to go on.
#[derive(Clone, Debug, Default)]
pub struct Moves {
    /// Number of a partition and the record to read next in it.
    pub positions: Vec<(i32, i64)>,
    /// The positions hold in the input that is there now, whichever that is.
    pub accepts_input: bool,
}

/// Why positions are not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The chain cannot be read or added to.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is nothing to move, or not there.
    #[error("{0}")]
    Refused(String),
}

/// Adds the record. `instance` is who does it, for people.
///
/// # Errors
///
/// [`MoveError::Refused`] if there is no chain, no such partition, or the input has ended.
pub async fn move_positions(
    storage: &LaneStorage,
    instance: &str,
    moves: &Moves,
) -> Result<ChainRecord, MoveError> {
    let Some(head) = Head::read(storage).await? else {
        let url = &storage.chain.url;
        return Err(MoveError::Refused(format!(
            "there is no chain of pipeline `{}` in {url}: run the pipeline",
            storage.job
        )));
    };
    let source = moved(&head.record().source, moves)?;
    let at = |fence| ChainRecord { source, ..fence };
    Ok(head.add(instance, "move positions", at).await?)
}

fn moved(source: &SourceState, moves: &Moves) -> Result<SourceState, MoveError> {
    let refused = |reason: &str| Err(MoveError::Refused(reason.to_owned()));
    if source.kind != SourceKind::Kafka {
        return refused("positions in files are not moved: `sluicegate reset` begins from scratch");
    }
    if source.ended {
        return refused("the input was read to its end: `sluicegate reset` begins from scratch");
    }
    let mut source = SourceState { jumps: Vec::new(), ..source.clone() };
    if moves.accepts_input {
        source.identity = SourceIdentity::default();
    }
    for (number, to) in &moves.positions {
        if !is_offset(*to) {
            return refused(&format!(
                "{to} is not an offset of partition {number}: write 0 or more"
            ));
        }
        let mut states = source.partitions.iter_mut();
        let Some(state) = states.find(|state| state.partition.number == *number) else {
            return refused(&format!(
                "there is no partition {number}: without --set all are shown"
            ));
        };
        let Position { next_offset, end_offset, .. } = state.position;
        source.jumps.push(Jump {
            partition: state.partition.clone(),
            from: next_offset.get(),
            to: *to,
            reason: "moved by hand".to_owned(),
        });
        state.position = Position {
            end_offset,
            ended: end_offset.is_some_and(|end| *to >= end),
            ..Position::at(NextOffset::at(*to))
        };
    }
    Ok(source)
}
