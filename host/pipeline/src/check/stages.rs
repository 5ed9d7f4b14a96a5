//! `[[stages]]`: filters and maps, then at most one aggregate, which needs a window, or one keyed plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::columns;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawProcess, RawStage, RawStageKind, RawWindow};
use crate::{KeyedConfig, PluginRef, StageConfig, WindowConfig};
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::Schema;

/// More stages than a person keeps apart; each has an instance per worker.
const STAGES_MAX: usize = 64;

/// The filters and maps, and the window with its aggregate.
pub(super) struct Checked {
    pub(super) stages: Vec<StageConfig>,
    pub(super) window: Option<WindowConfig>,
    pub(super) keyed: Option<KeyedConfig>,
}

/// The tables of the file that say what the last stage works on.
pub(super) struct LastStage {
    pub(super) window: Option<RawWindow>,
    pub(super) process: Option<RawProcess>,
}

pub(super) fn check(
    raw: Vec<RawStage>,
    last_stage: LastStage,
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
    let (mut aggregate, mut keyed) = (None, None);
    for (index, raw) in raw.into_iter().enumerate() {
        let key = key.element(index);
        if !ids.insert(raw.id.clone()) {
            problems.refuse(
                &key.child("id"),
                format!("\"{}\" is the id of another stage: each needs its own", raw.id),
            );
        }
        let kind = raw.kind;
        if index != last
            && let Some(what) = ends_the_stages(kind)
        {
            let fix =
                format!("{what} ends the stages: move this one to the end; only one can be there");
            problems.refuse(&key.child("kind"), fix);
        }
        // What a map makes is known when its plugin is loaded; without one a column must be declared.
        let has_map = stages.iter().any(|stage: &StageConfig| stage.kind == PluginKind::Map);
        check_columns(&raw.columns, schema.filter(|_| !has_map), &key.child("columns"), problems);
        let Some(stage) = check_stage(raw, &key, folder, problems) else {
            continue;
        };
        match kind {
            RawStageKind::Aggregate => aggregate = Some((stage, key)),
            RawStageKind::Process => keyed = Some((stage, key)),
            RawStageKind::Filter | RawStageKind::Map => stages.push(stage),
        }
    }
    let has_map = stages.iter().any(|stage| stage.kind == PluginKind::Map);
    let schema = schema.filter(|_| !has_map);
    let window = super::window::check(last_stage.window, aggregate, schema, problems);
    let keyed = super::keyed::check(last_stage.process, keyed, schema, problems);
    Checked { stages, window, keyed }
}

fn ends_the_stages(kind: RawStageKind) -> Option<&'static str> {
    match kind {
        RawStageKind::Aggregate => Some("an aggregate"),
        RawStageKind::Process => Some("a process plugin"),
        RawStageKind::Filter | RawStageKind::Map => None,
    }
}

fn check_stage(
    raw: RawStage,
    key: &Key,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<StageConfig> {
    let RawStage { id, kind, plugin, config, columns } = raw;
    let id = problems.take(&key.child("id"), super::id(&id));
    let plugin = problems.take(&key.child("plugin"), plugin_ref(&plugin, folder));
    let kind = match kind {
        RawStageKind::Filter => PluginKind::Filter,
        RawStageKind::Map => PluginKind::Map,
        RawStageKind::Aggregate => PluginKind::Aggregate,
        RawStageKind::Process => PluginKind::Keyed,
    };
    let config = config.into_iter().map(|(key, value)| (key, value.0)).collect();
    Some(StageConfig { id: id?, kind, plugin: plugin?, config, columns })
}

/// That the columns which inputs are connected with are there. Whether the plugin has such inputs shows when it is loaded.
fn check_columns(
    columns: &BTreeMap<String, String>,
    schema: Option<&Schema>,
    key: &Key,
    problems: &mut Problems<'_>,
) {
    for (input, column) in columns {
        let found = schema.map_or(Ok(()), |schema| columns::find(column, schema).map(|_| ()));
        problems.take(&key.child(input), found);
    }
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
            "\"{text}\" is not a plugin: write the name of a module in the store (a-z, 0-9, `-` and `_`), or a file such as \"./{}.wasm\"",
            text.to_lowercase().replace(' ', "-")
        ))
    }
}
