//! Who leads the partitions of a topic, and where the brokers are.

use std::borrow::Cow;

use super::{METADATA, Question, TopicId, Writer};
use crate::fault::Fault;
use crate::read::Reader;

/// Asks for one topic by its name.
pub(crate) fn write(writer: &mut Writer, question: Question, topic: &str) {
    let has_ids = question == METADATA;
    writer.count(1);
    if has_ids {
        writer.raw(&TopicId::NONE.0);
    }
    writer.compact_text(topic);
    writer.no_tags();
    // It is not made by asking for it.
    writer.int8(0);
    // Nor are rights wanted: those of the cluster, for which there is no question later, and those of the topic.
    if !has_ids {
        writer.int8(0);
    }
    writer.int8(0);
    writer.no_tags();
}

/// A broker and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) partition: i32,
    /// None while one is elected.
    pub(crate) broker: Option<i32>,
    /// Grows with every election; −1 if the broker does not tell.
    pub(crate) epoch: i32,
}

/// What a broker knows of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) brokers: Vec<Broker>,
    /// Its id; none if the broker does not tell.
    pub(crate) cluster: Option<String>,
    /// Kafka's number for it; 0 for none.
    pub(crate) error: i16,
    /// None if the broker does not tell.
    pub(crate) topic: Option<TopicId>,
    pub(crate) leaders: Vec<Leader>,
}

/// The answer about the one topic that was asked for.
pub(crate) fn read(question: Question, mut answer: Reader<'_>) -> Result<Metadata, Fault> {
    let _throttle = answer.int32()?;
    let mut brokers = Vec::new();
    for _ in 0..answer.count("the count of brokers")? {
        let id = answer.int32()?;
        let host = answer.compact_text("the name of a broker's host")?.unwrap_or_default();
        let port = answer.int32()?;
        let _rack = answer.compact_text("the name of a rack")?;
        answer.skip_tags()?;
        let port = u16::try_from(port)
            .map_err(|_| Fault::Impossible { what: "the port of a broker", value: port.into() })?;
        brokers.push(Broker { id, host: host.into_owned(), port });
    }
    let cluster = answer.compact_text("the id of the cluster")?;
    let cluster = cluster.map(Cow::into_owned).filter(|cluster| !cluster.is_empty());
    let _controller = answer.int32()?;
    let topics = answer.count("the count of topics")?;
    if topics != 1 {
        let value = i64::try_from(topics).unwrap_or(i64::MAX);
        return Err(Fault::Impossible { what: "the count of topics", value });
    }
    let error = answer.int16()?;
    let _name = answer.compact_text("the name of a topic")?;
    let topic = (question == METADATA).then(|| answer.array().map(TopicId)).transpose()?;
    let _is_internal = answer.byte()?;
    let mut leaders = Vec::new();
    for _ in 0..answer.count("the count of partitions")? {
        leaders.push(leader(&mut answer)?);
    }
    Ok(Metadata { brokers, cluster, error, topic, leaders })
}

fn leader(answer: &mut Reader<'_>) -> Result<Leader, Fault> {
    let error = answer.int16()?;
    let partition = answer.int32()?;
    let broker = answer.int32()?;
    let epoch = answer.int32()?;
    for what in ["the count of replicas", "the count of those in sync", "the count of those away"] {
        for _ in 0..answer.count(what)? {
            answer.int32()?;
        }
    }
    answer.skip_tags()?;
    // Some errors speak of other replicas: the leader is there all the same.
    let _ = error;
    Ok(Leader { partition, broker: (broker >= 0).then_some(broker), epoch })
}
