//! The hash of values in the tables of codes, and of pairs of numbers among them.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::seed::table_seed;

/// The hash of a text. Equal texts hash alike in this program only.
pub(super) fn text_hash(text: &[u8]) -> u64 {
    xxh3_64_with_seed(text, table_seed())
}

/// The hash of pairs of numbers, by two seeds that nobody outside knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairHash {
    seeds: (u64, u64),
}

impl PairHash {
    /// That of this program.
    pub(super) fn new() -> Self {
        Self::with_seed(table_seed())
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
