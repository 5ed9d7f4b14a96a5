//! Fills the blocks of a poll: waits for messages, hands each to the reader of its partition, and hears what partitions say
//! instead.

use std::time::Duration;

use super::KafkaSource;
use super::direct::USE_LIBRDKAFKA;
use super::errors::{ErrorVerdict, PartitionError};
use super::feed::Feed;
use super::loss::Lost;
use super::partition::Taken;
use super::room::Room;
use crate::source::{PollLimits, RecordBlock, SourceError};
use sluicegate_fetch::Waiting;
use sluicegate_pipeline::FetchWay;

impl KafkaSource {
    /// Fills the blocks of the readers until a limit is reached.
    pub(super) fn collect(&mut self, limits: &PollLimits) -> Result<(), SourceError> {
        let mut room = Room::of(limits);
        self.feed.unseen_until(limits.unseen_until);
        // What is there already costs no wait.
        self.take_at_once(&mut room)?;
        if room.is_untouched(limits) && self.at_odds.is_none() {
            if self.all_ended() || !self.bell.wait(limits.wait) {
                return Ok(());
            }
            self.serve_events()?;
            self.take_at_once(&mut room)?;
            if room.is_untouched(limits) {
                // It was rung for somebody else.
                return Ok(());
            }
        }
        let first = self.clock.monotonic();
        while !room.is_full() && self.at_odds.is_none() && !self.all_ended() {
            let linger = room.linger(limits, first);
            let left = linger.until.saturating_sub(self.clock.monotonic());
            if left.is_zero() || !self.feed.fill(left, linger.enough, room.records()) {
                return Ok(());
            }
            self.take_drained(&mut room)?;
        }
        Ok(())
    }

    /// Records have come, if there are any in `blocks`.
    pub(super) fn heard(&mut self, blocks: &[RecordBlock]) {
        if blocks.is_empty() {
            return;
        }
        self.knowledge.hear();
        if let Some((partition, _)) = &self.complaint
            && blocks.iter().any(|block| block.partition.number == *partition)
        {
            self.complaint = None;
        }
    }

    fn take_at_once(&mut self, room: &mut Room) -> Result<(), SourceError> {
        self.feed.fill(Duration::ZERO, Waiting::ANYTHING, room.records());
        self.take_drained(room)
    }

    fn take_drained(&mut self, room: &mut Room) -> Result<(), SourceError> {
        while !room.is_full() {
            let queue = match &mut self.feed {
                Feed::Librdkafka(queue) => queue,
                Feed::Direct(_) => return self.take_fetched(room),
            };
            let Some(message) = queue.pop() else {
                return Ok(());
            };
            let number = message.partition();
            let reader =
                usize::try_from(number).ok().and_then(|number| self.readers.get_mut(number));
            let Some(reader) = reader else { continue };
            if let Some(error) = message.error() {
                drop(message);
                self.on_partition_error(number, error)?;
                continue;
            }
            if let Taken::Record { bytes } = reader.take(&message, self.wants_headers) {
                room.take(bytes);
            }
        }
        Ok(())
    }

    fn take_fetched(&mut self, room: &mut Room) -> Result<(), SourceError> {
        loop {
            let Feed::Direct(direct) = &mut self.feed else { return Ok(()) };
            if let Some(words) = direct.take_too_large() {
                self.knowledge.note_error(&words);
            }
            let complaint = &mut self.complaint;
            let well = |number| drop(complaint.take_if(|(partition, _)| *partition == number));
            let Some((number, error)) =
                direct.take(&mut self.readers, self.wants_headers, room, well)
            else {
                return Ok(());
            };
            let reader = &self.readers[usize::try_from(number).expect("it has a reader")];
            if error.verdict == ErrorVerdict::PositionLost && reader.begins_at_oldest() {
                // Its oldest record was deleted meanwhile. The next poll looks for it again.
                direct.start(reader);
                return Ok(());
            }
            if error.is_about_bytes() {
                // What has come of it lies behind what cannot be read.
                direct.stop(number);
                if self.reread != Some((number, error.offset)) {
                    // A wire may have garbled it.
                    self.reread = Some((number, error.offset));
                    direct.start(reader);
                    return Ok(());
                }
            }
            if self.config.fetch == FetchWay::Auto
                && let Some(reason) = error.at_odds(reader.partition())
            {
                // What was taken is handed on first.
                self.at_odds = Some(reason);
                return Ok(());
            }
            self.on_partition_error(number, error)?;
        }
    }

    /// What a partition says instead of a record.
    #[cold]
    fn on_partition_error(
        &mut self,
        number: i32,
        error: PartitionError,
    ) -> Result<(), SourceError> {
        let reader = &mut self.readers[usize::try_from(number).expect("looked up before")];
        match error.verdict {
            ErrorVerdict::CaughtUp => {
                reader.reached_end(error.offset);
                self.complaint.take_if(|(partition, _)| *partition == number);
            }
            ErrorVerdict::PositionLost => {
                reader.is_in_trouble();
                // What the topic is now is asked before anything is said about it.
                self.lost = Some(Lost { number, error, at: self.clock.monotonic() });
                self.knowledge.look_now();
            }
            ErrorVerdict::Unreadable | ErrorVerdict::NotUnderstood => {
                return Err(SourceError::Failed {
                    what: format!("read {} at offset {}", reader.partition(), error.offset),
                    reason: error.words,
                });
            }
            ErrorVerdict::Unsupported => {
                let text = format!(
                    "{} cannot be read: {}: {USE_LIBRDKAFKA}",
                    reader.partition(),
                    error.words
                );
                return Err(SourceError::Final(text));
            }
            ErrorVerdict::MayPass => {
                reader.is_in_trouble();
                let text = format!("{} cannot be read: {}", reader.partition(), error.words);
                self.complaint = Some((number, text));
                self.knowledge.look_now();
            }
        }
        Ok(())
    }

    fn all_ended(&self) -> bool {
        !self.readers.is_empty() && self.readers.iter().all(|reader| reader.position().ended)
    }
}
