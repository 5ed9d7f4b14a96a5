//! The table against a plain map, the queue against a search through all keys, snapshots there and back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::window::TableHash;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};

/// A group with a state and timers at these times.
fn group(state: &[u8], times: &[i64]) -> KeyedGroups {
    let mut groups = KeyedGroups::default();
    groups.push(state, times.iter().map(|time| Timer { time: EventTime(*time), id: 7 }));
    groups
}

/// One call with one row of a key, after which its group is `after`. Whether its life was over.
fn call(table: &mut KeyedTable, key: &str, time: i64, watermark: i64, after: &KeyedGroups) -> bool {
    let mut call = KeyedCall::default();
    table.begin(&mut call);
    let (time, watermark) = (EventTime(time), EventTime(watermark));
    table.touch(TableHash::of(key.as_bytes()), key.as_bytes(), time, watermark, &mut call);
    table.gather(&mut call);
    table.scatter(&call, after);
    call.expired[0]
}

fn keys(table: &KeyedTable, mut ids: Vec<u32>) -> Vec<String> {
    ids.sort_by_key(|id| table.key(*id).to_vec());
    ids.iter().map(|id| String::from_utf8(table.key(*id).to_vec()).unwrap()).collect()
}

/// Looks for what is due, and puts it back.
fn due(table: &mut KeyedTable, watermark: i64) -> Vec<String> {
    let ids = table.due(EventTime(watermark));
    ids.iter().for_each(|id| table.settle(*id));
    keys(table, ids)
}

#[test]
fn a_moved_timer_is_due_when_it_stands_and_a_key_without_anything_is_forgotten() {
    let mut table = KeyedTable::new(None);
    call(&mut table, "a", 0, 0, &group(b"s", &[10]));
    call(&mut table, "a", 0, 0, &group(b"s", &[20]));
    call(&mut table, "b", 0, 0, &group(b"", &[15]));
    call(&mut table, "c", 0, 0, &group(b"", &[]));
    assert_eq!(table.len(), 2);
    assert_eq!(due(&mut table, 12), [""; 0]);
    assert_eq!(due(&mut table, 15), ["b"]);
    call(&mut table, "a", 0, 0, &group(b"s", &[3]));
    assert_eq!(due(&mut table, 15), ["a", "b"]);
    call(&mut table, "b", 0, 0, &group(b"", &[]));
    assert_eq!(keys(&table, table.ids().collect()), ["a"]);
}

#[test]
fn rule_8_a_life_is_over_after_the_last_row_unless_a_timer_keeps_it() {
    let mut table = KeyedTable::new(Some(10));
    assert!(call(&mut table, "a", 5, i64::MIN + 10, &group(b"s", &[])), "there was none");
    assert!(!call(&mut table, "a", 3, 14, &group(b"s", &[])));
    assert!(!call(&mut table, "a", 5, 23, &group(b"s", &[])), "14 + 10");
    assert!(call(&mut table, "a", 35, 33, &group(b"s", &[])), "23 + 10");
    call(&mut table, "b", 5, 0, &group(b"s", &[50]));
    assert_eq!(due(&mut table, 44), [""; 0]);
    assert_eq!(table.len(), 2);
    assert_eq!(due(&mut table, 45), [""; 0]);
    assert_eq!(keys(&table, table.ids().collect()), ["b"]);
    assert_eq!(due(&mut table, 50), ["b"]);
    let [id] = table.due(EventTime(50))[..] else { panic!("b is due until its timer is taken") };
    table.take_first(id, &mut KeyedGroups::default());
    table.settle(id);
    assert!(table.due(EventTime(50)).is_empty());
    assert!(table.is_empty(), "its last timer had kept it");
}

proptest! {
    #[test]
    fn the_queue_finds_what_a_search_finds(
        calls in prop::collection::vec((0_u8..6, 0_i64..50, prop::collection::btree_set(0_i64..60, 0..3), 0_i64..60), 0..60),
    ) {
        let mut table = KeyedTable::new(None);
        let mut plain: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (key, time, times, watermark) in calls {
            let (key, times) = (format!("key-{key}"), times.into_iter().collect::<Vec<_>>());
            call(&mut table, &key, time, 0, &group(b"", &times));
            plain.insert(key, times);
            plain.retain(|_, times| !times.is_empty());
            let expected = plain.iter().filter(|(_, times)| times[0] <= watermark);
            let expected: Vec<String> = expected.map(|(key, _)| key.clone()).collect();
            prop_assert_eq!(due(&mut table, watermark), expected);
            prop_assert_eq!(table.len(), plain.len());
        }
    }

    #[test]
    fn snapshots_come_back(
        rows in prop::collection::btree_map("[a-z]{0,4}", (any::<i64>(), prop::collection::vec(any::<u8>(), 0..9), prop::collection::btree_set(-9_i64..9, 0..4)), 0..20),
    ) {
        let mut tables = [KeyedTable::new(Some(5)), KeyedTable::new(Some(5))];
        for (index, (key, (time, state, times))) in rows.iter().enumerate() {
            let times: Vec<i64> = times.iter().copied().collect();
            call(&mut tables[index % 2], key, *time, 0, &group(state, &times));
        }
        let mut bytes = Vec::new();
        let count = snapshot::encode(tables.iter(), 3, &mut bytes);
        prop_assert!(snapshot::holds_keys(&bytes));
        let mut restored = KeyedTable::new(Some(5));
        snapshot::decode(&bytes, |row| {
            restored.restore(&row);
            Ok(())
        }).unwrap();
        prop_assert_eq!(restored.len() as u64, count);
        let mut again = Vec::new();
        snapshot::encode(std::iter::once(&restored), 3, &mut again);
        prop_assert_eq!(again.len(), bytes.len());
        for cut in 0..bytes.len() {
            let _ = snapshot::decode(&bytes[..cut], |_| Ok(()));
        }
    }
}

