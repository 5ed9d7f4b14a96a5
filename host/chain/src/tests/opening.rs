//! What an opening refuses, keeps and deletes; what a reset forgets.

use object_store::path::Path;

use super::super::record::ChainRecord;
use super::super::{inspect, resolve};
use super::*;

fn path_of(storage: &LaneStorage, below: &str) -> Path {
    storage.chain.child("toy/lanes/0").path(below)
}

fn put(runtime: &Runtime, storage: &LaneStorage, path: &Path, bytes: &str) {
    let put = storage.chain.store.put(path, bytes.to_owned().into());
    runtime.block_on(put).unwrap();
}

fn text(runtime: &Runtime, storage: &LaneStorage, path: &Path) -> String {
    let get = async { storage.chain.store.get(path).await.unwrap().bytes().await.unwrap() };
    String::from_utf8(runtime.block_on(get).to_vec()).unwrap()
}

#[track_caller]
fn refusal(runtime: &Runtime, storage: &LaneStorage) -> String {
    let error = runtime.block_on(open(storage, INSTANCE)).unwrap_err();
    assert!(!error.may_pass(), "{error}");
    error.to_string()
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let record = runtime.block_on(inspect::record(&storage, Epoch(2))).unwrap().unwrap();
    assert_eq!(runtime.block_on(inspect::latest(&storage)).unwrap(), Some(Epoch(2)));
    assert_eq!(runtime.block_on(inspect::record(&storage, Epoch(3))).unwrap(), None);
    assert_eq!(record.source, source_at(2));
    assert_eq!(record.files.len(), 1);
    assert_eq!(record.files[0].event_time_range, Some((1, 1)));
    assert_eq!(record.term, Term(1));
    let body = SlotBody::freeze(record.clone()).unwrap();
    assert_eq!(SlotBody::thaw(record.epoch, body.object().bytes().clone()).unwrap().record, record);
}

#[test]
fn each_opening_has_a_higher_term_once_it_commits() {
    let (runtime, storage) = new_lane();
    for count in 1..4 {
        assert_eq!(live(&runtime, &storage, count), Ended::Done);
    }
    let record = |epoch| runtime.block_on(inspect::record(&storage, Epoch(epoch)));
    let terms: Vec<u64> = (0..4).map(|epoch| record(epoch).unwrap().unwrap().term.0).collect();
    assert_eq!(terms, [1, 1, 2, 3]);
}

#[test]
fn a_changed_record_a_gap_and_a_foreign_record_are_damage() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let slot = path_of(&storage, &paths::slot(Epoch(1)));
    let original = text(&runtime, &storage, &slot);

    let record = runtime.block_on(inspect::record(&storage, Epoch(1))).unwrap().unwrap();
    let put_record = |record| {
        let body = SlotBody::freeze(record).unwrap();
        let bytes = str::from_utf8(body.object().bytes()).unwrap().to_owned();
        put(&runtime, &storage, &slot, &bytes);
    };

    put_record(ChainRecord { term: Term(2), ..record.clone() });
    let sentence = refusal(&runtime, &storage);
    assert!(sentence.contains("the record after epoch 1 names another parent"), "{sentence}");
    assert!(sentence.contains("sluicegate reset"), "{sentence}");

    put_record(ChainRecord { job: "toe".to_owned(), ..record });
    let sentence = refusal(&runtime, &storage);
    assert!(sentence.contains("slot 1 belongs to lane `toe/0`, not to `toy/0`"), "{sentence}");

    runtime.block_on(storage.chain.store.delete(&slot)).unwrap();
    let sentence = refusal(&runtime, &storage);
    assert!(sentence.contains("there is no record of epoch 1"), "{sentence}");

    put(&runtime, &storage, &slot, &original.replace("\"v\":3", "\"v\":8"));
    let sentence = refusal(&runtime, &storage);
    assert!(sentence.contains("has layout 8, this program reads up to 7"), "{sentence}");

    put(&runtime, &storage, &slot, "{");
    assert!(refusal(&runtime, &storage).contains("record of epoch 1 cannot be read"));
}

