//! Compiled modules that were kept: a few in memory, many in a folder of this user's own.
//!
//! ```text
//! <cache>/modules/<digest of the module>-<compiler and its settings>.plugin    hash of the rest, head, machine code
//! ```
//!
//! Nothing here is needed: what cannot be read or written is compiled again.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use xxhash_rust::xxh3::Xxh3;

use super::{Made, Ready};
use crate::module::settings::EngineError;
use crate::module::validate::RULES;
use sluicegate_model::module::ModuleDigest;

/// Compiled modules on disk, together. A plugin takes about 100 KB.
const DISK_BYTES_MAX: u64 = 512 << 20;
/// In memory, together: they are in use anyway, mostly.
const MEMORY_BYTES_MAX: usize = 64 << 20;
/// Ends the names of what is kept.
const SUFFIX: &str = "plugin";

pub(crate) struct Kept {
    folder: Option<PathBuf>,
    /// Stands in names: what another compiler, or older rules for modules, have made is passed over.
    settings: u64,
    memory: Mutex<VecDeque<(ModuleDigest, Ready, usize)>>,
}

impl Kept {
    /// The folder is made private (mode 0700): who can write there can run native code in this program, so it never
    /// lies in an object store.
    pub(crate) fn open(engine: &Engine, dir: Option<PathBuf>) -> Result<Self, EngineError> {
        let folder = dir.map(|dir| open_folder(&dir)).transpose()?;
        let mut settings = Xxh3::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        RULES.hash(&mut settings);
        Ok(Self { folder, settings: settings.finish(), memory: Mutex::default() })
    }

    pub(crate) fn in_memory(&self, digest: &ModuleDigest) -> Option<Ready> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.iter().find(|(kept, ..)| kept == digest).map(|(_, ready, _)| ready.clone())
    }

    pub(crate) fn on_disk(&self, digest: &ModuleDigest) -> Option<Made> {
        let path = self.path(digest)?;
        let bytes = fs::read(&path).ok()?;
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        if Sha256::digest(rest)[..] != hash[..] {
            // A torn write, or a bad disk.
            let _ = fs::remove_file(&path);
            return None;
        }
        // The one that was used last is thrown away last.
        let _ = File::open(&path).and_then(|file| file.set_modified(now()));
        Made::from_bytes(rest)
    }

    pub(crate) fn keep(&self, digest: &ModuleDigest, made: Made, ready: &Ready) {
        self.remember(digest, ready, made.artifact.len());
        let Some(path) = self.path(digest) else { return };
        if let Err(error) = write(&path, &made.to_bytes()).and_then(|()| clear(&path)) {
            tracing::warn!(path = %path.display(), %error, "a compiled module was not kept: it will be compiled again");
        }
    }

    pub(crate) fn remember(&self, digest: &ModuleDigest, ready: &Ready, bytes: usize) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.retain(|(kept, ..)| kept != digest);
        memory.push_back((*digest, ready.clone(), bytes));
        while memory.iter().map(|(.., bytes)| bytes).sum::<usize>() > MEMORY_BYTES_MAX {
            memory.pop_front();
        }
    }

    fn path(&self, digest: &ModuleDigest) -> Option<PathBuf> {
        let name = format!("{digest}-{:016x}.{SUFFIX}", self.settings);
        Some(self.folder.as_ref()?.join(name))
    }
}

/// Whole, or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(&Sha256::digest(bytes))?;
        file.write_all(bytes)
    });
    written.and_then(|()| fs::rename(&partial, path)).inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

/// Throws the oldest away until there is room.
fn clear(kept: &Path) -> io::Result<()> {
    let Some(folder) = kept.parent() else { return Ok(()) };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(facts) = entry.metadata()
            && facts.is_file()
        {
            files.push((facts.modified()?, facts.len(), entry.path()));
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.sort_unstable();
    for (_, of_file, path) in files {
        if bytes <= DISK_BYTES_MAX {
            break;
        }
        fs::remove_file(path)?;
        bytes -= of_file;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file's time is the machine's; nothing else depends on it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

fn open_folder(dir: &Path) -> Result<PathBuf, EngineError> {
    let failed = |source: io::Error| EngineError::Cache { path: dir.to_owned(), source };
    make_private(dir).map_err(failed)?;
    let folder = dir.canonicalize().map_err(failed)?.join("modules");
    make_private(&folder).map_err(failed)?;
    Ok(folder)
}

/// Makes the folder, and shuts everybody else out. A folder of another user cannot be shut and is refused.
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let owner = fs::metadata(dir)?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("it belongs to user {owner}")));
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}
