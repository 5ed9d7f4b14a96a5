//! A way to the store that breaks a rule: what the product may not see, or may not believe, is shown and told to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use sluicegate_chain::body::SlotBody;
use sluicegate_chain::paths::{self, LaneTag};
use sluicegate_chain::record::Epoch;
use sluicegate_delta::claim::CHAIN_KEY;

use super::objects::{JOB, LANE, is_commit, is_record};
use super::store::{Way, changed};
use super::story::Mutation;

/// How long a record is under way whose put was answered before.
const UNDER_WAY: Duration = Duration::from_millis(700);

/// See the module's page.
pub(crate) struct MutatedWay {
    pub(crate) way: Arc<Way>,
    pub(crate) mutation: Mutation,
    /// Data files that this instance has put.
    own: Mutex<BTreeSet<Path>>,
    /// What is shown in a slot instead of what lies there, or will.
    forged: Mutex<BTreeMap<Path, Bytes>>,
    /// Records that this instance has put or read.
    known: Mutex<BTreeSet<Path>>,
    /// How many of the newest epochs keep their states.
    look_back: usize,
}

impl MutatedWay {
    pub(crate) fn new(way: Way, mutation: Mutation, look_back: usize) -> Self {
        Self {
            way: Arc::new(way),
            mutation,
            own: Mutex::default(),
            forged: Mutex::default(),
            known: Mutex::default(),
            look_back,
        }
    }

    /// The put of a record: the commit.
    async fn put_record(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let done = Ok(PutResult { e_tag: None, version: None });
        let put = self.way.put_opts(path, payload.clone(), options.clone());
        match self.mutation {
            Mutation::UnansweredIsPut => match put.await {
                Err(Error::Generic { .. }) => done,
                answered => answered,
            },
            Mutation::UnansweredIsRefused => match put.await {
                Err(Error::Generic { .. }) => {
                    let forged = forged(path, Bytes::from(payload));
                    lock(&self.forged).insert(path.clone(), forged);
                    let source = "409".into();
                    Err(Error::AlreadyExists { path: path.to_string(), source })
                }
                answered => answered,
            },
            Mutation::AnswersEarly => {
                drop(put);
                let (way, path) = (Arc::clone(&self.way), path.clone());
                self.way.instance.handle.spawn(async move {
                    tokio::time::sleep(UNDER_WAY).await;
                    let _nobody_asks = way.store.put_opts(&path, payload, options).await;
                });
                done
            }
            _ => put.await,
        }
    }

    /// Without data files of others whose epoch has no record: they are deleted, as those of an epoch that was decided.
    fn without_undecided(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.mutation != Mutation::UndecidedIsDeleted {
            return listed;
        }
        let (way, own) = (Arc::clone(&self.way), lock(&self.own).clone());
        let kept = listed.try_filter_map(move |object| {
            let way = Arc::clone(&way);
            let is_own = own.contains(&object.location);
            async move {
                if is_own || !is_undecided(&way.store, &object.location).await {
                    return Ok(Some(object));
                }
                way.note("is taken for an orphan", &object.location);
                way.store.delete(&object.location).await?;
                Ok(None)
            }
        });
        kept.boxed()
    }

    /// Without pieces of state that an owner deletes who looks for old ones, and breaks the rule.
    fn without_pieces(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (mutation, look_back) = (self.mutation, self.look_back as u64);
        if !matches!(mutation, Mutation::OldPieceGoes | Mutation::UnknownPieceGoes) {
            return listed;
        }
        let (way, own) = (Arc::clone(&self.way), lock(&self.own).clone());
        let known = lock(&self.known).clone();
        let kept = listed.try_filter_map(move |object| {
            let (way, known, path) = (Arc::clone(&way), known.clone(), object.location.clone());
            let is_own = own.contains(&path);
            async move {
                let name = path.filename().unwrap_or_default();
                let goes = match paths::parse_blob(name) {
                    None => false,
                    Some(epoch) if mutation == Mutation::OldPieceGoes => {
                        let head = newest(&way.store).await;
                        head.is_some_and(|head| epoch.0 + look_back <= head.0)
                    }
                    Some(_) => !is_own && !are_named(&way.store, &known).await.contains(name),
                };
                if goes {
                    way.note("is taken for old", &path);
                    way.store.delete(&path).await?;
                }
                Ok((!goes).then_some(object))
            }
        });
        kept.boxed()
    }
}

