//! Where records come from. A source hands on blocks of records as columns, one partition a block,
//! never a struct per record, so that decoding works on the arena.

mod absent;
mod headers;
pub mod kafka;
pub mod files;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use absent::Absent;
pub use headers::{Header, Headers, RecordHeaders};
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_model::identity::{Jump, SourceIdentity};
use sluicegate_model::position::{Partition, Position, Positions};
use sluicegate_model::varlen::Varlen;

/// A run of records of one partition, in the order of their offsets, as columns.
#[derive(Clone, Debug)]
pub struct RecordBlock {
    /// All records come from it; a poll may give several blocks of one partition.
    pub partition: Partition,
    /// One value a record, in one arena. A record without a value (a tombstone) has an empty one here.
    pub values: Arc<Varlen>,
    /// The records without a value: null is not empty.
    pub no_value: Absent,
    /// One key a record, empty where it has none; none if nobody wants keys.
    pub keys: Option<Arc<Varlen>>,
    /// The records without a key.
    pub no_key: Absent,
    /// Ascending, with gaps where a topic was compacted or transactions ended. Bytes of line starts in a file.
    pub offsets: Vec<i64>,
    /// Kafka's timestamp of each record, µs since 1970, [`NO_TIMESTAMP`] where it has none; none for files, which have
    /// no such thing.
    pub timestamps: Option<Vec<i64>>,
    /// Of those records that have any; none if nobody wants them, and for files, which have no such thing.
    pub headers: Option<Headers>,
    /// What the partition's position becomes when the whole block was processed.
    pub next: Position,
}

impl RecordBlock {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The value of a record as it came; none for a tombstone.
    pub fn value(&self, record: usize) -> Option<&[u8]> {
        (!self.no_value.has(record)).then(|| self.values.value(record))
    }

    /// The key of a record as it came; none if it has none, or nobody wants keys.
    pub fn key(&self, record: usize) -> Option<&[u8]> {
        let keys = self.keys.as_ref().filter(|_| !self.no_key.has(record))?;
        Some(keys.value(record))
    }

    /// Kafka's timestamp of a record, µs since 1970; none if it carries none.
    pub fn timestamp(&self, record: usize) -> Option<i64> {
        let timestamps = self.timestamps.as_ref()?;
        Some(timestamps[record]).filter(|timestamp| *timestamp != NO_TIMESTAMP)
    }
}

/// Stands in [`RecordBlock::timestamps`] for a record without one: the oldest message format has none, and a producer may
/// write −1.
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// How much one poll may bring. A turn ends when the first bound is reached.
#[derive(Clone, Copy, Debug)]
pub struct PollLimits {
    /// Records in all blocks together.
    pub records: usize,
    /// Bytes of values, keys and headers in all blocks together, more by at most one record.
    pub bytes: usize,
    /// How long to wait for the first record.
    pub wait: Duration,
    /// How long to go on collecting after the first record.
    pub linger: Duration,
    /// Monotonic time before which nobody sees what becomes of the records. A source that is told of little at a time may go
    /// on collecting until then.
    pub unseen_until: Duration,
}

/// What is known of a partition that the source reads.
#[derive(Clone, Debug)]
pub struct PartitionProgress {
    /// Each partition that the source reads stands once in the list.
    pub partition: Partition,
    /// Where reading stands, if more is known than the block with the last record says. What follows it may be no record,
    /// such as the marks that transactions leave in a Kafka log; or it is known by now that the file ends there.
    pub read_to: Option<Position>,
    /// The end as last seen: Kafka's high watermark, records of open transactions included, or the file's length. None until
    /// known.
    pub end_offset: Option<i64>,
    /// Every record that was there when last looked has been handed on
    /// (docs/design/decisions.md#d20).
    pub caught_up: bool,
    /// Monotonic time of that look. None: at every poll.
    pub looked_at: Option<Duration>,
    /// Nothing will ever follow, and time no longer waits for this partition.
    pub ended: bool,
}

/// Who fetches the records of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// `direct` or `librdkafka`, as `source.kafka.fetch` calls them.
    pub by: &'static str,
    /// Why librdkafka does, where connections of our own were to do it if they can.
    pub instead: Option<Arc<str>>,
}

