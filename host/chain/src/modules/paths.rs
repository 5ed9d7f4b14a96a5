//! Every path below `modules/` is formatted and read here.
//!
//! ```text
//! modules/sha256/<64 hex digits>.wasm                  the bytes of a module
//! modules/sha256/<64 hex digits>/<generation>.wasm     the same, once earlier generations were given up
//! modules/given-up/<64 hex digits>/<generation>.json   that a generation may be deleted
//! modules/names/<name>/<number, 20 digits>.json        which bytes version `number` of `name` is
//! modules/elsewhere/<chain>.json                       that a chain of another store pins modules of this one
//! ```

use object_store::path::Path;

use super::{ModuleStoreError, NAME_BYTES_MAX};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::printable::printable;

/// The folder of the bytes.
pub(super) const BYTES_FOLDER: &str = "modules/sha256";
/// The folder of the versions.
pub(super) const NAMES_FOLDER: &str = "modules/names";
/// The folder of the tombstones.
pub(super) const GIVEN_UP_FOLDER: &str = "modules/given-up";
/// The folder of what chains of other stores say.
pub(super) const ELSEWHERE_FOLDER: &str = "modules/elsewhere";

/// The bytes of a module. Versions before generations know the first one only.
pub(super) fn bytes(digest: &ModuleDigest, generation: u32) -> String {
    match generation {
        0 => format!("{BYTES_FOLDER}/{digest}.wasm"),
        _ => format!("{}/{generation}.wasm", later_bytes(digest)),
    }
}

/// The folder of the bytes of all generations but the first.
pub(super) fn later_bytes(digest: &ModuleDigest) -> String {
    format!("{BYTES_FOLDER}/{digest}")
}

/// Digest and generation of the bytes of a module.
pub(super) fn parse_bytes(path: &Path) -> Option<(ModuleDigest, u32)> {
    let stem = path.filename()?.strip_suffix(".wasm")?;
    match stem.parse() {
        Ok(digest) => Some((digest, 0)),
        Err(_) => Some((folder_of(path)?.parse().ok()?, stem.parse().ok()?)),
    }
}

/// The tombstones of a module.
pub(super) fn tombstones(digest: &ModuleDigest) -> String {
    format!("{GIVEN_UP_FOLDER}/{digest}")
}

/// The tombstone of a generation.
pub(super) fn tombstone(digest: &ModuleDigest, generation: u32) -> String {
    format!("{}/{generation}.json", tombstones(digest))
}

/// Digest and generation of a tombstone.
pub(super) fn parse_tombstone(path: &Path) -> Option<(ModuleDigest, u32)> {
    let generation = path.filename()?.strip_suffix(".json")?.parse().ok()?;
    Some((folder_of(path)?.parse().ok()?, generation))
}

/// The folder of the versions of a name.
pub(super) fn name_folder(name: &str) -> String {
    format!("{NAMES_FOLDER}/{name}")
}

/// Which bytes a version is.
pub(super) fn version(name: &str, number: u64) -> String {
    format!("{}/{number:020}.json", name_folder(name))
}

/// Name and number of a version object.
pub(super) fn parse_version(path: &Path) -> Option<(String, u64)> {
    let number = path.filename()?.strip_suffix(".json").filter(|number| number.len() == 20)?;
    let name = folder_of(path)?;
    check_name(&name).ok()?;
    Some((name, number.parse().ok()?))
}

/// What a chain of another store says. `chain` tells it from others.
pub(super) fn elsewhere(chain: &str) -> String {
    format!("{ELSEWHERE_FOLDER}/{chain}.json")
}

/// `^[a-z0-9][a-z0-9-]{0,62}$`
pub(super) fn check_name(name: &str) -> Result<(), ModuleStoreError> {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let begins = name.as_bytes().first().is_some_and(plain);
    if begins
        && name.len() <= NAME_BYTES_MAX
        && name.as_bytes().iter().all(|byte| plain(byte) || *byte == b'-')
    {
        return Ok(());
    }
    Err(ModuleStoreError::Name { name: printable(name).into_owned() })
}

fn folder_of(path: &Path) -> Option<String> {
    Some(path.parts().rev().nth(1)?.as_ref().to_owned())
}
