//! A store in memory that takes objects in parts, as S3 does, and fails where a test wants it. For tests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Error, MultipartId, ObjectStore, ObjectStoreExt, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

/// A request about an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The request that begins an upload and gives its id.
    Create,
    /// The part of that number.
    Part(usize),
    /// The parts become an object under the upload's path.
    Complete,
    /// The upload is given up, and its parts are forgotten.
    Abort,
}

/// What becomes of one request in place of a plain answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and the store does not see it.
    Before,
    /// It takes effect and then fails.
    After,
    /// It is never answered, and the store does not see it.
    Silence,
    /// The store forgets the upload first.
    Forget,
}

#[derive(Debug, Default)]
struct State {
    /// What was sent of each upload that was neither completed nor aborted.
    uploads: BTreeMap<String, BTreeMap<usize, Bytes>>,
    created: usize,
    /// All requests, in their order.
    asked: Vec<Ask>,
    faults: Vec<(Ask, Fault)>,
    /// At the n-th request from the first.
    nth: Option<(usize, Fault)>,
}

/// Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct PartedStore {
    inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
    silent: watch::Sender<bool>,
}

impl PartedStore {
    /// The next such request fails so.
    pub fn fail(&self, ask: Ask, fault: Fault) {
        self.state.lock().expect("no test panics here").faults.push((ask, fault));
    }

    /// The n-th request about an upload, from 0, fails so.
    pub fn fail_nth(&self, n: usize, fault: Fault) {
        self.state.lock().expect("no test panics here").nth = Some((n, fault));
    }

    /// All requests about uploads, in their order.
    pub fn asked(&self) -> Vec<Ask> {
        self.state.lock().expect("no test panics here").asked.clone()
    }

    /// Uploads that lie there neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.state.lock().expect("no test panics here").uploads.len()
    }

    /// Whether the fault of [`Self::fail_nth`] is still to come.
    pub fn is_due(&self) -> bool {
        self.state.lock().expect("no test panics here").nth.is_some()
    }

    /// Whether a request came that is never answered.
    pub fn is_silent(&self) -> bool {
        *self.silent.borrow()
    }

    /// Ends when a request came that is never answered.
    pub async fn silence(&self) {
        self.silent.subscribe().wait_for(|silent| *silent).await.expect("the store lives");
    }

    /// Notes a request and takes the fault that is due.
    fn fault(&self, ask: Ask) -> Option<Fault> {
        let mut state = self.state.lock().expect("no test panics here");
        let number = state.asked.len();
        state.asked.push(ask);
        if let Some((_, fault)) = state.nth.take_if(|(n, _)| *n == number) {
            return Some(fault);
        }
        let planned = state.faults.iter().position(|(planned, _)| *planned == ask)?;
        Some(state.faults.remove(planned).1)
    }

    async fn run<T>(
        &self,
        ask: Ask,
        id: &str,
        effect: impl AsyncFnOnce() -> Result<T>,
    ) -> Result<T> {
        match self.fault(ask) {
            None => effect().await,
            Some(Fault::Before) => Err(broken()),
            Some(Fault::After) => {
                effect().await?;
                Err(broken())
            }
            Some(Fault::Silence) => {
                self.silent.send_replace(true);
                std::future::pending().await
            }
            Some(Fault::Forget) => {
                self.state.lock().expect("no test panics here").uploads.remove(id);
                effect().await
            }
        }
    }
}

fn broken() -> Error {
    Error::Generic { store: "parted", source: "connection reset".into() }
}

fn no_such_upload(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "NoSuchUpload".into() }
}

impl fmt::Display for PartedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parted store")
    }
}

#[async_trait]
impl MultipartStore for PartedStore {
    async fn create_multipart(&self, _path: &Path) -> Result<MultipartId> {
        let create = async || {
            let mut state = self.state.lock().expect("no test panics here");
            state.created += 1;
            let id = state.created.to_string();
            state.uploads.insert(id.clone(), BTreeMap::new());
            Ok(id)
        };
        self.run(Ask::Create, "", create).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let put = async || {
            let mut state = self.state.lock().expect("no test panics here");
            let upload = state.uploads.get_mut(id).ok_or_else(|| no_such_upload(path))?;
            upload.insert(index, data.into());
            Ok(PartId { content_id: index.to_string() })
        };
        self.run(Ask::Part(index), id, put).await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let complete = async || {
            let upload = self.state.lock().expect("no test panics here").uploads.remove(id);
            let upload = upload.ok_or_else(|| no_such_upload(path))?;
            let named = parts.iter().map(|part| part.content_id.clone());
            assert!(named.eq(upload.keys().map(ToString::to_string)), "all parts, in their order");
            let bytes: Vec<u8> = upload.into_values().flatten().collect();
            self.inner.put(path, bytes.into()).await
        };
        self.run(Ask::Complete, id, complete).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let abort = async || {
            let upload = self.state.lock().expect("no test panics here").uploads.remove(id);
            upload.map(drop).ok_or_else(|| no_such_upload(path))
        };
        self.run(Ask::Abort, id, abort).await
    }
}

impl ObjectStore for PartedStore {
    crate::passes_on!(
        inner: put_opts, put_multipart_opts, get_opts, delete_stream, list, list_with_offset,
        list_with_delimiter,
        copy_opts
    );
}
