//! Where a first run over a topic begins, and where a bounded one ends: asked of the brokers once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::knowledge::Seen;
use crate::source::SourceError;
use sluicegate_model::position::{NextOffset, Partition, Position, Positions};
use sluicegate_pipeline::{EndPosition, KafkaConfig, StartPosition};

/// How long one question may take before the lane is told that there is no answer yet.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// What a partition holds.
#[derive(Clone, Copy)]
struct PartitionRange {
    number: i32,
    /// Offset of the oldest record.
    low: i64,
    /// Behind the newest that may be read.
    high: i64,
}

/// The positions at which a first run begins. None: the brokers did not answer in time.
///
/// # Errors
///
/// [`SourceError::Refused`] if the start names partitions or offsets that are not there.
pub(super) fn resolve(
    consumer: &BaseConsumer<Context>,
    config: &KafkaConfig,
    seen: &Seen,
) -> Result<Option<Positions>, SourceError> {
    let partitions = seen.partitions;
    if let StartPosition::Offsets(offsets) = &config.start {
        refuse_unknown_partitions(offsets, &config.topic, partitions)?;
    }
    let mut ranges = Vec::new();
    for partition in 0..partitions {
        match consumer.fetch_watermarks(&config.topic, partition, ANSWER_TIMEOUT) {
            Ok((low, high)) => {
                ranges.push(PartitionRange { number: partition, low: low.max(0), high })
            }
            Err(error) => return not_yet(&error),
        }
    }
    let starts = match &config.start {
        StartPosition::Earliest => ranges.iter().map(|range| range.low).collect(),
        StartPosition::Latest => ranges.iter().map(|range| range.high).collect(),
        StartPosition::Offsets(offsets) => chosen(offsets, &config.topic, &ranges)?,
        StartPosition::Timestamp(micros) => {
            match first_at_or_after(consumer, &config.topic, *micros, &ranges) {
                Ok(starts) => starts,
                Err(error) => return not_yet(&error),
            }
        }
    };
    // The end is behind records of open transactions, which may yet be committed, and behind all that others have written
    // after them.
    let ends: Option<Vec<i64>> = seen.ends.iter().copied().collect();
    let Some(ends) = ends else { return Ok(None) };
    let topic: Arc<str> = Arc::from(config.topic.as_str());
    let positions = ranges.iter().zip(starts).zip(ends).map(|((range, start), end)| {
        let end_offset = config.end.map(|EndPosition::Latest| end);
        let ended = end_offset.is_some_and(|end| start >= end);
        let position = Position { end_offset, ended, ..Position::at(NextOffset::at(start)) };
        (Partition { stream: Arc::clone(&topic), number: range.number }, position)
    });
    Ok(Some(positions.collect()))
}

/// Everything but a mistake of ours passes by itself: the broker comes back, a leader is elected.
fn not_yet(error: &KafkaError) -> Result<Option<Positions>, SourceError> {
    tracing::debug!(%error, "no answer about the start of the topic yet");
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::InvalidArgument | RDKafkaErrorCode::Fatal) => {
            Err(SourceError::Failed {
                what: "ask for the start of the topic".to_owned(),
                reason: error.to_string(),
            })
        }
        _ => Ok(None),
    }
}

fn refuse_unknown_partitions(
    offsets: &BTreeMap<i32, i64>,
    topic: &str,
    partitions: i32,
) -> Result<(), SourceError> {
    match offsets.keys().find(|number| !(0..partitions).contains(*number)) {
        None => Ok(()),
        Some(number) => Err(SourceError::Refused(format!(
            "`source.kafka.start.offsets` names partition {number}, but topic `{topic}` has the partitions 0 to {}",
            partitions - 1
        ))),
    }
}

fn chosen(
    offsets: &BTreeMap<i32, i64>,
    topic: &str,
    ranges: &[PartitionRange],
) -> Result<Vec<i64>, SourceError> {
    let start = |&PartitionRange { number, low, high }: &PartitionRange| match offsets.get(&number)
    {
        None => Ok(low),
        Some(offset) if (low..=high).contains(offset) => Ok(*offset),
        Some(offset) => Err(SourceError::Refused(format!(
            "`source.kafka.start.offsets` begins partition {number} at {offset}, but topic `{topic}` has offsets {low} to {high} there"
        ))),
    };
    ranges.iter().map(start).collect()
}

/// By Kafka's timestamps; the end of a partition that has no such record.
fn first_at_or_after(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    micros: i64,
    ranges: &[PartitionRange],
) -> Result<Vec<i64>, KafkaError> {
    // Kafka counts milliseconds: the first that is not before the wanted moment.
    let millis = micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0);
    let mut wanted = TopicPartitionList::with_capacity(ranges.len());
    for range in ranges {
        wanted.add_partition_offset(topic, range.number, Offset::Offset(millis))?;
    }
    let found = consumer.offsets_for_times(wanted, ANSWER_TIMEOUT)?;
    let start = |&PartitionRange { number, low, high }: &PartitionRange| {
        let entry = found.find_partition(topic, number);
        match entry.map(|entry| entry.error().map(|()| entry.offset())) {
            Some(Ok(Offset::Offset(offset))) => Ok(offset.clamp(low, high)),
            Some(Err(error)) => Err(error),
            _ => Ok(high),
        }
    };
    ranges.iter().map(start).collect()
}