/// The record as another instance would have written it.
fn forged(path: &Path, bytes: Bytes) -> Bytes {
    let epoch = path.filename().and_then(paths::parse_slot).expect("it is a slot");
    let mut record = SlotBody::thaw(epoch, bytes).expect("it is a record").record;
    record.writer.nonce = "another".to_owned();
    let body = SlotBody::freeze(record).expect("it is no larger than before");
    body.object().bytes().clone()
}

/// The property that names the chain of a table gets a name that nobody asks for.
fn hide_chain(commit: &mut [u8]) {
    let found = commit.windows(CHAIN_KEY.len()).position(|part| part == CHAIN_KEY.as_bytes());
    if let Some(at) = found {
        commit[at] = b'_';
    }
}

/// Whether it is a data file of an epoch behind the newest.
async fn is_undecided(store: &InMemory, path: &Path) -> bool {
    let Some(name) = path.filename().and_then(|name| LaneTag::new(JOB, LANE).parse(name)) else {
        return false;
    };
    newest(store).await.is_some_and(|head| name.epoch > head)
}

/// The newest epoch that has a record.
async fn newest(store: &InMemory) -> Option<Epoch> {
    let slots = store.list(None).try_filter_map(|object| async move {
        let slot = is_record(&object.location).then_some(object.location);
        Ok(slot.and_then(|path| paths::parse_slot(path.filename()?)))
    });
    let slots: Vec<Epoch> = slots.try_collect().await.unwrap_or_default();
    slots.into_iter().max()
}

/// The file names of the pieces of state that these records name.
async fn are_named(store: &InMemory, records: &BTreeSet<Path>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in records {
        let Ok(found) = store.get(path).await else { continue };
        let (epoch, bytes) = (path.filename().and_then(paths::parse_slot), found.bytes().await);
        let (Some(epoch), Ok(bytes)) = (epoch, bytes) else { continue };
        let record = SlotBody::thaw(epoch, bytes).ok().and_then(|body| body.record.state);
        let keys = record.into_iter().flat_map(|state| state.pieces).map(|piece| piece.key);
        names.extend(keys.filter_map(|key| Some(key.rsplit_once('/')?.1.to_owned())));
    }
    names
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for MutatedWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "simulated store that breaks {:?}", self.mutation)
    }
}

impl fmt::Debug for MutatedWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MutatedWay({:?})", self.mutation)
    }
}

#[async_trait]
impl ObjectStore for MutatedWay {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        if self.mutation == Mutation::StoreReplaces {
            options.mode = PutMode::Overwrite;
        }
        lock(&self.own).insert(path.clone());
        if is_record(path) {
            lock(&self.known).insert(path.clone());
            return self.put_record(path, payload, options).await;
        }
        self.way.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.way.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if is_record(path) {
            lock(&self.known).insert(path.clone());
        }
        let forged = lock(&self.forged).get(path).cloned();
        if let Some(forged) = forged {
            let shown = InMemory::new();
            shown.put(path, forged.into()).await?;
            return shown.get_opts(path, options).await;
        }
        if self.mutation == Mutation::UndecidedIsDeleted && path.filename() == Some(paths::BEAT) {
            // Nobody seems to own the lane: that would have it fenced as well.
            let source = "hidden".into();
            return Err(Error::NotFound { path: path.to_string(), source });
        }
        let found = self.way.get_opts(path, options).await?;
        match self.mutation == Mutation::TablesNameNobody && is_commit(path) {
            true => changed(found, |bytes| hide_chain(bytes)).await,
            false => Ok(found),
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.way.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.without_undecided(self.way.list(prefix));
        match prefix.and_then(Path::filename) {
            Some(paths::STATE_FOLDER) => self.without_pieces(listed),
            _ => listed,
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.without_undecided(self.way.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.way.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.way.copy_opts(from, to, options).await
    }
}
