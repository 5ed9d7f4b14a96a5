//! A chain record as the bytes of its slot. They are frozen before they are first sent, and their hash is what
//! tells one writer's record from another's (C2).

use bytes::Bytes;
use serde::Deserialize;

use super::ChainError;
use super::record::{ChainRecord, Epoch};
use crate::store::once::Immutable;

/// The layout that is written. Those from [`VERSION_MIN`] on are read.
///
/// 2: `chain` and `outbox`, which an older program would not send.
pub const VERSION: u32 = 2;

/// The oldest layout that is read.
pub const VERSION_MIN: u32 = 1;

/// A record this large lists tens of thousands of partitions or files; whoever makes one has lost track, and
/// every opening would read [`super::resolve::LOOK_BACK`] of them.
pub const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A record with its bytes. There is no way to change either.
#[derive(Clone, Debug)]
pub struct SlotBody {
    /// What the bytes say.
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
        let mut bytes =
            serde_json::to_vec(&record).expect("a record holds nothing that JSON lacks");
        bytes.push(b'\n');
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
        /// What every layout has.
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let unreadable = |error: serde_json::Error| ChainError::Unreadable {
            what: format!("record of epoch {epoch}"),
            reason: error.to_string(),
        };
        let Versioned { v } = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if !(VERSION_MIN..=VERSION).contains(&v) {
            return Err(ChainError::Version { epoch, found: v });
        }
        let record = serde_json::from_slice(&bytes).map_err(unreadable)?;
        Ok(Self { object: Immutable::new(bytes), record })
    }

    /// The bytes of the slot.
    pub fn object(&self) -> &Immutable {
        &self.object
    }

    /// Of the bytes, hex.
    pub fn sha256(&self) -> &str {
        self.object.sha256()
    }
}
