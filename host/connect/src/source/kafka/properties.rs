//! The properties of the Kafka client: what correctness needs, what is only a default, what the user added.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

use crate::source::SourceError;
use sluicegate_pipeline::{KafkaConfig, OffsetsGroup, forbidden};

/// Properties that the exactly-once promise rests on, or that the pipeline file says elsewhere, each with its value
/// and the reason that is given to a user who sets it.
const FIXED: [(&str, &str, &str); 7] = [
    ("enable.auto.commit", "false", "the commit chain keeps the positions"),
    ("enable.auto.offset.store", "false", "the commit chain keeps the positions"),
    ("auto.offset.reset", "error", "a lost position must stop the pipeline and never skip records"),
    ("enable.partition.eof", "true", "it tells when a partition is caught up"),
    ("isolation.level", "read_committed", "records of aborted transactions must not be counted"),
    ("check.crcs", "true", "a damaged batch must not be read as records"),
    ("allow.auto.create.topics", "false", "reading must not create topics"),
];

/// Properties that stand elsewhere or would break out of the sandbox of configuration.
const REFUSED: [(&str, &str); 7] = [
    ("group.id", "write `source.kafka.group`"),
    ("bootstrap.servers", "write `source.kafka.brokers`"),
    ("metadata.broker.list", "write `source.kafka.brokers`"),
    ("auto.commit.enable", "the commit chain keeps the positions"),
    ("auto.commit.interval.ms", "the commit chain keeps the positions"),
    ("group.instance.id", "partitions are assigned without a group"),
    ("log_level", "set the log filter of the host for `kafka`"),
];

/// Defaults that the user may change, beside those of [`queue`].
const DEFAULTS: [(&str, &str); 2] = [
    // librdkafka's own default is a pause of a second whenever its queue is full.
    ("fetch.queue.backoff.ms", "2"),
    // A broker that comes back is seen within this, not within ten seconds.
    ("reconnect.backoff.max.ms", "2000"),
];

/// What the source sets where the user does not.
pub(super) fn default_of(key: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// What librdkafka keeps with each message that waits, about, bytes.
const PER_MESSAGE: u64 = 512;

/// How much librdkafka fetches ahead, of all partitions together, if it may take so many bytes. Half of them are for the
/// records, the others for what it keeps with each.
fn queue(ahead: u64) -> [(&'static str, u64); 2] {
    let records = ahead / 2;
    [
        ("queued.min.messages", (records / PER_MESSAGE).clamp(1, 10_000_000)),
        ("queued.max.messages.kbytes", (records >> 10).clamp(1, 2_097_151)),
    ]
}

/// The client's configuration. `name` is the pipeline's, `ahead` what it may fetch ahead, in bytes.
///
/// # Errors
///
/// [`SourceError::Refused`] for a property that the user may not set, naming it and the reason.
pub(super) fn client_config(
    kafka: &KafkaConfig,
    name: &str,
    ahead: u64,
) -> Result<ClientConfig, SourceError> {
    refuse_reserved(&kafka.properties)?;
    let mut config = ClientConfig::new();
    config.set_log_level(sluicegate_librdkafka::LEVEL);
    // librdkafka assigns partitions only to a client with a group, whether or not the group is ever told something. That of
    // somebody else must not be the default: what it has committed would be overwritten.
    let group = match &kafka.group {
        OffsetsGroup::Named(group) => group.clone(),
        OffsetsGroup::OfPipeline | OffsetsGroup::Nobody => format!("sluicegate-{name}"),
    };
    config.set("client.id", name).set("group.id", group);
    for (key, value) in DEFAULTS {
        config.set(key, value);
    }
    for (key, value) in queue(ahead) {
        config.set(key, value.to_string());
    }
    for (key, value) in kafka.properties.iter() {
        config.set(key, value);
    }
    config.set("bootstrap.servers", &kafka.brokers);
    for (key, value, _) in FIXED {
        config.set(key, value);
    }
    Ok(config)
}

fn refuse_reserved(properties: &BTreeMap<String, String>) -> Result<(), SourceError> {
    let fixed = FIXED.iter().map(|(key, value, reason)| (*key, Some(*value), *reason));
    let refused = REFUSED.iter().map(|(key, reason)| (*key, None, *reason));
    let outside = properties.keys().filter_map(|key| Some((key.as_str(), None, forbidden(key)?)));
    for (key, value, reason) in fixed.chain(refused).chain(outside) {
        let Some(written) = properties.get(key) else {
            continue;
        };
        if value == Some(written.as_str()) {
            continue;
        }
        let is_always = value.map_or(String::new(), |value| format!(" is always `{value}`,"));
        return Err(SourceError::Refused(format!(
            "`source.kafka.properties.\"{key}\"`{is_always} cannot be set: {reason}"
        )));
    }
    Ok(())
}

/// Names the property, never its value: it may be a password.
pub(super) fn refused_property(error: &KafkaError) -> SourceError {
    SourceError::Refused(match error {
        KafkaError::ClientConfig(_, reason, key, _) => format!(
            "`source.kafka.properties.\"{key}\"` is refused by librdkafka: {reason}; its CONFIGURATION.md lists all properties"
        ),
        KafkaError::ClientCreation(reason) => {
            format!("the client for `source.kafka` cannot be made: {reason}")
        }
        error => format!("the client for `source.kafka` cannot be made: {error}"),
    })
}
