//! A store in front of another one that panics over some puts, so that whoever asks dies of a fault of its own. For tests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions, PutPayload, PutResult, Result};

/// Panics over puts whose path contains a text, a few times.
#[derive(Debug)]
pub struct PanickingStore {
    inner: Arc<dyn ObjectStore>,
    path: String,
    left: AtomicUsize,
}

impl PanickingStore {
    /// In front of that store. It panics so many `times` over puts whose path contains `path`.
    pub fn new(inner: Arc<dyn ObjectStore>, path: &str, times: usize) -> Self {
        Self { inner, path: path.to_owned(), left: AtomicUsize::new(times) }
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
        inner: put_multipart_opts, get_opts, delete_stream, list, list_with_offset,
        list_with_delimiter, copy_opts
    );

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let one_less = |left: usize| left.checked_sub(1);
        let panics = path.as_ref().contains(&self.path)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        assert!(!panics, "the store panics over a put of {path}, as the test wants it");
        self.inner.put_opts(path, payload, options).await
    }
}
