//! Where objects live: a local directory, S3, Google Cloud Storage or Azure behind one `ObjectStore`.
//!
//! A [`Location`] is a store and a prefix in it. Everything durable goes through one: the chain, the states, the
//! tables, the modules, and files that are read as a source.
//!
//! # Who retries
//!
//! The client of a cloud store repeats a request at most [`CLIENT_RETRIES_MAX`] times within
//! [`CLIENT_RETRY_TIME`]: enough for a connection that the server closed while it was idle and for a single 503,
//! short enough that an outage is seen and shown within seconds. Everything longer is the caller's decision: the
//! committer goes on for ever, opening a lane fails and its supervisor backs off, an
//! upload over HTTP is answered with an error.
//!
//! # How long a request may take
//!
//! As long as something moves ([`progress`]): an object of a gigabyte over a thin line takes its time. A request of which no
//! byte came or went for [`NOTHING_MOVES`] fails. What carries next to nothing, a listing or a deletion, has a limit as a
//! whole ([`once::in_time`]). Objects of more than a few parts go up part by part ([`upload`]), and what was sent is not
//! sent again; reading one goes on where a connection broke ([`read`]).
//!
//! Because replies with a 5xx are repeated inside the client, also those of a create-only put, a
//! caller's own earlier success may come back to it as `AlreadyExists`
//! (docs/design/commit.md#an-answer-that-is-lost). [`once::put_once`] settles that.
//!
//! It knows what an answer of a store means ([`failure`]) and whether the store can be trusted ([`probe`]), not what is
//! stored: no path but the probe's own, no record, no table.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod bucket;
mod cloud;
pub mod failure;
mod local;
pub mod once;
pub mod fleeting;
pub mod probe;
pub mod progress;
pub mod read;
pub mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::list::PaginatedListStore;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path;

use cloud::Opened;

/// How often a cloud client repeats a request by itself: see the module's page.
pub const CLIENT_RETRIES_MAX: usize = 2;

/// How long after the first attempt a cloud client still begins another one by itself.
pub const CLIENT_RETRY_TIME: Duration = Duration::from_secs(3);

/// A server that does not accept a connection in this time is away.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request of which nothing moved for so long fails.
pub const NOTHING_MOVES: Duration = Duration::from_secs(60);

/// Objects that are larger than two of these are sent in parts of this size, or in larger ones where it would be more than
/// [`upload::PARTS_MAX`]. A part that a broken connection took is sent again; S3 takes none below 5 MiB but the last.
pub const PART_BYTES: u64 = 8 << 20;

/// Where credentials and endpoints of object stores come from: the environment, passed in once by `main`.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, … as object_store's builders take them.
    pub environment: BTreeMap<String, String>,
}

/// A place in an object store: every path of its user begins with `prefix`. Cheap to clone.
#[derive(Clone)]
pub struct Location {
    /// The store, shared by all places in it.
    pub store: Arc<dyn ObjectStore>,
    /// Empty for the store's root. The root of a local store is the directory itself.
    pub prefix: Path,
    /// As the user wrote it (and below), for messages.
    pub url: String,
    /// How the store takes large objects; none if whole.
    pub parts: Option<Parts>,
    /// What keeps the objects, as far as that says how much of it is to be tried ([`probe`]).
    pub backing: Backing,
}

/// What keeps the objects of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A map of this program.
    Memory,
    /// A folder of this machine, or what is mounted there.
    Directory,
    /// A server, or a cloud.
    Server {
        /// The address that the environment names; none for the cloud's own.
        address: Option<String>,
    },
}

/// A store that takes an object in parts.
#[derive(Clone)]
pub struct Parts {
    /// The client that the location's `store` is, as what can send parts.
    pub store: Arc<dyn MultipartStore>,
    /// Bytes of each part but the last: [`PART_BYTES`] except in tests.
    pub bytes: u64,
}

impl Location {
    /// The place `name` below this one. `name` may hold slashes.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self {
            store: Arc::clone(&self.store),
            prefix: self.path(name),
            url: format!("{}/{name}", self.url.trim_end_matches('/')),
            parts: self.parts.clone(),
            backing: self.backing.clone(),
        }
    }

    /// The full path in the store of `below`, which may hold slashes. It is taken as it is: a `%` in the folder of a partition
    /// is not escaped once more.
    pub fn path(&self, below: &str) -> Path {
        let below = Path::parse(below).unwrap_or_else(|_| Path::from(below));
        self.prefix.parts().chain(below.parts()).collect()
    }

    /// Whether the same server answers for both, or both are directories of this machine.
    fn shares_server(&self, other: &Self) -> bool {
        let is_directory = self.backing == Backing::Directory;
        let scheme = |location: &Self| location.url.split_once("://").map(|it| it.0.to_owned());
        self.backing == other.backing && (is_directory || scheme(self) == scheme(other))
    }

    /// The store as a URL: `s3://bucket`. A directory's is its own.
    fn root(&self) -> &str {
        let below = self.url.find("://").map_or(0, |scheme| scheme + "://".len());
        match self.backing {
            Backing::Server { .. } => {
                let end = self.url[below..].find('/').map_or(self.url.len(), |end| below + end);
                &self.url[..end]
            }
            Backing::Memory | Backing::Directory => &self.url,
        }
    }

    /// The rest of a path below this place, for people; the whole path if it lies elsewhere.
    pub fn below(&self, path: &Path) -> String {
        let Some(parts) = path.prefix_match(&self.prefix) else { return path.to_string() };
        parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/")
    }

    /// An empty store in memory, which is gone with its last clone. For tests.
    pub fn in_memory() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            prefix: Path::default(),
            url: "memory://store".to_owned(),
            parts: None,
            backing: Backing::Memory,
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({})", self.url)
    }
}

