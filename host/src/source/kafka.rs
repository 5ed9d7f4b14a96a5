//! A Kafka topic as a source: partitions assigned without a group, positions kept by the commit chain.
//!
//! Messages come through [`BatchQueue`], everything else (errors, logs, answers to commits, OAuth) through the
//! consumer's own queue, which every poll serves. The group named after the client is only told what was
//! committed, for lag dashboards.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::batch_queue::{self, BATCH_MESSAGES, BatchQueue, cached_end};
use super::kafka_errors::{PartitionError, Verdict};
use super::kafka_partition::{self, PartitionReader, Taken};
use super::kafka_properties::{client_config, refused_property};
use super::kafka_start;
use super::kafka_watch::{Context, Knowledge, watch};
use super::{
    Partition, PartitionProgress, PollLimits, Positions, RecordBlock, Source, SourceError,
};
use crate::config::KafkaConfig;
use crate::time::Clock;

/// How long a wait for records goes on before errors and logs are served again.
const EVENTS_EVERY: Duration = Duration::from_millis(100);

/// Events served in one go: enough to keep up with what librdkafka says while brokers come and go.
const EVENTS_MAX: usize = 16;

/// How long [`Source::genesis`] waits to hear of the topic.
const TOPIC_WAIT: Duration = Duration::from_secs(1);

/// How often the ends of partitions that bring nothing are looked up, for the lag that is shown.
const ENDS_EVERY: Duration = Duration::from_millis(500);

/// Reads one topic with one client.
pub struct KafkaSource {
    config: KafkaConfig,
    client_id: String,
    topic: Arc<str>,
    topic_c: CString,
    clock: Clock,
    /// Before the consumer: it must be gone when the consumer closes.
    queue: BatchQueue,
    consumer: Arc<BaseConsumer<Context>>,
    knowledge: Arc<Knowledge>,
    /// By number: partition n is `readers[n]`.
    readers: Vec<PartitionReader>,
    is_assigned: bool,
    wants_headers: bool,
    progress: Vec<PartitionProgress>,
    /// Why a partition brings nothing, as the broker says it.
    complaint: Option<(i32, String)>,
    ends_at: Duration,
}

impl KafkaSource {
    /// Makes the client. Brokers that are away are no error: see [`Source::problem`]. `client_id` is the name in
    /// the brokers' logs, and the group that is told what was committed.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] for a property that is unknown, has a value librdkafka does not take, or may not be
    /// set.
    pub fn connect(
        config: &KafkaConfig,
        client_id: &str,
        clock: Clock,
    ) -> Result<Self, SourceError> {
        let topic_c = CString::new(config.topic.as_str()).map_err(|_| {
            SourceError::Refused("`source.kafka.topic` contains a zero byte".to_owned())
        })?;
        let (knowledge, woken) = Knowledge::new(&config.topic, &config.brokers);
        let consumer: BaseConsumer<Context> = client_config(config, client_id)?
            .create_with_context(knowledge.context())
            .map_err(|error| refused_property(&error))?;
        let consumer = Arc::new(consumer);
        let started = watch(Arc::clone(&knowledge), Arc::clone(&consumer), woken);
        started.map_err(|error| failed("start a thread", error))?;
        Ok(Self {
            config: config.clone(),
            client_id: client_id.to_owned(),
            topic: Arc::from(config.topic.as_str()),
            topic_c,
            queue: BatchQueue::new(Arc::clone(&consumer)),
            consumer,
            knowledge,
            readers: Vec::new(),
            is_assigned: false,
            wants_headers: false,
            progress: Vec::new(),
            complaint: None,
            ends_at: clock.monotonic(),
            clock,
        })
    }

    /// Hands on the headers of the records too. Otherwise nobody looks whether there are any.
    #[must_use]
    pub fn with_headers(mut self, wants_headers: bool) -> Self {
        self.wants_headers = wants_headers;
        self
    }

