//! The store behind a network, as one instance sees it: requests are slow, fail before or after they have had effect, land
//! when their sender is long gone, and are answered with a conflict that is none.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::instance::Instance;
use super::objects::{is_piece, is_record};

/// What is common to all ways to the store.
pub(crate) struct Network {
    random: Mutex<Pcg64Mcg>,
    /// Requests go wrong.
    pub(crate) is_bad: AtomicBool,
    /// Most of them fail.
    pub(crate) storms: AtomicBool,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Well,
    FailsBefore,
    FailsAfter,
    /// It fails, and takes effect so much later.
    Lands(Duration),
    /// A conflict is told where there is none.
    Conflicts,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        let random = Mutex::new(Pcg64Mcg::seed_from_u64(seed));
        Self { random, is_bad: AtomicBool::new(true), storms: AtomicBool::default() }
    }

    /// Whether who sends a record dies of it, its files there and the record under way: then nobody knows whether the epoch
    /// is one. How long the record is.
    fn last_words(&self) -> Option<Duration> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let dies = self.is_bad.load(Ordering::Relaxed) && random.random_ratio(1, 40);
        dies.then(|| Duration::from_millis(random.random_range(100..15_000)))
    }

    /// Whether what is read next is damaged on its way, and where, as a share of it.
    fn damage(&self) -> Option<f64> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let is_damaged = self.is_bad.load(Ordering::Relaxed) && random.random_ratio(1, 100);
        is_damaged.then(|| random.random_range(0.0..1.0))
    }

    /// How long a large object takes on its way, beside everything else. Others go on meanwhile.
    fn size(&self) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let is_large = self.is_bad.load(Ordering::Relaxed) && random.random_ratio(1, 12);
        let millis = if is_large { random.random_range(200..2_500) } else { 0 };
        Duration::from_millis(millis)
    }

    /// What becomes of the next request, and how long it takes.
    pub(crate) fn fate(&self) -> (Duration, Fate) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = Duration::from_millis;
        let quick = millis(random.random_range(1..15));
        if !self.is_bad.load(Ordering::Relaxed) {
            return (quick, Fate::Well);
        }
        if self.storms.load(Ordering::Relaxed) && random.random_bool(0.7) {
            let is_conflict = random.random_bool(0.3);
            return (quick, if is_conflict { Fate::Conflicts } else { Fate::FailsBefore });
        }
        let slow =
            if random.random_bool(0.03) { millis(random.random_range(300..4_000)) } else { quick };
        let fate = match random.random_range(0..200) {
            0..2 => Fate::FailsBefore,
            2..4 => Fate::FailsAfter,
            4..6 => Fate::Lands(millis(random.random_range(100..15_000))),
            6..7 => Fate::Conflicts,
            _ => Fate::Well,
        };
        (slow, fate)
    }
}

/// The way of an instance to the store.
pub(crate) struct Way {
    pub(crate) store: Arc<InMemory>,
    pub(crate) network: Arc<Network>,
    pub(crate) instance: Arc<Instance>,
}

impl Way {
    pub(crate) fn clone_way(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            network: Arc::clone(&self.network),
            instance: Arc::clone(&self.instance),
        }
    }

    pub(crate) fn note(&self, what: &str, path: &Path) {
        self.instance.diary.note(&self.instance.name, what, path.as_ref());
    }

    /// Of a request that changes nothing.
    async fn pass(&self, what: &str) -> Result<()> {
        let (wait, fate) = self.network.fate();
        tokio::time::sleep(wait).await;
        match fate {
            Fate::Well | Fate::Conflicts => Ok(()),
            _ => Err(failed(what)),
        }
    }

    async fn put_well(&self, put: Put, wait: Duration) -> Result<PutResult> {
        let (way, path) = (self.clone_way(), put.path.clone());
        // What was sent lands, also where its sender dies before it is answered.
        let sent = self.instance.handle.spawn(async move {
            tokio::time::sleep(wait).await;
            let landed = Self::put_now(&way.store, put).await;
            way.note(if landed.is_ok() { "put" } else { "put is refused" }, &path);
            landed
        });
        let landed = sent.await.map_err(|_| failed("put"))?;
        // The answer is under way as well.
        tokio::time::sleep(wait).await;
        landed
    }

    /// The network's own: it outlives its sender.
    fn land_later(&self, put: Put, later: Duration) {
        let way = self.clone_way();
        self.instance.handle.spawn(async move {
            tokio::time::sleep(later).await;
            let path = put.path.clone();
            let landed = Self::put_now(&way.store, put).await;
            way.note(
                if landed.is_ok() { "put lands late" } else { "put lands late, in vain" },
                &path,
            );
        });
    }

    async fn put_now(store: &InMemory, put: Put) -> Result<PutResult> {
        store.put_opts(&put.path, put.payload, put.options).await
    }
}