/// No record names the newest by its hash yet: a digit of its positions that is changed would read records twice.
#[test]
fn a_digit_changed_in_the_newest_record_is_found() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let slot = path_of(&storage, &paths::slot(Epoch(2)));
    let original = text(&runtime, &storage, &slot);
    let digits = original.char_indices().filter(|(_, digit)| digit.is_ascii_digit());
    for (at, digit) in digits {
        let other = if digit == '1' { "2" } else { "1" };
        let changed = [&original[..at], other, &original[at + 1..]].concat();
        put(&runtime, &storage, &slot, &changed);
        let sentence = refusal(&runtime, &storage);
        let is_version = sentence.contains("this program reads");
        assert!(is_version || sentence.contains("record of epoch 2 cannot be read"), "{sentence}");
    }
    put(&runtime, &storage, &slot, &original);
    assert_each_number_once(&runtime, &storage, 2, "as it was written");
}

/// As versions before layout 3 wrote it.
fn unsealed(record: &str) -> String {
    let (object, _) = record.rsplit_once(",\"sha256\":").unwrap();
    format!("{object}}}\n")
}

/// A chain that was begun before there were outboxes.
#[test]
fn a_record_of_layout_1_is_read_and_gone_on_from() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 0), Ended::Done);
    let slot = path_of(&storage, &paths::slot(Epoch::GENESIS));
    let genesis = text(&runtime, &storage, &slot);
    let chain = inspect::record(&storage, Epoch::GENESIS);
    let id = format!("\"chain\":\"{}\",", runtime.block_on(chain).unwrap().unwrap().chain);
    assert!(genesis.contains(&id), "{genesis}");
    let older = unsealed(&genesis).replace(&id, "").replace("\"v\":3", "\"v\":1");
    put(&runtime, &storage, &slot, &older);
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    assert_each_number_once(&runtime, &storage, 2, "begun with layout 1");
    let head = runtime.block_on(inspect::record(&storage, Epoch(2))).unwrap().unwrap();
    assert_eq!((head.v, &*head.chain), (3, "toy/0"));
    let id = &sluicegate_store::once::sha256_hex(older.as_bytes())[..paths::CHAIN_ID_BYTES];
    let name = head.files[0].path.rsplit('/').next().unwrap();
    assert!(name.starts_with(&format!("toy.0-{id}-")), "{:?}", head.files);
}

#[test]
fn an_outbox_is_given_back_behind_a_fence_until_a_record_has_none() {
    let (runtime, storage) = new_lane();
    let open_now = || runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let spawn = |opened: Opened| {
        let handle = runtime.handle().clone();
        Committer::spawn(handle, opened.chain, storage.clone(), Clock::system(), Arc::default())
    };
    let commit = |committer: &mut Committer, epoch| {
        committer.submit(epoch);
        committer.wait(LONG).expect("no commit takes so long")
    };
    let with_outbox = |number| {
        let outbox = FrozenOutbox { text: "a message".into(), messages: 1 };
        FrozenEpoch { outbox: Some(outbox), ..epoch_of(number) }
    };
    let mut first = spawn(open_now());
    assert!(matches!(commit(&mut first, genesis()), CommitOutcome::Committed(_)));
    assert!(matches!(commit(&mut first, with_outbox(0)), CommitOutcome::Committed(_)));

    // Also in the process of the first: what that one sent may still land.
    let other = open_now();
    assert_eq!(other.outbox.as_deref(), Some(&b"a message"[..]));
    let head = other.head.as_ref().unwrap();
    assert_eq!((head.epoch, head.kind), (Epoch(2), RecordKind::Fence));
    assert_eq!(head.outbox.as_ref().map(|outbox| outbox.epoch), Some(Epoch(1)));
    assert!(matches!(commit(&mut first, epoch_of(1)), CommitOutcome::Lost(_)));

    assert!(matches!(commit(&mut spawn(other), epoch_of(1)), CommitOutcome::Committed(_)));
    let last = open_now();
    assert_eq!((last.outbox, last.head.unwrap().epoch), (None, Epoch(3)));
    assert_eq!(runtime.block_on(footprint(&storage)).unwrap().outboxes, 1);
    runtime.block_on(forget(&storage, DataFiles::DeleteAll)).unwrap();
    assert!(runtime.block_on(footprint(&storage)).unwrap().is_empty());
}