#[test]
fn a_table_is_small_again_after_a_peak() {
    let mut table = KeyedTable::new(None);
    for number in 0..50_000 {
        call(&mut table, &format!("key {number}"), 0, 0, &group(b"state", &[number % 100]));
    }
    let peak = (table.bytes(), table.reserved_bytes());
    for number in 10..50_000 {
        call(&mut table, &format!("key {number}"), 0, 0, &group(b"", &[]));
    }
    // What counts is what is used, at once.
    assert!(table.bytes() < peak.0 / 100, "{} of {}", table.bytes(), peak.0);
    table.tidy();
    assert!(table.reserved_bytes() < peak.1 / 100, "{} of {}", table.reserved_bytes(), peak.1);
    assert_eq!(keys(&table, table.ids().collect()).len(), 10);
    assert_eq!(due(&mut table, 4), ["key 0", "key 1", "key 2", "key 3", "key 4"]);
    call(&mut table, "key 3", 0, 0, &group(b"other", &[]));
    assert_eq!(table.len(), 10);
}

#[test]
fn slices_take_whole_moments_the_earliest_first() {
    let mut table = KeyedTable::new(Some(100));
    for (key, time) in [("a", 30), ("b", 10), ("c", 10), ("d", 20), ("e", 50)] {
        call(&mut table, key, 0, 0, &group(b"s", &[time]));
    }
    // This one's timer has moved since it was put into the queue.
    call(&mut table, "f", 0, 0, &group(b"s", &[5]));
    call(&mut table, "f", 0, 0, &group(b"s", &[20]));
    table.begin_firing();
    let slice = |table: &mut KeyedTable, wanted| {
        let (ids, end) = table.due_slice(EventTime(40), wanted);
        let mut rest = KeyedGroups::default();
        for id in &ids {
            assert_eq!(table.count_firing(*id), 1);
            table.take_first(*id, &mut rest);
            table.settle(*id);
        }
        (keys(table, ids), end.map(EventTime::micros))
    };
    let of = |keys: &[&str]| -> Vec<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    assert_eq!(slice(&mut table, 1), (of(&["b", "c"]), Some(10)));
    assert_eq!(slice(&mut table, 2), (of(&["d", "f"]), Some(20)));
    assert_eq!(slice(&mut table, 9), (of(&["a"]), Some(30)));
    assert_eq!(slice(&mut table, 9), (of(&[]), None));
}

proptest! {
    #[test]
    fn a_changed_blob_is_refused_or_gone_on_with(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_usize..9), 1..6),
        watermark in prop::sample::select(&[i64::MIN, 0, 7, i64::MAX][..]),
    ) {
        let mut tables = [KeyedTable::new(Some(5)), KeyedTable::new(Some(5))];
        for (index, key) in ["a", "b", "c"].into_iter().enumerate() {
            call(&mut tables[index % 2], key, index as i64, 0, &group(b"state", &[3, 7]));
        }
        let mut bytes = Vec::new();
        snapshot::encode(tables.iter(), 3, &mut bytes);
        for (at, byte, run) in changes {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + run);
            bytes[at..end].fill(byte);
        }
        let mut restored = KeyedTable::new(Some(5));
        let _refusal = snapshot::decode(&bytes, |row| {
            restored.restore(&row);
            Ok(())
        });
        call(&mut restored, "a", watermark, watermark, &group(b"s", &[i64::MIN, i64::MAX]));
        for id in restored.due(EventTime(watermark)) {
            if restored.first_due(id, EventTime(watermark)).is_some() {
                restored.take_first(id, &mut KeyedGroups::default());
            }
            restored.settle(id);
        }
        restored.set_ttl(Some(i64::MAX));
        snapshot::encode(std::iter::once(&restored), 3, &mut Vec::new());
    }
}