struct Put {
    path: Path,
    payload: PutPayload,
    options: PutOptions,
}

/// Whether a record or a name says what its bytes are: a record of the chain, a state, an outbox, a module.
fn is_hashed(path: &Path) -> bool {
    let folders = ["/state/", "/outbox/", "modules/sha256/"];
    is_record(path) || folders.iter().any(|folder| path.as_ref().contains(folder))
}

/// One byte is another one, or the bytes end early. Which one it is differs from time to time: bytes that come twice in the same
/// way lie there so, and a module here has three bytes.
async fn damaged(found: GetResult, at: f64) -> Result<GetResult> {
    changed(found, |bytes| {
        let place = bytes.len() as f64 * at;
        let (place, flipped) = (place as usize, 1 + (place.fract() * 255.0) as u8);
        match bytes.get_mut(place) {
            Some(_) if at < 0.2 => bytes.truncate(place),
            Some(byte) => *byte ^= flipped,
            None => {}
        }
    })
    .await
}

/// What was read, with other bytes.
pub(crate) async fn changed(
    found: GetResult,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<GetResult> {
    let GetResult { meta, range, attributes, .. } = &found;
    let (meta, range, attributes) = (meta.clone(), range.clone(), attributes.clone());
    let mut bytes = found.bytes().await?.to_vec();
    change(&mut bytes);
    let payload = GetResultPayload::Stream(futures::stream::iter([Ok(bytes.into())]).boxed());
    Ok(GetResult { payload, meta, range, attributes })
}

pub(crate) fn failed(what: &str) -> Error {
    Error::Generic { store: "simulated", source: format!("{what}: connection lost").into() }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated store")
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({})", self.instance.name)
    }
}

#[async_trait]
impl ObjectStore for Way {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if is_record(path)
            && let Some(later) = self.network.last_words()
        {
            self.note("dies over the put of a record", path);
            self.land_later(Put { path: path.clone(), payload, options }, later);
            self.instance.kill();
            return std::future::pending().await;
        }
        let (wait, fate) = self.network.fate();
        let put = Put { path: path.clone(), payload, options };
        if fate == Fate::Well {
            return self.put_well(put, wait).await;
        }
        tokio::time::sleep(wait).await;
        match fate {
            Fate::FailsBefore => {
                self.note("put fails before it has effect", path);
                Err(failed("put"))
            }
            Fate::Conflicts if put.options.mode == PutMode::Create => {
                self.note("put is answered with a conflict", path);
                let source = "409".into();
                Err(Error::AlreadyExists { path: path.to_string(), source })
            }
            Fate::Lands(later) => {
                self.note("put fails, and is on its way", path);
                self.land_later(put, later);
                Err(failed("put"))
            }
            Fate::FailsAfter => {
                let landed = Self::put_now(&self.store, put).await;
                let what = if landed.is_ok() {
                    "put has effect, its answer is lost"
                } else {
                    "put is refused, the answer is lost"
                };
                self.note(what, path);
                Err(failed("put"))
            }
            Fate::Well | Fate::Conflicts => self.put_well(put, wait).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.pass("get").await?;
        if is_piece(path) {
            tokio::time::sleep(self.network.size()).await;
        }
        let (is_head, found) = (options.head, self.store.get_opts(path, options).await?);
        match self.network.damage() {
            Some(at) if !is_head && is_hashed(path) => {
                self.note("get is damaged on its way", path);
                damaged(found, at).await
            }
            _ => Ok(found),
        }
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let way = self.clone_way();
        paths
            .then(move |path| {
                let way = way.clone_way();
                async move {
                    let path = path?;
                    let (wait, fate) = way.network.fate();
                    tokio::time::sleep(wait).await;
                    if matches!(fate, Fate::FailsBefore | Fate::Lands(_)) {
                        return Err(failed("delete"));
                    }
                    way.store.delete(&path).await?;
                    way.note("delete", &path);
                    if fate == Fate::FailsAfter { Err(failed("delete")) } else { Ok(path) }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (way, prefix) = (self.clone_way(), prefix.cloned());
        let listed = async move {
            match way.pass("list").await {
                Ok(()) => way.store.list(prefix.as_ref()),
                Err(error) => futures::stream::once(async { Err(error) }).boxed(),
            }
        };
        futures::stream::once(listed).flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (way, prefix, offset) = (self.clone_way(), prefix.cloned(), offset.clone());
        let listed = async move {
            match way.pass("list").await {
                Ok(()) => way.store.list_with_offset(prefix.as_ref(), &offset),
                Err(error) => futures::stream::once(async { Err(error) }).boxed(),
            }
        };
        futures::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.pass("list").await?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
