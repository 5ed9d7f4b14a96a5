//! A store in memory that does what it is told at its n-th request.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

/// What happens at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails without effect.
    Before,
    /// It takes effect and then fails.
    After,
    /// A put is answered with a 409 as S3 does it: `AlreadyExists`, though nothing was done.
    Conflict,
    /// It has no effect and is never answered: the process dies before it is sent.
    DieBefore,
    /// It takes effect and is never answered: the process dies before it hears of it.
    DieAfter,
    /// As [`Fault::DieBefore`], but a put takes effect so many requests later.
    DieAndLandLater(usize),
    /// A put takes effect and then fails. Of all reads behind it, whatever it was, the one after so many others is damaged.
    Damages(usize),
}

/// Counts requests of all kinds from 0.
#[derive(Debug)]
pub(super) struct FaultyStore {
    inner: InMemory,
    requests: AtomicUsize,
    fault: Mutex<Option<(usize, Fault)>>,
    /// Puts on their way, and the request at which they arrive.
    late: Mutex<Vec<(usize, Path, PutPayload, PutOptions)>>,
    /// How many reads pass before the one that is damaged.
    whole_reads: Mutex<Option<usize>>,
    died: watch::Sender<bool>,
}

impl FaultyStore {
    /// With one fault, at request `at`.
    pub(super) fn new(at: usize, fault: Fault) -> Self {
        Self {
            inner: InMemory::new(),
            requests: AtomicUsize::new(0),
            fault: Mutex::new(Some((at, fault))),
            late: Mutex::default(),
            whole_reads: Mutex::default(),
            died: watch::Sender::new(false),
        }
    }

    /// Whether the fault has happened.
    pub(super) fn was_reached(&self) -> bool {
        self.fault.lock().unwrap().is_none()
    }

    /// Nothing is damaged any more.
    pub(super) fn mend(&self) {
        *self.whole_reads.lock().unwrap() = None;
    }

    /// Ends when a request came that is never answered.
    pub(super) async fn death(&self) {
        self.died.subscribe().wait_for(|died| *died).await.unwrap();
    }

    /// Whether such a request came.
    pub(super) fn is_dead(&self) -> bool {
        *self.died.borrow()
    }

    async fn next_fault(&self) -> Option<Fault> {
        let request = self.requests.fetch_add(1, Ordering::SeqCst);
        let mut late = std::mem::take(&mut *self.late.lock().unwrap());
        for put in late.extract_if(.., |(at, ..)| *at <= request) {
            let (_, path, payload, options) = put;
            // Whether it still finds its name free is what the tests are about.
            drop(self.inner.put_opts(&path, payload, options).await);
        }
        *self.late.lock().unwrap() = late;
        let mut fault = self.fault.lock().unwrap();
        let due = fault.take_if(|(at, _)| *at == request).map(|(_, fault)| fault);
        if let Some(Fault::Damages(reads)) = due {
            *self.whole_reads.lock().unwrap() = Some(reads);
        }
        due
    }

    /// One bit of the bytes is another one, if it is their turn.
    async fn damaged(&self, found: GetResult) -> Result<GetResult> {
        let is_due = {
            let mut left = self.whole_reads.lock().unwrap();
            let now = *left == Some(0);
            *left = left.and_then(|left| left.checked_sub(1));
            now
        };
        if !is_due || found.meta.size == 0 {
            return Ok(found);
        }
        let (meta, range, attributes) =
            (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let mut bytes = found.bytes().await?.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let payload = GetResultPayload::Stream(stream::iter([Ok(bytes.into())]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    /// Runs `request` under the fault that is due.
    async fn run<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        match self.next_fault().await {
            None | Some(Fault::Damages(_)) => request.await,
            Some(Fault::Before | Fault::Conflict) => Err(broken()),
            Some(Fault::After) => {
                request.await?;
                Err(broken())
            }
            Some(Fault::DieBefore | Fault::DieAndLandLater(_)) => self.die().await,
            Some(Fault::DieAfter) => {
                request.await?;
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.died.send_replace(true);
        std::future::pending().await
    }
}

fn broken() -> Error {
    Error::Generic { store: "faulty", source: "connection reset".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty store")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    // Faults of deletions are those of the listing before and of the next request after them.
    sluicegate_testing::passes_on!(inner: delete_stream);

    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let fault = self
            .fault
            .lock()
            .unwrap()
            .filter(|(at, _)| *at == self.requests.load(Ordering::SeqCst));
        if let Some((at, Fault::DieAndLandLater(requests))) = fault {
            let put = (at + requests, location.clone(), payload.clone(), options.clone());
            self.late.lock().unwrap().push(put);
        }
        if let Some((_, Fault::Conflict)) = fault {
            self.next_fault().await;
            let path = location.to_string();
            return Err(Error::AlreadyExists { path, source: "409 Conflict".into() });
        }
        let put = self.run(self.inner.put_opts(location, payload, options)).await?;
        if let Some((_, Fault::Damages(_))) = fault { Err(broken()) } else { Ok(put) }
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        panic!("no resumable uploads: they cannot be told from orphans")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let is_head = options.head;
        let found = self.run(self.inner.get_opts(location, options)).await?;
        if is_head { Ok(found) } else { self.damaged(found).await }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        // The store in memory lists when asked, not when polled; nothing changes in between.
        let listing = self.inner.list(prefix);
        faulty_list(self.next_fault().now_or_never().flatten(), listing, &self.died)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let fault = self.next_fault().now_or_never().flatten();
        faulty_list(fault, self.inner.list_with_offset(prefix, offset), &self.died)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.run(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        panic!("nothing is copied")
    }
}

fn faulty_list(
    fault: Option<Fault>,
    listing: BoxStream<'static, Result<ObjectMeta>>,
    died: &watch::Sender<bool>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    match fault {
        None | Some(Fault::Damages(_)) => listing,
        Some(Fault::Before | Fault::After | Fault::Conflict) => {
            stream::iter([Err(broken())]).boxed()
        }
        Some(Fault::DieBefore | Fault::DieAfter | Fault::DieAndLandLater(_)) => {
            died.send_replace(true);
            stream::pending().boxed()
        }
    }
}