#[test]
fn a_missing_or_changed_state_is_damage() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let head = runtime.block_on(inspect::record(&storage, Epoch(1))).unwrap().unwrap();
    let state = path_of(&storage, &head.state.unwrap().pieces[0].key);
    put(&runtime, &storage, &state, "something else");
    assert!(refusal(&runtime, &storage).contains("another hash"));
    runtime.block_on(storage.chain.store.delete(&state)).unwrap();
    assert!(refusal(&runtime, &storage).contains("there is no state of epoch 1"));
}

#[test]
fn files_of_other_lanes_and_of_nobody_are_left_alone() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let table = &storage.tables["numbers"];
    let strangers = [
        "toy.1-00000000000000000009-1-abc-0.parquet",
        "toys.0-00000000000000000009-1-abc-0.parquet",
        "by-hand.parquet",
        "date=2026-11-21/toy.1-00000000000000000001-1-abc-0.parquet",
    ];
    for stranger in strangers {
        put(&runtime, &storage, &table.path(stranger), "100");
    }
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!((opened.orphans_deleted, opened.head.unwrap().epoch), (0, Epoch(1)));
    assert_eq!(table_of(&runtime, &storage), [0, 100, 100, 100, 100]);
}

fn chain_of(runtime: &Runtime, storage: &LaneStorage) -> String {
    runtime.block_on(inspect::record(storage, Epoch::GENESIS)).unwrap().unwrap().chain
}

/// A staging copy, or the same file run from another folder: one table, two places for the chain.
#[test]
fn two_chains_over_one_table_leave_each_others_files_alone() {
    let (runtime, ours) = new_lane();
    let theirs = LaneStorage { chain: ours.chain.child("elsewhere"), ..ours.clone() };
    assert_eq!(live(&runtime, &ours, 1), Ended::Done);
    runtime.block_on(forget(&theirs, DataFiles::Keep)).unwrap();
    assert_eq!(live(&runtime, &theirs, 3), Ended::Done);
    for (storage, count) in [(&ours, 1), (&theirs, 3), (&ours, 2), (&theirs, 4)] {
        let opened = runtime.block_on(open(storage, INSTANCE)).unwrap();
        assert_eq!(opened.orphans_deleted, 0);
        assert_eq!(live(&runtime, storage, count), Ended::Done);
    }
    assert_eq!(table_of(&runtime, &ours), [0, 0, 1, 1, 2, 3]);
}

/// Whose a file without a chain in its name is, only records can tell.
#[test]
fn a_file_of_an_earlier_naming_is_deleted_if_a_record_proves_it_to_be_ours() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    // As an earlier version left it.
    let slot = path_of(&storage, &paths::slot(Epoch(1)));
    let record = runtime.block_on(inspect::record(&storage, Epoch(1))).unwrap().unwrap();
    let (writer, chain) = (&record.writer.nonce, format!("-{}-", record.chain));
    let older = unsealed(&text(&runtime, &storage, &slot)).replace("\"v\":3", "\"v\":2");
    put(&runtime, &storage, &slot, &older.replace(&chain, "-"));
    let table = &storage.tables["numbers"];
    let named = table.path(&record.files[0].path.replace(&chain, "-"));
    put(&runtime, &storage, &named, "0");
    runtime.block_on(table.store.delete(&table.path(&record.files[0].path))).unwrap();

    let ours = format!("toy.0-00000000000000000002-1-{writer}-0.parquet");
    let perhaps = "toy.0-00000000000000000002-1-fedcba987654-0.parquet";
    put(&runtime, &storage, &table.path(&ours), "100");
    put(&runtime, &storage, &table.path(perhaps), "200");
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!((opened.orphans_deleted, opened.head.unwrap().kind), (1, RecordKind::Fence));
    assert_eq!(table_of(&runtime, &storage), [0, 200]);
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    assert_eq!(table_of(&runtime, &storage), [0, 1, 200]);
}

