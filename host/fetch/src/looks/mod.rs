//! Looks at a topic: which it is, how many partitions it has, where they end.
//!
//! It is asked by connections that stay open, and by the thread of whoever looks: a look is a question to a broker that knows the
//! topic, then one to each leader, and wakes nobody else.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;

use crate::addresses::{Address, addresses};
use crate::buffers::Spare;
use crate::fetcher::Options;
use crate::link::{Link, LinkError, Patience};
use crate::wire::metadata::{self, Metadata};
use crate::wire::{LIST_OFFSETS, METADATA, Question, TopicId, Writer, ends};

/// Looks again and again.
pub struct TopicLooks {
    options: Options,
    patience: Patience,
    /// To brokers that were asked before.
    links: BTreeMap<Address, Link>,
    /// The broker that told of the topic last.
    teller: Option<Address>,
    /// How many of the brokers that were named did not tell of it.
    failures: usize,
}

/// What a look has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSeen {
    /// Its id, as Kafka's own tools print it.
    pub topic: String,
    /// The id of the cluster, if the brokers tell.
    pub cluster: Option<String>,
    /// By partition, behind the last record that was replicated, those of open transactions included. None if its leader does not
    /// say it.
    pub ends: Vec<Option<i64>>,
}

impl TopicLooks {
    /// Connects with the first look. No answer is waited for longer than `within`.
    pub fn new(options: Options, within: Duration) -> Self {
        let (connect, largest) = (options.connect_within.min(within), options.largest_answer);
        let patience = Patience { connect, answer: within, largest };
        Self { options, patience, links: BTreeMap::new(), teller: None, failures: 0 }
    }

    /// Looks once, and asks one broker of the topic: another one if that has failed before. Partitions whose leaders do not answer
    /// have no end.
    ///
    /// # Errors
    ///
    /// The broker does not tell of the topic, in words: it does not answer, is too old to know its id, or there is none.
    pub fn look(&mut self) -> Result<TopicSeen, String> {
        let metadata = self.metadata().inspect_err(|_| self.failures += 1)?;
        let topic = match (metadata.error, metadata.topic) {
            (0, Some(topic)) if topic != TopicId::NONE => topic.text(),
            (0, _) => return Err("the brokers give topics no ids".to_owned()),
            (error, _) => return Err(format!("Kafka's error {error} of the topic")),
        };
        let mut all = vec![None; metadata.leaders.len()];
        let leaders = by_leader(&metadata);
        self.links.retain(|address, _| leaders.contains_key(address));
        // A broker that was named by another name is asked by its own from now on.
        self.teller = leaders.keys().next().cloned();
        for (leader, wanted) in leaders {
            for (partition, end) in self.ends(&leader, &wanted).unwrap_or_default() {
                let slot = usize::try_from(partition).ok().and_then(|number| all.get_mut(number));
                if let Some(slot) = slot {
                    *slot = end;
                }
            }
        }
        Ok(TopicSeen { topic, cluster: metadata.cluster, ends: all })
    }

    fn metadata(&mut self) -> Result<Metadata, String> {
        let Options { brokers, topic, .. } = &self.options;
        let named: Vec<_> = addresses(brokers).collect();
        let next = || named.get(self.failures % named.len().max(1)).cloned();
        let Some(address) = self.teller.take().or_else(next) else {
            return Err(format!("`{brokers}` names no broker"));
        };
        let topic = topic.clone();
        let write = |writer: &mut Writer| metadata::write(writer, METADATA, &topic);
        let answer = self.ask(&address, METADATA, write).and_then(|(link, answer)| {
            Ok(metadata::read(METADATA, link.body(METADATA, &answer)?)?)
        });
        answer.map_err(|error| error.of_broker(&address.0, address.1))
    }

    fn ends(
        &mut self,
        leader: &Address,
        wanted: &[(i32, i32)],
    ) -> Result<Vec<(i32, Option<i64>)>, LinkError> {
        let topic = self.options.topic.clone();
        let write = |writer: &mut Writer| ends::write(writer, &topic, wanted);
        let (link, answer) = self.ask(leader, LIST_OFFSETS, write)?;
        Ok(ends::read(link.body(LIST_OFFSETS, &answer)?)?)
    }

    /// Asks a broker. What was open before may have been closed since: then it is asked once more.
    fn ask(
        &mut self,
        address: &Address,
        question: Question,
        write: impl Fn(&mut Writer),
    ) -> Result<(&Link, Bytes), LinkError> {
        let again = match self.links.remove(address) {
            None => None,
            Some(mut link) => match link.ask(question, &write) {
                Ok(answer) => Some((link, answer)),
                Err(error) if is_late(&error) => return Err(error),
                Err(_) => None,
            },
        };
        let (link, answer) = match again {
            Some(answered) => answered,
            None => {
                let mut link = self.open(address)?;
                let answer = link.ask(question, &write)?;
                (link, answer)
            }
        };
        Ok((self.links.entry(address.clone()).or_insert(link), answer))
    }

    fn open(&self, (host, port): &Address) -> Result<Link, LinkError> {
        let Options { client_id, security, .. } = &self.options;
        let link = Link::open(host, *port, client_id, security, self.patience, Spare::default())?;
        let dialect = link.dialect();
        let lacks = |question| LinkError::Lacks { question, newest: None };
        match dialect.metadata == METADATA {
            true if dialect.has_ends => Ok(link),
            true => Err(lacks(LIST_OFFSETS)),
            // An older one does not tell which topic it is.
            false => Err(lacks(METADATA)),
        }
    }
}

/// It was waited for long enough.
fn is_late(error: &LinkError) -> bool {
    matches!(error, LinkError::Away(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock))
}

/// The partitions that each broker leads, with the epochs of that.
fn by_leader(metadata: &Metadata) -> BTreeMap<Address, Vec<(i32, i32)>> {
    let mut leaders: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for leader in &metadata.leaders {
        let broker = metadata.brokers.iter().find(|broker| Some(broker.id) == leader.broker);
        let Some(broker) = broker else { continue };
        let address = (broker.host.clone(), broker.port);
        leaders.entry(address).or_default().push((leader.partition, leader.epoch));
    }
    leaders
}
