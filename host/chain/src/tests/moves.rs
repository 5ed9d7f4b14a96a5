//! A person moves positions: the chain goes on with them, and keeps that it was so.

use object_store::memory::InMemory;

use super::super::inspect;
use super::super::moves::{MoveError, Moves, move_positions};
use super::*;
use sluicegate_model::identity::Jump;

/// A lane that has read 3 records of the only partition of a topic.
fn lane(runtime: &Runtime, source: &SourceState) -> LaneStorage {
    let storage = storage(Arc::new(InMemory::new()));
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let handle = runtime.handle().clone();
    let clock = Clock::system();
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock, Arc::default());
    committer.submit(FrozenEpoch { source: source.clone(), ..genesis() });
    match committer.wait(LONG) {
        Some(CommitOutcome::Committed(_)) => storage,
        other => panic!("{other:?}"),
    }
}

fn of_topic() -> SourceState {
    let identity = SourceIdentity { cluster: None, topic: Some("id".to_owned()) };
    SourceState { kind: SourceKind::Kafka, identity, ..source_at(3) }
}

#[test]
fn a_moved_position_is_where_the_next_life_begins() {
    let runtime = runtime();
    let storage = lane(&runtime, &of_topic());
    let moves = Moves { positions: vec![(0, 17)], accepts_input: false };
    runtime.block_on(move_positions(&storage, INSTANCE, &moves)).unwrap();
    let head = runtime.block_on(open(&storage, INSTANCE)).unwrap().head.unwrap();
    assert_eq!(head.epoch, Epoch(1));
    assert_eq!(head.source.identity, of_topic().identity);
    let signs = runtime.block_on(beat::look(&storage)).unwrap();
    assert!(signs.is_released(), "nobody has to be waited for: {signs:?}");
    let state = &head.source.partitions[0];
    assert_eq!(state.position, Position::at(NextOffset::at(17)));
    let jump = |from, to| Jump {
        partition: state.partition.clone(),
        from,
        to,
        reason: "moved by hand".to_owned(),
    };
    assert_eq!(head.source.jumps, [jump(3, 17)]);

    // The next move keeps only itself, and may say that another topic is meant.
    let moves = Moves { positions: vec![(0, 1)], accepts_input: true };
    let record = runtime.block_on(move_positions(&storage, INSTANCE, &moves)).unwrap();
    assert!(record.source.identity.is_unknown());
    assert_eq!(record.source.jumps, [jump(17, 1)]);
    assert_eq!(runtime.block_on(inspect::latest(&storage)).unwrap(), Some(Epoch(2)));
}

#[test]
fn what_cannot_be_moved_is_refused_and_nothing_is_written() {
    let runtime = runtime();
    let refusal = |source: &SourceState, partition| {
        let storage = lane(&runtime, source);
        let moves = Moves { positions: vec![(partition, 17)], accepts_input: false };
        let refused = runtime.block_on(move_positions(&storage, INSTANCE, &moves));
        assert_eq!(runtime.block_on(inspect::latest(&storage)).unwrap(), Some(Epoch(0)));
        match refused {
            Err(MoveError::Refused(reason)) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(refusal(&of_topic(), 7).contains("no partition 7"));
    assert!(refusal(&source_at(3), 0).contains("files"));
    assert!(refusal(&SourceState { ended: true, ..of_topic() }, 0).contains("to its end"));
    let empty = storage(Arc::new(InMemory::new()));
    let refused = runtime.block_on(move_positions(&empty, INSTANCE, &Moves::default()));
    assert!(refused.unwrap_err().to_string().contains("no chain"));
}
