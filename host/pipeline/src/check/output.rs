//! `[[sinks]]` together, `[dead_letters]`, `[late]`, `[checkpoint]`: tables that do not lie in each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::Context;
use super::limits::within;
use super::location::location;
use super::sinks;
use super::table::{WrittenTable, check_table};
use crate::document::Key;
use crate::place::WrittenPlace;
use crate::problem::Problems;
use crate::raw::{RawCheckpoint, RawDeadLetters, RawFailures, RawOnFailure, RawSink, RawTable};
use crate::{
    CheckpointConfig, Failures, KeyedConfig, OnFailure, Pipeline, SinkConfig, SinkKind,
    SourceConfig, TableLocation, WindowConfig,
};
use sluicegate_model::module::PluginKind;
use sluicegate_model::window::WindowKind;

/// A commit is some ten requests to the store.
const CHECKPOINT_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// A restart repeats at most this much.
const CHECKPOINT_INTERVAL_MAX: Duration = Duration::from_secs(3_600);
/// Longer than anybody looks back; then records only cost.
const CHECKPOINT_RETAIN_MAX: Duration = Duration::from_secs(3_650 * 24 * 3_600);

/// The outputs as they were written.
pub(super) struct Raw {
    pub(super) sinks: Vec<RawSink>,
    pub(super) dead_letters: RawDeadLetters,
    pub(super) late: Option<RawTable>,
    pub(super) checkpoint: RawCheckpoint,
}

/// The outputs, as far as they make sense.
pub(super) struct Checked {
    pub(super) sinks: Vec<SinkConfig>,
    pub(super) dead_letters: Option<TableLocation>,
    pub(super) late: Option<TableLocation>,
    pub(super) checkpoint: Option<CheckpointConfig>,
}

