//! A Kafka topic as a source: partitions assigned without a group, positions kept by the commit chain.
//!
//! Records come through a [`Feed`]: a fetcher of our own, or librdkafka's queue; `choice.rs` says which. Everything else
//! (errors, logs, answers to commits, OAuth) comes through the client's own queue, which every poll serves. A group is only
//! told what was committed, for lag dashboards.
//!
//! Nothing is fetched before the brokers have said which topic this is, and that it is the one that the positions belong to
//! (`topic.rs`).

mod properties;
mod errors;
mod stall;
mod knowledge;
mod showing;
mod context;
mod client;
mod ask;
mod own_looks;
mod watch;
mod room;
mod batch_queue;
mod direct;
mod feed;
mod choice;
mod start;
mod partition;
mod loss;
mod topic;
mod collect;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::{Fetched, PartitionProgress, PollLimits, RecordBlock, Source, SourceError};
use batch_queue::cached_end;
use choice::choose;
use client::Client;
use context::Context;
use feed::Feed;
use knowledge::{Knowledge, kind_of};
use loss::Lost;
use partition::PartitionReader;
use properties::{client_config, refused_property};
use sluicegate_model::identity::{Jump, SourceIdentity};
use sluicegate_model::position::{Partition, Positions};
use sluicegate_model::time::{Clock, LookPace};
use sluicegate_pipeline::{KafkaConfig, OffsetsGroup};
use sluicegate_runtime::Bell;
use watch::watch;

/// Events served in one go: enough to keep up with what librdkafka says while brokers come and go.
const EVENTS_MAX: usize = 16;

/// How long [`Source::genesis`] waits to hear of the topic.
const TOPIC_WAIT: Duration = Duration::from_secs(1);

/// How often the ends of partitions that bring nothing are looked up, for the lag that is shown.
const ENDS_EVERY: Duration = Duration::from_millis(500);

/// Reads one topic with one client.
pub struct KafkaSource {
    config: KafkaConfig,
    name: String,
    /// How much may wait to be polled, bytes.
    ahead: u64,
    topic: Arc<str>,
    topic_c: CString,
    clock: Clock,
    /// Rung when there may be something to poll.
    bell: Bell,
    /// Before the client: it must be gone when that closes.
    feed: Feed,
    /// Why librdkafka reads, if connections of our own were to read where they can.
    instead: Option<Arc<str>>,
    /// Why they cannot go on, since this poll.
    at_odds: Option<String>,
    /// Partition and offset of bytes that could not be read and were fetched again.
    reread: Option<(i32, i64)>,
    client: Arc<Client>,
    knowledge: Arc<Knowledge>,
    /// By number: partition n is `readers[n]`.
    readers: Vec<PartitionReader>,
    fetching: Fetching,
    /// What the positions belong to.
    identity: SourceIdentity,
    /// The last look that was taken note of.
    last_look: u64,
    /// This source has said itself where to begin: nothing of the topic was read before.
    is_first_start: bool,
    lost: Option<Lost>,
    /// Nobody has taken note of them yet.
    jumps: Vec<Jump>,
    /// Partitions that a bounded run was last said to leave out: all from the first run's on below this.
    left_out: i32,
    wants_headers: bool,
    progress: Vec<PartitionProgress>,
    /// Why a partition brings nothing, as the broker says it.
    complaint: Option<(i32, String)>,
    /// The problem as it was after the last poll.
    said: Option<String>,
    ends_at: Duration,
}

/// How far an assignment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetching {
    Unassigned,
    /// The positions are known; the brokers have not said yet which topic this is.
    Waiting,
    Begun,
}

impl KafkaSource {
    /// Makes the client. Brokers that are away are no error: see [`Source::problem`]. `name` is the pipeline's: it stands in
    /// the brokers' logs. `bell` is rung when there is something to poll. `ahead`: how much may wait to be polled, in bytes, with what the client keeps with each record; a
    /// property of the client may say otherwise.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] for a property that is unknown, has a value librdkafka does not take, or may not be
    /// set.
    pub fn connect(
        config: &KafkaConfig,
        name: &str,
        clock: Clock,
        bell: Bell,
        ahead: u64,
    ) -> Result<Self, SourceError> {
        Self::connect_by(config, name, clock, bell, ahead, None)
    }

