//! `[process]`: the keys of the keyed plugin that ends the stages.

use crate::check::window::check_key;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::RawProcess;
use crate::{KeyedConfig, StageConfig, duration};
use sluicegate_model::schema::Schema;

pub(super) fn check(
    raw: Option<RawProcess>,
    stage: Option<(StageConfig, Key)>,
    schema: Option<&Schema>,
    problems: &mut Problems<'_>,
) -> Option<KeyedConfig> {
    let key = Key::top("process");
    let (RawProcess { key: columns, ttl }, stage) = match (raw, stage) {
        (Some(raw), Some((stage, _))) => (raw, stage),
        (None, None) => return None,
        (Some(_), None) => {
            let fix = "keys need a plugin that processes them: end `[[stages]]` with one of `kind = \"process\"`, or remove `[process]`";
            problems.refuse(&key, fix);
            return None;
        }
        (None, Some((stage, key))) => {
            let fix = format!(
                "stage \"{}\" keeps state per key: add a section `[process]` with `key`",
                stage.id
            );
            problems.refuse(&key.child("kind"), fix);
            return None;
        }
    };
    let columns = check_key(columns, schema, &key.child("key"), problems);
    let ttl = problems.take(&key.child("ttl"), ttl.parse().and_then(time_to_live));
    Some(KeyedConfig { key: columns?, ttl: ttl?, stage })
}

fn time_to_live(ttl: Option<std::time::Duration>) -> Result<Option<i64>, String> {
    match ttl.map(duration::micros) {
        Some(0) => {
            Err("a key that is forgotten at once has no state: write more than zero, or \"off\""
                .into())
        }
        ttl => Ok(ttl),
    }
}

#[cfg(test)]
mod tests;
