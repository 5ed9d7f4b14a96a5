//! Blobs of several checkpoints → the keys that stand, each once: as [`crate::window::resolve`].

use std::collections::HashSet;

use super::snapshot::{decode, is_delta};
use super::table::KeyRow;
use crate::window::key_shard;
use crate::window::resolve::by_kind;
use crate::window::state_reader::SnapshotError;

/// Deltas, and the keys of which they say more than a base, which is read piece by piece.
pub(crate) struct Over<'d> {
    newer: HashSet<&'d [u8]>,
    /// There are no deltas: every key of the base stands.
    is_alone: bool,
}

impl<'d> Over<'d> {
    /// Calls `each` with the keys of deltas that stand, of some shards.
    pub(crate) fn of(
        deltas: &'d [Vec<u8>],
        is_mine: impl Fn(u8) -> bool,
        mut each: impl FnMut(KeyRow<'d>) -> Result<(), &'static str>,
    ) -> Result<Self, SnapshotError> {
        let mut newer: HashSet<&[u8]> = HashSet::new();
        for piece in deltas.iter().rev() {
            let mut own = Vec::new();
            decode(piece, |row| {
                if !is_mine(key_shard(row.key)) {
                    return Ok(());
                }
                own.push(row.key);
                let is_gone = row.state.is_empty() && row.timers.is_empty();
                match is_gone || newer.contains(row.key) {
                    true => Ok(()),
                    false => each(row),
                }
            })?;
            newer.extend(own);
        }
        Ok(Self { newer, is_alone: deltas.is_empty() })
    }

    /// The same with the keys of a piece of the base.
    pub(crate) fn base<'b>(
        &self,
        piece: &'b [u8],
        is_mine: impl Fn(u8) -> bool,
        mut each: impl FnMut(KeyRow<'b>) -> Result<(), &'static str>,
    ) -> Result<(), SnapshotError> {
        decode(piece, |row| {
            let stands = self.is_alone || !self.newer.contains(row.key);
            if stands && is_mine(key_shard(row.key)) { each(row) } else { Ok(()) }
        })
    }
}

/// Calls `each` with every key of some shards that stands. The first of `pieces` are whole, the others deltas, the oldest first.
///
/// # Errors
///
/// Something is no blob, or a delta without a base; or what `each` says.
pub fn resolve<'b>(
    pieces: &'b [Vec<u8>],
    is_mine: impl Fn(u8) -> bool,
    mut each: impl FnMut(KeyRow<'b>) -> Result<(), &'static str>,
) -> Result<(), SnapshotError> {
    let (bases, deltas) = by_kind(pieces, |piece| Ok(is_delta(piece)))?;
    let over = Over::of(deltas, &is_mine, &mut each)?;
    for piece in bases.iter().rev() {
        over.base(piece, &is_mine, &mut each)?;
    }
    Ok(())
}
