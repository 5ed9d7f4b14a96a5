//! A store in memory whose requests wait, or panic, as a test wants it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

/// What the store does with a request that comes while the gate stands so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Every request is answered at once.
    Open,
    /// Puts that create wait, but for the first so many since the store was made; all other requests are answered.
    Puts(usize),
    /// Every request waits until the gate opens.
    Shut,
    /// Every request panics inside the caller's task.
    Panics,
}

/// Clones are the same store.
#[derive(Clone)]
pub struct GatedStore {
    inner: Arc<InMemory>,
    gate: watch::Sender<Gate>,
    puts: Arc<AtomicUsize>,
    /// How many requests have had to wait.
    waited: watch::Sender<usize>,
    /// Requests but deletions, in their order: what is done, and with which object or folder.
    asked: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl GatedStore {
    /// An empty store in memory; clones share its objects and its gate.
    pub fn new(gate: Gate) -> Self {
        Self {
            inner: Arc::default(),
            gate: watch::Sender::new(gate),
            puts: Arc::default(),
            waited: watch::Sender::new(0),
            asked: Arc::default(),
        }
    }

    /// The same objects behind a gate of its own, which is open.
    pub fn another_way(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), ..Self::new(Gate::Open) }
    }

    /// Requests under way, and those that come, are treated so from now on.
    pub fn set(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    /// Ends when a request waits that is the first one since the gate was `set`, or since this was asked last.
    pub async fn has_waited(&self) {
        let mut waited = self.waited.subscribe();
        waited.wait_for(|count| *count > 0).await.expect("the store lives");
        self.waited.send_replace(0);
    }

    /// What came through this gate since this was asked last: `("get", "chain/…")`.
    pub fn asked(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.asked.lock().expect("nobody panics meanwhile"))
    }

    fn note(&self, verb: &'static str, path: Option<&Path>) {
        let path = path.map(Path::to_string).unwrap_or_default();
        self.asked.lock().expect("nobody panics meanwhile").push((verb, path));
    }

    async fn pass(&self, is_put: bool) {
        let number = if is_put { self.puts.fetch_add(1, Ordering::SeqCst) } else { 0 };
        let shut = |gate: Gate| match gate {
            Gate::Open | Gate::Panics => false,
            Gate::Puts(first) => is_put && number >= first,
            Gate::Shut => true,
        };
        let mut gate = self.gate.subscribe();
        if shut(*gate.borrow_and_update()) {
            self.waited.send_modify(|count| *count += 1);
        }
        let gate = *gate.wait_for(|gate| !shut(*gate)).await.expect("the store lives");
        assert!(gate != Gate::Panics, "the store panics");
    }

    fn list_behind(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        futures::stream::once(async move { store.pass(false).await })
            .flat_map(|()| futures::stream::empty())
            .chain(listing)
            .boxed()
    }
}

impl fmt::Debug for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gated store")
    }
}

impl fmt::Display for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gated store")
    }
}

#[async_trait]
impl ObjectStore for GatedStore {
    crate::passes_on!(inner: delete_stream, copy_opts);

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.note("put", Some(location));
        self.pass(options.mode == PutMode::Create).await;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.note("put", Some(location));
        self.pass(true).await;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note("get", Some(location));
        self.pass(false).await;
        self.inner.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note("list", prefix);
        self.list_behind(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.note("list", prefix);
        self.list_behind(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.note("list", prefix);
        self.pass(false).await;
        self.inner.list_with_delimiter(prefix).await
    }
}
