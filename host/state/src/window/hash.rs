//! Two hashes of a key: one that is stored and the same everywhere, and one for the tables of this program.
//!
//! Tables have a hash that nobody outside can know ([`table_seed`]).

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use sluicegate_model::codes::table_seed;

/// Keys are spread over this many shards by their hash. Part of what is stored, so never changed
/// (docs/design/decisions.md#d8); more than any machine has cores, so that a lane's state can be
/// split over all of them.
pub const KEY_SHARDS: u64 = 256;

/// The shard of an encoded key: the upper eight bits of its XXH3, 64 bits, seed 0. Stored.
#[inline]
pub fn key_shard(key: &[u8]) -> u8 {
    (xxh3_64(key) >> 56) as u8
}

/// The hash of an encoded key in the tables of this program: XXH3 with a seed that nobody outside knows. Never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableHash(u64);

/// Bytes of a table or list that are used: no more than it has, and what it would have if it had grown to `len` entries and no
/// further. What is left of a peak does not count.
pub(crate) fn used_bytes(held: usize, len: usize, entry: usize) -> usize {
    held.min(2 * len * entry)
}

/// An entry of an index of places, which is at least seven sixteenths full when it has grown: the place and a byte.
pub(crate) const INDEX_ENTRY: usize = (size_of::<u32>() + 1) * 8 / 7 + 1;

impl TableHash {
    /// Equal keys hash alike in this program only: never store it.
    #[inline]
    pub fn of(key: &[u8]) -> Self {
        Self::with_seed(key, table_seed())
    }

    /// As in a program with this seed.
    #[inline]
    pub(super) fn with_seed(key: &[u8], seed: u64) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }

    #[inline]
    pub(crate) fn get(self) -> u64 {
        self.0
    }
}
