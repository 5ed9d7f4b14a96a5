//! One of `[[sinks]]`: exactly the settings of its type.

use std::time::Duration;

use super::Context;
use super::limits::within;
use super::source::{check_brokers, check_properties, check_topic};
use super::table::check_table;
use super::window::check_key;
use crate::config::document::Key;
use crate::config::duration::DurationText;
use crate::config::problem::Problems;
use crate::config::raw::{RawEmit, RawSink, RawSinkType};
use crate::config::{KafkaSinkConfig, SinkConfig, SinkKind};

/// About as fast as a person reads a screen.
const CONSOLE_EVERY_DEFAULT: Duration = Duration::from_secs(5);
/// A screen that changes faster cannot be read.
const CONSOLE_EVERY_MIN: Duration = Duration::from_millis(100);
/// Fits a terminal.
const CONSOLE_ROWS_DEFAULT: u64 = 20;
/// Ids of tables that are not sinks.
const RESERVED_IDS: [&str; 2] = ["late", "dead_letters"];

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

pub(super) fn check(
    raw: RawSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SinkConfig> {
    refuse_foreign(&raw, key, problems);
    let id_key = key.child("id");
    let id = problems.take(&id_key, super::id(&raw.id));
    if let Some(id) = id.as_deref().filter(|id| RESERVED_IDS.contains(id)) {
        let fix = format!("\"{id}\" names the table of the section `[{id}]`: choose another id");
        problems.refuse(&id_key, fix);
    }
    let updates = raw.emit == Some(RawEmit::Updates);
    let corrections = raw.corrections.is_some() || updates;
    let kind = match raw.r#type {
        RawSinkType::Parquet => check_parquet(raw, key, context, problems),
        RawSinkType::Console => check_console(raw.every, raw.rows, key, problems),
        RawSinkType::Kafka => check_kafka(raw, key, context, problems).map(SinkKind::Kafka),
    };
    Some(SinkConfig { id: id?, kind: kind?, corrections })
}

/// Refuses what belongs to sinks of another type.
fn refuse_foreign(raw: &RawSink, key: &Key, problems: &mut Problems<'_>) {
    use RawSinkType::{Console, Kafka, Parquet};
    let settings: [(&str, bool, &[RawSinkType]); 11] = [
        ("path", raw.path.is_some(), &[Parquet]),
        ("corrections", raw.corrections.is_some(), &[Parquet, Kafka]),
        ("partition_by", raw.partition_by.is_some(), &[Parquet]),
        ("file_bytes_max", raw.file_bytes_max.is_some(), &[Parquet]),
        ("every", raw.every.is_some(), &[Console]),
        ("rows", raw.rows.is_some(), &[Console]),
        ("brokers", raw.brokers.is_some(), &[Kafka]),
        ("topic", raw.topic.is_some(), &[Kafka]),
        ("emit", raw.emit.is_some(), &[Kafka]),
        ("key", raw.key.is_some(), &[Kafka]),
        ("properties", raw.properties.is_some(), &[Kafka]),
    ];
    let this = raw.r#type;
    for (name, is_there, types) in settings {
        if is_there && !types.contains(&this) {
            let types: Vec<String> =
                types.iter().map(|r#type| format!("\"{}\"", word(*r#type))).collect();
            let (types, this) = (types.join(" or "), word(this));
            let fix =
                format!("belongs to sinks of type {types}, and this one is \"{this}\": remove it");
            problems.refuse(&key.child(name), fix);
        }
    }
}

/// As it is written.
fn word(r#type: RawSinkType) -> &'static str {
    match r#type {
        RawSinkType::Parquet => "parquet",
        RawSinkType::Console => "console",
        RawSinkType::Kafka => "kafka",
    }
}

fn check_parquet(
    raw: RawSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SinkKind> {
    let Some(path) = raw.path else {
        let fix = "missing; write the folder of the table, for example \"data/revenue\" or \"s3://bucket/revenue\"";
        problems.refuse(&key.child("path"), fix);
        return None;
    };
    let table = (raw.partition_by, raw.file_bytes_max);
    check_table(&path, table, key, context.folder, problems).map(SinkKind::Parquet)
}

fn check_console(
    every: Option<DurationText>,
    rows: Option<u64>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<SinkKind> {
    let every = match every {
        None => Some(CONSOLE_EVERY_DEFAULT),
        Some(text) => {
            within(&text, CONSOLE_EVERY_MIN, Duration::MAX, &key.child("every"), problems)
        }
    };
    let rows = rows.unwrap_or(CONSOLE_ROWS_DEFAULT);
    if rows == 0 {
        problems
            .refuse(&key.child("rows"), "0 rows show nothing: write 1 or more, or remove the sink");
    }
    Some(SinkKind::Console { every: every?, rows: usize::try_from(rows).unwrap_or(usize::MAX) })
}

fn check_kafka(
    raw: RawSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<KafkaSinkConfig> {
    let RawSink { brokers, topic, emit, key: columns, properties, .. } = raw;
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
