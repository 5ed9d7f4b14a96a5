//! `[[stages]]`: filters and maps, then at most one aggregate, which needs a window.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::document::Key;
use crate::config::problem::Problems;
use crate::config::raw::{RawStage, RawStageKind, RawWindow};
use crate::config::{PluginRef, StageConfig, WindowConfig};
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
    let window = super::window::check(window, aggregate, schema, problems);
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
