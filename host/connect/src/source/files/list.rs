//! Which files there are: one, or all below a folder or prefix whose names end like NDJSON, packed or not.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::list::PaginatedListStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::keys;
use super::left_out::LeftOut;
use super::walk::{Walked, walk};
use crate::source::SourceError;
use sluicegate_pipeline::FilesConfig;
use sluicegate_store as store;
use sluicegate_store::StoreOptions;
use sluicegate_store::failure::StoreFailure;

/// What names of NDJSON files end in.
const EXTENSIONS: [&str; 3] = ["json", "ndjson", "jsonl"];

/// A listing that takes longer is begun again: a bucket of a million files needs about a minute.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub(super) struct FilesPlace {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The one file, or what lies above all of them.
    pub(super) path: Path,
    /// As it stands in the pipeline file, without a slash at its end.
    pub(super) name: Arc<str>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// A folder or file of this machine.
    Local(PathBuf),
    /// A bucket; a way to list it page by page, where there is one.
    Bucket(Option<Arc<dyn PaginatedListStore>>),
}

/// A file as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    pub(super) path: Path,
    /// As a partition's stream: the place's name and the path below it.
    pub(super) stream: Arc<str>,
    /// As stored.
    pub(super) size: u64,
    /// Changes whenever the content does, and sometimes without.
    pub(super) tag: u64,
    pub(super) packing: Packing,
}

/// How the lines of a file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

#[derive(Debug, Default)]
pub(super) struct Listed {
    /// In the order of their names.
    pub(super) files: Vec<FileEntry>,
    pub(super) left_out: LeftOut,
}

/// What was read, in words that stand in messages.
pub(super) const ENDINGS: &str =
    "`.json`, `.ndjson` or `.jsonl`, with `.gz` or `.zst` behind it or not";

/// Why there is no list.
#[derive(Debug)]
pub(super) enum ListError {
    /// The path leads nowhere.
    Missing,
    /// May pass by itself; the store's words.
    Store(String),
}

impl FilesPlace {
    /// The folder `in` of a store, as a bucket.
    #[cfg(test)]
    pub(super) fn in_store(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, path: Path::from("in"), name: Arc::from("in"), kind: Kind::Bucket(None) }
    }

    /// Opens a local path, a `file://` URL or an object store's. Asks nobody.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] if that makes no sense.
    pub(super) fn open(config: &FilesConfig, options: &StoreOptions) -> Result<Self, SourceError> {
        let path = config.path.as_str();
        let refuse = |reason: String| {
            SourceError::Refused(format!("`source.files.path` = `{}`: {reason}", config.name))
        };
        let name = Arc::from(config.name.trim_end_matches('/'));
        let local = path.strip_prefix("file://").unwrap_or(path);
        if local.contains("://") {
            let location = store::open(path, options).map_err(|error| refuse(words(&error)))?;
            let pages = store::pages(path, options).map_err(|error| refuse(words(&error)))?;
            let kind = Kind::Bucket(pages);
            return Ok(Self { store: location.store, path: location.prefix, name, kind });
        }
        // Not by `store::open`, which makes the directory: what is read must be there.
        let absolute = std::path::absolute(local).map_err(|error| refuse(error.to_string()))?;
        // The store's paths hold no `..`; while a folder is not there, no link can be on the way either.
        let absolute = store::without_parents(&absolute);
        let path = Path::from_absolute_path(&absolute).map_err(|error| refuse(words(&error)))?;
        let store = Arc::new(LocalFileSystem::new());
        Ok(Self { store, path, name, kind: Kind::Local(absolute) })
    }

    /// The files, in the order of their names. Ends early when `stop` is set.
    pub(super) async fn list(&self, stop: Arc<AtomicBool>) -> Result<Listed, ListError> {
        let listing = async {
            match &self.kind {
                Kind::Local(root) => self.list_local(root.clone(), stop).await,
                Kind::Bucket(pages) => self.list_bucket(pages.as_deref()).await,
            }
        };
        let late = |_| Err(ListError::Store(format!("no answer within {LIST_TIMEOUT:?}")));
        let mut listed = tokio::time::timeout(LIST_TIMEOUT, listing).await.unwrap_or_else(late)?;
        listed.files.sort_by(|one, other| one.stream.cmp(&other.stream));
        Ok(listed)
    }

    async fn list_local(&self, root: PathBuf, stop: Arc<AtomicBool>) -> Result<Listed, ListError> {
        let place = self.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let mut listed = Listed::default();
            let metadata = std::fs::metadata(&root)?;
            if metadata.is_file() {
                place.add_local(Walked { path: root, metadata }, &mut listed, |_| true);
                return Ok(listed);
            }
            for file in walk(&root, &stop, &mut listed.left_out)? {
                place.add_local(file, &mut listed, |path| packing(path).is_some());
            }
            Ok(listed)
        });
        let listed = listed.await.map_err(|error| ListError::Store(error.to_string()))?;
        listed.map_err(|error: std::io::Error| match error.kind() {
            ErrorKind::NotFound => ListError::Missing,
            _ => ListError::Store(error.to_string()),
        })
    }

    fn add_local(&self, file: Walked, listed: &mut Listed, is_wanted: impl Fn(&Path) -> bool) {
        use std::os::unix::fs::MetadataExt;
        let Walked { path, metadata } = file;
        let shown = path.display().to_string();
        let Ok(location) = Path::from_absolute_path(&path) else {
            listed.left_out.add_odd(&shown, "its name is not UTF-8");
            return;
        };
        if location.filename().is_some_and(is_staging) {
            listed.left_out.add_odd(
                &shown,
                "a name that ends in `#` and digits is that of a file being written",
            );
        } else if is_wanted(&location) {
            let stamp = [
                metadata.ino(),
                metadata.mtime().cast_unsigned(),
                metadata.mtime_nsec().cast_unsigned(),
            ];
            let tag = xxh3_64(&stamp.map(u64::to_le_bytes).concat());
            listed.files.push(self.entry(location, metadata.len(), tag));
        } else {
            listed.left_out.add_ending(&shown);
        }
    }

    async fn list_bucket(
        &self,
        pages: Option<&dyn PaginatedListStore>,
    ) -> Result<Listed, ListError> {
        match self.list_objects(pages).await {
            Ok(listed) => Ok(listed),
            // A bucket that is missing is another matter, and has a fix of its own.
            Err(error @ object_store::Error::NotFound { .. })
                if StoreFailure::of(&error) == StoreFailure::MayPass =>
            {
                Err(ListError::Missing)
            }
            Err(error) => Err(ListError::Store(store_words(&error))),
        }
    }

    async fn list_objects(
        &self,
        pages: Option<&dyn PaginatedListStore>,
    ) -> object_store::Result<Listed> {
        let mut listed = Listed::default();
        if self.path.extension().is_some() {
            match self.store.head(&self.path).await {
                Ok(meta) => {
                    self.add_object(meta, &mut listed, |_| true);
                    return Ok(listed);
                }
                // A folder may have a dot in its name.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let objects: object_store::Result<Vec<_>> =
            self.store.list(Some(&self.path)).try_collect().await;
        let objects = match (objects, pages) {
            (Err(error), Some(pages)) if keys::is_odd_key(&error) => {
                let prefix = match self.path.as_ref() {
                    "" => String::new(),
                    path => format!("{path}/"),
                };
                keys::list(pages, &prefix, &mut listed.left_out).await?
            }
            (objects, _) => objects?,
        };
        for meta in objects {
            self.add_object(meta, &mut listed, |path| packing(path).is_some());
        }
        Ok(listed)
    }

    fn add_object(&self, meta: ObjectMeta, listed: &mut Listed, is_wanted: impl Fn(&Path) -> bool) {
        if is_wanted(&meta.location) {
            let tag = tag_of(&meta);
            listed.files.push(self.entry(meta.location, meta.size, tag));
        } else {
            listed.left_out.add_ending(meta.location.as_ref());
        }
    }

    fn entry(&self, path: Path, size: u64, tag: u64) -> FileEntry {
        let below: Vec<_> = path
            .prefix_match(&self.path)
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect())
            .unwrap_or_default();
        let stream = std::iter::once(&*self.name).chain(below.iter().map(String::as_str));
        let stream = stream.collect::<Vec<_>>().join("/");
        let packing = packing(&path).unwrap_or_else(|| by_last_ending(&path));
        FileEntry { path, stream: Arc::from(stream), size, tag, packing }
    }
}

