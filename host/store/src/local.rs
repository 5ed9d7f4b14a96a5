//! A directory as an object store whose puts survive a power cut, but for those that need not.
//!
//! `object_store`'s own `LocalFileSystem` makes a put atomic but not durable: version 0.13 never calls `fsync`.
//! Here a put writes the bytes to a staging file, syncs it, gives it its name by a hard link (create-only: the
//! link fails if the name is taken) or a rename (overwrite), and syncs the folder. What is [`fleeting`](super::fleeting) is
//! not synced. Reading, listing and deleting are `LocalFileSystem`'s.
//!
//! Staging files live in `.staging/` at the root: readers of a table skip folders that begin with a dot, and
//! `LocalFileSystem` lists no name that ends in `#` and digits. Their writer holds a lock on them, so that what a
//! killed program left can be told from what is being written, and is removed when the directory is next opened.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::StoreError;
use super::fleeting::Fleeting;
use super::progress::{Moves, Stalled};

const STAGING: &str = ".staging";
const STORE: &str = "local directory";

/// What is written is synced as it goes, so that a slow disk shows its progress and one that is stuck none.
const SYNC_EVERY: usize = 32 << 20;

/// The store of a directory, which is made if it is not there. A path to a file gives the store of its folder
/// and the file's name as prefix.
pub(super) fn open(
    url: &str,
    path: &str,
    patience: Duration,
) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
    if path.is_empty() {
        return Err(StoreError::Url { url: url.to_owned(), reason: "it names no path".to_owned() });
    }
    let failed = |source| StoreError::Directory { url: url.to_owned(), source };
    let path = FilePath::new(path);
    let is_file = path.is_file();
    let (root, prefix) = if is_file {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (folder.unwrap_or(FilePath::new(".")), Path::from(name))
    } else {
        fs::create_dir_all(path).map_err(failed)?;
        (path, Path::default())
    };
    let root = root.canonicalize().map_err(failed)?;
    if !is_file {
        remove_abandoned(&root.join(STAGING)).map_err(failed)?;
    }
    let inner = LocalFileSystem::new_with_prefix(&root)
        .map_err(|source| StoreError::Client { url: url.to_owned(), source })?;
    Ok((Arc::new(DurableDirectory { inner, root, staged: Arc::default(), patience }), prefix))
}

/// A store for reading below a path, whether that is there or not.
pub(super) fn look(url: &str, path: &str) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
    let failed = |source| StoreError::Directory { url: url.to_owned(), source };
    let path = std::path::absolute(path).map_err(failed)?;
    // The store's paths hold no `..`; where a folder is not there, no link can be on the way either.
    let path = path.canonicalize().unwrap_or_else(|_| without_parents(&path));
    let prefix = Path::from_absolute_path(&path)
        .map_err(|error| StoreError::Url { url: url.to_owned(), reason: error.to_string() })?;
    Ok((Arc::new(LocalFileSystem::new()), prefix))
}

/// A path without `..`, by its words alone.
pub(super) fn without_parents(path: &FilePath) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain
}

#[derive(Debug)]
struct DurableDirectory {
    inner: LocalFileSystem,
    root: PathBuf,
    /// Makes the names of this store's staging files differ.
    staged: Arc<AtomicU64>,
    /// How long a disk may take nothing.
    patience: Duration,
}

impl fmt::Display for DurableDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE} {}", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableDirectory {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if !matches!(options.mode, PutMode::Create | PutMode::Overwrite) {
            // A conditional update is what a file system cannot do; the inner store says so.
            return self.inner.put_opts(location, payload, options).await;
        }
        let put = Put {
            target: self.inner.path_to_filesystem(location)?,
            root: self.root.clone(),
            // Several stores may share a directory; the operating-system process and the address tell them apart.
            staging: self.root.join(STAGING).join(format!(
                "{}-{:x}#{}",
                std::process::id(),
                Arc::as_ptr(&self.staged).addr(),
                self.staged.fetch_add(1, Ordering::Relaxed)
            )),
            create_only: matches!(options.mode, PutMode::Create),
            is_fleeting: Fleeting::is(&options),
        };
        let path = location.to_string();
        let moves = Moves::begin();
        let done = moves.bound(self.patience, {
            let moves = moves.clone();
            tokio::task::spawn_blocking(move || put.run(&payload, &moves))
        });
        let stalled = |stalled: Stalled| object_store::Error::Generic {
            store: STORE,
            source: stalled.into(),
        };
        let done = done.await.map_err(stalled)??;
        done.map(|()| PutResult { e_tag: None, version: None }).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    object_store::Error::AlreadyExists { path, source: error.into() }
                }
                io::ErrorKind::PermissionDenied => {
                    object_store::Error::PermissionDenied { path, source: error.into() }
                }
                _ => object_store::Error::Generic { store: STORE, source: error.into() },
            }
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// One put, as plain blocking file operations.
struct Put {
    target: PathBuf,
    root: PathBuf,
    staging: PathBuf,
    create_only: bool,
    /// A power cut may undo it.
    is_fleeting: bool,
}

impl Put {
    fn run(&self, payload: &PutPayload, moves: &Moves) -> io::Result<()> {
        let folder = self.target.parent().expect("an object's path is below the root");
        self.make_folder(folder)?;
        self.make_folder(self.staging.parent().expect("it is in the staging folder"))?;
        let result = self.stage(payload, moves).and_then(|file| {
            if self.create_only {
                fs::hard_link(&self.staging, &self.target)?;
            } else {
                fs::rename(&self.staging, &self.target)?;
            }
            drop(file);
            if self.is_fleeting { Ok(()) } else { sync_folder(folder) }
        });
        if self.create_only || result.is_err() {
            // After a rename it is gone; after a link or a failure it is litter. If this fails, the next opening
            // of the directory removes it.
            drop(fs::remove_file(&self.staging));
        }
        result
    }

    /// The staging file, complete, and durable unless it is fleeting. It is locked until dropped.
    fn stage(&self, payload: &PutPayload, moves: &Moves) -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&self.staging)?;
        file.lock()?;
        let mut pieces = payload.iter().flat_map(|chunk| chunk.chunks(SYNC_EVERY)).peekable();
        while let Some(piece) = pieces.next() {
            file.write_all(piece)?;
            // Most objects are one piece: that is synced once, with its length.
            if pieces.peek().is_some() {
                file.sync_data()?;
                moves.note();
            }
        }
        if !self.is_fleeting {
            file.sync_all()?;
        }
        moves.note();
        Ok(file)
    }

    /// A folder whose name is durable, too: the entry of every folder that had to be made is synced.
    fn make_folder(&self, folder: &FilePath) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let above = folder.ancestors().skip(1);
        above.take_while(|ancestor| ancestor.starts_with(&self.root)).try_for_each(sync_folder)
    }
}

fn sync_folder(folder: &FilePath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes what killed programs left in the staging folder: files that nobody holds a lock on.
fn remove_abandoned(staging: &FilePath) -> io::Result<()> {
    let entries = match fs::read_dir(staging) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        // One that vanishes meanwhile was somebody's who finished.
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            drop(fs::remove_file(&path));
        }
    }
    Ok(())
}
