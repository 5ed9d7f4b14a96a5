//! Immutable objects: created once under a name, never changed. [`put_once`] and [`Upload`](super::upload::Upload) are the only
//! puts of everything that a chain or a release refers to.
//!
//! An overwriting put is safe only as long as nobody else ever uses the name, and a put may land long after its sender has
//! given up. A create-only put makes the first bytes the only ones; what is left is to learn whose they are.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{Error, PutMode, PutOptions, Result};
use sha2::{Digest, Sha256};

use super::{Location, failure, read};

/// A request that carries next to nothing is answered within this time, or counts as lost.
const SMALL_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A thin line; what carries more than next to nothing is given the time that it takes there.
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// Bytes that a name is to hold for ever. Frozen: there is no way to change them between two attempts.
#[derive(Clone, Debug)]
pub struct Immutable {
    bytes: Bytes,
    sha256: String,
}

/// What became of one attempt to create an object.
#[derive(Debug)]
pub enum Created {
    /// The name holds our bytes: by this attempt or by an earlier one whose answer was lost.
    Ours,
    /// The name holds other bytes, for ever.
    Taken,
    /// The name is free or could not be read. Our bytes may still land there; only the same bytes may be sent.
    Unknown(Error),
}

impl Immutable {
    /// Takes the hash once, so that every later send is of the same bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self { sha256: sha256_hex(&bytes), bytes }
    }

    /// The bytes of every attempt to put the object.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Of the bytes, 64 hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Bytes, as a listing shows them.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// True for an object of zero bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Creates the object at `path` with one conditional put, whatever its size, and settles whose it is. For names that several
/// writers may want; those that only one has are for [`Upload`](super::upload::Upload).
///
/// «It exists already», a 409, a 5xx and a timeout all mean the same: look. An object never changes once it is there, so
/// a GET that finds one settles it; one that finds nothing settles nothing. Nothing here tries twice.
pub async fn put_once(location: &Location, path: &Path, object: &Immutable) -> Created {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = location.store.put_opts(path, object.bytes.clone().into(), options);
    match put.await {
        Ok(_) => Created::Ours,
        Err(error) => settle(location, path, object, error).await,
    }
}

/// What became of a put that failed.
pub(super) async fn settle(
    location: &Location,
    path: &Path,
    object: &Immutable,
    failed: Error,
) -> Created {
    if !failure::is_indeterminate(&failed) {
        return Created::Unknown(failed);
    }
    let look = || holds(location, path, object.len(), object.sha256());
    let looked = match look().await {
        // It may have been damaged on its way to us: that it is another one is not said after one look.
        Ok(false) => look().await,
        looked => looked,
    };
    match looked {
        Ok(true) => Created::Ours,
        Ok(false) => Created::Taken,
        Err(error) if failure::is_absent(&error) => Created::Unknown(failed),
        Err(error) => Created::Unknown(error),
    }
}

/// Whether what lies at `path` is so many bytes with this hash (64 hex digits): by size, and if that agrees by hash.
///
/// # Errors
///
/// The store's; that nothing lies there is one of them.
pub async fn holds(location: &Location, path: &Path, bytes: u64, sha256: &str) -> Result<bool> {
    let mut hash = Sha256::new();
    let size = read::each_chunk(location, path, |size, chunk| {
        let is_so = size == bytes;
        if is_so {
            hash.update(chunk);
        }
        is_so
    });
    Ok(size.await? == bytes && hex(&hash.finalize()) == sha256)
}

/// Bounds a request that carries next to nothing either way.
///
/// # Errors
///
/// The request's, or that nothing came in time.
pub async fn in_time<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    within(SMALL_REQUEST_TIMEOUT, request).await
}

/// Bounds a listing of any length: each page of it comes in time.
///
/// # Errors
///
/// The listing's, or that a page did not come in time.
pub async fn each_in_time<T>(mut listed: BoxStream<'_, Result<T>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(one) = in_time(listed.try_next()).await? {
        all.push(one);
    }
    Ok(all)
}

/// Bounds a request that carries so many bytes: a line that is slower than [`BYTES_PER_SECOND_MIN`] counts as broken.
///
/// # Errors
///
/// The request's, or that nothing came in time.
pub async fn in_time_for<T>(bytes: u64, request: impl Future<Output = Result<T>>) -> Result<T> {
    within(SMALL_REQUEST_TIMEOUT + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN), request).await
}

async fn within<T>(limit: Duration, request: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result,
        Err(_) => Err(Error::Generic {
            store: "store",
            source: format!("no answer within {} s", limit.as_secs()).into(),
        }),
    }
}

/// Waits for a request, and for up to `limit` also when its sender is `stopped`: one that is dropped may land behind the next,
/// and undo what that has put. None if it was not answered by then: nobody knows what became of it.
pub async fn settled<T>(
    stopped: impl Future<Output = ()>,
    limit: Duration,
    request: impl Future<Output = T>,
) -> Option<T> {
    let mut request = std::pin::pin!(request);
    tokio::select! {
        biased;
        done = &mut request => return Some(done),
        () = stopped => {}
    }
    tokio::time::timeout(limit, request).await.ok()
}

/// As 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