fn tag_of(meta: &ObjectMeta) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(meta.e_tag.as_deref().unwrap_or_default().as_bytes());
    hash.update(&meta.last_modified.timestamp_micros().to_le_bytes());
    hash.digest()
}

/// `LocalFileSystem` neither lists nor reads such names.
fn is_staging(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// How the lines of an NDJSON file are stored; none if its name ends otherwise.
fn packing(path: &Path) -> Option<Packing> {
    let name = path.filename()?;
    let packing = by_last_ending(path);
    let name = match packing {
        Packing::Plain => name,
        Packing::Gzip | Packing::Zstd => name.rsplit_once('.')?.0,
    };
    let (_, ending) = name.rsplit_once('.')?;
    EXTENSIONS.iter().any(|known| ending.eq_ignore_ascii_case(known)).then_some(packing)
}

fn by_last_ending(path: &Path) -> Packing {
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("gz") => Packing::Gzip,
        Some(ending) if ending.eq_ignore_ascii_case("zst") => Packing::Zstd,
        _ => Packing::Plain,
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is not there"),
            Self::Store(reason) => f.write_str(reason),
        }
    }
}

/// A checksum of files that come one behind the other, names and sizes: it goes on from that of the files before.
pub(super) fn checksum(before: i32, file: &FileEntry) -> i32 {
    let mut hash = Xxh3::new();
    hash.update(&before.to_le_bytes());
    hash.update(file.stream.as_bytes());
    hash.update(&file.size.to_le_bytes());
    folded(hash.digest())
}

/// The same where the last file may still grow: its size does not count.
pub(super) fn checksum_open(before: i32, file: &FileEntry) -> i32 {
    let mut hash = Xxh3::new();
    hash.update(&before.to_le_bytes());
    hash.update(file.stream.as_bytes());
    folded(hash.digest())
}

pub(super) fn checksum_of(bytes: &[u8]) -> i32 {
    folded(xxh3_64(bytes))
}

fn folded(hash: u64) -> i32 {
    let bytes = hash.to_le_bytes();
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// An error of the store, with what to do if somebody must do something.
pub(super) fn store_words(error: &object_store::Error) -> String {
    match StoreFailure::of(error) {
        StoreFailure::Refused { fix } => format!("{}; {fix}", words(error)),
        StoreFailure::MayPass | StoreFailure::Impossible => words(error),
    }
}

/// An error with its causes, which its own words may leave out.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
