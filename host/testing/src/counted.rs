//! A store in memory that counts what it is asked for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ListResult, ObjectMeta, ObjectStore, PutOptions, PutPayload, PutResult,
    Result,
};

/// Clones are the same store.
#[derive(Clone, Default)]
pub struct CountedStore {
    inner: Arc<InMemory>,
    reads: Arc<AtomicUsize>,
    lists: Arc<AtomicUsize>,
    marked: Arc<AtomicUsize>,
}

impl CountedStore {
    /// Requests for an object, or for a part of one, since this was asked last.
    pub fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::SeqCst)
    }

    /// Listings since this was asked last, whatever their length.
    pub fn lists(&self) -> usize {
        self.lists.swap(0, Ordering::SeqCst)
    }

    /// Puts with an extension, which a store of the product knows, since this was asked last.
    pub fn marked(&self) -> usize {
        self.marked.swap(0, Ordering::SeqCst)
    }
}

impl fmt::Debug for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted store")
    }
}

impl fmt::Display for CountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counted store")
    }
}

#[async_trait]
impl ObjectStore for CountedStore {
    crate::passes_on!(inner:
        put_multipart_opts, delete_stream, copy_opts,
    );

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if !options.extensions.is_empty() {
            self.marked.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.put_opts(location, payload, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.get_opts(location, options).await
    }

    // Not left to the trait: the parts of one object that are asked for together are so many requests here.
    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> Result<Vec<bytes::Bytes>> {
        self.reads.fetch_add(ranges.len(), Ordering::SeqCst);
        self.inner.get_ranges(location, ranges).await
    }
}