/// Records of a paused partition that still come: those that the library handed out in one go with others.
pub const ON_ITS_WAY_MAX: usize = 8_192;

/// A source of records. Two live in this tree: [`kafka`] and [`files`].
///
/// Promises, checked for both by one conformance suite:
/// 1. Records of a partition come in ascending order of offset, each exactly once from `assign` on.
/// 2. `poll` returns within `limits.wait` plus the time of the work, with at most the records asked for.
/// 3. A block's `next` never goes back; polling after `assign(positions so far)` repeats nothing and skips nothing.
/// 4. An `Err` is final for this source; what may pass by itself (a broker that is away) is no error but
///    [`Source::problem`].
/// 5. Of a paused partition nothing comes but what was on its way, at most [`ON_ITS_WAY_MAX`] records, and it is not
///    caught up. All others go on. Read again, it repeats nothing and skips nothing.
pub trait Source: Send {
    /// Resolves where a first run begins, also for «latest» and timestamps. Asks the outside and waits about a
    /// second for its answer; none if it did not come: [`Source::problem`] says why. Partitions found later begin at
    /// their start.
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError>;

    /// Whether what it reads from answers. Asks and waits about a second; if not, [`Source::problem`] says why. Changes
    /// nothing.
    fn reach(&mut self) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// Whether partitions are files that it knows by name when they are finished: no record need hold their positions.
    fn knows_finished(&self) -> bool {
        false
    }

    /// Files that were read to their end in earlier runs; before [`Source::assign`].
    fn know_finished(&mut self, _: FinishedFiles) {}

    /// Begins to read at these positions. Partitions the source has and `positions` lacks begin at their start.
    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError>;

    /// The next records: one block or several per partition. Empty if nothing came in time.
    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError>;

    /// Reads no more of these partitions, and all others again. What was fetched of them may be thrown away and fetched
    /// again later. [`Source::assign`] forgets it.
    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError>;

    /// The partitions that are read now, in order. After each poll.
    fn progress(&self) -> &[PartitionProgress];

    /// The positions that [`Source::assign`] is given belong to this input. If the outside says that there is another one
    /// now, the source ends with [`SourceError::Lost`], or goes on as it was told to.
    fn expect(&mut self, identity: &SourceIdentity) {
        let _ = identity;
    }

    /// What is known of the input that is read: what was expected, and what the outside has told since.
    fn identity(&self) -> SourceIdentity {
        SourceIdentity::default()
    }

    /// The positions that were moved since the last call, because they were lost: behind the blocks of all polls but the last,
    /// and before those of the last.
    fn take_jumps(&mut self) -> Vec<Jump> {
        Vec::new()
    }

    /// Tells the outside what was committed, for its dashboards only; a failure is a warning.
    fn acknowledge(&mut self, positions: &Positions);

    /// Who fetches the records; none if nobody does but the source.
    fn fetched(&self) -> Option<Fetched> {
        None
    }

    /// Whether a timestamp of a record was seen that the sender's clock has set, and not the broker's.
    fn has_times_of_senders(&self) -> bool {
        false
    }

    /// Why nothing comes, if the reason is outside: `broker 127.0.0.1:9092 is not reachable: …`. The lane logs it.
    fn problem(&self) -> Option<String>;
}

/// A source that cannot go on. Restarting the lane may help, or not.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The position does not exist any more, or not yet: the files are not those that led to it. Never skipped.
    #[error("{partition} has no record at offset {offset} any more: {reason}")]
    PositionLost {
        /// The one whose stored position cannot be sought.
        partition: Partition,
        /// The offset that was asked for.
        offset: i64,
        /// What is there instead, or how the store or broker put it.
        reason: String,
    },
    /// Positions are lost, or there is another input in place of the one they belong to. Trying again would skip records
    /// without a word: a person says how to go on.
    #[error("{0}")]
    Lost(String),
    /// Somebody has to do something first: trying again cannot help.
    #[error("{0}")]
    Final(String),
    /// What was asked for is not there, or not allowed.
    #[error("{0}")]
    Refused(String),
    /// Anything else that ended the source.
    #[error("{what}: {reason}")]
    Failed {
        /// The call that failed and its place, as the message begins.
        what: String,
        /// As librdkafka or the object store put it.
        reason: String,
    },
}
