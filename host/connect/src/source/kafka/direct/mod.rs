//! Records by connections of our own: walks what the fetcher has brought into the blocks of the partitions.
//!
//! Which topic this is and where partitions end is looked at likewise (`own_looks.rs`). librdkafka still answers everything else:
//! where partitions begin, what is wrong, who is told what was committed.

mod options;
mod security;
mod unseen;
mod verdict;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use sluicegate_fetch::batch::{Record, Stand, Walk};
use sluicegate_fetch::{Fetcher, Options, Waiting};
use sluicegate_model::identity::SourceIdentity;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::KafkaConfig;
use sluicegate_runtime::Bell;

use super::errors::PartitionError;
use super::failed;
use super::own_looks::OwnLooks;
use super::partition::{Lent, PartitionReader, Taken};
use super::room::Room;
use crate::source::{Header, SourceError};
use unseen::Unseen;

/// Says how to do without.
pub(super) const USE_LIBRDKAFKA: &str = "set `source.kafka.fetch = \"librdkafka\"`";

/// Fetches the partitions of one assignment.
pub(super) struct Direct {
    options: Options,
    bell: Bell,
    unseen: Unseen,
    /// None before it is known which topic this is.
    fetcher: Option<Fetcher>,
    open: Option<Open>,
    /// Partitions that begin at their oldest record, wherever that is.
    beginning: BTreeSet<i32>,
}

/// What has come of a partition and is not read to its end.
struct Open {
    number: i32,
    walk: Walk,
    /// Nothing behind it may be read yet.
    last_stable: i64,
}

impl Direct {
    /// Fetches nothing yet, and later so many bytes ahead. The bell is rung when something has come.
    ///
    /// # Errors
    ///
    /// A property is no number, which librdkafka would have refused.
    pub(super) fn new(
        config: &KafkaConfig,
        name: &str,
        (clock, bell): (&Clock, &Bell),
        ahead: u64,
    ) -> Result<Self, SourceError> {
        let options = options::of(config, name, ahead)?;
        let (bell, unseen) = (bell.clone(), Unseen::new(clock.clone()));
        Ok(Self { options, bell, unseen, fetcher: None, open: None, beginning: BTreeSet::new() })
    }

    /// Looks at the topic by connections of its own.
    pub(super) fn looks(&self) -> OwnLooks {
        OwnLooks::by(self.options.clone())
    }

    /// Begins to fetch in this topic and no other.
    pub(super) fn begin(&mut self, identity: &SourceIdentity) -> Result<(), SourceError> {
        let options = Options { topic_id: identity.topic.clone(), ..self.options.clone() };
        let (bell, unseen) = (self.bell.clone(), self.unseen.clone());
        let fetcher = Fetcher::start_unseen(options, move || bell.ring(), move || unseen.left());
        self.fetcher = Some(fetcher.map_err(|error| failed("start a thread", error))?);
        Ok(())
    }

    /// Fetches a partition from its position on.
    pub(super) fn start(&mut self, reader: &PartitionReader) {
        let (number, position) = (reader.partition().number, reader.position());
        if reader.begins_at_oldest() {
            self.beginning.insert(number);
        } else if let Some(fetcher) = &self.fetcher {
            fetcher.add(number, position.next_offset.get(), position.leader_epoch);
        }
    }

    /// Fetches a partition no more, and forgets what has come of it.
    pub(super) fn stop(&mut self, number: i32) {
        self.beginning.remove(&number);
        self.open.take_if(|open| open.number == number);
        if let Some(fetcher) = &self.fetcher {
            fetcher.remove(number);
        }
    }

    /// Partitions whose oldest record has to be found.
    pub(super) fn beginning(&self) -> impl Iterator<Item = i32> {
        self.beginning.iter().copied()
    }

    /// The oldest record of a partition was found: the reader stands there.
    pub(super) fn start_at(&mut self, number: i32, offset: i64) {
        self.beginning.remove(&number);
        if let Some(fetcher) = &self.fetcher {
            fetcher.add(number, offset, None);
        }
    }

    /// Nobody sees before then what becomes of what comes now: brokers where little comes may wait for more.
    pub(super) fn unseen_until(&self, until: Duration) {
        self.unseen.set(until);
    }

