//! Follows the topic while it is read: whether it is still the same, which partitions it has, and what becomes of positions
//! that are lost.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::feed::Feed;
use super::knowledge::Seen;
use super::loss::{Loss, Settlement, another_topic, fewer_partitions};
use super::partition::PartitionReader;
use super::{Fetching, KafkaSource, failed};
use crate::source::{Source, SourceError};
use sluicegate_model::identity::Jump;
use sluicegate_model::position::{NextOffset, Position, Positions};
use sluicegate_pipeline::{OnDataLoss, StartPosition};

/// How long one question about the range of a partition may take before it is put again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

impl KafkaSource {
    /// Takes note of what the last look has seen. False if nothing may be read for now: the brokers have not said yet which
    /// topic this is, or not again since they could not be asked or did not know it. librdkafka goes on by itself in a topic
    /// that was made anew meanwhile.
    pub(super) fn follow_topic(&mut self) -> Result<bool, SourceError> {
        let Some(seen) = self.knowledge.seen() else { return Ok(false) };
        if self.knowledge.trouble().is_some() {
            self.readers.iter_mut().for_each(PartitionReader::is_in_trouble);
            return Ok(false);
        }
        if seen.look > self.last_look {
            if let Some(contradiction) = self.identity.contradiction(&seen.identity) {
                self.go_on_elsewhere(&seen, &contradiction)?;
                return Ok(false);
            }
            self.identity.learn(&seen.identity);
            if usize::try_from(seen.partitions).unwrap_or(0) < self.readers.len() {
                let known = self.readers.len();
                let sentence = fewer_partitions(&self.topic, known, seen.partitions);
                return Err(SourceError::Lost(sentence));
            }
            self.last_look = seen.look;
            self.begin()?;
            self.adopt_new_partitions(&seen)?;
            for (reader, end) in self.readers.iter_mut().zip(&seen.ends) {
                if let Some(end) = end {
                    reader.see_look(*end, seen.at);
                }
            }
        }
        self.settle_loss(&seen)
    }

    /// Begins to fetch what was assigned, once it is known to belong to this topic.
    fn begin(&mut self) -> Result<(), SourceError> {
        if self.fetching != Fetching::Waiting {
            return Ok(());
        }
        if let Feed::Direct(direct) = &mut self.feed {
            direct.begin(&self.identity)?;
            for reader in self.readers.iter().filter(|reader| !reader.position().ended) {
                direct.start(reader);
            }
        } else {
            for reader in &self.readers {
                self.forward(reader.partition().number)?;
            }
            let list = self.assignment()?;
            let assigned = self.client.ask()?.assign(&list);
            assigned.map_err(|error| failed("assign partitions", error))?;
        }
        self.fetching = Fetching::Begun;
        self.update_fetching()
    }

    fn forward(&self, number: i32) -> Result<(), SourceError> {
        if let Feed::Librdkafka(queue) = &self.feed
            && queue.forward(&self.topic_c, number)
        {
            return Ok(());
        }
        let what = format!("read partition {number} of topic `{}`", self.topic);
        Err(failed(&what, "librdkafka has no queue for it"))
    }

    /// Begins to read partitions that the topic has and nobody reads yet: from their start.
    fn adopt_new_partitions(&mut self, seen: &Seen) -> Result<(), SourceError> {
        let known = i32::try_from(self.readers.len()).expect("Kafka counts partitions in 32 bits");
        if seen.partitions == known {
            return Ok(());
        }
        if self.config.end.is_some() {
            return self.leave_out_new_partitions(known, seen.partitions);
        }
        let mut added = TopicPartitionList::new();
        for number in known..seen.partitions {
            let reader = PartitionReader::from_start(&self.topic, number);
            if let Feed::Direct(direct) = &mut self.feed {
                direct.start(&reader);
            } else {
                self.forward(number)?;
                added
                    .add_partition_offset(&self.topic, number, Offset::Beginning)
                    .map_err(|error| failed("assign partitions", error))?;
            }
            self.readers.push(reader);
        }
        tracing::info!(topic = %self.topic, from = known, to = seen.partitions, "new partitions");
        if added.count() == 0 {
            return Ok(());
        }
        let assigned = self.client.ask()?.incremental_assign(&added);
        assigned.map_err(|error| failed("assign partitions", error))
    }

