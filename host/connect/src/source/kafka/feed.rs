//! Who brings the records: librdkafka's queue, or a fetcher of our own.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use sluicegate_fetch::Waiting;

use super::batch_queue::{BATCH_MESSAGES, BatchQueue};
use super::context::Context;
use super::direct::Direct;
use super::failed;
use super::own_looks::OwnLooks;
use super::partition::PartitionReader;
use crate::source::SourceError;

/// Where the records of an assignment come from.
pub(super) enum Feed {
    Librdkafka(BatchQueue),
    Direct(Box<Direct>),
}

impl Feed {
    /// As `source.kafka.fetch` calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Librdkafka(_) => "librdkafka",
            Self::Direct(_) => "direct",
        }
    }

    /// Who looks at the topic, if it can be looked at as its records come.
    pub(super) fn looks(&self) -> Option<OwnLooks> {
        match self {
            Self::Librdkafka(_) => None,
            Self::Direct(direct) => Some(direct.looks()),
        }
    }

    /// Nobody sees before then what becomes of what comes now.
    pub(super) fn unseen_until(&self, until: Duration) {
        match self {
            Self::Librdkafka(_) => {}
            Self::Direct(direct) => direct.unseen_until(until),
        }
    }

    /// Waits until there is `enough` to take, and with librdkafka until there are `at_most` messages. False if there is
    /// nothing.
    pub(super) fn fill(&mut self, timeout: Duration, enough: Waiting, at_most: usize) -> bool {
        match self {
            Self::Librdkafka(queue) => queue.fill(timeout, at_most.min(BATCH_MESSAGES)) > 0,
            Self::Direct(direct) => direct.wait(enough, timeout),
        }
    }

    /// Why nothing comes, if who fetches knows.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            // It tells the context.
            Self::Librdkafka(_) => None,
            Self::Direct(direct) => direct.trouble(),
        }
    }

    /// Fetches no more what the readers do not want, and again what they do.
    pub(super) fn update(
        &mut self,
        readers: &mut [PartitionReader],
        topic: &str,
    ) -> Result<(), SourceError> {
        let direct = match self {
            Self::Librdkafka(queue) => return update_fetching(readers, queue.consumer(), topic),
            Self::Direct(direct) => direct,
        };
        for reader in readers {
            match reader.changed_fetching() {
                Some(true) => direct.start(reader),
                Some(false) => direct.stop(reader.partition().number),
                None => {}
            }
        }
        Ok(())
    }
}

/// Tells librdkafka which partitions are not to be fetched, and which are again.
fn update_fetching(
    readers: &mut [PartitionReader],
    consumer: &BaseConsumer<Context>,
    topic: &str,
) -> Result<(), SourceError> {
    let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
    for reader in readers {
        if let Some(is_fetched) = reader.changed_fetching() {
            let list = if is_fetched { &mut resume } else { &mut pause };
            list.add_partition(topic, reader.partition().number);
        }
    }
    if pause.count() > 0
        && let Err(error) = consumer.pause(&pause)
    {
        // Only work and memory are saved by it: what has ended is skipped, and what is too far ahead still right.
        tracing::debug!(%error, "partitions go on being fetched");
    }
    if resume.count() > 0 {
        let resumed = consumer.resume(&resume);
        let resumed =
            resumed.and_then(|()| resume.elements().iter().try_for_each(|one| one.error()));
        resumed.map_err(|error| failed("read paused partitions again", error))?;
    }
    Ok(())
}