    /// Errors, logs, answers. A fatal error ends the source.
    fn serve_events(&self) -> Result<(), SourceError> {
        for _ in 0..EVENTS_MAX {
            match self.consumer.poll(Duration::ZERO) {
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(failed("read from Kafka", code));
                }
                // Other errors were told to the context; messages do not come this way.
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// Begins to read partitions that the topic has and nobody reads yet: from their start.
    fn adopt_new_partitions(&mut self) -> Result<(), SourceError> {
        let Some(count) = self.knowledge.partitions() else {
            return Ok(());
        };
        let known = i32::try_from(self.readers.len()).expect("Kafka counts partitions in 32 bits");
        if count < known {
            let reader = &self.readers[usize::try_from(count).expect("not negative")];
            return Err(SourceError::PositionLost {
                partition: reader.partition().clone(),
                offset: reader.position().next_offset.get(),
                reason: format!("the topic has only {count} partitions now: it was made anew"),
            });
        }
        if count == known || !self.is_assigned {
            return Ok(());
        }
        let mut added = TopicPartitionList::new();
        for number in known..count {
            self.readers.push(PartitionReader::from_start(&self.topic, number));
            self.queue.forward(&self.topic_c, number);
            added
                .add_partition_offset(&self.topic, number, Offset::Beginning)
                .map_err(|error| failed("assign partitions", error))?;
        }
        tracing::info!(topic = %self.topic, from = known, to = count, "new partitions");
        self.consumer.incremental_assign(&added).map_err(|error| failed("assign partitions", error))
    }

    /// Fills the blocks of the readers until a limit is reached.
    fn collect(&mut self, limits: &PollLimits) -> Result<(), SourceError> {
        let mut room = Room { records: limits.records, bytes: limits.bytes };
        let started = self.clock.monotonic();
        let mut first_at = None;
        // What is there already costs no wait.
        self.queue.fill(Duration::ZERO, BATCH_MESSAGES.min(room.records));
        loop {
            self.take_drained(&mut room)?;
            if room.is_full() || (room.is_untouched(limits) && self.all_ended()) {
                return Ok(());
            }
            let now = self.clock.monotonic();
            let (until, at_most) = if room.is_untouched(limits) {
                // The call returns when it has as many as it was asked for: ask for the first one.
                ((started + limits.wait).min(now + EVENTS_EVERY), 1)
            } else {
                let until = *first_at.get_or_insert(now) + limits.linger;
                if now >= until {
                    return Ok(());
                }
                (until, BATCH_MESSAGES.min(room.records))
            };
            let waited = until.saturating_sub(now);
            if self.queue.fill(waited, at_most) == 0 {
                let is_over = !room.is_untouched(limits) || now >= started + limits.wait;
                if is_over {
                    return Ok(());
                }
                self.serve_events()?;
            } else if at_most == 1 {
                self.take_drained(&mut room)?;
                self.queue.fill(Duration::ZERO, BATCH_MESSAGES.min(room.records));
            }
        }
    }

    fn take_drained(&mut self, room: &mut Room) -> Result<(), SourceError> {
        while !room.is_full() {
            let Some(message) = self.queue.pop() else {
                return Ok(());
            };
            let number = message.partition();
            let reader =
                usize::try_from(number).ok().and_then(|number| self.readers.get_mut(number));
            let Some(reader) = reader else { continue };
            if let Some(error) = message.error() {
                drop(message);
                self.on_partition_error(number, &error)?;
                continue;
            }
            if let Taken::Record { bytes } = reader.take(&message, self.wants_headers) {
                room.records -= 1;
                room.bytes = room.bytes.saturating_sub(bytes);
            }
        }
        Ok(())
    }

    /// What a partition says instead of a record.
    #[cold]
    fn on_partition_error(
        &mut self,
        number: i32,
        error: &PartitionError,
    ) -> Result<(), SourceError> {
        let reader = &mut self.readers[usize::try_from(number).expect("looked up before")];
        match error.verdict() {
            Verdict::CaughtUp => {
                reader.reached_end(error.offset);
                self.complaint.take_if(|(partition, _)| *partition == number);
                Ok(())
            }
            Verdict::PositionLost => Err(SourceError::PositionLost {
                partition: reader.partition().clone(),
                offset: reader.position().next_offset.get(),
                reason: error.words.clone(),
            }),
            Verdict::Unreadable => Err(SourceError::Failed {
                what: format!("read {} at offset {}", reader.partition(), error.offset),
                reason: error.words.clone(),
            }),
            Verdict::MayPass => {
                let text = format!("{} cannot be read: {}", reader.partition(), error.words);
                self.complaint = Some((number, text));
                self.knowledge.look_now();
                Ok(())
            }
        }
    }

    fn all_ended(&self) -> bool {
        !self.readers.is_empty() && self.readers.iter().all(|reader| reader.position().ended)
    }

    /// Brings `progress` up to date; partitions that ended are no longer fetched.
    fn update_progress(&mut self) -> Result<(), SourceError> {
        let now = self.clock.monotonic();
        let look_up_all = now >= self.ends_at;
        if look_up_all {
            self.ends_at = now + ENDS_EVERY;
        }
        self.progress.clear();
        for reader in &mut self.readers {
            let (topic, number) = (&self.topic_c, reader.partition().number);
            if look_up_all && let Some(end) = cached_end(&self.consumer, topic, number) {
                reader.see_end(end);
            }
            self.progress.push(reader.progress());
        }
        self.update_fetching()
    }

    fn update_fetching(&mut self) -> Result<(), SourceError> {
        kafka_partition::update_fetching(&mut self.readers, &self.consumer, &self.topic)
    }

    fn assignment(&self) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::with_capacity(self.readers.len());
        for reader in self.readers.iter().filter(|reader| !reader.position().ended) {
            let (number, position) = (reader.partition().number, reader.position());
            list.add_partition_offset(&self.topic, number, reader.start())
                .map_err(|error| failed("assign partitions", error))?;
            if let Some(epoch) = position.leader_epoch {
                batch_queue::set_leader_epoch(&mut list, &self.topic_c, number, epoch);
            }
        }
        Ok(list)
    }
}

impl Source for KafkaSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        self.serve_events()?;
        match self.knowledge.wait_for_partitions(TOPIC_WAIT) {
            None => Ok(None),
            Some(partitions) => kafka_start::resolve(&self.consumer, &self.config, partitions),
        }
    }

    fn reach(&mut self) -> Result<bool, SourceError> {
        self.serve_events()?;
        Ok(self.knowledge.wait_for_partitions(TOPIC_WAIT).is_some())
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        if self.is_assigned {
            // Messages of an assignment that is no more must not move a position, and librdkafka undoes the
            // forwarding of a partition's queue some time after its fetching was stopped: begin with a new client.
            *self = Self::connect(&self.config, &self.client_id, self.clock.clone())?;
        }
        let ours = positions.iter().filter(|(partition, _)| partition.stream == self.topic);
        for (partition, position) in ours {
            let number = usize::try_from(partition.number).unwrap_or(0);
            while self.readers.len() < number {
                let missing =
                    i32::try_from(self.readers.len()).expect("below a partition's number");
                self.readers.push(PartitionReader::from_start(&self.topic, missing));
            }
            self.readers.push(PartitionReader::new(
                &self.topic,
                partition.number,
                position.clone(),
            ));
        }
        for reader in &self.readers {
            self.queue.forward(&self.topic_c, reader.partition().number);
        }
        let list = self.assignment()?;
        self.consumer.assign(&list).map_err(|error| failed("assign partitions", error))?;
        self.is_assigned = true;
        self.adopt_new_partitions()?;
        self.update_progress()
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        self.serve_events()?;
        self.adopt_new_partitions()?;
        self.collect(limits)?;
        let blocks: Vec<_> =
            self.readers.iter_mut().filter_map(PartitionReader::finish_block).collect();
        if let Some((partition, _)) = &self.complaint
            && blocks.iter().any(|block| block.partition.number == *partition)
        {
            self.complaint = None;
        }
        self.update_progress()?;
        Ok(blocks)
    }

    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        for reader in &mut self.readers {
            reader.want(!paused.contains(reader.partition()));
        }
        self.update_fetching()
    }

    fn progress(&self) -> &[PartitionProgress] {
        &self.progress
    }

    fn acknowledge(&mut self, positions: &Positions) {
        let mut list = TopicPartitionList::new();
        let ours = positions.iter().filter(|(partition, _)| partition.stream == self.topic);
        for (partition, position) in ours {
            let offset = Offset::Offset(position.next_offset.get());
            if let Err(error) = list.add_partition_offset(&self.topic, partition.number, offset) {
                tracing::debug!(%error, %partition, "offset not shown to the group");
            }
        }
        // How it went is told to the context.
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets not shown to the group");
        }
    }

    fn has_times_of_senders(&self) -> bool {
        self.readers.iter().any(PartitionReader::has_times_of_senders)
    }

    fn problem(&self) -> Option<String> {
        let complaint = self.complaint.as_ref().map(|(_, text)| text.clone());
        self.knowledge.trouble().or(complaint)
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.knowledge.stop();
    }
}

/// What a poll may still take.
struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    fn is_untouched(&self, limits: &PollLimits) -> bool {
        self.records == limits.records
    }
}

pub(super) fn failed(what: &str, error: impl std::fmt::Display) -> SourceError {
    SourceError::Failed { what: what.to_owned(), reason: error.to_string() }
}