    /// The same. `instead`: why librdkafka is to read, if that is known.
    fn connect_by(
        config: &KafkaConfig,
        name: &str,
        clock: Clock,
        bell: Bell,
        ahead: u64,
        instead: Option<Arc<str>>,
    ) -> Result<Self, SourceError> {
        let topic_c = CString::new(config.topic.as_str()).map_err(|_| {
            SourceError::Refused("`source.kafka.topic` contains a zero byte".to_owned())
        })?;
        let (brokers, clocks, rings) = (&config.brokers, clock.clone(), bell.clone());
        let (knowledge, woken) =
            Knowledge::new(&config.topic, topic_c.clone(), brokers, clocks, rings);
        let context = Context::new(Arc::clone(&knowledge));
        let client = client_config(config, name, ahead)?;
        let client = Client::new(client, context, bell.clone(), clock.clone())
            .map_err(|error| refused_property(&error))?;
        let client = Arc::new(client);
        let (feed, instead) = choose(config, name, ahead, &client, (&clock, &bell), instead)?;
        let started = watch(&knowledge, &client, woken, feed.looks());
        started.map_err(|error| failed("start a thread", error))?;
        Ok(Self {
            config: config.clone(),
            name: name.to_owned(),
            ahead,
            topic: Arc::from(config.topic.as_str()),
            topic_c,
            bell,
            feed,
            instead,
            at_odds: None,
            reread: None,
            client,
            knowledge,
            readers: Vec::new(),
            fetching: Fetching::Unassigned,
            identity: SourceIdentity::default(),
            last_look: 0,
            is_first_start: false,
            lost: None,
            jumps: Vec::new(),
            left_out: 0,
            wants_headers: false,
            progress: Vec::new(),
            complaint: None,
            said: None,
            ends_at: clock.monotonic(),
            clock,
        })
    }

    /// Looks at the topic so often: which it is, which partitions it has, where they end.
    pub fn set_pace(&mut self, pace: LookPace) {
        self.knowledge.set_pace(pace);
    }

    /// Hands on the headers of the records too. Otherwise nobody looks whether there are any.
    #[must_use]
    pub fn with_headers(mut self, wants_headers: bool) -> Self {
        self.wants_headers = wants_headers;
        self
    }

    /// Errors, logs, answers. A fatal error ends the source.
    fn serve_events(&self) -> Result<(), SourceError> {
        let Some(consumer) = self.client.awake() else { return Ok(()) };
        for _ in 0..EVENTS_MAX {
            match consumer.poll(Duration::ZERO) {
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(failed("read from Kafka", code));
                }
                // Other errors were told to the context.
                Some(Err(_)) => {}
                // Thrown away it would be lost without a word.
                Some(Ok(record)) => {
                    let what = format!(
                        "read {}/{} at offset {}",
                        record.topic(),
                        record.partition(),
                        record.offset()
                    );
                    return Err(failed(
                        &what,
                        "the record came where none is expected, which is a fault of Sluicegate",
                    ));
                }
                None => break,
            }
        }
        Ok(())
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
            // A fetcher of our own has told with what it brought.
            if look_up_all
                && let Feed::Librdkafka(queue) = &self.feed
                && let Some(end) = cached_end(queue.consumer(), topic, number)
            {
                reader.see_end(end);
            }
            reader.note_standstill(now);
            self.progress.push(reader.progress());
        }
        self.update_fetching()
    }

    fn update_fetching(&mut self) -> Result<(), SourceError> {
        if self.fetching != Fetching::Begun {
            return Ok(());
        }
        self.feed.update(&mut self.readers, &self.topic)
    }
}

