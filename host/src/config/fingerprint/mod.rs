//! The parts of a pipeline that its state depends on, as the chain keeps them, and what to say when they changed
//! (DESIGN.md D6).

use std::collections::BTreeMap;
use std::time::Duration;

use super::{EventTimeFrom, Pipeline, PluginRef, SourceConfig, StageConfig, duration};

/// The state of a pipeline was made with other settings than those of its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the state of pipeline `{pipeline}` was made with other settings: {}; put them back, forget the state with `sluicegate reset`, or give the pipeline a new name",
    changes.join("; ")
)]
pub struct StateConflict {
    /// The pipeline's name.
    pub pipeline: String,
    /// One sentence each; at least one.
    pub changes: Vec<String>,
}

/// The parts that state depends on, by name, in words: `window` → `tumbling 30s`. They go into every chain record.
pub fn fingerprints(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let source = match &pipeline.source {
        SourceConfig::Kafka(kafka) => format!("kafka topic {}", kafka.topic),
        // Files may move as a whole: their positions are checked by name.
        SourceConfig::Files(_) => "files".to_owned(),
    };
    let event_time = match pipeline.event_time.from {
        EventTimeFrom::RecordTimestamp => "record timestamp".to_owned(),
        EventTimeFrom::Column(index) => {
            let column = &pipeline.schema.columns[index];
            format!("column {} at /{} ({})", column.name, column.path.join("/"), column.kind)
        }
    };
    let mut parts = BTreeMap::from([("source", source), ("event_time", event_time)]);
    if let Some(window) = &pipeline.window {
        parts.insert("window", window.kind.to_string());
        if window.allowed_lateness > 0 {
            let lateness = Duration::from_micros(window.allowed_lateness.unsigned_abs());
            parts.insert("allowed_lateness", duration::show(lateness));
        }
        parts.insert("key", key_columns(pipeline, &window.key));
        parts.insert("aggregate", format!("stage {}", window.aggregate.id));
    }
    if let Some(process) = &pipeline.process {
        parts.insert("key", key_columns(pipeline, &process.key));
        parts.insert("process", format!("stage {}", process.stage.id));
    }
    let stages = pipeline.all_stages().map(|stage| (stage_key(&stage.id), stage_part(stage)));
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).chain(stages).collect()
}

fn key_columns(pipeline: &Pipeline, names: &[String]) -> String {
    let column = |name: &String| match pipeline.schema.column(name) {
        Some((_, column)) => format!("{name} ({})", column.kind),
        None => name.clone(),
    };
    names.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The name under which a stage stands among the fingerprints. A changed stage is an activation, no conflict.
pub fn stage_key(id: &str) -> String {
    format!("{STAGE}{id}")
}

const STAGE: &str = "stage ";

fn stage_part(stage: &StageConfig) -> String {
    let plugin = match &stage.plugin {
        PluginRef::Name(name) => format!("module {name}"),
        // Where a pipeline file lies does not matter, which file it names does.
        PluginRef::Path(path) => format!("file {}", path.file_name().unwrap_or_default().display()),
    };
    let config: Vec<String> =
        stage.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{plugin} with [{}]", config.join(", "))
}

/// What is different between the fingerprints of a chain record and those of a pipeline file, a sentence each.
/// Empty if the state fits.
pub fn changed(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.retain(|name| !name.starts_with(STAGE));
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
    let (mut was, mut is) = (old.clone(), fingerprints(pipeline));
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
