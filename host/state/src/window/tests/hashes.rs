//! Keys that were chosen to lie in one place of every table.

use super::hash::TableHash;
use super::*;

/// Places of a table of some two thousand keys.
const PLACES: u64 = 4_096;

/// Keys whose stored hash lies in one place: anybody finds them.
fn crafted(count: usize) -> Vec<[u8; 8]> {
    let keys = (0u64..).map(u64::to_le_bytes);
    let lies_there = |key: &[u8; 8]| xxhash_rust::xxh3::xxh3_64(key).is_multiple_of(PLACES);
    keys.filter(lies_there).take(count).collect()
}

/// How many of the keys stand in the fullest place: so many are compared for one of them.
fn fullest(keys: &[[u8; 8]], hash: impl Fn(&[u8]) -> u64) -> usize {
    let mut places = std::collections::BTreeMap::<u64, usize>::new();
    keys.iter().for_each(|key| *places.entry(hash(key) % PLACES).or_default() += 1);
    places.into_values().max().unwrap()
}

#[test]
fn keys_that_collide_in_the_stored_hash_do_not_in_the_tables() {
    let keys = crafted(500);
    assert_eq!(fullest(&keys, xxhash_rust::xxh3::xxh3_64), 500);
    for seed in [1, 2, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
        let most = fullest(&keys, |key| TableHash::with_seed(key, seed).get());
        assert!(most <= 8, "{most} keys in one place with seed {seed}");
    }
    // A process has one seed, and it is not that of the stored hash.
    let key = &keys[0][..];
    assert_eq!(TableHash::of(key), TableHash::of(key));
    assert_ne!(TableHash::of(key).get(), xxhash_rust::xxh3::xxh3_64(key));
}

#[test]
fn shards_are_those_that_are_stored() {
    // Whatever changes here moves keys to other workers than their state.
    assert_eq!(["", "a", "store-1"].map(|key| key_shard(key.as_bytes())), [0x2d, 0xe6, 0x88]);
}
