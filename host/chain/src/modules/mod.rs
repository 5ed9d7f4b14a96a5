//! Uploaded modules: kept by their hash, named and numbered by create-only objects, never changed. What nobody needs any more
//! is collected.
//!
//! * [`paths`] says what lies where.
//! * [`generations`] puts the bytes of a module and reads them, whatever was given up meanwhile.
//! * [`surplus`] decides what may go, and [`prune`] looks and deletes.
//! * [`pins`] finds what chains need, and where chains of other stores say that they need something.
//!
//! The bytes are written before the version that names them, so a version always finds its bytes; after a crash in
//! between they lie there unnamed, and are collected. Two hosts that upload under one name at a time get two numbers: the
//! loser of a slot looks again and takes the next. Uploading the newest bytes once more is the same version, so an
//! upload whose answer was lost can be repeated.

mod error;
mod generations;
mod paths;
mod pins;
mod prune;
pub(crate) mod surplus;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::ModuleStoreError;
pub use prune::ModuleKeep;
pub(crate) use prune::{PruneError, Pruned};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::printable::printable;
use sluicegate_model::time::EventTime;
use sluicegate_store::once::Immutable;
use sluicegate_store::{Location, read};
pub use surplus::Retention;

/// Bytes of a module's name: it is a folder, and a label in metrics.
const NAME_BYTES_MAX: usize = 63;
/// How often an upload takes the next number after losing one to somebody else. More losses than hosts are a store
/// that does not do what it says.
const ATTEMPTS_MAX: usize = 16;
/// Version objects that are read at a time.
const READS_AT_A_TIME: usize = 16;
/// Version objects that are remembered; they never change. About 150 bytes each.
const REMEMBERED_MAX: usize = 10_000;
/// Shortest prefix of a digest that names a version.
const DIGEST_PREFIX_MIN: usize = 6;

/// The modules in an object store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ModuleStore {
    location: Location,
    remembered: Arc<Mutex<BTreeMap<Path, ModuleVersion>>>,
}

/// One version of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleVersion {
    /// The label under which it was uploaded.
    pub name: String,
    /// SHA-256 of its bytes, under which they are stored once for all names.
    pub digest: ModuleDigest,
    /// Bytes of the WebAssembly component.
    pub bytes: u64,
    /// 1 for the first of its name, then one more each.
    pub number: u64,
    /// When the store took it, by the store's clock.
    pub uploaded: EventTime,
}

/// Which version of a module is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionChoice {
    /// Its number, counted from 1 by uploads of that name: `3`.
    Number(u64),
    /// By its digest, or the first six digits of it at least: `9f86d0`.
    Digest(String),
}

/// A version object, as it lies in the store.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionObject {
    /// Version of this layout: 1.
    v: u32,
    digest: ModuleDigest,
    bytes: u64,
}

impl ModuleStore {
    /// Nothing is read or made before the first request.
    pub fn new(location: Location) -> Self {
        Self { location, remembered: Arc::default() }
    }

