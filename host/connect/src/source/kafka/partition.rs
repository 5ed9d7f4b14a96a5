//! One partition as it is read: where it stands, and the block that is being filled.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;

use super::stall::{Standing, Standstill};
use crate::source::{Absent, Header, Headers, NO_TIMESTAMP, PartitionProgress, RecordBlock};
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::varlen::Varlen;

/// A record as it is lent, by a message of librdkafka or by a walk. What is made of it here is all that becomes of it.
pub(super) trait Lent {
    fn offset(&self) -> i64;

    /// Milliseconds since 1970; below zero if it carries none.
    fn millis(&self) -> i64;

    /// Whether its timestamp is that of the sender's clock, and not of the broker's.
    fn is_time_of_sender(&self) -> bool;

    /// Kafka's leader epoch of the record; none if the broker does not tell.
    fn leader_epoch(&self) -> Option<i32>;

    /// None is not empty.
    fn key(&self) -> Option<&[u8]>;

    /// None for a tombstone.
    fn value(&self) -> Option<&[u8]>;

    /// In their order.
    fn headers(&self) -> impl Iterator<Item = Header<'_>>;
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the block.
    Record {
        /// Of its value and its headers.
        bytes: usize,
    },
    /// It was handed on before, or lies behind the end of the range.
    Skipped,
}

/// A partition of the topic.
pub(super) struct PartitionReader {
    partition: Partition,
    position: Position,
    /// The end by the last look that was answered, and when that asked.
    looked: Option<(i64, Duration)>,
    /// The end as last seen, by a look or by an answer to a fetch.
    end_seen: Option<i64>,
    /// Where it said last that nothing more may be read.
    said_end: Option<i64>,
    standstill: Standstill,
    /// A record of it was handed on.
    is_begun: bool,
    /// Begins at the oldest record there is, whatever its offset.
    from_start: bool,
    /// The lane does not want it for now.
    is_unwanted: bool,
    /// Who fetches was told not to fetch it.
    is_paused: bool,
    /// A timestamp was seen that the sender's clock has set.
    has_times_of_senders: bool,
    block: Block,
}

#[derive(Default)]
struct Block {
    values: Varlen,
    no_value: Absent,
    keys: Varlen,
    no_key: Absent,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    /// None if nobody wants them.
    headers: Option<Headers>,
    room: BlockRoom,
}

/// What a block needs room for.
#[derive(Clone, Copy, Default)]
struct BlockRoom {
    records: usize,
    value_bytes: usize,
    key_bytes: usize,
}

impl PartitionReader {
    /// A reader that goes on at `position`.
    pub(super) fn new(topic: &Arc<str>, number: i32, position: Position) -> Self {
        let mut reader = Self {
            partition: Partition { stream: Arc::clone(topic), number },
            position,
            looked: None,
            end_seen: None,
            said_end: None,
            standstill: Standstill::default(),
            is_begun: false,
            from_start: false,
            is_unwanted: false,
            is_paused: false,
            has_times_of_senders: false,
            block: Block::default(),
        };
        reader.end_if_reached();
        reader
    }

    /// A reader of a partition that nobody has read yet.
    pub(super) fn from_start(topic: &Arc<str>, number: i32) -> Self {
        let reader = Self::new(topic, number, Position::at(NextOffset::START));
        Self { from_start: true, ..reader }
    }

    /// Whether a timestamp was seen that the sender's clock has set.
    pub(super) fn has_times_of_senders(&self) -> bool {
        self.has_times_of_senders
    }

    /// Where librdkafka is to begin.
    pub(super) fn start(&self) -> Offset {
        if self.begins_at_oldest() {
            Offset::Beginning
        } else {
            Offset::Offset(self.position.next_offset.get())
        }
    }

    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    /// Copies a record into the block.
    #[inline]
    pub(super) fn take(&mut self, record: &impl Lent, wants_headers: bool) -> Taken {
        let offset = record.offset();
        if self.position.ended || offset < self.position.next_offset.get() {
            return Taken::Skipped;
        }
        if self.position.end_offset.is_some_and(|end| offset >= end) {
            self.position.ended = true;
            return Taken::Skipped;
        }
        if self.block.offsets.is_empty() {
            self.has_times_of_senders |= record.is_time_of_sender();
        }
        let bytes = self.block.push(record, wants_headers);
        self.position.next_offset = NextOffset::after(offset);
        self.position.leader_epoch = record.leader_epoch();
        self.is_begun = true;
        self.end_if_reached();
        Taken::Record { bytes }
    }

