//! Which files there are: one, or all below a folder or prefix whose names end like NDJSON.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use xxhash_rust::xxh3::Xxh3;

use super::SourceError;
use crate::config::{FilesConfig, StoreOptions};
use crate::store::{self, failure::Failure};

/// What names of NDJSON files end in.
const EXTENSIONS: [&str; 3] = ["json", "ndjson", "jsonl"];

/// A listing that takes longer is begun again: a bucket of a million files needs about a minute.
pub(super) const LIST_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the files lie.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The one file, or what lies above all of them.
    pub(super) path: Path,
    /// As it stands in the pipeline file, without a slash at its end.
    pub(super) name: Arc<str>,
}

/// A file as it was listed. It must not change afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// In the store.
    pub(super) path: Path,
    /// As a partition's stream: the place's name and the path below it.
    pub(super) stream: Arc<str>,
    pub(super) size: u64,
}

/// Why there is no list.
pub(super) enum ListError {
    /// The path leads nowhere.
    Missing,
    /// May pass by itself; the store's words.
    Store(String),
}

impl Place {
    /// Opens a local path, a `file://` URL or an object store's. Asks nobody.
    ///
    /// # Errors
    ///
    /// [`SourceError::Refused`] if that makes no sense.
    pub(super) fn open(config: &FilesConfig, options: &StoreOptions) -> Result<Self, SourceError> {
        let path = config.path.as_str();
        let refuse = |reason: String| {
            SourceError::Refused(format!("`source.files.path` = `{path}`: {reason}"))
        };
        let name = Arc::from(config.name.trim_end_matches('/'));
        let local = path.strip_prefix("file://").unwrap_or(path);
        if local.contains("://") {
            let location = store::open(path, options).map_err(|error| refuse(words(&error)))?;
            return Ok(Self { store: location.store, path: location.prefix, name });
        }
        // Not by `store::open`, which makes the directory: what is read must be there.
        let absolute = std::path::absolute(local).map_err(|error| refuse(error.to_string()))?;
        let path = Path::from_absolute_path(&absolute).map_err(|error| refuse(words(&error)))?;
        Ok(Self { store: Arc::new(LocalFileSystem::new()), path, name })
    }

    /// The files, in the order of their names.
    pub(super) async fn list(&self) -> Result<Vec<FileEntry>, ListError> {
        match tokio::time::timeout(LIST_TIMEOUT, self.list_all()).await {
            Ok(Ok(files)) => Ok(files),
            // A bucket that is missing is another matter, and has a fix of its own.
            Ok(Err(error @ object_store::Error::NotFound { .. }))
                if Failure::of(&error) == Failure::MayPass =>
            {
                Err(ListError::Missing)
            }
            Ok(Err(error)) => Err(ListError::Store(store_words(&error))),
            Err(_) => Err(ListError::Store(format!("no answer within {LIST_TIMEOUT:?}"))),
        }
    }

    async fn list_all(&self) -> object_store::Result<Vec<FileEntry>> {
        if self.path.extension().is_some() {
            match self.store.head(&self.path).await {
                Ok(meta) => return Ok(vec![self.entry(meta)]),
                // A folder may have a dot in its name.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut files: Vec<_> = self
            .store
            .list(Some(&self.path))
            .try_filter(|meta| std::future::ready(is_ndjson(&meta.location)))
            .map_ok(|meta| self.entry(meta))
            .try_collect()
            .await?;
        files.sort_by(|one, other| one.stream.cmp(&other.stream));
        Ok(files)
    }

    fn entry(&self, meta: ObjectMeta) -> FileEntry {
        let below: Vec<_> = meta
            .location
            .prefix_match(&self.path)
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect())
            .unwrap_or_default();
        let stream = std::iter::once(&*self.name).chain(below.iter().map(String::as_str));
        let stream = stream.collect::<Vec<_>>().join("/");
        FileEntry { path: meta.location, stream: Arc::from(stream), size: meta.size }
    }
}

fn is_ndjson(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// A checksum of files that come one behind the other, names and sizes: it goes on from that of the files before.
pub(super) fn checksum(before: i32, file: &FileEntry) -> i32 {
    let mut hash = Xxh3::new();
    hash.update(&before.to_le_bytes());
    hash.update(file.stream.as_bytes());
    hash.update(&file.size.to_le_bytes());
    let bytes = hash.digest().to_le_bytes();
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// An error of the store, with what to do if somebody must do something.
pub(super) fn store_words(error: &object_store::Error) -> String {
    match Failure::of(error) {
        Failure::Refused { fix } => format!("{}; {fix}", words(error)),
        Failure::MayPass | Failure::Impossible => words(error),
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
