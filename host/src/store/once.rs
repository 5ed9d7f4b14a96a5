//! Immutable objects: created once under a name, never changed. The only put of everything that a chain or a release
//! refers to.
//!
//! An overwriting put is safe only as long as nobody else ever uses the name, and a put may land long after its sender has
//! given up. A create-only put makes the first bytes the only ones; what is left is to learn whose they are.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions, Result};
use sha2::{Digest, Sha256};

use super::{Location, failure};

/// A request that carries next to nothing is answered within this time, or counts as lost.
const SMALL_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Slower than this (512 KiB/s) an upload counts as stuck and is begun anew.
const SLOWEST_BYTES_PER_SECOND: u64 = 512 * 1024;

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
    /// Freezes bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self { sha256: sha256_hex(&bytes), bytes }
    }

    /// As they are sent.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Of the bytes, 64 hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Their number.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Creates the object at `path` and settles whose it is.
///
/// «It exists already», a 409, a 5xx and a timeout all mean the same: look. An object never changes once it is there, so
/// a GET that finds one settles it; one that finds nothing settles nothing. Nothing here tries twice.
pub async fn put_once(location: &Location, path: &Path, object: &Immutable) -> Created {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let put = location.store.put_opts(path, object.bytes.clone().into(), options);
    let Err(put_error) = in_time(object.len(), put).await else {
        return Created::Ours;
    };
    if !failure::is_indeterminate(&put_error) {
        return Created::Unknown(put_error);
    }
    let look = holds(location, path, object.len(), object.sha256());
    match in_time(object.len(), look).await {
        Ok(true) => Created::Ours,
        Ok(false) => Created::Taken,
        Err(error) if failure::is_absent(&error) => Created::Unknown(put_error),
        Err(error) => Created::Unknown(error),
    }
}

/// Whether what lies at `path` is so many bytes with this hash (64 hex digits): by size, and if that agrees by hash.
///
/// # Errors
///
/// The store's; that nothing lies there is one of them.
pub async fn holds(location: &Location, path: &Path, bytes: u64, sha256: &str) -> Result<bool> {
    let found = location.store.get(path).await?;
    if found.meta.size != bytes {
        return Ok(false);
    }
    let hash = found.into_stream().try_fold(Sha256::new(), |mut hash, chunk| async move {
        hash.update(&chunk);
        Ok(hash)
    });
    Ok(hex(&hash.await?.finalize()) == sha256)
}

/// Bounds a request that carries `bytes` either way.
///
/// # Errors
///
/// The request's, or that nothing came in time.
pub async fn in_time<T>(bytes: u64, request: impl Future<Output = Result<T>>) -> Result<T> {
    let limit = SMALL_REQUEST_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND);
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result,
        Err(_) => Err(Error::Generic {
            store: "store",
            source: format!("no answer within {} s", limit.as_secs()).into(),
        }),
    }
}

/// SHA-256, 64 hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