    /// Looks for the oldest records of partitions that begin with them, where librdkafka does not do that itself. What is not
    /// answered is asked again at the next poll.
    pub(super) fn find_beginnings(&mut self) {
        let Feed::Direct(direct) = &self.feed else { return };
        let beginning: Vec<i32> = direct.beginning().collect();
        for number in beginning {
            let Some(range) = self.range(number) else { return };
            let reader = &mut self.readers[usize::try_from(number).expect("it has a reader")];
            let from = reader.begin_at(range.start);
            if let Feed::Direct(direct) = &mut self.feed {
                direct.start_at(number, from);
            }
        }
    }

    /// A bounded run reads what was there when it first started, or it would never end.
    fn leave_out_new_partitions(&mut self, known: i32, count: i32) -> Result<(), SourceError> {
        if self.left_out < count {
            self.left_out = count;
            tracing::warn!(
                topic = %self.topic,
                "the topic has {count} partitions now; this run ends where the {known} ended that it had at its first \
                 start, and leaves the others out"
            );
        }
        Ok(())
    }

    /// There is another topic under the name, or another cluster at the address.
    fn go_on_elsewhere(&mut self, seen: &Seen, contradiction: &str) -> Result<(), SourceError> {
        let is_bounded = self.config.end.is_some();
        if self.config.on_data_loss == OnDataLoss::Halt || is_bounded {
            return Err(SourceError::Lost(another_topic(&self.topic, contradiction)));
        }
        let known = self.readers.len();
        if usize::try_from(seen.partitions).unwrap_or(0) < known {
            return Err(SourceError::Lost(fewer_partitions(&self.topic, known, seen.partitions)));
        }
        let mut positions = Positions::new();
        let mut jumps = Vec::new();
        for reader in &self.readers {
            let partition = reader.partition();
            let Some(Range { start: low, .. }) = self.range(partition.number) else {
                // The brokers do not answer: nothing is read meanwhile, and the next poll asks again.
                return Ok(());
            };
            jumps.push(Jump {
                partition: partition.clone(),
                from: reader.position().next_offset.get(),
                to: low,
                reason: contradiction.to_owned(),
            });
            positions.insert(partition.clone(), Position::at(NextOffset::at(low)));
        }
        self.identity = seen.identity.clone();
        self.jump(jumps, &positions)
    }

    /// Decides what becomes of a position that was lost, once it is known what the topic is. False if the client is a new one.
    fn settle_loss(&mut self, seen: &Seen) -> Result<bool, SourceError> {
        let Some(lost) = self.lost.take_if(|lost| seen.at >= lost.at) else { return Ok(true) };
        let Some(Range { start: low, end: high }) = self.range(lost.number) else {
            self.lost = Some(lost);
            return Ok(true);
        };
        let reader = &self.readers[usize::try_from(lost.number).expect("looked up before")];
        let partition = reader.partition().clone();
        let position = reader.position().next_offset.get();
        let begins_by_itself = !matches!(self.config.start, StartPosition::Offsets(_));
        let loss = Loss {
            partition: &partition,
            position,
            is_first_start: self.is_first_start && reader.is_untouched() && begins_by_itself,
            error: &lost.error,
        };
        let (mut positions, stood) = (self.positions(), reader.position().clone());
        let mut go_on_at = |to| {
            let moved = Position { next_offset: NextOffset::at(to), leader_epoch: None, ..stood };
            positions.insert(partition.clone(), moved);
        };
        match loss.settle(low, high, self.config.on_data_loss) {
            Settlement::Halt(sentence) => return Err(SourceError::Lost(sentence)),
            Settlement::BeginAt(to) => {
                tracing::info!(%partition, from = position, to, "the beginning has moved before anything was read");
                go_on_at(to);
                self.jump(Vec::new(), &positions)?;
            }
            Settlement::Jump { to, reason } => {
                go_on_at(to);
                let jump = Jump { partition, from: position, to, reason };
                self.jump(vec![jump], &positions)?;
            }
        }
        Ok(false)
    }

