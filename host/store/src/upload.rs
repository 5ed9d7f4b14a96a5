//! An object on its way to a name that only its sender uses: whole if it is small, else part by part.
//!
//! # Create-only without a condition
//!
//! A store completes an upload of parts without asking whether the name is free. What a create-only put promises is kept all
//! the same, because of the names:
//!
//! 1. Nobody else ever uses the name: it holds the writer's term and nonce, and each opening is a new writer (C9 of
//!    `chain`); or it is the hash of the bytes.
//! 2. A writer sends one sequence of bytes under a name: they are frozen ([`Immutable`]) before the first is sent.
//! 3. So whatever an upload replaces has the same bytes, whenever it lands; and before an upload is begun, and after each
//!    failure, it is looked whether other bytes lie there: somebody copies or makes objects by hand. Then nothing is sent.
//!
//! Between the look and the completion a hand may still put something there, which a create-only put would have kept. No
//! reader can tell: nothing names the object yet. The search (`chain/tests/search`) runs with data files that replace what
//! lies under their name, and finds nothing; with names that two lives share it finds what is lost.
//!
//! Parts are seen by nobody before the completion, so no partial object is. A completion whose answer is lost is settled by
//! looking, as a put is. A part that fails is sent again, and no other. An upload that is given up is aborted; that of a
//! program that was killed lies in the bucket, unseen and paid for, until a lifecycle rule of the bucket removes it
//! (`docs/deploy.md`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, MultipartId, PutMode, PutOptions, PutPayload, Result};
use tokio_util::task::TaskTracker;

use super::failure::{self, StoreFailure};
use super::once::{Created, Immutable, holds, settle};
use super::{Location, Parts};

/// Parts of an object on their way at a time: a fat line needs more than one, a thin one loses them all when it breaks.
const PARTS_AT_ONCE: usize = 3;

/// S3 takes no upload of more parts; Google and Azure take more.
pub const PARTS_MAX: u64 = 10_000;

/// A completion that failed so often may have lost a part: the upload is begun anew.
const COMPLETIONS_MAX: u32 = 3;

/// How long a program that ends waits for the store to hear of the uploads that were given up.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

/// Uploads that were given up, on their way to be aborted. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Aborts(TaskTracker);

impl Aborts {
    /// One for all uploads of a program; [`Aborts::finish`] waits for them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until the store has heard of them, but not for long.
    pub async fn finish(&self) {
        self.0.close();
        if tokio::time::timeout(ABORT_LIMIT, self.0.wait()).await.is_err() {
            tracing::warn!(
                "uploads in parts were not aborted in time: their parts stay until a lifecycle rule of the bucket removes \
                 them"
            );
        }
    }
}

/// What was sent of an object, from one attempt to the next. Dropped before it is there, it is aborted by a task of `aborts`.
pub struct Upload<'u> {
    location: &'u Location,
    path: &'u Path,
    object: &'u Immutable,
    aborts: &'u Aborts,
    open: Option<Open>,
}

impl<'u> Upload<'u> {
    /// To a name that nobody else uses. See the module's page.
    pub fn new(
        location: &'u Location,
        path: &'u Path,
        object: &'u Immutable,
        aborts: &'u Aborts,
    ) -> Self {
        Self { location, path, object, aborts, open: None }
    }

    /// Goes on. After [`Created::Unknown`] with what is missing.
    pub async fn attempt(&mut self) -> Created {
        match self.location.parts.clone().filter(|parts| self.object.len() > 2 * parts.bytes) {
            None => self.put_whole().await,
            Some(parts) => self.put_in_parts(&parts).await,
        }
    }

    async fn put_whole(&self) -> Created {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from(self.object.bytes().clone());
        match self.location.store.put_opts(self.path, payload, options).await {
            Ok(_) => Created::Ours,
            Err(error) => settle(self.location, self.path, self.object, error).await,
        }
    }

    async fn put_in_parts(&mut self, parts: &Parts) -> Created {
        let (location, path, object) = (self.location, self.path, self.object);
        let found = holds(location, path, object.len(), object.sha256()).await;
        let failed = match found {
            Ok(true) => return Created::Ours,
            Ok(false) => return Created::Taken,
            Err(error) if !failure::is_absent(&error) => return Created::Unknown(error),
            Err(_) => match self.send(parts).await {
                Ok(()) => return Created::Ours,
                Err(error) => error,
            },
        };
        settle(location, path, object, failed).await
    }

