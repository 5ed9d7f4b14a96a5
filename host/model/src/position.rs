//! Where a source stands: partitions and next offsets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A partition of a source: of a Kafka topic, or one file (docs/design/decisions.md#d11).
///
/// The order (stream, number) is the order of partitions within a turn
/// (docs/design/decisions.md#d1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// The topic's name or the file's path.
    pub stream: Arc<str>,
    /// The partition's number in the topic; 0 for a file.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stream, self.number)
    }
}

/// The offset of the next record to read; everything before it was processed. For a file the byte at which the
/// next line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NextOffset(i64);

impl NextOffset {
    /// The first record of a partition that was never trimmed; the first byte of a file.
    pub const START: Self = Self(0);

    /// Reading goes on at this offset itself.
    pub fn at(offset: i64) -> Self {
        Self(offset)
    }

    /// Reading goes on after the record at this offset.
    pub fn after(offset: i64) -> Self {
        Self(offset.saturating_add(1))
    }

    /// The offset to read next.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where one partition stands, as the chain keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The next record to read.
    pub next_offset: NextOffset,
    /// Kafka's leader epoch of the last record read, so that a truncated log is noticed
    /// (docs/design/commit.md#positions). For files in sequential order a checksum of the files
    /// read so far, and for other files one of how they begin, for the same reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    /// Where a bounded range ends: the offset of the first record that no longer belongs to it, pinned with the
    /// start so that a restart ends at the same place. None: the range has no end of its own. For a watched file where
    /// it ended when it was last seen, so that whoever finds it gone can tell whether anything of it was left; none for
    /// a packed file until it was unpacked to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_offset: Option<i64>,
    /// Nothing will ever follow: a bounded range or a file read to its end.
    #[serde(default)]
    pub ended: bool,
}

impl Position {
    /// Before the record at `next_offset`, with nothing else known.
    pub fn at(next_offset: NextOffset) -> Self {
        Self { next_offset, leader_epoch: None, end_offset: None, ended: false }
    }
}

/// Partition → where it stands.
pub type Positions = BTreeMap<Partition, Position>;
