//! A store in front of another one that panics over some puts and listings, so that whoever asks dies of a fault of its own. For tests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, PutOptions, PutPayload, PutResult, Result};

/// Panics over puts and listings whose path contains a text, a few times.
#[derive(Debug)]
pub struct PanickingStore {
    inner: Arc<dyn ObjectStore>,
    path: String,
    left: AtomicUsize,
}

impl PanickingStore {
    /// In front of that store. It panics so many `times` over puts and listings whose path contains `path`.
    pub fn new(inner: Arc<dyn ObjectStore>, path: &str, times: usize) -> Self {
        Self { inner, path: path.to_owned(), left: AtomicUsize::new(times) }
    }

    /// How often it will panic still.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn pass(&self, what: &str, path: &Path) {
        let one_less = |left: usize| left.checked_sub(1);
        let panics = path.as_ref().contains(&self.path)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        assert!(!panics, "the store panics over a {what} of {path}, as the test wants it");
    }
}

impl fmt::Display for PanickingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panicking store")
    }
}

#[async_trait]
impl ObjectStore for PanickingStore {
    crate::passes_on!(
        inner: put_multipart_opts, get_opts, delete_stream, list_with_offset, list_with_delimiter,
        copy_opts
    );

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.pass("put", path);
        self.inner.put_opts(path, payload, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        prefix.into_iter().for_each(|prefix| self.pass("listing", prefix));
        self.inner.list(prefix)
    }
}
