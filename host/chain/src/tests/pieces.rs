//! States of several pieces: which a record names, and that none goes that a record needs.

use std::collections::BTreeSet;

use super::super::record::{ChainRecord, Piece, StateRef};
use super::super::retire::{Recent, retire};
use super::super::store::LaneStore;
use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn piece(key: &str, delta: bool) -> Piece {
    Piece { key: key.to_owned(), bytes: 7, sha256: "ab".repeat(32), delta }
}

fn names(state: &StateRef) -> Vec<&str> {
    state.pieces.iter().map(|piece| piece.key.as_str()).collect()
}

#[test]
fn one_piece_is_written_as_it_always_was_and_several_in_a_newer_layout() {
    let whole = StateRef { groups: 3, pieces: vec![piece("state/a.bin", false)] };
    let text = serde_json::to_string(&whole).unwrap();
    let sha256 = "ab".repeat(32);
    let expected = format!(r#"{{"key":"state/a.bin","bytes":7,"sha256":"{sha256}","groups":3}}"#);
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<StateRef>(&text).unwrap(), whole);

    let several = StateRef { pieces: vec![piece("a", false), piece("b", true)], ..whole.clone() };
    let text = serde_json::to_string(&several).unwrap();
    assert_eq!(serde_json::from_str::<StateRef>(&text).unwrap(), several);
    assert_eq!((several.bytes(), several.base_bytes(), several.deltas()), (14, 7, 1));

    let (runtime, storage) = (runtime(), storage(Location::in_memory().store));
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    let layout =
        |epoch| runtime.block_on(inspect::record(&storage, Epoch(epoch))).unwrap().unwrap().v;
    assert_eq!((layout(2), layout(3)), (3, 6));
}

/// The name of a large state's piece ends in its number.
#[test]
fn a_large_state_is_cut_between_its_sections() {
    let sections: Vec<Vec<u8>> = (0..5).map(|number| vec![number; 20 << 20]).collect();
    let header = b"head".to_vec();
    let state = FrozenState {
        header,
        sections: sections.clone(),
        groups: 1,
        is_delta: false,
        merged: None,
    };
    let (runtime, storage) = (runtime(), storage(Location::in_memory().store));
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let handle = runtime.handle().clone();
    let clock = Clock::system();
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock, Arc::default());
    committer.submit(genesis());
    assert!(matches!(committer.wait(LONG), Some(CommitOutcome::Committed(_))));
    committer.submit(FrozenEpoch { state: Some(state), ..epoch_of(0) });
    let Some(CommitOutcome::Committed(record)) = committer.wait(LONG) else { panic!("it fails") };
    let state = record.state.as_ref().unwrap();
    assert_eq!(state.pieces.len(), 5, "two of them would be more than 32 MiB");
    assert!(names(state)[1].ends_with("-1.bin"));
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let expected: Vec<Vec<u8>> =
        sections.into_iter().map(|section| [b"head".to_vec(), section].concat()).collect();
    assert!(opened.state == expected);
}

/// What it stands for goes, and what came later stays. If others have taken the place of those pieces, nothing happens.
#[test]
fn a_merged_base_takes_the_place_of_the_pieces_that_it_stands_for() {
    let (runtime, storage) = (runtime(), storage(Location::in_memory().store));
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (handle, clock) = (runtime.handle().clone(), Clock::system());
    let mut committer =
        Committer::spawn(handle, opened.chain, storage.clone(), clock, Arc::default());
    let mut commit = |epoch| {
        committer.submit(epoch);
        let Some(CommitOutcome::Committed(record)) = committer.wait(LONG) else { panic!() };
        record.state.clone()
    };
    let section = |text: &str| vec![text.as_bytes().to_vec()];
    let state = |text: &str, is_delta, merged| FrozenEpoch {
        state: Some(FrozenState {
            header: b"head ".to_vec(),
            sections: section(text),
            groups: 1,
            is_delta,
            merged,
        }),
        ..epoch_of(0)
    };
    let merged = |of: &StateRef, text: &str| {
        let mut packing = MergedPacking::new(b"head ".to_vec());
        packing.add(&section(text));
        Some(packing.end(of.pieces.clone()))
    };
    commit(genesis());
    commit(state("base", false, None));
    let old = commit(state("1", true, None)).unwrap();
    let before = commit(state("2", true, None)).unwrap();
    let now = commit(state("3", true, merged(&old, "base and 1"))).unwrap();
    let keys: Vec<&str> = names(&now);
    let epoch = |key: &&str| paths::epoch_of_state(key).unwrap();
    assert_eq!(keys.iter().map(epoch).collect::<Vec<_>>(), [4, 3, 4].map(Epoch));
    assert_eq!(keys[1], names(&before)[2], "a delta that was stored before stays where it is");
    assert_eq!((now.deltas(), now.base_bytes()), (2, now.pieces[0].bytes));
    let again = commit(state("4", true, merged(&old, "base and 1"))).unwrap();
    assert_eq!(again.pieces[..3], now.pieces, "it does not stand for what is there");
    let whole = commit(state("5", false, merged(&again, "all"))).unwrap();
    assert_eq!(whole.pieces.len(), 1);
    let last = commit(state("6", true, merged(&whole, "5 alone"))).unwrap();
    assert_eq!(last.pieces.len(), 2);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(opened.state, [b"head 5 alone".to_vec(), b"head 6".to_vec()]);
    let opened = runtime.block_on(async {
        let store = LaneStore::new(&storage.chain, "toy", "0");
        StoredPieces::new(store).load(&now.pieces[0]).await.unwrap()
    });
    assert_eq!(opened, b"head base and 1");
}

