//! A stage as the chain keeps it: enough to see that it has changed, and none of the values of its `config`, which may
//! be secrets. A chain record lies in a bucket for ever.

use sha2::{Digest as _, Sha256};

use super::hex;
use crate::{PluginRef, StageConfig};

/// How often the hash of a configuration is hashed again: a short secret is guessed that many times more slowly, and a
/// start takes some milliseconds.
const ROUNDS: u32 = 1 << 14;

/// Between what is written in words and the salt.
const HASHED: &str = " hashed ";

/// The words of a stage: `module valid-sale with [store-prefix] hashed SALT:HASH`.
pub(super) fn part(stage: &StageConfig) -> String {
    let salt = uuid::Uuid::new_v4().simple().to_string();
    salted(stage, &salt)
}

/// Whether a part of a chain record is that of this stage. Records of older versions have the values in clear.
pub(super) fn is_of(part: &str, stage: &StageConfig) -> bool {
    match part.rsplit_once(HASHED).and_then(|(_, hashed)| hashed.split_once(':')) {
        Some((salt, _)) => part == salted(stage, salt),
        None => part == in_clear(stage),
    }
}

fn salted(stage: &StageConfig, salt: &str) -> String {
    if stage.config.is_empty() {
        return in_clear(stage);
    }
    let mut text = Vec::new();
    for value in stage.config.iter().flat_map(|(key, value)| [key, value]) {
        // With its length, so that no two configurations are one text.
        text.extend_from_slice(&(value.len() as u64).to_le_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    let mut hash = Sha256::new().chain_update(salt).chain_update(&text).finalize();
    for _ in 0..ROUNDS {
        hash = Sha256::new().chain_update(hash).chain_update(salt).finalize();
    }
    let keys: Vec<&str> = stage.config.iter().map(|(key, _)| key.as_str()).collect();
    format!("{} with [{}]{HASHED}{salt}:{}", plugin(stage), keys.join(", "), hex(&hash))
}

fn in_clear(stage: &StageConfig) -> String {
    let config: Vec<String> =
        stage.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{} with [{}]", plugin(stage), config.join(", "))
}

fn plugin(stage: &StageConfig) -> String {
    let plugin = match &stage.plugin {
        PluginRef::Name(name) => format!("module {name}"),
        // Where a pipeline file lies does not matter, which file it names does.
        PluginRef::Path(path) => format!("file {}", path.file_name().unwrap_or_default().display()),
    };
    match stage.columns.is_empty() {
        true => plugin,
        false => format!("{plugin} reading [{}]", columns(stage)),
    }
}

/// Which columns its inputs are connected with: `value = price`.
pub(super) fn columns(stage: &StageConfig) -> String {
    let pairs = stage.columns.iter().map(|(input, column)| format!("{input} = {column}"));
    pairs.collect::<Vec<_>>().join(", ")
}
