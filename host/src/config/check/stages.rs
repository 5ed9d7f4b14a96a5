//! `[[stages]]` and `[window]`: filters and maps, then at most one aggregate, which needs a window.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::columns;
use crate::config::document::Key;
use crate::config::problem::Problems;
use crate::config::raw::{RawStage, RawStageKind, RawWindow, RawWindowType};
use crate::config::{PluginRef, StageConfig, WindowConfig, WindowKind, duration};
use crate::plugin::PluginKind;
use crate::schema::Schema;

/// More stages than a person keeps apart; each has an instance per worker.
const STAGES_MAX: usize = 64;

/// The filters and maps, and the window with its aggregate.
pub(super) struct Checked {
    pub(super) stages: Vec<StageConfig>,
    pub(super) window: Option<WindowConfig>,
}

pub(super) fn check(
    raw: Vec<RawStage>,
    window: Option<RawWindow>,
    schema: Option<&Schema>,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Checked {
    let key = Key::top("stages");
    if raw.len() > STAGES_MAX {
        problems.refuse(&key, format!("{} stages; at most {STAGES_MAX}", raw.len()));
    }
    let last = raw.len().saturating_sub(1);
    let mut ids = BTreeSet::new();
    let mut stages = Vec::new();
    let mut aggregate = None;
    for (index, raw) in raw.into_iter().enumerate() {
        let key = key.element(index);
        if !ids.insert(raw.id.clone()) {
            problems.refuse(
                &key.child("id"),
                format!("\"{}\" is the id of another stage: each needs its own", raw.id),
            );
        }
        let is_aggregate = raw.kind == RawStageKind::Aggregate;
        if is_aggregate && index != last {
            let fix =
                "an aggregate ends the stages: move this one to the end; only one can be there";
            problems.refuse(&key.child("kind"), fix);
        }
        let Some(stage) = check_stage(raw, &key, folder, problems) else {
            continue;
        };
        if is_aggregate {
            aggregate = Some((stage, key));
        } else {
            stages.push(stage);
        }
    }
    let has_map = stages.iter().any(|stage| stage.kind == PluginKind::Map);
    // What a map makes is known when its plugin is loaded; without one the key must be declared.
    let schema = schema.filter(|_| !has_map);
    let window = check_window(window, aggregate, schema, problems);
    Checked { stages, window }
}

fn check_stage(
    raw: RawStage,
    key: &Key,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<StageConfig> {
    let RawStage { id, kind, plugin, config } = raw;
    let id = problems.take(&key.child("id"), super::id(&id));
    let plugin = problems.take(&key.child("plugin"), plugin_ref(&plugin, folder));
    let kind = match kind {
        RawStageKind::Filter => PluginKind::Filter,
        RawStageKind::Map => PluginKind::Map,
        RawStageKind::Aggregate => PluginKind::Aggregate,
    };
    let config = config.into_iter().map(|(key, value)| (key, value.0)).collect();
    Some(StageConfig { id: id?, kind, plugin: plugin?, config })
}

fn plugin_ref(text: &str, folder: &Path) -> Result<PluginRef, String> {
    if text.contains(['/', '\\']) || text.ends_with(".wasm") {
        return Ok(PluginRef::Path(folder.join(text)));
    }
    let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let fits = (1..=super::NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_legal);
    if fits {
        Ok(PluginRef::Name(text.to_owned()))
    } else {
        Err(format!(
            "\"{text}\" is no plugin: write the name of a module in the store (a-z, 0-9, `-` and `_`), or a file such as \"./{}.wasm\"",
            text.to_lowercase().replace(' ', "-")
        ))
    }
}

fn check_window(
    raw: Option<RawWindow>,
    aggregate: Option<(StageConfig, Key)>,
    schema: Option<&Schema>,
    problems: &mut Problems<'_>,
) -> Option<WindowConfig> {
    let key = Key::top("window");
    let (raw, (aggregate, _)) = match (raw, aggregate) {
        (Some(raw), Some(aggregate)) => (raw, aggregate),
        (None, None) => return None,
        (Some(_), None) => {
            let fix = "a window needs an aggregate: end `[[stages]]` with one of `kind = \"aggregate\"`, or remove `[window]`";
            problems.refuse(&key, fix);
            return None;
        }
        (None, Some((stage, key))) => {
            let fix = format!(
                "stage \"{}\" accumulates rows per window: add a section `[window]` with `type`, `size` and `key`",
                stage.id
            );
            problems.refuse(&key.child("kind"), fix);
            return None;
        }
    };
    let RawWindow { r#type: RawWindowType::Tumbling, size, offset, key: columns } = raw;
    let size = problems.take(&key.child("size"), window_size(&size.0));
    let offset =
        problems.take(&key.child("offset"), duration::parse(&offset.0).map(duration::micros));
    if let (Some(size), Some(offset)) = (size, offset)
        && offset >= size
    {
        let message = format!(
            "the offset must be less than the size, {}: windows repeat after that",
            duration::show(std::time::Duration::from_micros(size.unsigned_abs()))
        );
        problems.refuse(&key.child("offset"), message);
    }
    let columns = check_key(columns, schema, &key.child("key"), problems);
    let kind = WindowKind::Tumbling { size: size?, offset: offset? };
    Some(WindowConfig { kind, key: columns?, aggregate })
}

fn window_size(text: &str) -> Result<i64, String> {
    match duration::micros(duration::parse(text)?) {
        0 => Err(format!(
            "\"{text}\" is no length of a window: write more than zero, for example \"30s\""
        )),
        size => Ok(size),
    }
}

fn check_key(
    names: Vec<String>,
    schema: Option<&Schema>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Vec<String>> {
    let mut seen: Vec<Arc<str>> = Vec::new();
    let mut fits = true;
    for (index, name) in names.iter().enumerate() {
        let key = key.element(index);
        let checked = columns::column_name(name).and_then(|name| {
            if seen.iter().any(|other| **other == *name) {
                return Err(format!("column `{name}` is named twice: remove one"));
            }
            schema.map_or(Ok(()), |schema| columns::find(&name, schema).map(|_| ()))
        });
        fits &= problems.take(&key, checked).is_some();
        seen.push(Arc::from(name.as_str()));
    }
    fits.then_some(names)
}
