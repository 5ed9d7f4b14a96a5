//! What was written → what is true: a [`RawPipeline`] becomes a [`Pipeline`] or a list of problems.

mod connector;
mod location;
mod source;
mod columns;
mod stages;
mod window;
mod keyed;
mod output;
mod sinks;
mod table;
mod leadership;
mod limits;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use columns::RESERVED_COLUMNS;
use serde_json::Value as Json;

use super::document::{Document, Key};
use super::problem::Problems;
use super::raw::RawPipeline;
use super::{EventTimeConfig, EventTimeFrom, Pipeline, SourceConfig};
use crate::duration::{self, DurationOrOff};
use crate::raw::{RawEventTime, RawFutureReference, RawTimeFrom};
use sluicegate_model::schema::{ColumnType, Metadata, Schema};

/// Ids and names are parts of paths; this is what every store and file system takes.
const NAME_LENGTH_MAX: usize = 63;

/// What the checks need beside the file's values.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    /// For the order of columns.
    pub(super) document: &'c Document<'c>,
    /// The JSON schema of a pipeline file: which keys go together.
    pub(super) schema: &'c Json,
    /// The folder of the pipeline file, absolute: relative paths begin here.
    pub(super) folder: &'c Path,
    /// For `${env:NAME}`.
    pub(super) environment: &'c BTreeMap<String, String>,
}

