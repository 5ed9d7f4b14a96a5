//! Moving positions on purpose: a record after the head that is like it, but for them.
//!
//! It takes the next slot as a fence does. An instance that runs the lane meanwhile loses that slot and what it has not
//! committed, and nothing else.

use super::body::{SlotBody, VERSION};
use super::record::{ChainRecord, RecordKind, SourceKind, SourceState, Term, Writer};
use super::store::{LaneStore, SlotAttempt};
use super::{ChainError, LaneStorage, parent_of, paths};
use crate::source::{Jump, NextOffset, Position, SourceIdentity};

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
    let store = LaneStore::new(&storage.chain, &storage.job, &storage.lane);
    let failed = |error| ChainError::store("read the chain", &store.folder, &error);
    let Some(latest) = store.latest().await.map_err(failed)? else {
        let url = &store.folder.url;
        return Err(MoveError::Refused(format!("there is no chain at {url}: run the pipeline")));
    };
    let bytes = store.get(&paths::slot(latest)).await.map_err(failed)?;
    let damaged = || ChainError::Damaged {
        url: store.folder.url.clone(),
        reason: format!("slot {latest} was there and is gone"),
    };
    let head = SlotBody::thaw(latest, bytes.ok_or_else(damaged)?)?;
    let record = ChainRecord {
        v: VERSION,
        epoch: latest.next(),
        kind: RecordKind::Fence,
        parent: Some(parent_of(&head)),
        term: Term(head.record.term.0 + 1),
        writer: Writer::new(instance),
        earlier: Vec::new(),
        files: Vec::new(),
        source: moved(&head.record.source, moves)?,
        ..head.record.clone()
    };
    let body = SlotBody::freeze(record)?;
    match store.try_put_slot(body.record.epoch, &body).await {
        SlotAttempt::Ours => {
            store.release(&body.record.writer).await;
            Ok(body.record)
        }
        SlotAttempt::Taken(_) => {
            Err(ChainError::Contended { url: store.folder.url.clone() }.into())
        }
        SlotAttempt::Unknown(error) => {
            Err(ChainError::store("move positions", &store.folder, &error).into())
        }
    }
}

fn moved(source: &SourceState, moves: &Moves) -> Result<SourceState, MoveError> {
    let refused = |reason: &str| Err(MoveError::Refused(reason.to_owned()));
    if source.kind != SourceKind::Kafka {
        return refused("positions in files are not moved: `sluicegate reset` begins anew");
    }
    if source.ended {
        return refused("the input was read to its end: `sluicegate reset` begins anew");
    }
    let mut source = SourceState { jumps: Vec::new(), ..source.clone() };
    if moves.accepts_input {
        source.identity = SourceIdentity::default();
    }
    for (number, to) in &moves.positions {
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