    /// Goes on at `positions`, with a new client: librdkafka does not go on with a partition whose position it has lost.
    fn jump(&mut self, jumps: Vec<Jump>, positions: &Positions) -> Result<(), SourceError> {
        for Jump { partition, from, to, reason } in &jumps {
            tracing::warn!(%partition, from, to, "the position was lost and is moved: {reason}");
        }
        self.jumps.extend(jumps);
        self.assign(positions)
    }

    /// Where all of them stand but those that have not begun: they begin at their oldest record again.
    fn positions(&self) -> Positions {
        let position =
            |reader: &PartitionReader| (reader.partition().clone(), reader.position().clone());
        self.readers.iter().filter(|reader| !reader.begins_at_oldest()).map(position).collect()
    }

    /// From the offset of the oldest record of a partition to behind the newest that may be read. None: no answer came in time.
    fn range(&self, number: i32) -> Option<Range<i64>> {
        let no_answer = |error: &dyn std::fmt::Display| {
            tracing::debug!(%error, number, "no answer about the range of a partition yet");
        };
        let client = self.client.ask().inspect_err(|error| no_answer(error)).ok()?;
        let range = client.fetch_watermarks(&self.topic, number, ANSWER_TIMEOUT);
        let (low, high) = range.inspect_err(|error| no_answer(error)).ok()?;
        Some(low.max(0)..high)
    }

    fn assignment(&self) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::with_capacity(self.readers.len());
        for reader in self.readers.iter().filter(|reader| !reader.position().ended) {
            let (number, position) = (reader.partition().number, reader.position());
            list.add_partition_offset(&self.topic, number, reader.start())
                .map_err(|error| failed("assign partitions", error))?;
            if let Some(epoch) = position.leader_epoch {
                super::batch_queue::set_leader_epoch(&mut list, &self.topic_c, number, epoch);
            }
        }
        Ok(list)
    }

    /// The same source with a new client, which has forgotten the assignment and nothing else. Messages of an assignment that
    /// is no more must not move a position, and librdkafka undoes the forwarding of a partition's queue some time after its
    /// fetching was stopped.
    pub(super) fn renew(&mut self) -> Result<(), SourceError> {
        let (config, clock, bell) = (&self.config, self.clock.clone(), self.bell.clone());
        let instead = self.instead.take();
        let fresh = Self::connect_by(config, &self.name, clock, bell, self.ahead, instead)?;
        let mut old = std::mem::replace(self, fresh);
        self.wants_headers = old.wants_headers;
        self.set_pace(old.knowledge.pace());
        self.identity = std::mem::take(&mut old.identity);
        self.is_first_start = old.is_first_start;
        self.jumps = std::mem::take(&mut old.jumps);
        self.left_out = old.left_out;
        self.said = old.said.take();
        Ok(())
    }

    /// Makes readers of positions. Partitions between them that nobody named begin at their start.
    pub(super) fn take_positions(&mut self, positions: &Positions) {
        let topic = Arc::clone(&self.topic);
        let ours = positions.iter().filter(|(partition, _)| partition.stream == topic);
        for (partition, position) in ours {
            let number = usize::try_from(partition.number).unwrap_or(0);
            while self.readers.len() < number {
                let missing =
                    i32::try_from(self.readers.len()).expect("below a partition's number");
                self.readers.push(PartitionReader::from_start(&topic, missing));
            }
            let reader = PartitionReader::new(&topic, partition.number, position.clone());
            self.readers.push(reader);
        }
    }
}
