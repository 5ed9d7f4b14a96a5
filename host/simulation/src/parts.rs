//! Uploads in parts, as one instance sees them: what a store keeps until an upload is complete, behind the same network.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, MultipartId, ObjectStore, PutOptions, PutPayload, PutResult, Result};

use super::store::{Fate, Way, failed};
use super::story::Mutation;

/// What the store has of uploads that are not complete. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Uploads(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    next: u64,
    parts: BTreeMap<MultipartId, BTreeMap<usize, PutPayload>>,
}

/// The way of an instance to them.
pub(crate) struct PartsWay {
    pub(crate) way: Way,
    pub(crate) uploads: Uploads,
    pub(crate) mutation: Option<Mutation>,
}

impl Uploads {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> MultipartId {
        let mut open = self.open();
        open.next += 1;
        let id = open.next.to_string();
        open.parts.insert(id.clone(), BTreeMap::new());
        id
    }

    fn add(&self, path: &Path, id: &str, index: usize, part: PutPayload) -> Result<()> {
        let mut open = self.open();
        let parts = open.parts.get_mut(id).ok_or_else(|| unknown(path))?;
        parts.insert(index, part);
        Ok(())
    }

    /// Whatever lies under the name is replaced: a store asks for no condition here.
    async fn complete(&self, store: &InMemory, path: &Path, id: &str) -> Result<PutResult> {
        let parts = self.open().parts.remove(id).ok_or_else(|| unknown(path))?;
        let whole: Vec<_> = parts.into_values().flatten().collect();
        store.put_opts(path, whole.into_iter().collect(), PutOptions::default()).await
    }

    fn give_up(&self, path: &Path, id: &str) -> Result<()> {
        self.open().parts.remove(id).map(drop).ok_or_else(|| unknown(path))
    }
}

fn unknown(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "no such upload".into() }
}

impl PartsWay {
    /// What was sent takes effect, also where its sender dies before it is answered.
    async fn send<T: Send + 'static>(
        &self,
        what: &'static str,
        path: &Path,
        effect: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (wait, fate) = self.way.network.fate();
        let (way, path) = (self.way.clone_way(), path.clone());
        let sent = |after: Duration| {
            self.way.instance.handle.spawn(async move {
                tokio::time::sleep(after).await;
                let landed = effect.await;
                let end = if landed.is_ok() { "" } else { " in vain" };
                way.note(&format!("{what}{end}"), &path);
                landed
            })
        };
        match fate {
            Fate::FailsBefore => {
                tokio::time::sleep(wait).await;
                Err(failed(what))
            }
            Fate::Lands(later) => {
                sent(later);
                tokio::time::sleep(wait).await;
                Err(failed(what))
            }
            Fate::FailsAfter => {
                let _lost = sent(wait).await;
                Err(failed(what))
            }
            Fate::Well | Fate::Conflicts => sent(wait).await.map_err(|_| failed(what))?,
        }
    }
}

#[async_trait]
impl MultipartStore for PartsWay {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        let uploads = self.uploads.clone();
        self.send("begins an upload", path, async move { Ok(uploads.begin()) }).await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        part: PutPayload,
    ) -> Result<PartId> {
        let (uploads, of, upload) = (self.uploads.clone(), path.clone(), id.clone());
        let add = async move { uploads.add(&of, &upload, index, part) };
        let sent = self.send("puts a part", path, add).await;
        match (sent, self.mutation) {
            (Err(_), Some(Mutation::UnansweredPartIsPut)) | (Ok(()), _) => {
                Ok(PartId { content_id: index.to_string() })
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        _: Vec<PartId>,
    ) -> Result<PutResult> {
        let store = Arc::clone(&self.way.store);
        let (uploads, of, upload) = (self.uploads.clone(), path.clone(), id.clone());
        let complete = async move { uploads.complete(&store, &of, &upload).await };
        self.send("completes an upload", path, complete).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let (uploads, of, upload) = (self.uploads.clone(), path.clone(), id.clone());
        let give_up = async move { uploads.give_up(&of, &upload) };
        self.send("gives up an upload", path, give_up).await
    }
}