#[test]
fn what_is_merged_is_cut_into_pieces_of_a_size() {
    let section = vec![7; 4 << 20];
    let mut packing = MergedPacking::new(b"head".to_vec());
    for _ in 0..20 {
        packing.add(std::slice::from_ref(&section));
    }
    let pieces: Vec<_> = packing.end(Vec::new()).packed().to_vec();
    let plain = |piece: &Bytes| zstd::decode_all(piece.as_ref()).unwrap();
    let lens: Vec<_> = pieces.iter().map(|piece| plain(piece).len()).collect();
    assert_eq!(lens, [4 + (32 << 20), 4 + (32 << 20), 4 + (16 << 20)]);
    let empty = MergedPacking::new(b"head".to_vec()).end(Vec::new());
    assert_eq!(plain(&empty.packed()[0]), b"head", "what stands in the header may matter");
}

/// It is a piece of the head's as well.
#[test]
fn a_loser_removes_no_piece_that_the_head_names() {
    let (runtime, storage) = (runtime(), storage(Location::in_memory().store));
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let loser = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let winner = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let commit = |chain, epoch| {
        let (handle, clock) = (runtime.handle().clone(), Clock::system());
        let mut committer = Committer::spawn(handle, chain, storage.clone(), clock, Arc::default());
        committer.submit(epoch);
        committer.wait(LONG).unwrap()
    };
    assert!(matches!(commit(winner.chain, epoch_of(2)), CommitOutcome::Committed(_)));
    assert!(matches!(commit(loser.chain, epoch_of(2)), CommitOutcome::Lost(_)));
    assert_each_number_once(&runtime, &storage, 3, "the winner's state");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the schedule of bases, of openings and of looks for what may go.
    #[test]
    fn no_piece_goes_that_one_of_the_newest_records_names(
        steps in prop::collection::vec((0_u8..13, any::<bool>()), 1..400),
    ) {
        let runtime = runtime();
        let storage = storage(Location::in_memory().store);
        let store = LaneStore::new(&storage.chain, "toy", "0");
        let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
        let mut recent = opened.chain.recent.clone();
        let mut records: Vec<ChainRecord> = Vec::new();
        let mut old = recent.clone();
        for (epoch, (what, is_delta)) in (0..).zip(steps) {
            // A record as the committer makes it; here it costs no thread.
            let key = paths::state(Epoch(epoch), opened.chain.term(), "ab12", 0);
            let before = records.last().and_then(|record| record.state.clone());
            let new = piece(&key, is_delta && before.is_some());
            let mut pieces = before.map(|state| state.pieces).unwrap_or_default();
            pieces.retain(|_| new.delta);
            // A base that was merged of the first pieces goes up with the delta.
            if what == 5 && new.delta {
                let merged = piece(&paths::state(Epoch(epoch), opened.chain.term(), "ab12", 1), false);
                let path = store.folder.path(&merged.key);
                runtime.block_on(storage.chain.store.put(&path, "x".into())).unwrap();
                let of = pieces.len().div_ceil(2);
                pieces.splice(..of, [merged]);
            }
            // A fence puts nothing.
            if what != 0 || pieces.is_empty() {
                let path = store.folder.path(&key);
                runtime.block_on(storage.chain.store.put(&path, "x".into())).unwrap();
                pieces.push(new);
            }
            let state = Some(StateRef { groups: 1, pieces });
            let record = record_of(&storage, Epoch(epoch), state);
            recent.push(&record);
            records.push(record);
            match what {
                // An owner that has slept looks with what it knew.
                1 => drop(runtime.block_on(retire(&store, &old, &Deleted::default())).unwrap()),
                2 => old = recent.clone(),
                3 => drop(runtime.block_on(retire(&store, &recent, &Deleted::default())).unwrap()),
                // Another opening reads the newest records.
                4 => {
                    recent = Recent::of(resolve::LOOK_BACK);
                    let first = records.len().saturating_sub(resolve::LOOK_BACK);
                    records[first..].iter().for_each(|record| recent.push(record));
                }
                _ => {}
            }
            let first = records.len().saturating_sub(resolve::LOOK_BACK);
            for record in &records[first..] {
                for name in names(record.state.as_ref().unwrap()) {
                    let found = runtime.block_on(store.get(name)).unwrap();
                    prop_assert!(found.is_some(), "{name} of epoch {}", record.epoch);
                }
            }
        }
        // What no record has needed for long is gone.
        runtime.block_on(retire(&store, &recent, &Deleted::default())).unwrap();
        let needed = records.iter().rev().take(resolve::LOOK_BACK + 1);
        let needed = needed.flat_map(|record| names(record.state.as_ref().unwrap()));
        let needed: BTreeSet<&str> = needed.collect();
        let listed = runtime.block_on(footprint(&storage)).unwrap().states;
        prop_assert!(listed <= needed.len() as u64, "{listed} of {}", needed.len());
    }
}

fn record_of(storage: &LaneStorage, epoch: Epoch, state: Option<StateRef>) -> ChainRecord {
    let FrozenEpoch { kind, source, watermark, modules, config, .. } = genesis();
    ChainRecord {
        v: body::VERSION,
        job: storage.job.clone(),
        lane: storage.lane.clone(),
        epoch,
        chain: String::new(),
        earlier: Vec::new(),
        apart: false,
        kind,
        held: false,
        parent: None,
        term: Term(1),
        writer: Writer { instance: String::new(), nonce: String::new() },
        source,
        watermark,
        state,
        files: Vec::new(),
        tables: BTreeMap::new(),
        outbox: None,
        modules,
        activations: Vec::new(),
        config,
    }
}
