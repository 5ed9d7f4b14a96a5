//! Blobs of several checkpoints → the keys that stand, each once: as [`crate::window::resolve`].

use std::collections::HashSet;

use super::snapshot::{decode, header, is_delta, push};
use super::table::KeyRow;
use crate::sections::Sections;
use crate::window::key_shard;
use crate::window::state_reader::SnapshotError;

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
    let is_alone = pieces.last().is_none_or(|newest| !is_delta(newest));
    let mut newer: HashSet<&[u8]> = HashSet::new();
    let mut has_base = false;
    for piece in pieces.iter().rev() {
        let delta = is_delta(piece);
        if delta && has_base {
            return Err(SnapshotError { at: 0, what: "no delta below a base" });
        }
        has_base |= !delta;
        let mut own = Vec::new();
        decode(piece, |row| {
            if !is_mine(key_shard(row.key)) {
                return Ok(());
            }
            if is_alone {
                return each(row);
            }
            if delta {
                own.push(row.key);
            }
            let is_gone = delta && row.state.is_empty() && row.timers.is_empty();
            match is_gone || newer.contains(row.key) {
                true => Ok(()),
                false => each(row),
            }
        })?;
        newer.extend(own);
    }
    if pieces.is_empty() || has_base {
        return Ok(());
    }
    Err(SnapshotError { at: 0, what: "a base below the deltas" })
}

/// What stands, as one whole blob.
///
/// # Errors
///
/// As [`resolve`].
pub fn merge(pieces: &[Vec<u8>]) -> Result<Vec<u8>, SnapshotError> {
    let mut sections = Sections::default();
    resolve(
        pieces,
        |_| true,
        |row| {
            push(&row, sections.for_row());
            Ok(())
        },
    )?;
    let mut blob = header();
    sections.into_vec().iter().for_each(|section| blob.extend_from_slice(section));
    Ok(blob)
}
