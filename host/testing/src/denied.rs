//! A store that denies some puts, and tells which objects it was asked about. For tests.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, ObjectStore, PutOptions, PutPayload, PutResult, Result,
};

/// Denies puts whose path contains a text.
#[derive(Debug)]
pub struct DenyingStore {
    inner: Arc<dyn ObjectStore>,
    denied: Mutex<Option<String>>,
    heads: Mutex<Vec<Path>>,
}

impl DenyingStore {
    /// In front of that store. All may be put.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, denied: Mutex::default(), heads: Mutex::default() }
    }

    /// From now on nobody may put objects whose path has `denied` in it.
    pub fn deny(&self, denied: &str) {
        *self.denied.lock().expect("no test panics here") = Some(denied.to_owned());
    }

    fn is_denied(&self, path: &Path) -> bool {
        let denied = self.denied.lock().expect("no test panics here");
        denied.as_ref().is_some_and(|denied| path.as_ref().contains(denied))
    }

    /// The objects that somebody has asked about without reading them, in that order.
    pub fn heads(&self) -> Vec<Path> {
        self.heads.lock().expect("no test panics here").clone()
    }
}

impl fmt::Display for DenyingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("denying store")
    }
}

#[async_trait]
impl ObjectStore for DenyingStore {
    crate::passes_on!(
        inner: put_multipart_opts, delete_stream, list, list_with_offset, list_with_delimiter,
        copy_opts
    );

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if self.is_denied(path) {
            let (path, source) = (path.to_string(), "403".into());
            return Err(Error::PermissionDenied { path, source });
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            self.heads.lock().expect("no test panics here").push(path.clone());
        }
        self.inner.get_opts(path, options).await
    }
}