    /// The consumer stands at `offset`, behind which lies nothing that may be read yet. What lies
    /// before it and was not handed on is no record: the marks of transactions, and records of
    /// those that were aborted (docs/design/decisions.md#d20). The position goes behind them, or
    /// retention that deletes them would seem to have deleted records.
    pub(super) fn reached_end(&mut self, offset: i64) {
        self.said_end = Some(offset);
        self.go_behind_marks(offset, None);
        self.end_seen = self.end_seen.max(Some(offset));
        self.end_if_reached();
    }

    /// Everything that has come was read, up to `next`, and the last of it was written in `epoch`; nothing behind `last_stable`
    /// may be read yet.
    pub(super) fn passed(&mut self, next: i64, epoch: Option<i32>, last_stable: i64) {
        self.go_behind_marks(next, epoch);
        if next >= last_stable {
            self.reached_end(next);
        }
        self.end_if_reached();
    }

    /// What lies before `offset` and was not handed on is no record. A mark may be of a later epoch than the last record: with that
    /// one's epoch the log would seem to have been cut off before the mark.
    fn go_behind_marks(&mut self, offset: i64, epoch: Option<i32>) {
        if offset > self.position.next_offset.get() && !self.position.ended {
            self.position.next_offset = NextOffset::at(offset);
            self.position.leader_epoch = epoch;
        }
    }

    /// Whether it begins at the oldest record there is, and has read none.
    pub(super) fn begins_at_oldest(&self) -> bool {
        self.from_start && !self.is_begun
    }

    /// The oldest record has been found. Where it stands then.
    pub(super) fn begin_at(&mut self, oldest: i64) -> i64 {
        let next = oldest.max(self.position.next_offset.get());
        self.position.next_offset = NextOffset::at(next);
        self.end_if_reached();
        next
    }

    /// The end by the last answer to a fetch.
    pub(super) fn see_end(&mut self, offset: i64) {
        self.end_seen = self.end_seen.max(Some(offset));
    }

    /// The end by a look that asked at `at`.
    pub(super) fn see_look(&mut self, end: i64, at: Duration) {
        self.looked = Some((end, at));
        self.see_end(end);
    }

    /// It cannot be read for now: whether something is there is not known before the next look. (librdkafka does not say
    /// again that it stands at the end.)
    pub(super) fn is_in_trouble(&mut self) {
        self.looked = None;
    }

    /// Takes note of whether reading stands though there is more.
    pub(super) fn note_standstill(&mut self, now: Duration) {
        let next = self.position.next_offset.get();
        let has_more = self.end_seen.is_some_and(|end| end > next)
            && !self.is_unwanted
            && !self.position.ended;
        self.standstill.note(next, has_more, now);
    }

