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
    denied: Option<String>,
    heads: Mutex<Vec<Path>>,
}

impl DenyingStore {
    /// In front of that store; `denied` is part of the paths that nobody may put. None: all may be put.
    pub fn new(inner: Arc<dyn ObjectStore>, denied: Option<&str>) -> Self {
        Self { inner, denied: denied.map(str::to_owned), heads: Mutex::default() }
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
        if self.denied.as_ref().is_some_and(|denied| path.as_ref().contains(denied)) {
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