/// Why a place cannot be opened. All of them are for whoever wrote the URL or the environment.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A scheme that nothing here speaks.
    #[error(
        "`{url}` begins with `{scheme}://`: write a path, or `file://`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`"
    )]
    Scheme {
        /// The whole place, as the user wrote it.
        url: String,
        /// What stands before `://`, as the user wrote it.
        scheme: String,
    },
    /// The rest of the URL makes no sense.
    #[error("`{url}` is not a place in a store: {reason}")]
    Url {
        /// The whole place, as the user wrote it.
        url: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Something that only the environment can say is missing.
    #[error("`{url}` needs the environment variable `{variable}`: {reason}")]
    MissingVariable {
        /// The whole place, as the user wrote it.
        url: String,
        /// The variable that the client of this scheme reads.
        variable: &'static str,
        /// Why it is needed, or what else would do.
        reason: &'static str,
    },
    /// A variable of the environment says what no store can use.
    #[error("`{url}`: the environment variable `{variable}` = \"{value}\" {reason}")]
    Variable {
        /// The whole place, as the user wrote it.
        url: String,
        /// The variable that holds the value.
        variable: String,
        /// As it is set, or a part of it; nothing of a secret.
        value: String,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// The directory of a local store cannot be made or read.
    #[error("open directory `{url}`")]
    Directory {
        /// The directory, as the user wrote it.
        url: String,
        /// What the system answers when the directory is made, cleared or read.
        #[source]
        source: io::Error,
    },
    /// The client refused its settings.
    #[error("open `{url}`")]
    Client {
        /// The whole place, as the user wrote it.
        url: String,
        /// The error of the client's builder.
        #[source]
        source: object_store::Error,
    },
}

/// A path without `..`, by its words alone: no link is followed.
pub fn without_parents(path: &std::path::Path) -> std::path::PathBuf {
    local::without_parents(path)
}

/// A way to list a bucket page by page, for whoever meets keys that are no paths; none for other stores than S3.
///
/// # Errors
///
/// See [`StoreError`].
pub fn pages(
    url: &str,
    options: &StoreOptions,
) -> Result<Option<Arc<dyn PaginatedListStore>>, StoreError> {
    let Some(("s3" | "s3a", rest)) = url.split_once("://") else { return Ok(None) };
    let (client, _) = cloud::s3_client(url, rest, options, NOTHING_MOVES)?;
    Ok(Some(Arc::new(client)))
}

/// Opens a place for reading only: nothing is made there, and a folder that is not there is empty.
///
/// # Errors
///
/// See [`StoreError`].
pub fn look(url: &str, options: &StoreOptions) -> Result<Location, StoreError> {
    let local = match url.split_once("://") {
        None => url,
        Some(("file", path)) => path,
        Some(_) => return open(url, options),
    };
    let (store, prefix) = local::look(url, local)?;
    let (url, backing) = (url.to_owned(), Backing::Directory);
    Ok(Location { store, prefix, url, parts: None, backing })
}

/// Opens a place for reading and writing: a plain path or `file://` (the directory is made if it is not there),
/// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
///
/// A local path that names a file is the place of that one object in its directory. No request is made: a bucket
/// that does not exist is found by its first use.
///
/// # Errors
///
/// See [`StoreError`].
pub fn open(url: &str, options: &StoreOptions) -> Result<Location, StoreError> {
    open_patiently(url, options, NOTHING_MOVES)
}

/// As [`open`], with another limit than [`NOTHING_MOVES`]. For tests.
///
/// # Errors
///
/// See [`StoreError`].
pub fn open_patiently(
    url: &str,
    options: &StoreOptions,
    patience: Duration,
) -> Result<Location, StoreError> {
    let of_folder = |(store, prefix)| {
        let (url, backing) = (url.to_owned(), Backing::Directory);
        Location { store, prefix, url, parts: None, backing }
    };
    let of_cloud = |Opened { store, parts, prefix, address }: Opened| {
        let parts = Some(Parts { store: parts, bytes: PART_BYTES });
        let (url, backing) = (url.to_owned(), Backing::Server { address });
        Location { store, prefix, url, parts, backing }
    };
    Ok(match url.split_once("://") {
        None => of_folder(local::open(url, url, patience)?),
        Some(("file", path)) => of_folder(local::open(url, path, patience)?),
        Some(("s3" | "s3a", rest)) => of_cloud(cloud::s3(url, rest, options, patience)?),
        Some(("gs", rest)) => of_cloud(cloud::google(url, rest, options, patience)?),
        Some(("az" | "azure", rest)) => of_cloud(cloud::azure(url, rest, options, patience)?),
        Some((scheme, _)) => {
            return Err(StoreError::Scheme { url: url.to_owned(), scheme: scheme.to_owned() });
        }
    })
}
