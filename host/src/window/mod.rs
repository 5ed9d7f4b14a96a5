//! Windows: which window an event belongs to, the open groups (window × key) and their accumulators.
//!
//! The accumulators are bytes that only the aggregate plugin understands; the host keeps, stores and restores them
//! (DESIGN.md §1). Nothing here is async, has a clock or does I/O.

pub mod assigner;
pub mod slides;
pub mod key;
pub mod groups;
pub mod state;
pub mod merged;
pub mod sliding;
mod suffix;
pub mod session;
pub mod sessions;
pub mod session_call;
mod session_states;
mod closed;
pub mod firing;
pub(crate) mod state_reader;
pub mod snapshot;

pub use assigner::WindowAssigner;
pub use groups::Watcher;
pub use key::RowSelection;
pub use session::{LateForSession, SessionRule};
pub use session_call::SessionCall;
pub use sessions::Sessions;
pub use slides::{Placement, Slides};
pub use sliding::{SlideTables, SomeKeys};
pub use state::{KeyedState, Place, Touched};

/// Keys are spread over this many shards by their hash. Part of what is stored, so never changed (DESIGN.md D8);
/// more than any machine has cores, so that a lane's state can be split over all of them.
pub const KEY_SHARDS: u64 = 256;

/// The hash of an encoded key: XXH3, 64 bits, seed 0. Stored with state rows by way of the shard.
#[inline]
pub fn key_hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// The shard of a key.
#[inline]
pub fn key_shard(hash: u64) -> u8 {
    // The upper bits: the lower ones index the hash tables.
    (hash >> 56) as u8
}

#[cfg(test)]
mod tests;