pub(super) fn check(
    raw: Raw,
    pipeline: Option<&str>,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Checked {
    let key = Key::top("sinks");
    if raw.sinks.is_empty() {
        let fix = "no sink; write at least one `[[sinks]]` of type \"delta\", \"parquet\", \"kafka\" or \"console\"";
        problems.refuse(&key, fix);
    }
    let mut ids = BTreeSet::new();
    let mut sinks = Vec::new();
    let mut tables: Vec<(Key, WrittenPlace)> = Vec::new();
    for (index, sink) in raw.sinks.into_iter().enumerate() {
        let key = key.element(index);
        if !ids.insert(sink.id().to_owned()) {
            let message =
                format!("\"{}\" is the id of another sink: each needs its own", sink.id());
            problems.refuse(&key.child("id"), message);
        }
        let Some(sink) = sinks::check(sink, &key, context, problems) else {
            continue;
        };
        if let SinkKind::Table(table) = &sink.kind {
            tables.push((key.child("path"), place_of(table)));
        }
        sinks.push(sink);
    }
    let checkpoint = check_checkpoint(raw.checkpoint, context.folder, problems);
    let late = raw.late.and_then(|RawTable { path, format, partition_by, file_bytes_max }| {
        let key = Key::top("late");
        let table = WrittenTable::plain(format.into(), partition_by, file_bytes_max);
        let table = check_table(&path, table, &key, context.folder, problems)?;
        tables.push((key.child("path"), place_of(&table)));
        Some(table)
    });
    // Without a chain or a name there is no default; what is wrong with them is reported.
    let beside = checkpoint.as_ref().zip(pipeline).map(|(checkpoint, pipeline)| {
        let chain = checkpoint.written.trim_end_matches('/');
        format!("{chain}/{pipeline}/{DEAD_LETTERS_FOLDER}")
    });
    let dead_letters =
        dead_letters(raw.dead_letters, beside, context.folder, &mut tables, problems);
    check_apart(&tables, checkpoint.as_ref(), pipeline, problems);
    Checked { sinks, dead_letters, late, checkpoint }
}

fn place_of(table: &TableLocation) -> WrittenPlace {
    WrittenPlace { written: table.written.clone(), url: table.url.clone() }
}

/// The folder of the dead letters of a pipeline below its folder in the chain, if it has no other. Beside the lanes
/// there, which nobody but the chain writes to.
const DEAD_LETTERS_FOLDER: &str = "dead-letters";

/// `beside`: where they lie if the file does not say.
fn dead_letters(
    raw: RawDeadLetters,
    beside: Option<String>,
    folder: &Path,
    tables: &mut Vec<(Key, WrittenPlace)>,
    problems: &mut Problems<'_>,
) -> Option<TableLocation> {
    let RawDeadLetters { enabled, path, format, partition_by, file_bytes_max } = raw;
    let key = Key::top("dead_letters");
    if !enabled {
        if path.is_some() {
            let fix = "nothing is written there with `enabled = false`: remove one of the two";
            problems.refuse(&key.child("path"), fix);
        }
        return None;
    }
    let path = path.or_else(|| beside.clone())?;
    let table = WrittenTable::plain(format.into(), partition_by, file_bytes_max);
    let table = check_table(&path, table, &key, folder, problems)?;
    if Some(&table.written) != beside.as_ref() {
        tables.push((key.child("path"), place_of(&table)));
    }
    Some(table)
}

/// What happens when no single record is to blame.
pub(super) fn failures(raw: &RawFailures) -> Failures {
    let policy = |raw: RawOnFailure| match raw {
        RawOnFailure::DeadLetter => OnFailure::DeadLetter,
        RawOnFailure::Halt => OnFailure::Halt,
    };
    Failures { on_group_failure: policy(raw.on_group_failure), on_breaker: policy(raw.on_breaker) }
}

fn check_checkpoint(
    raw: RawCheckpoint,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<CheckpointConfig> {
    let RawCheckpoint { interval, retain, path } = raw;
    let key = Key::top("checkpoint");
    let (min, max) = (CHECKPOINT_INTERVAL_MIN, CHECKPOINT_INTERVAL_MAX);
    let interval = within(&interval, min, max, &key.child("interval"), problems);
    let retain_key = key.child("retain");
    let retain = within(&retain, Duration::ZERO, CHECKPOINT_RETAIN_MAX, &retain_key, problems);
    let place = problems.take(&key.child("path"), location(&path, folder));
    let WrittenPlace { written, url } = place?;
    Some(CheckpointConfig { interval: interval?, retain: retain?, url, written })
}

/// What is in a table's folder and not in the chain is deleted when a lane is opened
/// (docs/design/decisions.md#d7): so no table may lie in another one, and the chain in none.
fn check_apart(
    tables: &[(Key, WrittenPlace)],
    checkpoint: Option<&CheckpointConfig>,
    pipeline: Option<&str>,
    problems: &mut Problems<'_>,
) {
    for (index, (key, table)) in tables.iter().enumerate() {
        let written = &table.written;
        let clash = tables[..index]
            .iter()
            .find(|(_, other)| table.is_within(&other.url) || other.is_within(&table.url));
        if let Some((other_key, other)) = clash {
            let message = format!(
                "\"{written}\" and `{other_key}` (\"{}\") lie in each other: give each table a folder of its own",
                other.written
            );
            problems.refuse(key, message);
        }
        let Some(checkpoint) = checkpoint else { continue };
        let chain =
            WrittenPlace { written: checkpoint.written.clone(), url: checkpoint.url.clone() };
        let taken = [Some("modules"), pipeline].into_iter().flatten();
        let in_chain = taken
            .map(|folder| format!("{}/{folder}", chain.url.trim_end_matches('/')))
            .any(|folder| table.is_within(&folder));
        if chain.is_within(&table.url) || in_chain {
            let message = format!(
                "\"{written}\" and `checkpoint.path` (\"{}\") lie in each other: give the table a folder of its own",
                chain.written
            );
            problems.refuse(key, message);
        }
    }
}

/// A result that may be corrected must go where readers know it.
pub(super) fn check_corrections(pipeline: &Pipeline, problems: &mut Problems<'_>) {
    let Some(window) = pipeline.window.as_ref().filter(|window| window.corrects()) else { return };
    let what = if window.is_global() { "results that change" } else { "lateness" };
    for (index, sink) in pipeline.sinks.iter().enumerate() {
        let readers_of = match sink.kind {
            SinkKind::Table(_) => "table",
            SinkKind::Kafka(_) => "topic",
            SinkKind::Console { .. } => continue,
        };
        if !sink.corrections {
            let key = Key::top("sinks").element(index).child("corrections");
            let message = format!(
                "{what} without a sink that can take corrections: write `corrections = \"append\"` if the readers of this {readers_of} take of each key and window the rows with the highest `revision`"
            );
            problems.refuse(&key, message);
        }
    }
}

/// A topic must not feed itself, has one sink (or its readers could not tell repeats), and updates need a group that stays
/// the same while it is open.
pub(super) fn check_topics(pipeline: &Pipeline, problems: &mut Problems<'_>) {
    let mut topics = BTreeMap::new();
    for (index, sink) in pipeline.sinks.iter().enumerate() {
        let SinkKind::Kafka(kafka) = &sink.kind else { continue };
        let key = Key::top("sinks").element(index);
        if let Some(other) = topics.insert((&kafka.brokers, &kafka.topic), &sink.id) {
            let message = format!(
                "sink `{other}` sends to this topic: its readers could not tell repeats; give each sink a topic of its own"
            );
            problems.refuse(&key.child("topic"), message);
        }
        if let SourceConfig::Kafka(source) = &pipeline.source
            && (&source.brokers, &source.topic) == (&kafka.brokers, &kafka.topic)
        {
            let fix = "the source reads this topic: results would come back as records; give them a topic of their own";
            problems.refuse(&key.child("topic"), fix);
        }
        if kafka.key.is_some() && pipeline.stateful_stage().is_some() {
            let fix = "the results have a key, that of the window or process plugin: remove it";
            problems.refuse(&key.child("key"), fix);
        }
        let why = match pipeline.window.as_ref().map(|window| window.kind) {
            Some(WindowKind::Session { .. }) => {
                "a session changes its bounds while it is open, so that an update could not name what it takes the place of"
            }
            None => "without `[window]` every row is final",
            Some(_) => continue,
        };
        if kafka.updates {
            let message = format!("{why}: write \"final\", or remove it");
            problems.refuse(&key.child("emit"), message);
        }
    }
}

/// What has no window has no date, and cannot be late.
pub(super) fn check_global(pipeline: &Pipeline, problems: &mut Problems<'_>) {
    if !pipeline.window.as_ref().is_some_and(WindowConfig::is_global) {
        return;
    }
    if pipeline.late.is_some() {
        problems.refuse(&Key::top("late"), "no row is late for a global window: remove `[late]`");
    }
    for (index, sink) in pipeline.sinks.iter().enumerate() {
        let SinkKind::Table(table) = &sink.kind else { continue };
        if let Some(column) = table.time_columns().next() {
            let key = Key::top("sinks").element(index).child("partition_by");
            problems.refuse(&key, format!("results of global windows have no {column}: remove it"));
        }
    }
}

/// `date=…` folders give readers a column `date`, which would clash with one of the rows, however it is spelt; so do those of
/// hours. What plugins make is looked at when they are fitted.
pub(super) fn check_time_columns(pipeline: &Pipeline, problems: &mut Problems<'_>) {
    let of_rows: Vec<&str> =
        pipeline.schema.columns.iter().map(|column| column.name.as_str()).collect();
    let keys = match (&pipeline.window, &pipeline.keyed) {
        (Some(WindowConfig { key, .. }), _) | (None, Some(KeyedConfig { key, .. })) => Some(key),
        (None, None) => None,
    };
    let of_results: Vec<&str> = match keys {
        Some(key) => key.iter().map(String::as_str).collect(),
        None => of_rows.clone(),
    };
    let mut check = |key: Key, table: &TableLocation, names: &[&str]| {
        for column in table.time_columns() {
            let clash = names.iter().find(|name| name.eq_ignore_ascii_case(column));
            let Some(name) = clash else { continue };
            let message = format!(
                "the folders `{column}=…` would clash with the column `{name}`: name the column otherwise (with `pointer = \"/{name}\"`), or remove it"
            );
            problems.refuse(&key.child("partition_by"), message);
        }
    };
    for (index, sink) in pipeline.sinks.iter().enumerate() {
        if let SinkKind::Table(table) = &sink.kind {
            check(Key::top("sinks").element(index), table, &of_results);
        }
    }
    let mapped = pipeline.stages.iter().any(|stage| stage.kind == PluginKind::Map);
    if let Some(table) = pipeline.late.as_ref().filter(|_| !mapped) {
        check(Key::top("late"), table, &of_rows);
    }
}
