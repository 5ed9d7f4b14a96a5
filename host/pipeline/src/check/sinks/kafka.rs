//! A sink of type `kafka`.

use crate::check::Context;
use crate::check::source::{check_brokers, check_properties, check_topic};
use crate::check::window::check_key;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawEmit, RawKafkaSink};
use crate::{KafkaSinkConfig, SinkKind};

/// Properties of librdkafka that the sink sets itself, with the reason.
const OWN_PROPERTIES: [(&str, &str); 15] = [
    ("bootstrap.servers", "write `brokers`"),
    ("metadata.broker.list", "write `brokers`"),
    ("enable.idempotence", "results stay in order and none is left out"),
    ("enable.gapless.guarantee", "results stay in order and none is left out"),
    ("acks", "a result is sent when all replicas have it"),
    ("request.required.acks", "a result is sent when all replicas have it"),
    ("max.in.flight", "results stay in order and none is left out"),
    ("max.in.flight.requests.per.connection", "results stay in order and none is left out"),
    ("retries", "a result is never given up"),
    ("message.send.max.retries", "a result is never given up"),
    ("delivery.report.only.error", "the sink relies on it"),
    ("message.timeout.ms", "a result is never given up"),
    ("delivery.timeout.ms", "a result is never given up"),
    ("transactional.id", "results are sent once by the commit chain, not by transactions"),
    ("partitioner", "the partition is chosen as the Java client does, and kept in the chain"),
];

/// The topic, and whether its readers take corrections, which updates are.
pub(super) fn check(
    raw: RawKafkaSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let corrections = raw.corrections.is_some() || raw.emit == Some(RawEmit::Updates);
    (check_topic_sink(raw, key, context, problems).map(SinkKind::Kafka), corrections)
}

fn check_topic_sink(
    raw: RawKafkaSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<KafkaSinkConfig> {
    let RawKafkaSink { id: _, brokers, topic, emit, key: columns, corrections: _, properties } =
        raw;
    let mut needed = |name: &str, value: Option<String>, check: Check, example: &str| {
        let missing = || Err(format!("missing; write it, for example \"{example}\""));
        problems.take(&key.child(name), value.map_or_else(missing, |value| check(&value)))
    };
    let brokers = needed("brokers", brokers, check_brokers, "127.0.0.1:9092");
    let topic = needed("topic", topic, check_topic, "revenue");
    let properties = properties.unwrap_or_default();
    let properties = check_properties(properties, &OWN_PROPERTIES, key, context, problems);
    let columns = match columns {
        Some(names) if names.is_empty() => {
            let fix = "no column is named: write the columns of the message's key, or remove it";
            problems.refuse(&key.child("key"), fix);
            None
        }
        // Whether the rows have them shows when the plugins are fitted.
        Some(names) => check_key(names, None, &key.child("key"), problems),
        None => None,
    };
    Some(KafkaSinkConfig {
        brokers: brokers?,
        topic: topic?,
        updates: emit == Some(RawEmit::Updates),
        key: columns,
        properties,
    })
}

type Check = fn(&str) -> Result<String, String>;