    /// Stores a module as the next version of `name`; if its newest version is the same bytes, that is it.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<ModuleVersion, ModuleStoreError> {
        paths::check_name(name)?;
        let digest = ModuleDigest(Sha256::digest(&bytes).into());
        let object = Immutable::new(bytes);
        // A deletion may be on its way to those before (M3).
        let generation = self.next_generation(&digest).await?;
        self.put_bytes(&digest, generation, &object).await?;
        self.name(name, digest, object.len()).await
    }

    /// The version of `name` that is these bytes: its newest, or the next.
    async fn name(
        &self,
        name: &str,
        digest: ModuleDigest,
        bytes: u64,
    ) -> Result<ModuleVersion, ModuleStoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let newest = self.newest(name).await?;
            if let Some(same) = newest.as_ref().filter(|newest| newest.digest == digest) {
                return Ok(same.clone());
            }
            let number = newest.map_or(Some(1), |newest| newest.number.checked_add(1));
            let number =
                number.ok_or_else(|| ModuleStoreError::Contended { name: name.to_owned() })?;
            let body = serde_json::to_vec(&VersionObject { v: 1, digest, bytes });
            let body = body.expect("digests and numbers are JSON");
            let below = paths::version(name, number);
            if self.create(&below, body.into()).await? {
                let uploaded = self.uploaded(&self.location.path(&below)).await?;
                let name = name.to_owned();
                return Ok(ModuleVersion { name, digest, bytes, number, uploaded });
            }
        }
        Err(ModuleStoreError::Contended { name: name.to_owned() })
    }

    /// All versions of all modules, by name and number.
    pub async fn list(&self) -> Result<Vec<ModuleVersion>, ModuleStoreError> {
        self.list_below(paths::NAMES_FOLDER).await
    }

    /// The version of `name` that is meant; the newest if none is named.
    pub async fn resolve(
        &self,
        name: &str,
        version: Option<&VersionChoice>,
    ) -> Result<ModuleVersion, ModuleStoreError> {
        paths::check_name(name)?;
        let mut versions = self.list_below(&paths::name_folder(name)).await?;
        let unknown = || ModuleStoreError::UnknownModule {
            name: name.to_owned(),
            url: self.location.url.clone(),
        };
        let newest = versions.pop().ok_or_else(unknown)?;
        let newest_number = newest.number;
        let missing = |version: &VersionChoice| ModuleStoreError::UnknownVersion {
            name: name.to_owned(),
            version: version.clone(),
            newest: newest_number,
        };
        versions.push(newest);
        let Some(version) = version else { return Ok(versions.swap_remove(versions.len() - 1)) };
        let is_meant = |known: &ModuleVersion| match version {
            VersionChoice::Number(number) => known.number == *number,
            VersionChoice::Digest(prefix) => known.digest.to_string().starts_with(prefix),
        };
        versions.retain(is_meant);
        // The same bytes may have several numbers: the newest of them.
        let meant = versions.pop().ok_or_else(|| missing(version))?;
        if versions.iter().all(|other| other.digest == meant.digest) {
            return Ok(meant);
        }
        Err(ModuleStoreError::Ambiguous { name: name.to_owned(), prefix: version.to_string() })
    }

    async fn newest(&self, name: &str) -> Result<Option<ModuleVersion>, ModuleStoreError> {
        Ok(self.list_below(&paths::name_folder(name)).await?.pop())
    }

    /// Versions in a folder, by name and number. What else lies there is not ours and is passed over.
    async fn list_below(&self, folder: &str) -> Result<Vec<ModuleVersion>, ModuleStoreError> {
        self.versions_of(self.listed(folder).await?).await
    }

    /// The versions among objects, by name and number.
    async fn versions_of(
        &self,
        listed: Vec<ObjectMeta>,
    ) -> Result<Vec<ModuleVersion>, ModuleStoreError> {
        let named = listed.into_iter().filter_map(|object| {
            let (name, number) = paths::parse_version(&object.location)?;
            Some((object, name, number))
        });
        // One that is collected meanwhile is none.
        let reads = named.map(|(object, name, number)| async move {
            match self.version(object, name, number).await {
                Err(error) if error.is_absent() => Ok(None),
                read => read.map(Some),
            }
        });
        let mut versions: Vec<_> = stream::iter(reads)
            .buffer_unordered(READS_AT_A_TIME)
            .try_filter_map(async |version| Ok(version))
            .try_collect()
            .await?;
        versions
            .sort_unstable_by(|a: &ModuleVersion, b| (&a.name, a.number).cmp(&(&b.name, b.number)));
        Ok(versions)
    }

    /// All objects in a folder.
    async fn listed(&self, folder: &str) -> Result<Vec<ObjectMeta>, ModuleStoreError> {
        let listing = self.location.store.list(Some(&self.location.path(folder)));
        let listed = listing.try_collect().await;
        listed.map_err(|source| self.failed("list modules", source))
    }

    async fn version(
        &self,
        listed: ObjectMeta,
        name: String,
        number: u64,
    ) -> Result<ModuleVersion, ModuleStoreError> {
        let (uploaded, path) = (moment(&listed), listed.location);
        if let Some(known) = self.remembered().get(&path) {
            return Ok(known.clone());
        }
        let parse = |body: Bytes| {
            serde_json::from_slice(&body).map_err(|error| {
                self.damaged(&path, format!("it is not a version object: {error}"))
            })
        };
        let object: VersionObject = self.read(&path, parse).await?;
        if object.v != 1 {
            return Err(self.damaged(&path, format!("its layout {} is not 1", object.v)));
        }
        let VersionObject { v: _, digest, bytes } = object;
        let version = ModuleVersion { name, digest, bytes, number, uploaded };
        let mut remembered = self.remembered();
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(path, version.clone());
        }
        Ok(version)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeMap<Path, ModuleVersion>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates an object. False: there is one of that name, or, as far as S3 goes, there may be.
    async fn create(&self, below: &str, body: Bytes) -> Result<bool, ModuleStoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let path = self.location.path(below);
        match self.location.store.put_opts(&path, body.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(self.failed(&format!("create `{path}`"), source)),
        }
    }

    async fn read<T>(
        &self,
        path: &Path,
        check: impl Fn(Bytes) -> Result<T, ModuleStoreError>,
    ) -> Result<T, ModuleStoreError> {
        read::checked(&self.location, path, check)
            .await
            .map_err(|source| self.failed(&format!("read `{path}`"), source))?
    }

    /// When an object was put.
    async fn uploaded(&self, path: &Path) -> Result<EventTime, ModuleStoreError> {
        let asked = self.location.store.head(path).await;
        let listed = asked.map_err(|source| self.failed(&format!("look at `{path}`"), source))?;
        Ok(moment(&listed))
    }

    fn failed(&self, what: &str, source: object_store::Error) -> ModuleStoreError {
        ModuleStoreError::Store { what: what.to_owned(), url: self.location.url.clone(), source }
    }

    fn damaged(&self, path: &Path, reason: String) -> ModuleStoreError {
        ModuleStoreError::Damaged { path: path.to_string(), url: self.location.url.clone(), reason }
    }
}

fn moment(object: &ObjectMeta) -> EventTime {
    EventTime(object.last_modified.timestamp_micros())
}

impl FromStr for VersionChoice {
    type Err = ModuleStoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        // A digest that begins with so many decimal digits and no letter is written in full.
        if let Ok(number) = text.parse()
            && text.len() < ModuleDigest([0; 32]).to_string().len()
        {
            Ok(Self::Number(number))
        } else if (DIGEST_PREFIX_MIN..=64).contains(&text.len()) && text.bytes().all(hex) {
            Ok(Self::Digest(text.to_owned()))
        } else {
            Err(ModuleStoreError::Version { text: printable(text).into_owned() })
        }
    }
}

impl fmt::Display for VersionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Digest(prefix) => prefix.fmt(f),
        }
    }
}
