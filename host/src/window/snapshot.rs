//! Open groups ↔ bytes: what a checkpoint stores of a lane's state. Never a memory layout (DESIGN.md D8).
//!
//! ```text
//! "SLGS" · version u8 = 1
//! per group, little endian:
//!   generation u32 · window start i64 · window end i64 · key shard u8
//!   key length u32 · key · accumulator length u32 · accumulator
//! ```
//! Integrity is the chain's business: its record holds the hash of the blob.

use crate::plugin::WindowBounds;

use super::state::KeyedState;

const MAGIC: &[u8; 5] = b"SLGS\x01";
/// Generation, bounds, shard and the two lengths.
const ROW_FIXED_BYTES: usize = 4 + 8 + 8 + 1 + 4 + 4;

/// One open group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRow<'a> {
    /// Generation of the module whose accumulator it is.
    pub generation: u32,
    /// Its window.
    pub bounds: WindowBounds,
    /// Shard of its key.
    pub shard: u8,
    /// The encoded key ([`super::key`]).
    pub key: &'a [u8],
    /// The accumulator.
    pub state: &'a [u8],
}

/// Bytes that are no state blob of this version.
#[derive(Debug, thiserror::Error)]
#[error("state blob is damaged at byte {at}: {what}")]
pub struct SnapshotError {
    /// Where.
    pub at: usize,
    /// What was expected there.
    pub what: &'static str,
}

/// Appends the blob of the open groups of all workers. Returns how many groups there are.
pub fn encode<'s>(
    states: impl Iterator<Item = &'s KeyedState>,
    generation: u32,
    bytes: &mut Vec<u8>,
) -> u64 {
    bytes.extend_from_slice(MAGIC);
    let mut groups = 0;
    for window in states.flat_map(KeyedState::windows) {
        for id in window.groups.ids() {
            let (key, state) = (window.groups.key(id), window.groups.state(id));
            bytes.reserve(ROW_FIXED_BYTES + key.len() + state.len());
            bytes.extend_from_slice(&generation.to_le_bytes());
            bytes.extend_from_slice(&window.bounds.start.to_le_bytes());
            bytes.extend_from_slice(&window.bounds.end.to_le_bytes());
            bytes.push(window.groups.shard(id));
            for part in [key, state] {
                let length = u32::try_from(part.len()).expect("keys and accumulators are bounded");
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes.extend_from_slice(part);
            }
            groups += 1;
        }
    }
    groups
}

/// Calls `each` with every group of a blob, in the order stored.
pub fn decode<'b>(
    bytes: &'b [u8],
    mut each: impl FnMut(StateRow<'b>),
) -> Result<(), SnapshotError> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(MAGIC.len(), "header")? != MAGIC {
        return Err(SnapshotError { at: 0, what: "header of version 1" });
    }
    while reader.at < bytes.len() {
        let generation = u32::from_le_bytes(reader.array("generation")?);
        let start = i64::from_le_bytes(reader.array("window start")?);
        let end = i64::from_le_bytes(reader.array("window end")?);
        let [shard] = reader.array("key shard")?;
        let key_len = u32::from_le_bytes(reader.array("key length")?);
        let key = reader.take(key_len as usize, "key")?;
        let state_len = u32::from_le_bytes(reader.array("accumulator length")?);
        let state = reader.take(state_len as usize, "accumulator")?;
        each(StateRow { generation, bounds: WindowBounds { start, end }, shard, key, state });
    }
    Ok(())
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'b [u8], SnapshotError> {
        let damaged = SnapshotError { at: self.at, what };
        let part = self.bytes.get(self.at..self.at.saturating_add(length)).ok_or(damaged)?;
        self.at += length;
        Ok(part)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SnapshotError> {
        let part = self.take(N, what)?;
        Ok(part.try_into().expect("took as many bytes as the array has"))
    }
}