/// Checks every part and reports all problems; none as a result means that there is at least one.
pub(super) fn check(
    raw: RawPipeline,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<Pipeline> {
    let RawPipeline {
        name,
        source,
        schema,
        event_time,
        stages,
        window,
        process,
        sinks,
        dead_letters,
        late,
        checkpoint,
        leadership,
        failures,
        limits,
    } = raw;
    let name = problems.take(&Key::top("name"), pipeline_name(&name));
    let source = source::check(source, context, problems);
    let schema = columns::check(schema, source.as_ref(), context.document, problems);
    let event_time = check_event_time(event_time, source.as_ref(), schema.as_ref(), problems);
    let stages = stages::check(
        stages,
        stages::LastStage { window, process },
        schema.as_ref(),
        context.folder,
        problems,
    );
    let outputs = output::Raw { sinks, dead_letters, late, checkpoint };
    let outputs = output::check(outputs, name.as_deref(), context, problems);
    let leadership = leadership::check(&leadership, problems);
    let limits = limits::check(limits, problems);
    let pipeline = Pipeline {
        name: Arc::from(name?),
        source: source?,
        schema: schema?,
        event_time: event_time?,
        stages: stages.stages,
        window: stages.window,
        keyed: stages.keyed,
        sinks: outputs.sinks,
        dead_letters: outputs.dead_letters,
        late: outputs.late,
        checkpoint: outputs.checkpoint?,
        leadership: leadership?,
        failures: output::failures(&failures),
        limits: limits?,
    };
    // A section that was refused above is absent here; what it lacks now is no news.
    if problems.is_empty() {
        check_together(&pipeline, problems);
    }
    problems.is_empty().then_some(pipeline)
}

/// What only shows when two sections are seen side by side.
fn check_together(pipeline: &Pipeline, problems: &mut Problems<'_>) {
    if pipeline.window.is_none() && pipeline.late.is_some() {
        let fix = "only windows make rows late: remove `[late]` or add a `[window]`";
        problems.refuse(&Key::top("late"), fix);
    }
    if pipeline.stateful_stage().is_none() {
        for (index, sink) in pipeline.sinks.iter().enumerate() {
            if matches!(sink.kind, super::SinkKind::Console { .. }) {
                let key = Key::top("sinks").element(index).child("type");
                let fix = "the console shows groups of windows, and there is no `[window]`: use `parquet`";
                problems.refuse(&key, fix);
            }
        }
    }
    if pipeline.event_time.max_ahead.is_some() {
        let key = Key::top("event_time").child("max_ahead");
        if pipeline.window.is_none() {
            let fix =
                "only windows fill while a partition runs ahead: remove it or add a `[window]`";
            problems.refuse(&key, fix);
        } else if pipeline.event_time.idle_after.is_none() && !pipeline.source.ends() {
            let fix = "with `idle_after = \"off\"` a partition that falls silent would stop the others for good: give `idle_after` a time, or remove this";
            problems.refuse(&key, fix);
        }
    }
    output::check_time_columns(pipeline, problems);
    output::check_corrections(pipeline, problems);
    output::check_topics(pipeline, problems);
    output::check_global(pipeline, problems);
}

fn check_max_ahead(text: &DurationOrOff) -> Result<Option<Duration>, String> {
    match text.parse()? {
        Some(Duration::ZERO) => Err(
            "partitions are never at the very same time: write how far one may be ahead, for example \"10m\", or \"off\""
                .to_owned(),
        ),
        max_ahead => Ok(max_ahead),
    }
}

fn check_event_time(
    raw: RawEventTime,
    source: Option<&SourceConfig>,
    schema: Option<&Schema>,
    problems: &mut Problems<'_>,
) -> Option<EventTimeConfig> {
    let RawEventTime {
        from,
        column,
        max_out_of_orderness,
        idle_after,
        max_ahead,
        max_future_skew,
        future_reference,
        max_future_skew_host,
        max_jump,
    } = raw;
    let key = Key::top("event_time");
    let is_files = matches!(source, Some(SourceConfig::Files(_)));
    let from = match (from, column) {
        (RawTimeFrom::Column, Some(column)) => {
            problems.take(&key.child("column"), event_time_column(&column, schema))
        }
        (RawTimeFrom::Column, None) => {
            let fix = "missing; write the name of a timestamp column of `[schema]`, or `from = \"record\"` for the Kafka timestamp";
            problems.refuse(&key.child("column"), fix);
            None
        }
        (RawTimeFrom::Record, Some(_)) => {
            let fix = "no column is read with `from = \"record\"`: remove one of the two";
            problems.refuse(&key.child("column"), fix);
            None
        }
        (RawTimeFrom::Record, None) if is_files => {
            let fix =
                "lines of a file have no timestamp of their own: remove it and name a `column`";
            problems.refuse(&key.child("from"), fix);
            None
        }
        (RawTimeFrom::Record, None) => Some(EventTimeFrom::RecordTimestamp),
    };
    let max_out_of_orderness =
        problems.take(&key.child("max_out_of_orderness"), duration::parse(&max_out_of_orderness.0));
    let idle_after = problems.take(&key.child("idle_after"), idle_after.parse());
    let max_ahead = problems.take(&key.child("max_ahead"), check_max_ahead(&max_ahead));
    let skew_key = key.child("max_future_skew");
    let future_reference_host = future_reference == RawFutureReference::Host;
    let max_future_skew = match max_future_skew {
        Some(skew) => problems.take(&skew_key, skew.parse()),
        None if is_files => Some(None),
        None => Some(Some(DEFAULT_FUTURE_SKEW)),
    };
    if is_files && !future_reference_host && matches!(max_future_skew, Some(Some(_))) {
        problems.refuse(&skew_key, NO_RECORD_TIMESTAMP);
    }
    let by_host = match max_future_skew_host {
        Some(skew) => problems.take(&key.child("max_future_skew_host"), skew.parse()),
        None => max_future_skew.map(|skew| default_skew_host(skew, is_files)),
    };
    let max_jump = problems.take(&key.child("max_jump"), check_max_jump(max_jump, is_files));
    Some(EventTimeConfig {
        from: from?,
        max_out_of_orderness: max_out_of_orderness?,
        idle_after: idle_after?,
        max_ahead: max_ahead?,
        max_future_skew: max_future_skew?,
        future_reference_host,
        max_future_skew_host: by_host?,
        max_jump: max_jump?,
    })
}

const NO_RECORD_TIMESTAMP: &str = "lines of a file have no timestamp to compare with: remove it, or set `future_reference = \"host\"`";

/// For Kafka: forgives a wrong daylight-saving setting.
const DEFAULT_FUTURE_SKEW: Duration = Duration::from_secs(3_600);

/// The bound by the host's clock if nothing is said: who wants no guard for Kafka wants no second one.
fn default_skew_host(skew: Option<Duration>, is_files: bool) -> Option<Duration> {
    match is_files {
        true => Some(DEFAULT_FUTURE_SKEW_FILES),
        false => skew.map(|skew| skew.max(DEFAULT_FUTURE_SKEW_HOST)),
    }
}

/// For Kafka, by the host's clock: forgives every time zone.
const DEFAULT_FUTURE_SKEW_HOST: Duration = Duration::from_secs(24 * 3_600);

/// For files, by the host's clock: they may be of any age, and plans are rarely further ahead.
const DEFAULT_FUTURE_SKEW_FILES: Duration = Duration::from_secs(365 * 24 * 3_600);

/// For files: more than the step of yearly data.
const DEFAULT_JUMP_FILES: Duration = Duration::from_secs(400 * 24 * 3_600);

fn check_max_jump(text: Option<DurationOrOff>, is_files: bool) -> Result<Option<Duration>, String> {
    match text.map(|text| text.parse()).transpose()? {
        None => Ok(is_files.then_some(DEFAULT_JUMP_FILES)),
        Some(Some(Duration::ZERO)) => Err(
            "every event that moves the clock is ahead of those before it: write how far one may be, for example \"30d\", or \"off\""
                .to_owned(),
        ),
        Some(max_jump) => Ok(max_jump),
    }
}

fn event_time_column(name: &str, schema: Option<&Schema>) -> Result<EventTimeFrom, String> {
    // Without a schema that makes sense nothing can be said; its own problems are reported.
    let Some(schema) = schema else {
        return Ok(EventTimeFrom::Column(0));
    };
    let (index, column) = columns::find(name, schema)?;
    match column.kind {
        // The same time, and all that guards it: see `from = "record"`.
        ColumnType::Timestamp(_) if column.metadata() == Some(&Metadata::Timestamp) => {
            Ok(EventTimeFrom::RecordTimestamp)
        }
        ColumnType::Timestamp(_) => Ok(EventTimeFrom::Column(index)),
        other => Err(format!(
            "column `{name}` is of type {other}, and event time needs a timestamp: declare it as \"timestamp(s)\", \"timestamp(ms)\", \"timestamp(us)\" or \"timestamp(rfc3339)\""
        )),
    }
}

/// A pipeline's name, as it stands in paths.
fn pipeline_name(name: &str) -> Result<String, String> {
    let rule = "1 to 63 of `a-z`, `0-9` and `-`, beginning with a letter or digit";
    identifier(name, "a name", rule, |b| b == b'-')
}

/// An id of a stage or sink.
fn id(text: &str) -> Result<Arc<str>, String> {
    let rule = "1 to 63 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit";
    identifier(text, "an id", rule, |b| b == b'-' || b == b'_').map(Arc::from)
}

fn identifier(
    text: &str,
    what: &str,
    rule: &str,
    is_extra: impl Fn(u8) -> bool,
) -> Result<String, String> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fits = (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| is_plain(b) || is_extra(b))
        && text.bytes().next().is_some_and(is_plain);
    if fits {
        return Ok(text.to_owned());
    }
    let lower = text.to_lowercase();
    let mended: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let mended = mended.trim_matches('-');
    let hint = if (1..=NAME_LENGTH_MAX).contains(&mended.len()) {
        format!(", for example \"{mended}\"")
    } else {
        String::new()
    };
    Err(format!("\"{text}\" is not {what}: write {rule}{hint}"))
}

#[cfg(test)]
mod tests;
