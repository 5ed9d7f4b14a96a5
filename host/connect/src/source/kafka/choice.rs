//! Who fetches: connections of our own where they can, librdkafka otherwise. It changes once at most, and between two polls.

use std::sync::Arc;

use sluicegate_model::time::Clock;
use sluicegate_pipeline::{FetchWay, KafkaConfig, unsupported_by_direct_fetch};
use sluicegate_runtime::Bell;

use super::batch_queue::BatchQueue;
use super::client::Client;
use super::direct::Direct;
use super::feed::Feed;
use super::partition::PartitionReader;
use super::{Fetching, KafkaSource};
use crate::source::SourceError;

/// Who fetches at first, and why it is librdkafka where connections of our own were to do it if they can. `instead`: that
/// is known already.
///
/// # Errors
///
/// They alone are wanted, and cannot read by these properties.
pub(super) fn choose(
    config: &KafkaConfig,
    name: &str,
    ahead: u64,
    client: &Client,
    (clock, bell): (&Clock, &Bell),
    instead: Option<Arc<str>>,
) -> Result<(Feed, Option<Arc<str>>), SourceError> {
    let librdkafka = || -> Result<_, SourceError> {
        Ok(Feed::Librdkafka(BatchQueue::new(client.ask()?, bell.clone())))
    };
    let direct = || -> Result<_, SourceError> {
        Ok(Feed::Direct(Box::new(Direct::new(config, name, (clock, bell), ahead)?)))
    };
    match config.fetch {
        FetchWay::Librdkafka => Ok((librdkafka()?, None)),
        FetchWay::Direct => Ok((direct()?, None)),
        FetchWay::Auto if instead.is_some() => Ok((librdkafka()?, instead)),
        FetchWay::Auto => {
            let reason = match unsupported(config) {
                Some(reason) => reason,
                None => match direct() {
                    Ok(direct) => return Ok((direct, None)),
                    Err(error) => error.to_string(),
                },
            };
            say(config, &reason);
            Ok((librdkafka()?, Some(reason.into())))
        }
    }
}

/// A property that librdkafka alone obeys, in words.
fn unsupported(config: &KafkaConfig) -> Option<String> {
    let unsupported = unsupported_by_direct_fetch(&config.properties);
    let (property, reason) = unsupported.first()?;
    Some(format!("`source.kafka.properties.\"{property}\"`: direct fetch: {reason}"))
}

fn say(config: &KafkaConfig, reason: &str) {
    tracing::info!(topic = %config.topic, "librdkafka reads, which takes more CPU, because {reason}");
}

impl KafkaSource {
    /// Lets librdkafka go on if connections of our own do not get on with what is there. All that was taken has been handed on, so
    /// it begins where the readers stand.
    ///
    /// # Errors
    ///
    /// They alone are wanted, and a broker does not understand them; there can be no client of librdkafka.
    pub(super) fn review_feed(&mut self) -> Result<(), SourceError> {
        let Feed::Direct(direct) = &self.feed else { return Ok(()) };
        if self.config.fetch == FetchWay::Direct {
            return direct.check();
        }
        let Some(reason) = self.at_odds.take().or_else(|| direct.at_odds()) else { return Ok(()) };
        say(&self.config, &reason);
        self.instead = Some(reason.into());
        let queue = BatchQueue::new(self.client.ask()?, self.bell.clone());
        self.feed = Feed::Librdkafka(queue);
        self.readers.iter_mut().for_each(PartitionReader::is_fetched_anew);
        if self.fetching == Fetching::Begun {
            // librdkafka would read whatever topic has the name now: a look comes first.
            self.fetching = Fetching::Waiting;
            self.knowledge.look_now();
        }
        Ok(())
    }
}
