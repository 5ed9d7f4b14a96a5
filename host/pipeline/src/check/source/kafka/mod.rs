//! `[source.kafka]`: brokers, topic, positions and properties that can be used.

use std::collections::BTreeMap;

use crate::check::Context;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawEnd, RawFetchWay, RawKafka, RawOnDataLoss, RawStart};
use crate::scalar::Properties;
use crate::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
    environment, forbidden, place, unsupported_by_direct_fetch,
};

/// Properties of librdkafka that the source sets itself, with what to use instead.
const OWN_PROPERTIES: [(&str, &str); 9] = [
    ("group.id", "write `source.kafka.group`"),
    ("bootstrap.servers", "write `source.kafka.brokers`"),
    ("metadata.broker.list", "write `source.kafka.brokers`"),
    ("auto.offset.reset", "write `source.kafka.start`; a lost position is never skipped silently"),
    ("enable.auto.commit", "positions are kept in the commit chain"),
    ("enable.auto.offset.store", "positions are kept in the commit chain"),
    ("enable.partition.eof", "the source relies on it"),
    ("isolation.level", "the source reads committed records only"),
    ("enable.idempotence", "it belongs to a producer"),
];

/// Properties of librdkafka that name a file.
const FILE_PROPERTIES: [&str; 7] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
    "https.ca.location",
    "sasl.kerberos.keytab",
];

/// Instead of a file: librdkafka looks in the places that are usual.
const PROBE: &str = "probe";

/// Longest name of a topic that Kafka takes.
const TOPIC_LENGTH_MAX: usize = 249;

pub(super) fn check(
    raw: RawKafka,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<KafkaConfig> {
    let RawKafka { brokers, topic, start, end, on_data_loss, group, fetch, properties } = raw;
    let brokers = problems.take(&key.child("brokers"), check_brokers(&brokers));
    let topic = problems.take(&key.child("topic"), check_topic(&topic));
    let start = check_start(start, &key.child("start"), problems);
    let properties = check_properties(properties, &OWN_PROPERTIES, key, context, problems);
    let fetch = match fetch {
        RawFetchWay::Auto => FetchWay::Auto,
        RawFetchWay::Direct => FetchWay::Direct,
        RawFetchWay::Librdkafka => FetchWay::Librdkafka,
    };
    if fetch == FetchWay::Direct {
        for (name, reason) in unsupported_by_direct_fetch(&properties) {
            let words = format!("`fetch = \"direct\"`: {reason}; remove one of the two");
            problems.refuse(&key.child("properties").child(name), words);
        }
    }
    Some(KafkaConfig {
        brokers: brokers?,
        topic: topic?,
        start: start?,
        end: end.map(|RawEnd::Latest| EndPosition::Latest),
        on_data_loss: match on_data_loss {
            RawOnDataLoss::Halt => OnDataLoss::Halt,
            RawOnDataLoss::Earliest => OnDataLoss::Earliest,
        },
        group: match group {
            None => OffsetsGroup::OfPipeline,
            Some(name) if name.is_empty() => OffsetsGroup::Nobody,
            Some(name) => OffsetsGroup::Named(name),
        },
        fetch,
        properties,
    })
}

/// Properties of a client, with what the environment puts into them. Those in `own` are not the user's to set.
pub(in crate::check) fn check_properties(
    properties: Properties,
    own: &[(&str, &str)],
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> ClientProperties {
    let mut checked = BTreeMap::new();
    for (name, value) in properties.0 {
        let key = key.child("properties").child(&name);
        if let Some(reason) = forbidden(&name) {
            problems.refuse(&key, format!("{reason}: remove it"));
        } else if let Some((_, instead)) = own.iter().find(|(own, _)| *own == name) {
            problems.refuse(&key, format!("Sluicegate sets this property itself: {instead}"));
        } else if let Some(value) = problems.take(&key, property(&name, &value, context)) {
            checked.insert(name, value);
        }
    }
    ClientProperties(checked)
}

/// The value of a property with what the environment puts into it, and as a whole path if it names a file.
fn property(name: &str, value: &str, context: Context<'_>) -> Result<String, String> {
    let value = environment::substitute(value, context.environment)?;
    let is_path = FILE_PROPERTIES.contains(&name) && !value.is_empty() && value != PROBE;
    if is_path { place::join(context.folder, &value) } else { Ok(value) }
}

pub(in crate::check) fn check_brokers(brokers: &str) -> Result<String, String> {
    let addresses: Vec<&str> = brokers.split(',').map(str::trim).collect();
    for address in &addresses {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(format!(
                "\"{address}\" is not a broker: write host:port, separated by commas, for example \"127.0.0.1:9092\""
            ));
        }
    }
    Ok(addresses.join(","))
}

pub(in crate::check) fn check_topic(topic: &str) -> Result<String, String> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=TOPIC_LENGTH_MAX).contains(&topic.len())
        && topic.bytes().all(is_legal)
        && topic != "."
        && topic != "..";
    if fits {
        Ok(topic.to_owned())
    } else {
        Err(format!(
            "\"{topic}\" is not a topic: write one name of 1 to {TOPIC_LENGTH_MAX} letters, digits, `.`, `_` and `-`"
        ))
    }
}

fn check_start(start: RawStart, key: &Key, problems: &mut Problems<'_>) -> Option<StartPosition> {
    match start {
        RawStart::Earliest => Some(StartPosition::Earliest),
        RawStart::Latest => Some(StartPosition::Latest),
        RawStart::Timestamp(text) => {
            let time = chrono::DateTime::parse_from_rfc3339(&text).map_err(|_| {
                format!("\"{text}\" is not a time: write it as RFC 3339, for example \"2026-11-21T00:00:00Z\"")
            });
            let time = problems.take(&key.child("timestamp"), time)?;
            Some(StartPosition::Timestamp(time.timestamp_micros()))
        }
        RawStart::Offsets(offsets) => {
            let key = key.child("offsets");
            let mut checked = BTreeMap::new();
            for (partition, offset) in offsets {
                let inner = key.child(&partition);
                match partition.parse::<i32>() {
                    Ok(number) if number >= 0 && offset >= 0 => {
                        checked.insert(number, offset);
                    }
                    Ok(number) if number >= 0 => {
                        let message = format!(
                            "{offset} is not an offset: write 0 or more (what others call -2 and -1 is `start = \"earliest\"` and \"latest\", for all partitions)"
                        );
                        problems.refuse(&inner, message);
                    }
                    _ => {
                        let message = format!(
                            "`{partition}` is not a partition: write its number, 0 or more"
                        );
                        problems.refuse(&inner, message);
                    }
                }
            }
            if checked.is_empty() {
                problems.refuse(
                    &key,
                    "no partition is named: write { 0 = 17 }, or `start = \"earliest\"`",
                );
            }
            Some(StartPosition::Offsets(checked))
        }
    }
}