    /// None while it goes on.
    pub(super) fn standing(&self) -> Option<Standing<'_>> {
        let end = self.end_seen.filter(|_| self.standstill.since().is_some())?;
        let next = self.position.next_offset.get();
        Some(Standing {
            partition: &self.partition,
            standstill: self.standstill,
            end,
            is_held_by_transaction: self.said_end == Some(next),
            is_bounded: self.position.end_offset.is_some(),
        })
    }

    /// Nothing of it was handed on by this reader.
    pub(super) fn is_untouched(&self) -> bool {
        !self.is_begun
    }

    /// When it was last seen that nothing lies behind what was handed on: not even records of open transactions.
    fn seen_empty_at(&self) -> Option<Duration> {
        let (end, at) = self.looked?;
        let is_empty = end <= self.position.next_offset.get();
        (is_empty && !self.is_unwanted).then_some(at)
    }

    fn end_if_reached(&mut self) {
        let next = self.position.next_offset.get();
        if self.position.end_offset.is_some_and(|end| next >= end) {
            self.position.ended = true;
        }
    }

    /// Whether the lane wants it. A partition that was not wanted is caught up again when it says so anew: what came
    /// meanwhile was not seen.
    pub(super) fn want(&mut self, is_wanted: bool) {
        if !is_wanted {
            self.looked = None;
        }
        self.is_unwanted = !is_wanted;
    }

    /// Somebody else fetches it from now on, and knows nothing of what is not wanted.
    pub(super) fn is_fetched_anew(&mut self) {
        self.is_paused = false;
    }

    /// Whether it is to be fetched, if that has changed since this was asked last.
    pub(super) fn changed_fetching(&mut self) -> Option<bool> {
        let is_paused = self.is_unwanted || self.position.ended;
        let changed = is_paused != self.is_paused;
        self.is_paused = is_paused;
        changed.then_some(!is_paused)
    }

    pub(super) fn progress(&self) -> PartitionProgress {
        let empty_at = self.seen_empty_at();
        PartitionProgress {
            partition: self.partition.clone(),
            read_to: Some(self.position.clone()),
            end_offset: self.end_seen,
            caught_up: empty_at.is_some(),
            looked_at: empty_at,
            ended: self.position.ended,
        }
    }

    /// The records taken since the last call; none if there are none.
    pub(super) fn finish_block(&mut self) -> Option<RecordBlock> {
        if self.block.offsets.is_empty() {
            return None;
        }
        let block = std::mem::take(&mut self.block);
        self.block.room = BlockRoom::like(&block);
        Some(RecordBlock {
            partition: self.partition.clone(),
            values: Arc::new(block.values),
            no_value: block.no_value,
            keys: Some(Arc::new(block.keys)),
            no_key: block.no_key,
            offsets: block.offsets,
            timestamps: Some(block.timestamps),
            headers: block.headers,
            next: self.position.clone(),
        })
    }
}

impl Block {
    /// Appends a record. The bytes of its value, its key and its headers.
    #[inline]
    fn push(&mut self, lent: &impl Lent, wants_headers: bool) -> usize {
        if self.offsets.is_empty() {
            self.make_room(wants_headers);
        }
        let record = self.offsets.len();
        let value = lent.value().unwrap_or_else(|| {
            self.no_value.mark(record);
            &[]
        });
        let key = lent.key().unwrap_or_else(|| {
            self.no_key.mark(record);
            &[]
        });
        let mut bytes = value.len() + key.len();
        if let Some(headers) = &mut self.headers {
            bytes += lent.headers().map(|header| headers.push(record, header)).sum::<usize>();
        }
        self.values.push(value);
        self.keys.push(key);
        self.offsets.push(lent.offset());
        self.timestamps.push(micros(lent.millis()));
        bytes
    }

    #[cold]
    fn make_room(&mut self, wants_headers: bool) {
        let BlockRoom { records, value_bytes, key_bytes } = self.room;
        self.values = Varlen::with_capacity(records, value_bytes);
        self.keys = Varlen::with_capacity(records, key_bytes);
        self.offsets.reserve(records);
        self.timestamps.reserve(records);
        self.headers = wants_headers.then(Headers::default);
    }
}

impl BlockRoom {
    /// For what follows a block, which is a little more as often as a little less: arenas that grow by doubling are copied, several
    /// times if they begin with nothing.
    fn like(block: &Block) -> Self {
        let and_a_quarter = |size: usize| size + size / 4;
        Self {
            records: and_a_quarter(block.offsets.len()),
            value_bytes: and_a_quarter(block.values.bytes.len()),
            key_bytes: and_a_quarter(block.keys.bytes.len()),
        }
    }
}

/// Kafka's milliseconds, of which those below zero say that there is none.
#[inline]
fn micros(millis: i64) -> i64 {
    if millis < 0 { NO_TIMESTAMP } else { millis.saturating_mul(1000) }
}
