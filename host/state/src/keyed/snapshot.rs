//! Keys ↔ bytes: what a checkpoint stores of a keyed plugin's state. Never a memory layout
//! (docs/design/decisions.md#d8).
//!
//! ```text
//! "SLGK" · version u8 = 1 or 2
//! per key, little endian:
//!   generation u32 · key shard u8 · last touched i64
//!   key length u32 · key · state length u32 · state
//!   number of timers u32 · per timer: time i64 · id u32
//! ```
//! Version 2 is a delta: what stands in it stands over what older blobs have of the same key; one without state and timers says
//! that the key was forgotten. Who reads several is [`super::resolve`].
//!
//! Integrity is the chain's business: its record holds the hash of the blob.

use std::borrow::Cow;

use crate::window::key_shard;
use crate::window::state_reader::{SnapshotError, StateReader};
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::Timer;

use super::table::{KeyRow, KeyedTable};
use crate::sections::Sections;

const MAGIC: &[u8; 5] = b"SLGK\x01";
const MAGIC_OF_DELTAS: &[u8; 5] = b"SLGK\x02";

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
        push(&row_of(table, id, generation), to.for_row());
        keys += 1;
    }
    keys
}

/// The same of a blob of [`delta_rows`].
pub fn delta_header() -> Vec<u8> {
    MAGIC_OF_DELTAS.to_vec()
}

/// Appends what has changed in a worker since the last checkpoint, as [`rows`].
pub fn delta_rows(table: &KeyedTable, generation: u32, to: &mut Sections) {
    for key in table.marks.gone() {
        let (shard, touched) = (key_shard(key), EventTime::MIN);
        let row =
            KeyRow { generation, shard, touched, key, state: &[], timers: Cow::Borrowed(&[]) };
        push(&row, to.for_row());
    }
    let ids = table.marks.listed().iter().copied();
    for id in ids.filter(|id| !table.entries[*id as usize].is_empty()) {
        push(&row_of(table, id, generation), to.for_row());
    }
}

fn row_of(table: &KeyedTable, id: u32, generation: u32) -> KeyRow<'_> {
    KeyRow {
        generation,
        shard: table.shard(id),
        touched: table.touched(id),
        key: table.key(id),
        state: table.state(id),
        timers: Cow::Borrowed(table.timers(id)),
    }
}

pub(crate) fn push(row: &KeyRow<'_>, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&row.generation.to_le_bytes());
    bytes.push(row.shard);
    bytes.extend_from_slice(&row.touched.0.to_le_bytes());
    for part in [row.key, row.state] {
        bytes.extend_from_slice(&length(part.len()));
        bytes.extend_from_slice(part);
    }
    bytes.extend_from_slice(&length(row.timers.len()));
    for timer in &*row.timers {
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

/// Whether a blob is a delta.
pub(super) fn is_delta(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC_OF_DELTAS)
}

/// Calls `each` with every key of a blob, in the order stored.
/// Where `each` refuses one, it says what was expected there.
pub fn decode<'b>(
    bytes: &'b [u8],
    mut each: impl FnMut(KeyRow<'b>) -> Result<(), &'static str>,
) -> Result<(), SnapshotError> {
    let mut reader = StateReader::new(bytes);
    let magic = reader.take(MAGIC.len(), "header")?;
    if magic != MAGIC && magic != MAGIC_OF_DELTAS {
        return Err(SnapshotError { at: 0, what: "header of version 1 or 2 of keyed state" });
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
        let row = KeyRow { generation, shard, touched, key, state, timers: Cow::Owned(timers) };
        each(row).map_err(|what| SnapshotError { at: reader.at(), what })?;
    }
    Ok(())
}