    /// Sends the parts that are missing, and completes the upload when there are none.
    async fn send(&mut self, parts: &Parts) -> Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let store = Arc::clone(&parts.store);
                let id = store.create_multipart(self.path).await?;
                let part_bytes = part_bytes(self.object.len(), parts.bytes);
                none.insert(Open {
                    store,
                    path: self.path.clone(),
                    id,
                    part_bytes,
                    sent: vec![None; count(self.object.len(), part_bytes)],
                    completions_failed: 0,
                    is_over: false,
                    aborts: self.aborts.clone(),
                })
            }
        };
        let failed = match open.send_missing(self.object.bytes()).await {
            Ok(()) => match open.complete().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if failure::is_absent(&failed) {
            // The store has forgotten the upload: it was completed, or a rule of the bucket removed it.
            open.is_over = true;
        }
        if open.is_over || open.completions_failed == COMPLETIONS_MAX {
            self.open = None;
        }
        Err(failed)
    }
}

/// An upload that the store knows of.
struct Open {
    store: Arc<dyn MultipartStore>,
    path: Path,
    id: MultipartId,
    part_bytes: u64,
    /// What the store has given for each part that it has.
    sent: Vec<Option<PartId>>,
    completions_failed: u32,
    /// The store does not know it any more.
    is_over: bool,
    aborts: Aborts,
}

impl Open {
    /// Stops at the first failure, after the parts that are on their way.
    async fn send_missing(&mut self, bytes: &Bytes) -> Result<()> {
        let (store, path, id) = (&self.store, &self.path, &self.id);
        let has_failed = AtomicBool::new(false);
        let missing = self.sent.iter().zip(0_usize..).filter(|(sent, _)| sent.is_none());
        let missing: Vec<usize> = missing.map(|(_, index)| index).collect();
        let step = usize::try_from(self.part_bytes).expect("a part fits into memory");
        let sends = missing.into_iter().map(|index| {
            let from = index * step;
            let part = bytes.slice(from..bytes.len().min(from + step));
            let has_failed = &has_failed;
            async move {
                if has_failed.load(Ordering::Relaxed) {
                    return (index, Ok(None));
                }
                let sent = store.put_part(path, id, index, part.into()).await;
                has_failed.fetch_or(sent.is_err(), Ordering::Relaxed);
                (index, sent.map(Some))
            }
        });
        let sends: Vec<(usize, Result<Option<PartId>>)> =
            futures::stream::iter(sends).buffer_unordered(PARTS_AT_ONCE).collect().await;
        let mut failed = None;
        for (index, sent) in sends {
            match sent {
                Ok(Some(part)) => self.sent[index] = Some(part),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn complete(&mut self) -> Result<()> {
        let parts = self.sent.iter().flatten().cloned().collect();
        match self.store.complete_multipart(&self.path, &self.id, parts).await {
            Ok(_) => {
                self.is_over = true;
                Ok(())
            }
            Err(error) => {
                self.completions_failed += 1;
                Err(error)
            }
        }
    }
}

impl Drop for Open {
    /// Without a runtime there is nobody who could send it.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_over {
            return;
        }
        let (store, path, id) = (Arc::clone(&self.store), self.path.clone(), self.id.clone());
        let abort = async move {
            if let Err(error) = store.abort_multipart(&path, &id).await {
                say_left(&path, &error);
            }
        };
        self.aborts.0.spawn_on(abort, &runtime);
    }
}

fn say_left(path: &Path, error: &Error) {
    // It was completed after all.
    if !failure::is_absent(error) && StoreFailure::of(error) != StoreFailure::Impossible {
        tracing::warn!(
            %path, %error,
            "an upload in parts could not be aborted: its parts stay until a lifecycle rule of the bucket removes them"
        );
    }
}

/// A part's size: as wished, or so much that there are not too many. Whole MiB then.
fn part_bytes(object: u64, wished: u64) -> u64 {
    match object.div_ceil(PARTS_MAX) {
        least if least <= wished => wished,
        least => least.next_multiple_of(1 << 20),
    }
}

fn count(object: u64, part_bytes: u64) -> usize {
    usize::try_from(object.div_ceil(part_bytes)).expect("at most PARTS_MAX parts")
}
