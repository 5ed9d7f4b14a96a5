//! `[source]`: exactly the section of its type, with brokers, topic, positions and properties that can be used.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::Context;
use crate::config::document::Key;
use crate::config::environment;
use crate::config::place::{self, Place};
use crate::config::problem::Problems;
use crate::config::raw::{
    RawEnd, RawFiles, RawKafka, RawOnDataLoss, RawOrder, RawSource, RawSourceType, RawStart,
};
use crate::config::scalar::Properties;
use crate::config::{
    ClientProperties, EndPosition, FileOrder, FilesConfig, KafkaConfig, OffsetsGroup, OnDataLoss,
    SourceConfig, StartPosition, duration, forbidden, suggest,
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
    raw: RawSource,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SourceConfig> {
    let RawSource { r#type, kafka, files } = raw;
    let key = Key::top("source");
    let (name, other) = match r#type {
        RawSourceType::Kafka => ("kafka", files.is_some().then_some("files")),
        RawSourceType::Files => ("files", kafka.is_some().then_some("kafka")),
    };
    if let Some(other) = other {
        let fix = format!(
            "the source is of type \"{name}\": remove `[source.{other}]`, or set `source.type = \"{other}\"`"
        );
        problems.refuse(&key.child(other), fix);
    }
    let inner = key.child(name);
    match (r#type, kafka, files) {
        (RawSourceType::Kafka, Some(kafka), _) => {
            check_kafka(kafka, &inner, context, problems).map(SourceConfig::Kafka)
        }
        (RawSourceType::Files, _, Some(files)) => {
            check_files(files, &inner, context.folder, problems).map(SourceConfig::Files)
        }
        (RawSourceType::Kafka, None, _) => {
            problems.refuse(
                &inner,
                "missing; write a section `[source.kafka]` with `brokers` and `topic`",
            );
            None
        }
        (RawSourceType::Files, _, None) => {
            problems.refuse(&inner, "missing; write a section `[source.files]` with `path`");
            None
        }
    }
}

fn check_kafka(
    raw: RawKafka,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<KafkaConfig> {
    let RawKafka { brokers, topic, start, end, on_data_loss, group, properties } = raw;
    let brokers = problems.take(&key.child("brokers"), check_brokers(&brokers));
    let topic = problems.take(&key.child("topic"), check_topic(&topic));
    let start = check_start(start, &key.child("start"), problems);
    let properties = check_properties(properties, &OWN_PROPERTIES, key, context, problems);
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
        properties,
    })
}

/// Properties of a client, with what the environment puts into them. Those in `own` are not the user's to set.
pub(super) fn check_properties(
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

pub(super) fn check_brokers(brokers: &str) -> Result<String, String> {
    let addresses: Vec<&str> = brokers.split(',').map(str::trim).collect();
    for address in &addresses {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(format!(
                "\"{address}\" is no broker: write host:port, separated by commas, for example \"127.0.0.1:9092\""
            ));
        }
    }
    Ok(addresses.join(","))
}

pub(super) fn check_topic(topic: &str) -> Result<String, String> {
    let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=TOPIC_LENGTH_MAX).contains(&topic.len())
        && topic.bytes().all(is_legal)
        && topic != "."
        && topic != "..";
    if fits {
        Ok(topic.to_owned())
    } else {
        Err(format!(
            "\"{topic}\" is no topic: write one name of 1 to {TOPIC_LENGTH_MAX} letters, digits, `.`, `_` and `-`"
        ))
    }
}

fn check_start(start: RawStart, key: &Key, problems: &mut Problems<'_>) -> Option<StartPosition> {
    match start {
        RawStart::Earliest => Some(StartPosition::Earliest),
        RawStart::Latest => Some(StartPosition::Latest),
        RawStart::Timestamp(text) => {
            let time = chrono::DateTime::parse_from_rfc3339(&text).map_err(|_| {
                format!("\"{text}\" is no time: write it as RFC 3339, for example \"2026-11-21T00:00:00Z\"")
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
                            "{offset} is no offset: write 0 or more (what others call -2 and -1 is `start = \"earliest\"` and \"latest\", for all partitions)"
                        );
                        problems.refuse(&inner, message);
                    }
                    _ => {
                        let message =
                            format!("`{partition}` is no partition: write its number, 0 or more");
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

fn check_files(
    raw: RawFiles,
    key: &Key,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<FilesConfig> {
    let RawFiles { path, watch, order, finish_after } = raw;
    let place = problems.take(&key.child("path"), location(&path, folder));
    let watch = match watch {
        None => Some(None),
        Some(text) => {
            let interval = duration::parse(&text.0).and_then(|interval| {
                if interval.is_zero() {
                    Err("looking for files all the time leaves no time to read them: write an interval such as \"10s\"".to_owned())
                } else {
                    Ok(Some(interval))
                }
            });
            problems.take(&key.child("watch"), interval)
        }
    };
    let finish_key = key.child("finish_after");
    let finish_after = match finish_after {
        None => Some(FINISH_AFTER_DEFAULT),
        Some(text) => problems.take(&finish_key, duration::parse(&text.0)),
    };
    let Place { written, url } = place?;
    let order = match order {
        RawOrder::Parallel => FileOrder::Parallel,
        RawOrder::Unordered => FileOrder::Unordered,
        RawOrder::Sequential => FileOrder::Sequential,
    };
    let finish_after = finish_after?;
    Some(FilesConfig { path: url, name: written, watch: watch?, order, finish_after })
}

/// Longer than pauses within a file that somebody writes, short enough that not too many are looked after.
const FINISH_AFTER_DEFAULT: Duration = Duration::from_secs(3_600);

/// Schemes that the store opens.
const SCHEMES: [&str; 4] = ["file", "s3", "gs", "az"];

/// A path or URL of a store, in a pipeline file of `folder`.
pub(super) fn location(path: &str, folder: &Path) -> Result<Place, String> {
    let trimmed = path.trim();
    if trimmed.is_empty() {
        return Err(
            "an empty path; write a folder or a URL such as \"s3://bucket/folder\"".to_owned()
        );
    }
    let Some((scheme, rest)) = trimmed.split_once("://") else {
        return Place::resolve(trimmed, folder);
    };
    if !SCHEMES.contains(&scheme) {
        let hint = suggest::nearest(scheme, SCHEMES);
        let hint = hint.map(|ours| format!("; did you mean `{ours}://`?")).unwrap_or_default();
        return Err(format!(
            "\"{trimmed}\" has the unknown scheme `{scheme}`: file, s3, gs and az are known{hint}"
        ));
    }
    if rest.trim_matches('/').is_empty() {
        return Err(format!("\"{trimmed}\" names no bucket or folder"));
    }
    Place::resolve(trimmed, folder)
}
