//! The outbox: results for Kafka topics, sent after the commit that made them true.
//!
//! ```text
//! lane:       rows ─► messages … barrier ─► FrozenOutbox
//! committer:                                └─► blob ─► chain record names it: committed
//! courier:                                              └─► topics … acknowledged ─► the next barrier
//! ```
//!
//! A topic cannot take part in a commit of the chain, so a message may be sent twice: after a crash nobody knows what
//! arrived. It is made so that a reader can tell, with four headers: [`CHAIN_HEADER`], [`EPOCH_HEADER`],
//! [`SEQUENCE_HEADER`] and [`PIPELINE_HEADER`].
//!
//! # Rules
//!
//! * **O1** Nothing is sent that is not committed: readers of a topic never see what a crash takes back.
//! * **O2** What is sent is what was frozen: partition, key, value, epoch and sequence of a message stand in the blob,
//!   so that they are the same whoever sends it, however often.
//! * **O3** No epoch is handed to the committer before the outbox of the one before is acknowledged. So only the outbox
//!   of the newest record can be unsent, and a fence names it again.
//! * **O4** An opening sends the outbox of the newest record from its beginning, before anything else is committed. If
//!   another writer made that record, it fences the chain first, so that this writer commits nothing on top meanwhile.
//! * **O5** Within a partition messages come in the order (epoch, sequence), and none comes while one before it is
//!   missing: a topic has one sink and one producer, which is idempotent and gapless and has one request under way, and an
//!   attempt that failed begins at the topic's first message of the epoch again.
//!
//! Hence a reader that remembers of each chain, topic and partition the largest (epoch, sequence) and drops what is not
//! above it sees every result once and in order, also while an instance that lost its lane still sends: both send the same
//! from the same beginning. A reader of updates may as well compare their revisions.
//!
//! Kafka's transactions are not used: they would make the visible end of a topic depend on a second
//! coordinator with a time-out of its own, and only fence an old instance, which the chain does
//! already.

mod partition;
mod producer;
mod publisher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bytes::Bytes;

use sluicegate_chain::record::Epoch;

pub use partition::partition_of;
pub use publisher::{Deliveries, Publisher};

/// Header: the name of the pipeline.
pub const PIPELINE_HEADER: &str = "sluicegate-pipeline";
/// Header: tells a chain from another of the same pipeline, begun after `reset`. Compared for equality only.
pub const CHAIN_HEADER: &str = "sluicegate-chain";
/// Header: the epoch that committed the message, a decimal number.
pub const EPOCH_HEADER: &str = "sluicegate-epoch";
/// Header: the place of the message in its epoch, a decimal number.
pub const SEQUENCE_HEADER: &str = "sluicegate-sequence";

/// One message of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'t> {
    /// The id of the sink that says where it goes.
    pub sink: &'t str,
    /// Chosen when it was made, for good.
    pub partition: u32,
    /// A JSON object; none: it has no key.
    pub key: Option<&'t [u8]>,
    /// A JSON object, one result row.
    pub value: &'t [u8],
}

impl Message<'_> {
    /// Appends its line: `sink TAB partition TAB key TAB value`. JSON holds neither tabs nor line breaks, so a person can
    /// read it too.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Self { sink, partition, key, value } = self;
        out.extend_from_slice(sink.as_bytes());
        out.push(b'\t');
        out.extend_from_slice(partition.to_string().as_bytes());
        out.push(b'\t');
        out.extend_from_slice(key.unwrap_or_default());
        out.push(b'\t');
        out.extend_from_slice(value);
        out.push(b'\n');
    }
}

/// The messages of an epoch in their order; the place of each is its sequence.
///
/// # Errors
///
/// The number of the line that is no message.
pub fn messages(text: &[u8]) -> Result<Vec<Message<'_>>, usize> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines.map(|(number, line)| message(line).ok_or(number)).collect()
}

fn message(line: &[u8]) -> Option<Message<'_>> {
    let mut fields = line.strip_suffix(b"\n")?.split(|byte| *byte == b'\t');
    let message = Message {
        sink: str::from_utf8(fields.next()?).ok()?,
        partition: str::from_utf8(fields.next()?).ok()?.parse().ok()?,
        key: Some(fields.next()?).filter(|key| !key.is_empty()),
        value: fields.next()?,
    };
    fields.next().is_none().then_some(message)
}

/// The messages of an epoch on their way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Stands in the messages' headers, so that a reader can tell repetitions.
    pub chain: Arc<str>,
    /// The committed epoch whose rows these are.
    pub epoch: Epoch,
    /// Lines of [`Message::write`], which [`messages`] reads.
    pub text: Bytes,
}

/// Carries outboxes to where their messages go, one at a time, however long that takes.
pub trait Courier: Send {
    /// Takes the messages of a committed epoch.
    ///
    /// Panics if the ones before are not delivered: that is for the lane to know (O3).
    fn submit(&mut self, outgoing: Outgoing);

    /// Whether messages were submitted that [`Courier::wait`] has not yet said to be delivered.
    fn in_flight(&self) -> bool;

    /// Whether the messages in flight were delivered within `limit`: every one is acknowledged.
    fn wait(&mut self, limit: Duration) -> bool;

    /// Why messages are not delivered yet, if it is something outside.
    fn problem(&self) -> Option<String>;
}

/// How many partitions the topic of a sink has, as far as was heard: at least 1. Shared with whoever asks the brokers.
pub type PartitionCount = Arc<AtomicU32>;

/// The same for every topic, by the id of its sink.
pub type PartitionCounts = BTreeMap<Arc<str>, PartitionCount>;

/// Why the client for topics cannot be made, or cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// A property that librdkafka does not know or take.
    #[error("the Kafka client of sink `{sink}` cannot be made: {reason}")]
    Refused {
        /// The sink in the pipeline file whose properties were refused.
        sink: String,
        /// As librdkafka put it: the property, and why it is not taken.
        reason: String,
    },
    /// No broker answered, or the topic is not there.
    #[error("{0}")]
    Unreachable(String),
    /// The thread could not be started.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
}

impl OutboxError {
    /// Whether trying again may help by itself.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

#[cfg(test)]
mod tests;
