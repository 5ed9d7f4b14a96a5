//! The hash of values in the tables of codes, and of pairs of numbers among them.
//!
//! Values come from outside. Whoever knows the hash of a table finds values that all lie in one of its places, and makes it a list.
//! So the hash has a seed of this program; no order in which results come depends on it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64_with_seed;

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

/// The hash of a text. Equal texts hash alike in this program only.
pub(super) fn text_hash(text: &[u8]) -> u64 {
    xxh3_64_with_seed(text, *SEED)
}

/// The hash of pairs of numbers, by two seeds that nobody outside knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairHash {
    seeds: (u64, u64),
}

impl PairHash {
    /// That of this program.
    pub(super) fn new() -> Self {
        Self::with_seed(*SEED)
    }

    /// As in a program with this seed.
    pub(super) fn with_seed(seed: u64) -> Self {
        // Spread, because a seed of all zeros or ones would undo the product.
        Self { seeds: (xxh3_64_with_seed(b"left", seed), xxh3_64_with_seed(b"right", seed)) }
    }

    #[inline(always)]
    pub(super) fn of(self, (left, right): (u64, u64)) -> u64 {
        let product = u128::from(left ^ self.seeds.0) * u128::from(right ^ self.seeds.1);
        product as u64 ^ (product >> 64) as u64
    }
}
