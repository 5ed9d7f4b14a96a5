//! How much is fetched, and how long is waited: by the properties that librdkafka obeys, with its defaults or the source's.

use std::time::Duration;

use sluicegate_fetch::Options;
use sluicegate_pipeline::KafkaConfig;

use super::security;
use crate::source::SourceError;
use crate::source::kafka::properties;

/// librdkafka's defaults. Those that the source sets otherwise stand in `properties.rs`.
const DEFAULTS: [(&str, u64); 8] = [
    ("fetch.wait.max.ms", 500),
    ("fetch.min.bytes", 1),
    ("fetch.max.bytes", 52_428_800),
    ("max.partition.fetch.bytes", 1_048_576),
    ("receive.message.max.bytes", 100_000_000),
    ("socket.timeout.ms", 60_000),
    ("socket.connection.setup.timeout.ms", 30_000),
    ("reconnect.backoff.ms", 100),
];

/// How long a leader waits where nothing has come for a while, unless the pipeline says how long. When something comes it answers at
/// once; only a partition that is added meanwhile, or that another broker led, is asked for so much later.
const WAIT_IN_SILENCE: Duration = Duration::from_secs(2);

/// The topic's id is not known yet. `ahead`: what may be fetched ahead, in bytes; half of it waits, the other half is for
/// what is unpacked.
pub(super) fn of(config: &KafkaConfig, name: &str, ahead: u64) -> Result<Options, SourceError> {
    let number = |key: &str| number(config, key);
    let millis = |key: &str| number(key).map(Duration::from_millis);
    let bytes = |key: &str| number(key).map(|number| i32::try_from(number).unwrap_or(i32::MAX));
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let old_name = config.properties.contains_key("fetch.message.max.bytes");
    let of_partition =
        if old_name { "fetch.message.max.bytes" } else { "max.partition.fetch.bytes" };
    let wait = millis("fetch.wait.max.ms")?;
    let is_chosen = config.properties.contains_key("fetch.wait.max.ms");
    let rack = config.properties.get("client.rack").cloned().unwrap_or_default();
    Ok(Options {
        brokers: config.brokers.clone(),
        topic: config.topic.clone(),
        topic_id: None,
        client_id: config.properties.get("client.id").map_or(name, String::as_str).to_owned(),
        security: security::of(&config.properties)?,
        wait,
        // Followers of some versions answer only when they have waited (KAFKA-14334).
        wait_in_silence: if is_chosen || !rack.is_empty() { wait } else { WAIT_IN_SILENCE },
        rack,
        min_bytes: bytes("fetch.min.bytes")?,
        max_bytes: bytes("fetch.max.bytes")?,
        partition_max_bytes: bytes(of_partition)?,
        largest_answer: size(number("receive.message.max.bytes")?),
        largest_batch: size(number("receive.message.max.bytes")?),
        queued_bytes: size(config.queued_bytes().unwrap_or(ahead / 2)),
        connect_within: millis("socket.connection.setup.timeout.ms")?,
        answer_within: millis("socket.timeout.ms")?,
        pause: millis("reconnect.backoff.ms")?.max(Duration::from_millis(1)),
        pause_max: millis("reconnect.backoff.max.ms")?,
    })
}

fn number(config: &KafkaConfig, key: &str) -> Result<u64, SourceError> {
    let usual = || {
        let of_librdkafka =
            DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, number)| *number);
        of_librdkafka.or_else(|| properties::default_of(key)?.parse().ok())
    };
    match config.properties.get(key) {
        Some(written) => written.parse().map_err(|_| {
            SourceError::Refused(format!("`source.kafka.properties.\"{key}\"` is no number"))
        }),
        None => Ok(usual().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_pipeline::{
        ClientProperties, FetchWay, OffsetsGroup, OnDataLoss, StartPosition,
    };

    #[test]
    fn a_broker_waits_longer_in_silence_unless_somebody_says_how_long_or_a_follower_may_answer() {
        let waits = |properties: &[(&str, &str)]| {
            let given =
                properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let config = KafkaConfig {
                brokers: "kafka:9092".to_owned(),
                topic: "sales".to_owned(),
                start: StartPosition::Earliest,
                end: None,
                on_data_loss: OnDataLoss::Halt,
                group: OffsetsGroup::OfPipeline,
                fetch: FetchWay::Direct,
                properties: ClientProperties(given.collect()),
            };
            let options = of(&config, "test", 1 << 20).unwrap();
            (options.wait.as_millis(), options.wait_in_silence.as_millis())
        };
        assert_eq!(waits(&[]), (500, 2_000));
        assert_eq!(waits(&[("fetch.wait.max.ms", "700")]), (700, 700));
        assert_eq!(waits(&[("client.rack", "a")]), (500, 500));
    }
}