fn table_of(runtime: &Runtime, storage: &LaneStorage) -> Vec<i64> {
    table(runtime, storage)
}

#[test]
fn an_orphan_of_an_undecided_epoch_is_deleted_behind_a_fence_in_whatever_folder() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let table = &storage.tables["numbers"];
    let chain = chain_of(&runtime, &storage);
    let of_epoch = format!("toy.0-{chain}-00000000000000000002");
    let of_values = format!("epochs/{of_epoch}/date=2026-11-21/store=a%2Fb c/");
    for folder in ["", "date=2026-11-21/", &of_values] {
        let orphan = format!("{folder}{of_epoch}-1-abc-0.parquet");
        put(&runtime, &storage, &table.path(&orphan), "1");
    }
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let head = opened.head.clone().unwrap();
    assert_eq!((opened.orphans_deleted, head.kind), (3, RecordKind::Fence));
    assert_eq!((head.epoch, head.term), (Epoch(2), Term(2)));
    assert_eq!(next_number(&opened), Some(1), "the fence keeps positions and state");
    assert_eq!(table_of(&runtime, &storage), [0]);
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    assert_each_number_once(&runtime, &storage, 2, "after the fence");
}

#[test]
fn a_reset_says_what_it_forgets_and_the_next_life_keeps_the_data() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let footprint = runtime.block_on(footprint(&storage)).unwrap();
    assert_eq!((footprint.epochs, footprint.latest), (3, Some(Epoch(2))));
    assert_eq!((footprint.states, footprint.data_files, footprint.data_bytes), (2, 2, 2));
    assert!(footprint.state_bytes > 0);

    let forgotten = runtime.block_on(forget(&storage, DataFiles::Keep)).unwrap();
    assert_eq!((forgotten.epochs, forgotten.data_files), (3, 0));
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert!(opened.head.is_none());
    assert_eq!((opened.earlier_files, opened.chain.term()), (2, Term(2)));
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(opened.orphans_deleted, 0);
    assert_eq!(table_of(&runtime, &storage), [0, 0, 1]);

    runtime.block_on(forget(&storage, DataFiles::DeleteAll)).unwrap();
    assert!(runtime.block_on(super::footprint(&storage)).unwrap().is_empty());
    assert_eq!(table_of(&runtime, &storage), [0; 0]);
}

#[test]
fn the_newest_slot_is_found_whatever_the_length_of_the_chain() {
    let (runtime, storage) = new_lane();
    for length in [1_u64, 999, 1_000, 1_001, 2_001, 2_002, 7_003] {
        for epoch in 0..length {
            put(&runtime, &storage, &path_of(&storage, &paths::slot(Epoch(epoch))), "");
        }
        let lane = LaneStore::new(&storage.chain, "toy", "0");
        let latest = runtime.block_on(lane.latest()).unwrap();
        assert_eq!(latest, Some(Epoch(length - 1)));
    }
}

#[test]
fn a_long_chain_is_checked_for_the_look_back_only() {
    let (runtime, storage) = new_lane();
    let count = resolve::LOOK_BACK as i64 + 10;
    assert_eq!(live(&runtime, &storage, count), Ended::Done);
    let early = path_of(&storage, &paths::slot(Epoch(3)));
    runtime.block_on(storage.chain.store.delete(&early)).unwrap();
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(next_number(&opened), Some(count));
}
