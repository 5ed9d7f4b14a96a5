//! Which key shards a worker owns, and so which rows of a chunk are its own.

use std::array;

use super::placed::Placed;

/// The key shards of one worker.
pub(in crate::lane) struct Share {
    /// By shard; none if all are its own.
    owned: Option<[bool; 256]>,
}

/// The worker that owns a shard. The only place that says so: restoring and updating must agree.
pub(in crate::lane) fn owner(shard: u8, workers: usize) -> usize {
    shard as usize % workers
}

impl Share {
    /// The share of one of so many workers.
    pub(in crate::lane) fn new(number: usize, workers: usize) -> Self {
        let is_owned = |shard: usize| owner(shard as u8, workers) == number;
        Self { owned: (workers > 1).then(|| array::from_fn(is_owned)) }
    }

    /// The indexes of the rows whose key is owned, ascending; none if all are.
    pub(in crate::lane) fn of(&self, placed: &Placed) -> Option<Vec<u32>> {
        let owned = self.owned.as_ref()?;
        // Every index is written and only those that are owned are kept: a branch on a shard is a coin that is tossed.
        let mut mine = vec![0; placed.rows.len()];
        let mut kept = 0;
        for index in 0..placed.rows.len() {
            mine[kept] = index as u32;
            kept += usize::from(owned[placed.keys.shard(index) as usize]);
        }
        mine.truncate(kept);
        Some(mine)
    }
}
