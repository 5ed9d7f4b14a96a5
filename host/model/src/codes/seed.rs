//! The seed of hashes in the tables of this program.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

/// A number that nobody outside knows, the same until the program ends.
///
/// What is hashed comes from outside. Whoever knows the hash of a table finds keys that all lie in one of its places, and makes it
/// a list. So the tables of a program have its seed; no order in which results come may depend on it.
pub fn table_seed() -> u64 {
    *SEED
}
