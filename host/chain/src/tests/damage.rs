//! Records that somebody changed, or that no version of this program has written: an opening refuses them or goes on, and
//! never panics.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::body::SlotBody;
use crate::fates::Fates;
use crate::finished::FinishedFiles;
use crate::inspect;
use crate::paths;
use crate::record::Term;

/// What stands in the place of a value.
fn odd_values() -> Vec<Value> {
    let long = "9".repeat(70_000);
    vec![
        json!(-1),
        json!(0),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(u32::MAX),
        json!(1e300),
        json!(""),
        json!("../../x"),
        json!(long),
        json!([]),
        json!({}),
        Value::Null,
    ]
}

/// The places of a document: every value in it, as a JSON pointer.
fn places(of: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match of {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), all));
        }
        Value::Array(elements) => {
            (0..)
                .zip(elements)
                .for_each(|(index, value)| places(value, &format!("{at}/{index}"), all));
        }
        _ => {}
    }
}

/// A chain of three epochs, the newest of which is of a layout without a hash of itself.
fn unsealed() -> (Runtime, LaneStorage, Epoch, Value) {
    let runtime = runtime();
    let storage = storage(Arc::new(object_store::memory::InMemory::new()));
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let latest = runtime.block_on(inspect::latest(&storage)).unwrap().unwrap();
    let slot = runtime.block_on(async {
        let path = storage.chain.child("toy/lanes/0").path(&paths::slot(latest));
        storage.chain.store.get(&path).await.unwrap().bytes().await.unwrap()
    });
    let mut record: Value = serde_json::from_slice(&slot).unwrap();
    record["v"] = json!(2);
    record.as_object_mut().unwrap().remove("sha256");
    let mut finished = FinishedFiles::default();
    (0..20).for_each(|number| finished.insert(format!("part-{number:03}.json").into()));
    record["source"]["finished"] = serde_json::to_value(finished.freeze(Fates::default())).unwrap();
    (runtime, storage, latest, record)
}

/// Puts the record in the place of the newest, and opens the lane.
fn opens(
    runtime: &Runtime,
    storage: &LaneStorage,
    epoch: Epoch,
    record: &[u8],
) -> Result<(), String> {
    let path = storage.chain.child("toy/lanes/0").path(&paths::slot(epoch));
    let bytes = record.to_vec();
    runtime.block_on(async {
        storage.chain.store.put(&path, bytes.into()).await.unwrap();
        let opened = open(storage, INSTANCE).await.map_err(|error| error.to_string())?;
        let head = opened.head.unwrap();
        let _fates = head.source.fates().plus(Fates { read: 1, ..Fates::default() });
        if let Some(finished) = &head.source.finished {
            let names = FinishedFiles::thaw(finished).map_err(|error| error.to_string())?;
            assert!(names.len() < 1_000_000);
        }
        Ok(())
    })
}

#[test]
fn a_record_with_any_value_replaced_is_refused_or_goes_on() {
    let (runtime, storage, latest, record) = unsealed();
    let whole = serde_json::to_vec(&record).unwrap();
    opens(&runtime, &storage, latest, &whole).unwrap();
    let mut all = Vec::new();
    places(&record, "", &mut all);
    assert!(all.len() > 40, "{all:?}");
    for place in all {
        for odd in odd_values() {
            let mut changed = record.clone();
            *changed.pointer_mut(&place).unwrap() = odd;
            let changed = serde_json::to_vec(&changed).unwrap();
            let _refusal = opens(&runtime, &storage, latest, &changed);
        }
    }
}

#[test]
fn what_no_version_writes_is_refused_with_what_it_is() {
    let (runtime, storage, latest, record) = unsealed();
    let cases = [
        ("/epoch", json!(u64::MAX), "no chain gets to epoch"),
        ("/term", json!(u64::MAX), "no chain gets to epoch"),
        ("/source/partitions/0/number", json!(-1), "there is no partition numbers/-1"),
        ("/source/partitions/0/number", json!(2_000_000_000), "there is no partition"),
        ("/source/partitions/0/next_offset", json!(i64::MIN), "has no offset -9223372036854775808"),
        (
            "/source/partitions/0/fates/read",
            json!(7),
            "7 records read, and not as many with a fate",
        ),
        ("/source/partitions/0/fates/late", json!(u64::MAX), "0 records read"),
        ("/source/finished/runs/0/1", json!("0".repeat(70_000)), "a run has no number"),
        ("/source/finished/runs/0/3", json!(u64::MAX), "names have more than"),
    ];
    for (place, value, expected) in cases {
        let mut changed = record.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let changed = serde_json::to_vec(&changed).unwrap();
        let refusal = opens(&runtime, &storage, latest, &changed).unwrap_err();
        assert!(refusal.contains(expected), "{place}: {refusal}");
    }
}

#[test]
fn names_of_epochs_and_terms_that_no_chain_gets_to_are_not_ours() {
    let last = u64::MAX;
    assert_eq!(paths::parse_slot(&format!("{last}.json")), None);
    let tag = paths::LaneTag::new("toy", "0");
    assert_eq!(tag.parse(&format!("toy.0-{:020}-{last}-n-0.parquet", 7)), None);
    assert!(tag.parse(&format!("toy.0-{:020}-{}-n-0.parquet", 7, Term(9).0)).is_some());
    let (runtime, storage, latest, _) = unsealed();
    let foreign = storage.chain.child("toy/lanes/0").path(&format!("chain/{last}.json"));
    runtime.block_on(storage.chain.store.put(&foreign, "{}".into())).unwrap();
    assert_eq!(runtime.block_on(inspect::latest(&storage)).unwrap(), Some(latest));
}

proptest! {
    #[test]
    fn bytes_that_were_changed_anywhere_are_refused_or_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let record = json!({
            "v": 2, "job": "toy", "lane": "0", "epoch": 1, "kind": "data", "held": false,
            "parent": { "epoch": 0, "sha256": "00" }, "term": 1,
            "writer": { "instance": "a", "nonce": "b" },
            "source": { "kind": "kafka", "ended": false, "partitions": [{
                "stream": "t", "number": 0, "next_offset": 7, "max_event_time": null,
                "fates": { "read": 7, "accepted": 7, "filtered": 0, "late": 0, "dead_lettered": 0 },
            }] },
            "watermark": { "at": 5 }, "state": null, "files": [], "modules": [], "config": {},
        });
        let mut bytes = serde_json::to_vec(&record).unwrap();
        prop_assert!(SlotBody::thaw(Epoch(1), bytes.clone().into()).is_ok());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(body) = SlotBody::thaw(Epoch(1), bytes.into()) {
            let _next = (body.record.epoch.next(), body.record.source.fates());
        }
    }
}