    /// Waits until so much has come, or it makes no sense to wait for more. False if nothing has come.
    pub(super) fn wait(&self, enough: Waiting, at_most: Duration) -> bool {
        let wait = |fetcher: &Fetcher| fetcher.wait(enough, at_most);
        self.open.is_some() || self.fetcher.as_ref().is_some_and(wait)
    }

    /// Why nothing comes.
    pub(super) fn trouble(&self) -> Option<String> {
        self.fetcher.as_ref()?.trouble()
    }

    /// What librdkafka says of an answer that is larger than it takes, if there was one since this was asked last.
    pub(super) fn take_too_large(&self) -> Option<String> {
        let (size, limit) = (self.fetcher.as_ref()?.take_too_large()?, self.options.largest_answer);
        Some(format!(
            "Invalid response size {size} (0..{limit}): increase receive.message.max.bytes"
        ))
    }

    /// Why another client may fare better with a broker.
    pub(super) fn at_odds(&self) -> Option<String> {
        self.fetcher.as_ref()?.at_odds()
    }

    /// # Errors
    ///
    /// A broker does not understand what it is asked.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        let lacking = self.fetcher.as_ref().and_then(Fetcher::lacking);
        lacking.map_or(Ok(()), |lacking| {
            Err(SourceError::Final(format!(
                "`source.kafka.fetch = \"direct\"` needs Kafka 2.7 or later, but of a broker of `{}` holds: {lacking}; {USE_LIBRDKAFKA}",
                self.options.brokers
            )))
        })
    }

    /// Fills the blocks of the readers until there is no room, or nothing that has come. What a partition says instead of
    /// records ends it early; `well` is told which partitions go on.
    pub(super) fn take(
        &mut self,
        readers: &mut [PartitionReader],
        wants_headers: bool,
        room: &mut Room,
        mut well: impl FnMut(i32),
    ) -> Option<(i32, PartitionError)> {
        while !room.is_full() {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => {
                    let arrival = self.fetcher.as_ref()?.take()?;
                    let number = arrival.partition;
                    let Some(reader) = reader_of(readers, number) else { continue };
                    let fetched = match arrival.fetched {
                        Ok(fetched) => fetched,
                        Err(trouble) => return Some((number, verdict::of_trouble(trouble))),
                    };
                    well(number);
                    reader.see_end(fetched.high_watermark);
                    let from = reader.position().next_offset.get();
                    let last_stable = fetched.last_stable;
                    let walk = fetched.walk(from).with_headers(wants_headers);
                    Open { number, walk, last_stable }
                }
            };
            let Some(reader) = reader_of(readers, open.number) else { continue };
            let walked = open.walk.walk(|record| {
                if let Taken::Record { bytes } = reader.take(record, wants_headers) {
                    room.take(bytes);
                }
                let is_enough = room.is_full() || reader.position().ended;
                if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match walked {
                Ok(Stand::End) => {
                    let walk = &open.walk;
                    reader.passed(walk.next_offset(), walk.leader_epoch(), open.last_stable);
                }
                Ok(Stand::Enough) if reader.position().ended => {}
                Ok(Stand::Enough) => self.open = Some(open),
                Err(damage) => return Some((open.number, verdict::of_damage(damage))),
            }
        }
        None
    }
}

fn reader_of(readers: &mut [PartitionReader], number: i32) -> Option<&mut PartitionReader> {
    usize::try_from(number).ok().and_then(|number| readers.get_mut(number))
}

impl Lent for Record<'_> {
    #[inline]
    fn offset(&self) -> i64 {
        self.offset
    }

    #[inline]
    fn millis(&self) -> i64 {
        self.timestamp
    }

    #[inline]
    fn is_time_of_sender(&self) -> bool {
        !self.is_append_time
    }

    #[inline]
    fn leader_epoch(&self) -> Option<i32> {
        self.leader_epoch
    }

    #[inline]
    fn key(&self) -> Option<&[u8]> {
        self.key
    }

    #[inline]
    fn value(&self) -> Option<&[u8]> {
        self.value
    }

    #[inline]
    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        self.headers.iter().map(|(name, value)| Header { name, value })
    }
}