impl Source for KafkaSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        self.serve_events()?;
        let Some(seen) = self.knowledge.wait_for_topic(TOPIC_WAIT) else { return Ok(None) };
        let positions = start::resolve(&*self.client.ask()?, &self.config, &seen)?;
        if positions.is_some() {
            self.identity.learn(&seen.identity);
            self.is_first_start = true;
        }
        Ok(positions)
    }

    fn expect(&mut self, identity: &SourceIdentity) {
        self.identity = identity.clone();
        // Whoever stood by while another began the chain has asked for a beginning that nobody took.
        self.is_first_start = false;
    }

    fn identity(&self) -> SourceIdentity {
        self.identity.clone()
    }

    fn reach(&mut self) -> Result<bool, SourceError> {
        self.serve_events()?;
        Ok(self.knowledge.wait_for_topic(TOPIC_WAIT).is_some())
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        if self.fetching != Fetching::Unassigned {
            self.renew()?;
        }
        self.take_positions(positions);
        self.fetching = Fetching::Waiting;
        self.follow_topic()?;
        self.update_progress()
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        self.serve_events()?;
        self.review_feed()?;
        if !self.follow_topic()? {
            self.bell.wait(limits.wait);
            self.update_progress()?;
            self.said = self.problem();
            return Ok(Vec::new());
        }
        self.find_beginnings();
        self.collect(limits)?;
        let blocks: Vec<_> =
            self.readers.iter_mut().filter_map(PartitionReader::finish_block).collect();
        self.heard(&blocks);
        self.update_progress()?;
        self.said = self.problem();
        Ok(blocks)
    }

    fn take_jumps(&mut self) -> Vec<Jump> {
        std::mem::take(&mut self.jumps)
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
        if self.config.group == OffsetsGroup::Nobody || self.fetching != Fetching::Begun {
            return;
        }
        let mut list = TopicPartitionList::new();
        let ours = positions.iter().filter(|(partition, _)| partition.stream == self.topic);
        for (partition, position) in ours {
            let offset = Offset::Offset(position.next_offset.get());
            if let Err(error) = list.add_partition_offset(&self.topic, partition.number, offset) {
                tracing::debug!(%error, %partition, "offset not shown to the group");
            }
        }
        if list.count() > 0 {
            self.client.show(list);
        }
    }

    fn fetched(&self) -> Option<Fetched> {
        Some(Fetched { by: self.feed.name(), instead: self.instead.clone() })
    }

    fn has_times_of_senders(&self) -> bool {
        self.readers.iter().any(PartitionReader::has_times_of_senders)
    }

    fn problem(&self) -> Option<String> {
        let problem = self.problem_now()?;
        // Who fetches and librdkafka have words of their own for one outage, and other ones every few seconds. The first ones stay.
        let before = self.said.as_ref().filter(|said| kind_of(said) == kind_of(&problem));
        Some(before.cloned().unwrap_or(problem))
    }
}

impl KafkaSource {
    /// Why nothing comes, as it is seen now.
    fn problem_now(&self) -> Option<String> {
        let now = self.clock.monotonic();
        let standing = || self.readers.iter().filter_map(PartitionReader::standing);
        // It breaks the connection each time, which looks like a broker that comes and goes.
        let longest = standing().min_by_key(|standing| standing.standstill.since());
        if let (Some(answer), Some(longest)) = (self.knowledge.too_large(), longest)
            && let Some(problem) = longest.too_large(&answer, now)
        {
            return Some(problem);
        }
        let complaint = || self.complaint.as_ref().map(|(_, text)| text.clone());
        let trouble = self.knowledge.trouble().or_else(complaint);
        let trouble = trouble.or_else(|| self.feed.trouble());
        trouble.or_else(|| standing().find_map(|standing| standing.problem(now)))
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.client.finish();
        self.knowledge.stop();
    }
}

fn failed(what: &str, error: impl std::fmt::Display) -> SourceError {
    SourceError::Failed { what: what.to_owned(), reason: error.to_string() }
}
