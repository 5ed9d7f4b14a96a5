//! Keys ↔ bytes: what a checkpoint stores of a keyed plugin's state. Never a memory layout
//! (docs/design/decisions.md#d8).
//!
//! ```text
//! "SLGK" · version u8 = 1
//! per key, little endian:
//!   generation u32 · key shard u8 · last touched i64
//!   key length u32 · key · state length u32 · state
//!   number of timers u32 · per timer: time i64 · id u32
//! ```
//! Integrity is the chain's business: its record holds the hash of the blob.

use crate::window::state_reader::{SnapshotError, StateReader};
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::Timer;

use super::table::{KeyRow, KeyedTable};
use crate::sections::Sections;

const MAGIC: &[u8; 5] = b"SLGK\x01";

/// Whether a state blob holds keys; the other kind holds open windows.
pub fn holds_keys(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC[..4])
}

/// What the blob of the keys of all workers begins with.
pub fn header() -> Vec<u8> {
    MAGIC.to_vec()
}

/// Appends the keys of a worker, which stand behind the header, in any order with those of others. Returns how many there are.
pub fn rows(table: &KeyedTable, generation: u32, to: &mut Sections) -> u64 {
    let mut keys = 0;
    for id in table.ids() {
        push(table, id, generation, to.for_row());
        keys += 1;
    }
    keys
}

fn push(table: &KeyedTable, id: u32, generation: u32, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.push(table.shard(id));
    bytes.extend_from_slice(&table.touched(id).0.to_le_bytes());
    for part in [table.key(id), table.state(id)] {
        bytes.extend_from_slice(&length(part.len()));
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&length(table.timers(id).len()));
    for timer in table.timers(id) {
        bytes.extend_from_slice(&timer.time.0.to_le_bytes());
        bytes.extend_from_slice(&timer.id.to_le_bytes());
    }
}

/// The whole blob of some tables.
#[cfg(test)]
pub(super) fn encode<'s>(
    tables: impl Iterator<Item = &'s KeyedTable>,
    generation: u32,
    bytes: &mut Vec<u8>,
) -> u64 {
    let mut sections = Sections::default();
    let keys = tables.map(|table| rows(table, generation, &mut sections)).sum();
    bytes.extend(header());
    bytes.extend(sections.into_vec().concat());
    keys
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("keys, states and timers are bounded").to_le_bytes()
}

/// Calls `each` with every key of a blob, in the order stored.
/// Where `each` refuses one, it says what was expected there.
pub fn decode<'b>(
    bytes: &'b [u8],
    mut each: impl FnMut(KeyRow<'b>) -> Result<(), &'static str>,
) -> Result<(), SnapshotError> {
    let mut reader = StateReader::new(bytes);
    if reader.take(MAGIC.len(), "header")? != MAGIC {
        return Err(SnapshotError { at: 0, what: "header of version 1 of keyed state" });
    }
    while !reader.is_at_end() {
        let generation = u32::from_le_bytes(reader.array("generation")?);
        let [shard] = reader.array("key shard")?;
        let touched = EventTime(i64::from_le_bytes(reader.array("last touched")?));
        let key = reader.sized("key")?;
        let state = reader.sized("state")?;
        let count = u32::from_le_bytes(reader.array("number of timers")?);
        let mut timers = Vec::new();
        for _ in 0..count {
            let time = EventTime(i64::from_le_bytes(reader.array("time of a timer")?));
            let id = u32::from_le_bytes(reader.array("id of a timer")?);
            timers.push(Timer { time, id });
        }
        let row = KeyRow { generation, shard, touched, key, state, timers };
        each(row).map_err(|what| SnapshotError { at: reader.at(), what })?;
    }
    Ok(())
}
