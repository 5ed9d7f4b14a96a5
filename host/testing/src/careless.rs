//! A store in memory that does not do what it says, as some servers that speak S3. For tests.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What a store does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carelessness {
    /// It does all that it says.
    None,
    /// A create replaces what is there.
    IgnoresConditions,
    /// A create looks whether something is there, and writes a moment later.
    LooksFirst,
    /// A create that is refused has replaced what is there.
    RefusesAndWrites,
    /// What a create was answered is lost, of the first so many: they took effect, and say that something was there.
    LosesAnswers(usize),
    /// The first so many creates meet a conflict (`409`): they are refused, and nothing is there.
    Conflicts(usize),
    /// No create is ever told that it has succeeded.
    NeverSaysSo,
    /// Listings show nothing.
    ListsNothing,
    /// Listings with an offset begin at the first name.
    IgnoresOffsets,
    /// Deletions are answered and not done.
    KeepsTheDeleted,
    /// Every request is denied.
    Denies,
}

/// A store with one flaw, which counts its requests.
#[derive(Debug)]
pub struct CarelessStore {
    inner: InMemory,
    carelessness: Carelessness,
    creates: AtomicUsize,
    requests: AtomicUsize,
}

impl CarelessStore {
    /// An empty one.
    pub fn new(carelessness: Carelessness) -> Self {
        let (creates, requests) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: InMemory::new(), carelessness, creates, requests }
    }

    /// Requests since it was made; a deletion of many objects is one.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn ask(&self, path: &Path) -> Result<()> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.carelessness == Carelessness::Denies {
            let (path, source) = (path.to_string(), "403".into());
            return Err(Error::PermissionDenied { path, source });
        }
        Ok(())
    }

    async fn create(&self, path: &Path, payload: PutPayload) -> Result<PutResult> {
        let number = self.creates.fetch_add(1, Ordering::SeqCst);
        let over = PutOptions { mode: PutMode::Overwrite, ..PutOptions::default() };
        let once = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let refused = || Error::AlreadyExists { path: path.to_string(), source: "412".into() };
        match self.carelessness {
            Carelessness::IgnoresConditions => self.inner.put_opts(path, payload, over).await,
            Carelessness::LooksFirst if self.inner.head(path).await.is_ok() => Err(refused()),
            Carelessness::LooksFirst => {
                tokio::task::yield_now().await;
                self.inner.put_opts(path, payload, over).await
            }
            Carelessness::RefusesAndWrites => {
                let created = self.inner.put_opts(path, payload.clone(), once).await;
                if created.is_err() {
                    self.inner.put_opts(path, payload, over).await?;
                }
                created
            }
            Carelessness::LosesAnswers(count) => {
                let created = self.inner.put_opts(path, payload, once).await?;
                if number < count { Err(refused()) } else { Ok(created) }
            }
            Carelessness::Conflicts(count) if number < count => Err(refused()),
            Carelessness::NeverSaysSo => {
                self.inner.put_opts(path, payload, once).await?;
                Err(refused())
            }
            _ => self.inner.put_opts(path, payload, once).await,
        }
    }
}

impl fmt::Display for CarelessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("careless store")
    }
}

#[async_trait]
impl ObjectStore for CarelessStore {
    crate::passes_on!(inner: copy_opts);

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.ask(path)?;
        match options.mode {
            PutMode::Create => self.create(path, payload).await,
            _ => self.inner.put_opts(path, payload, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.ask(path)?;
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask(path)?;
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match self.carelessness {
            Carelessness::KeepsTheDeleted => paths,
            _ => self.inner.delete_stream(paths),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match self.carelessness {
            Carelessness::ListsNothing => futures::stream::empty().boxed(),
            _ => self.inner.list(prefix),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        match self.carelessness {
            Carelessness::ListsNothing => futures::stream::empty().boxed(),
            Carelessness::IgnoresOffsets => self.inner.list(prefix),
            _ => self.inner.list_with_offset(prefix, offset),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.inner.list_with_delimiter(prefix).await
    }
}
