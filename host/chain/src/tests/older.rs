//! What earlier versions have written, byte by byte: it is read, gone on from, and written as it was.
//!
//! The files in `older` are recorded. Records of layouts 3 to 7 and the claim are those of real runs. The chain of layout 2 was
//! written by the types of the last version that wrote it (the parent of 39ab8278, `host/src/chain/record.rs`).

use object_store::path::Path;

use super::super::body::SlotBody;
use super::super::lead::claim::LeadTerm;
use super::super::lead::store::LeadStore;
use super::*;

/// The name of whoever wrote the chain of layout 2, in the names of its objects.
const WRITER: &str = "00000000000000000001-1-0a1b2c3d4e5f";

fn put(runtime: &Runtime, at: &Location, path: &str, bytes: &'static [u8]) {
    let path: Path = at.path(path);
    runtime.block_on(at.store.put(&path, bytes::Bytes::from_static(bytes).into())).unwrap();
}

/// Its newest epoch has a state, a data file and an outbox.
#[test]
fn a_chain_of_layout_2_is_read_and_gone_on_from() {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    let lane = storage.chain.child("toy/lanes/0");
    let slot = |number| paths::slot(Epoch(number));
    put(&runtime, &lane, &slot(0), include_bytes!("older/layout_2_genesis.json"));
    put(&runtime, &lane, &slot(1), include_bytes!("older/layout_2_data.json"));
    let state = include_bytes!("older/layout_2_state.zst");
    put(&runtime, &lane, &format!("state/{WRITER}.bin"), state);
    let outbox = include_bytes!("older/layout_2_outbox.zst");
    put(&runtime, &lane, &format!("outbox/{WRITER}.tsv.zst"), outbox);
    put(&runtime, &storage.tables["numbers"], &format!("toy.0-{WRITER}-0.parquet"), b"0");

    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(next_number(&opened), Some(1));
    assert_eq!(opened.outbox.as_deref(), Some(&b"a message"[..]));
    assert_eq!(opened.orphans_deleted, 0);
    let head = opened.head.unwrap();
    assert_eq!((head.epoch, head.kind, head.v), (Epoch(2), RecordKind::Fence, 3));
    assert_eq!(&*head.chain, "51f0c1d2e3a4");

    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    assert_each_number_once(&runtime, &storage, 3, "begun with layout 2");
}

#[test]
fn records_of_layouts_4_and_5_are_read_and_written_as_they_were() {
    let recorded: [(u32, &[u8]); 2] =
        [(4, include_bytes!("older/layout_4.json")), (5, include_bytes!("older/layout_5.json"))];
    for (layout, bytes) in recorded {
        let older = SlotBody::thaw(Epoch(3), bytes.into()).unwrap();
        assert_eq!((older.record.v, older.record.kind), (layout, RecordKind::Data));
        let [swap] = &older.record.activations[..] else { panic!("one module was activated") };
        assert_eq!(
            (swap.epoch, &*swap.name, &*swap.previous_name),
            (Epoch(2), "valid-2", "valid-sale")
        );
        assert_eq!(older.record.files[0].rows, 10);
        assert_eq!(older.record.tables.contains_key("revenue"), layout == 5);
        assert_eq!(older.record.files[0].statistics.is_empty(), layout == 4);
        let again = SlotBody::freeze(older.record.clone()).unwrap();
        assert_eq!(again.object().bytes(), bytes, "layout {layout}");
    }
}

/// States of several pieces, and a genesis behind a `reset`.
#[test]
fn records_of_layouts_6_and_7_are_read_and_written_as_they_were() {
    let written: &[u8] = include_bytes!("older/layout_6.json");
    let older = SlotBody::thaw(Epoch(3), written.into()).unwrap().record;
    let pieces: Vec<bool> =
        older.state.iter().flat_map(|it| &it.pieces).map(|it| it.delta).collect();
    assert_eq!(
        (older.v, &*pieces),
        (6, &[false, true, true][..]),
        "a base, and what changed since"
    );
    assert_eq!(SlotBody::freeze(older).unwrap().object().bytes(), written);

    let written: &[u8] = include_bytes!("older/layout_7.json");
    let older = SlotBody::thaw(Epoch::GENESIS, written.into()).unwrap().record;
    assert_eq!((older.v, older.kind, older.apart), (7, RecordKind::Genesis, true));
    assert_eq!(
        (&*older.chain, &*older.earlier),
        ("0950135f1fbb", &["e38b8a244673".to_owned()][..])
    );
    assert_eq!(SlotBody::freeze(older).unwrap().object().bytes(), written);
}

/// A newer version may tell more: hosts of both stand by for each other in a rolling update.
#[test]
fn claims_and_signs_are_read_as_they_were_written_and_with_more_in_them() {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    let pipeline = storage.chain.child("toy");
    put(&runtime, &pipeline, &paths::lead_term(LeadTerm(3)), include_bytes!("older/claim.json"));
    let sign: &[u8] = br#"{"nonce":"59e9a4d3cb2c44a49df8a1fd327c63f9","count":3,"released":true}"#;
    put(&runtime, &pipeline, &paths::lead_beat(LeadTerm(3)), sign);
    let look = |known| runtime.block_on(LeadStore::new(&storage).look(known)).unwrap().unwrap();
    let seen = look(None);
    assert_eq!((seen.claim.term, &*seen.claim.instance), (LeadTerm(3), "vm/9147"));
    assert_eq!(seen.claim.ttl(), Duration::from_secs(3));
    assert_eq!(seen.claim.process.as_ref().unwrap().pid, 9147);
    assert_eq!(seen.sign.unwrap().count, 3);

    let newer = br#"{"term":4,"instance":"new","nonce":"n","ttl_ms":15000,"at":5,"zone":"a"}"#;
    put(&runtime, &pipeline, &paths::lead_term(LeadTerm(4)), newer);
    let sign = br#"{"nonce":"n","count":7,"released":false,"load":0.5}"#;
    put(&runtime, &pipeline, &paths::lead_beat(LeadTerm(4)), sign);
    let newer = look(Some(&seen.claim));
    assert_eq!((newer.claim.term, newer.sign.unwrap().count), (LeadTerm(4), 7));
}

/// Before there were terms, and since.
#[test]
fn beats_of_lanes_are_read_as_they_were_written() {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    let lane = storage.chain.child("toy/lanes/0");
    let beats: [(&[u8], bool); 2] = [
        (br#"{"writer":{"instance":"vm/1","nonce":"a"},"count":2,"released":true}"#, false),
        (
            br#"{"writer":{"instance":"vm/9147","nonce":"ef9d9c018bcd"},"count":2,"released":true,"is_led":true}"#,
            true,
        ),
    ];
    for (bytes, is_led) in beats {
        put(&runtime, &lane, paths::BEAT, bytes);
        let signs = runtime.block_on(beat::look(&storage)).unwrap();
        assert!(signs.is_released());
        let beat = signs.beat.unwrap();
        assert_eq!((beat.count, beat.is_led), (2, is_led));
    }
}
