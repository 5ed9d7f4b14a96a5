//! A chain record as the bytes of its slot. They are frozen before they are first sent, and their hash is what
//! tells one writer's record from another's (C2).
//!
//! ```text
//! {"v":3, … ,"config":{…},"sha256":"<of all before this field>"}
//! ```
//!
//! A record is named by its successor with the hash of its whole body. The newest has none yet, so each carries a hash of
//! its own as well: a digit that was changed in it would otherwise be gone on from.

use bytes::Bytes;
use serde::Deserialize;

use super::record::{ChainRecord, Epoch};
use super::{ChainError, paths, sound};
use sluicegate_store::once::{Immutable, sha256_hex};

/// The newest layout. Those from [`VERSION_MIN`] on are read. A record is written in the oldest that holds it.
///
/// 2: `chain` and `outbox`, which an older program would not send. 3: [`SEAL`], and the chain in the names of data files.
/// 4: `activations`. 5: `tables` and `statistics`, which an older program would not write into the tables' logs. 6: states of several
/// pieces, of which an older program would read the first. 7: a genesis whose chain lies apart, of which an older program would find no
/// other record.
pub const VERSION: u32 = 7;

/// The oldest layout that is read.
pub const VERSION_MIN: u32 = 1;

/// The layout from which on records are sealed.
const SEALED_SINCE: u32 = 3;

/// The layout from which on records tell of modules that took the place of others.
const ACTIVATIONS_SINCE: u32 = 4;

/// The layout from which on records name the columns of tables with a log.
const LOGS_SINCE: u32 = 5;

/// The layout from which on states have several pieces.
const PIECES_SINCE: u32 = 6;

/// What stands before the hash that a record carries of itself; [`SEAL_END`] stands behind it.
const SEAL: &[u8] = b",\"sha256\":\"";
const SEAL_END: &[u8] = b"\"}\n";

/// A record this large lists tens of thousands of partitions or files; whoever makes one has lost track, and
/// every opening would read [`super::resolve::LOOK_BACK`] of them.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A record with its bytes. There is no way to change either.
#[derive(Clone, Debug)]
pub struct SlotBody {
    /// The decoded record; its bytes are what was hashed and put.
    pub record: ChainRecord,
    /// One line of JSON.
    object: Immutable,
}

impl SlotBody {
    /// Freezes a record.
    ///
    /// # Errors
    ///
    /// [`ChainError::TooLarge`].
    pub fn freeze(record: ChainRecord) -> Result<Self, ChainError> {
        let record = ChainRecord { v: layout_of(&record), ..record };
        let bytes = serde_json::to_vec(&record).expect("a record holds nothing that JSON lacks");
        let bytes = seal(bytes);
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(ChainError::TooLarge { epoch: record.epoch, bytes: bytes.len() });
        }
        Ok(Self { object: Immutable::new(bytes.into()), record })
    }

    /// Reads what lies in the slot of `epoch`.
    ///
    /// # Errors
    ///
    /// [`ChainError::Version`] if a program of another layout wrote it, [`ChainError::Unreadable`] if it is no
    /// record.
    pub fn thaw(epoch: Epoch, bytes: Bytes) -> Result<Self, ChainError> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let refused = |reason: &str| ChainError::Unreadable {
            what: format!("record of epoch {epoch}"),
            reason: format!("`{}` {reason}", paths::slot(epoch)),
        };
        let unreadable = |error: serde_json::Error| match bytes.is_empty() {
            true => refused("is empty"),
            false => refused(&format!("is not a record: {error}")),
        };
        let Versioned { v } = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if !(VERSION_MIN..=VERSION).contains(&v) {
            return Err(ChainError::Version { epoch, found: v });
        }
        let record = match v {
            SEALED_SINCE.. => {
                let unsealed = unseal(&bytes)
                    .ok_or_else(|| refused("has another hash than it says of itself"))?;
                serde_json::from_slice(&unsealed)
            }
            _ => serde_json::from_slice(&bytes),
        };
        let record: ChainRecord = record.map_err(unreadable)?;
        if let Some(reason) = sound::flaw(&record) {
            return Err(ChainError::Unreadable {
                what: format!("record of epoch {epoch}"),
                reason,
            });
        }
        Ok(Self { object: Immutable::new(bytes), record })
    }

    /// The bytes of the slot.
    pub fn object(&self) -> &Immutable {
        &self.object
    }

    /// Of all bytes of the object, 64 hex digits; the next record names it.
    pub fn sha256(&self) -> &str {
        self.object.sha256()
    }
}

/// The oldest layout that holds a record, so that one can go back to an older program until there is something that it would
/// lose. That program then names the layout, where it would otherwise name a field.
fn layout_of(record: &ChainRecord) -> u32 {
    let has_pieces = record.state.as_ref().is_some_and(|state| state.pieces.len() > 1);
    match record {
        _ if record.apart => VERSION,
        _ if has_pieces => PIECES_SINCE,
        _ if !record.tables.is_empty() => LOGS_SINCE,
        _ if !record.activations.is_empty() => ACTIVATIONS_SINCE,
        _ => SEALED_SINCE,
    }
}

/// A JSON object with its hash as last field, as a line.
fn seal(mut object: Vec<u8>) -> Vec<u8> {
    assert_eq!(object.pop(), Some(b'}'), "a record is an object");
    let sha256 = sha256_hex(&object);
    object.extend_from_slice(SEAL);
    object.extend_from_slice(sha256.as_bytes());
    object.extend_from_slice(SEAL_END);
    object
}

/// The JSON object without its hash; none if it is not that hash.
fn unseal(line: &[u8]) -> Option<Vec<u8>> {
    let (rest, sha256) = line.strip_suffix(SEAL_END)?.split_last_chunk::<64>()?;
    let object = rest.strip_suffix(SEAL)?;
    (sha256_hex(object).as_bytes() == sha256).then(|| [object, b"}"].concat())
}
