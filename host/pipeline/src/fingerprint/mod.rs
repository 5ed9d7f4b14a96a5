//! The parts of a pipeline that its state depends on, as the chain keeps them, and what to say when
//! they changed (docs/design/decisions.md#d6).

pub mod columns;
pub mod sections;
mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use sluicegate_model::schema::Origin;

use super::{
    EventTimeFrom, FileOrder, FilesConfig, Pipeline, SourceConfig, StageConfig, duration,
    window_words,
};

/// The state of a pipeline was made with other settings than those of its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the state of pipeline `{pipeline}` was made with other settings: {}; put them back, forget the state with `sluicegate reset`, or give the pipeline a new name and its Delta tables new paths",
    changes.join("; ")
)]
pub struct StateConflict {
    /// Its `name`, as the file has it.
    pub pipeline: String,
    /// One sentence each; at least one.
    pub changes: Vec<String>,
}

/// The parts that state depends on, by name, in words: `window` → `tumbling 30s`. They go into every chain record.
/// `before` are those of the record before, if there is one: a stage that has not changed keeps its words.
pub fn fingerprints(
    pipeline: &Pipeline,
    before: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let stages = pipeline.all_stages().map(|stage| {
        let key = format!("{STAGE}{}", stage.id);
        let same = before.get(&key).filter(|part| stage::is_of(part, stage));
        let part = same.cloned().unwrap_or_else(|| stage::part(stage));
        (key, part)
    });
    parts(pipeline).into_iter().chain(stages).collect()
}

/// What a lane that goes on from a record with the fingerprints `before` promises in its own: the pipeline's parts, and
/// the columns of the tables that have files.
pub fn promises(
    pipeline: &Pipeline,
    before: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let tables = before.iter().filter(|(name, _)| name.starts_with(columns::TABLE));
    let tables = tables.map(|(name, part)| (name.clone(), part.clone()));
    fingerprints(pipeline, before).into_iter().chain(tables).collect()
}

/// Whether a stage is as it was when a chain record with these fingerprints was made. A changed one is an activation,
/// no conflict.
pub fn is_same_stage(before: &BTreeMap<String, String>, stage: &StageConfig) -> bool {
    before.get(&format!("{STAGE}{}", stage.id)).is_some_and(|part| stage::is_of(part, stage))
}

/// The parts without the stages.
fn parts(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let source = match &pipeline.source {
        SourceConfig::Kafka(kafka) => format!("kafka topic {}", kafka.topic),
        SourceConfig::Files(files) => files_part(files),
    };
    let event_time = match pipeline.event_time.from {
        EventTimeFrom::RecordTimestamp => "record timestamp".to_owned(),
        EventTimeFrom::Column(index) => {
            let column = &pipeline.schema.columns[index];
            let zone = match column.form.zone {
                0 => String::new(),
                seconds => format!(", {seconds} s ahead of UTC"),
            };
            let place = match &column.origin {
                Origin::Value(path) => format!("at /{}", path.join("/")),
                Origin::Metadata(metadata) => format!("from {metadata}"),
            };
            format!("column {} {place} ({}{zone})", column.name, column.kind)
        }
    };
    let mut parts = BTreeMap::from([("source", source), ("event_time", event_time)]);
    if let Some(window) = &pipeline.window {
        parts.insert("window", window_words(window.kind));
        if window.allowed_lateness > 0 {
            let lateness = Duration::from_micros(window.allowed_lateness.unsigned_abs());
            parts.insert("allowed_lateness", duration::show(lateness));
        }
        parts.insert("key", key_columns(pipeline, &window.key));
        parts.insert("aggregate", format!("stage {}", window.aggregate.id));
    }
    if let Some(keyed) = &pipeline.keyed {
        parts.insert("key", key_columns(pipeline, &keyed.key));
        parts.insert("process", format!("stage {}", keyed.stage.id));
    }
    // A state of prices would go on with quantities, and nobody could tell.
    if let Some(stage) = pipeline.stateful_stage().filter(|stage| !stage.columns.is_empty()) {
        parts.insert("columns", stage::columns(stage));
    }
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect()
}

/// Positions of files stand under names that begin with the path as it was written: under another spelling, or in another
/// order, the same files would be read again. Pipeline and files may move together.
fn files_part(files: &FilesConfig) -> String {
    let order = match files.order {
        FileOrder::Parallel | FileOrder::Unordered => "each by itself",
        FileOrder::Sequential => "in one sequence",
    };
    format!("{FILES} `{}`, {order}", files.name.trim_end_matches('/'))
}

/// All that records said of files before they named the path and the order.
const FILES: &str = "files";

fn key_columns(pipeline: &Pipeline, names: &[String]) -> String {
    let column = |name: &String| match pipeline.schema.column(name) {
        Some((_, column)) => format!("{name} ({})", column.kind),
        None => name.clone(),
    };
    names.iter().map(column).collect::<Vec<_>>().join(", ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The beginning of the names under which stages stand among the fingerprints.
const STAGE: &str = "stage ";

/// What is different between the fingerprints of a chain record and those of a pipeline file, a sentence each.
/// Empty if the state fits.
pub fn changed(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.retain(|name| !name.starts_with(STAGE) && !name.starts_with(columns::TABLE));
    names.sort();
    names.dedup();
    let sentence = |name: &String| match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(format!("{name} was `{old}` and is now `{new}`")),
        (Some(old), None) => Some(format!("{name} was `{old}` and is gone")),
        (None, Some(new)) => Some(format!("{name} was not there and is now `{new}`")),
        (None, None) => None,
    };
    names.into_iter().filter_map(sentence).collect()
}

/// Whether a pipeline may go on from a chain record whose fingerprints are `old`. Without open windows only what the
/// positions depend on must be as it was.
///
/// # Errors
/// What changed, and what can be done.
pub fn check_state(
    pipeline: &Pipeline,
    old: &BTreeMap<String, String>,
    open_windows: bool,
) -> Result<(), StateConflict> {
    let (mut was, mut is) = (old.clone(), parts(pipeline));
    if let (Some(was), Some(is)) = (was.get_mut("source"), is.get("source"))
        && was == FILES
        && is.starts_with(FILES)
    {
        was.clone_from(is);
    }
    if !open_windows {
        // A window that is gone cannot be corrected, however late rows may come from now on.
        let stays = |name: &str| ["source", "event_time", "allowed_lateness"].contains(&name);
        was.retain(|name, _| stays(name));
        is.retain(|name, _| stays(name));
    }
    let changes = changed(&was, &is);
    if changes.is_empty() {
        return Ok(());
    }
    Err(StateConflict { pipeline: pipeline.name.to_string(), changes })
}

#[cfg(test)]
mod tests;
