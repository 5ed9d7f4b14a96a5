//! Objects that are replaced every few seconds, and worth nothing once their writer is gone: signs of life.
//!
//! Every put of a directory is synced twice. For these nobody needs that: whoever looks for them after a power cut finds an
//! older one, or none, and their writer is as dead as if it had found the last.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Extensions, PutOptions, Result};

use super::Location;

/// Marks a put that a power cut may undo. Stores but a directory know no such thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleeting;

impl Fleeting {
    /// Whether a put is marked.
    pub(crate) fn is(options: &PutOptions) -> bool {
        options.extensions.get::<Self>().is_some()
    }
}

/// Replaces an object. It is seen at once, whole, and a power cut may undo it.
///
/// # Errors
///
/// The store did not take it, or nobody knows whether it did.
pub async fn put_fleeting(location: &Location, path: &Path, bytes: Bytes) -> Result<()> {
    let mut extensions = Extensions::new();
    extensions.insert(Fleeting);
    let options = PutOptions { extensions, ..PutOptions::default() };
    location.store.put_opts(path, bytes.into(), options).await.map(drop)
}
