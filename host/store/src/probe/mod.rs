//! Whether a store does what exactly-once stands on: create an object once whoever races for it, and show at once what was
//! written.
//!
//! Several servers that speak S3 accept `If-None-Match: *` and ignore it, or look first and write afterwards, so that of two
//! creates at a time both succeed. Nothing of that shows until two instances race, and then both have committed the same
//! epoch. So it is tried before a lane is opened, with creates that race on purpose (`probe`).
//!
//! # What it costs
//!
//! A round is so many creates of one object at a time, a read after each and a deletion. The last goes on with eight requests
//! more: create again, list, delete, create. [`Effort`] says how many rounds and creates: of a server 528 requests of a few
//! bytes each, of a directory, which the kernel guards, 25. What has passed is remembered in the store
//! ([`ensure`]), so that each later opening costs one small read. The memory holds for the addresses that were tried: the same
//! bucket behind another server is tried again. Hosts that reach one store by several addresses do not forget each other's: the
//! next leader would try the store while nobody works.
//!
//! Its objects lie in `probe/` below the place and are deleted afterwards, all but the one that remembers.
//!
//! The log of a table rests on the same conditions. Where a table lies in another store than the chain, that store is tried as
//! well, below the table and hidden from its readers, and the chain's remembers it ([`ensure_tables`]).

mod effort;
mod judge;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions};

use super::failure::{StoreFailure, explain, is_absent};
use super::once::in_time;
use super::{Backing, Location, read};
pub use effort::Effort;
pub use judge::Flaw;
use judge::{Answer, Racer, Round, judge};

/// The version of what is tried. A store that passed an older one is tried again.
pub const VERSION: u32 = 1;

/// Addresses of a store that are remembered, the newest.
const REMEMBERED_MAX: usize = 64;

/// Objects of the probe are listed one page at most.
const LISTED_MAX: usize = 1_000;

/// What a store has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Rounds in which one create won.
    pub rounds: u32,
    /// Creates of each round.
    pub racers: usize,
    /// Requests, all together.
    pub requests: u64,
}

/// Why a store is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not do what exactly-once needs.
    #[error(
        "the store at {url} cannot keep results exactly once: {flaw}; name a place in a store that creates an object once \
         only (S3, Google Cloud Storage, Azure, a local directory), or update the server, and try it with \
         `sluicegate store probe {url}`"
    )]
    Unsound {
        /// The place, as the user wrote it.
        url: String,
        /// What it did.
        flaw: Flaw,
    },
    /// It could not be tried.
    #[error("{explanation}")]
    Store {
        /// What was attempted, where, the store's words and the fix.
        explanation: String,
        /// Whether a repetition may help, or somebody has to do something first.
        failure: StoreFailure,
    },
}

impl ProbeError {
    /// Whether trying again could help without anybody doing anything, or when somebody has given rights.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unsound { flaw, .. } => !flaw.is_proof(),
            Self::Store { failure, .. } => *failure != StoreFailure::Impossible,
        }
    }
}

/// Tries a store unless it has passed before. What it remembers is deleted if it fails.
///
/// # Errors
///
/// [`ProbeError`].
pub async fn ensure(location: &Location) -> Result<Option<Passed>, ProbeError> {
    Probe::of(location).ensure().await
}

/// Tries the stores of tables that lie elsewhere than the chain, unless they have passed before: each once, whatever tables
/// it has. The chain's store was tried.
///
/// # Errors
///
/// [`ProbeError`], of the first that fails.
pub async fn ensure_tables<'l>(
    chain: &'l Location,
    tables: impl IntoIterator<Item = &'l Location>,
) -> Result<(), ProbeError> {
    let elsewhere = tables.into_iter().filter(|table| !table.shares_server(chain));
    let stores: BTreeMap<_, _> = elsewhere.map(|table| (table.root(), table)).collect();
    for table in stores.into_values() {
        Probe::of_table(table, chain).ensure().await?;
    }
    Ok(())
}

/// Tries a store with this effort, and remembers in it whether it has passed.
///
/// # Errors
///
/// [`ProbeError`].
pub async fn probe_and_remember(location: &Location, effort: Effort) -> Result<Passed, ProbeError> {
    let effort = Effort { rounds: effort.rounds.max(1), ..effort };
    Probe::of(location).run_and_remember(effort).await
}

/// One trial of a store.
struct Probe<'l> {
    location: &'l Location,
    /// Below the place, of the objects that are made and deleted.
    folder: &'static str,
    /// Whose store has the object that remembers.
    keeper: &'l Location,
    /// The object that remembers.
    passed: Path,
    /// What it says of the store.
    memory: String,
    /// In the names of this trial's objects: another may run at a time.
    nonce: String,
    requests: AtomicU64,
}

impl<'l> Probe<'l> {
    fn of(location: &'l Location) -> Self {
        Self::new(location, "probe", location, &location.url)
    }

    /// Readers of tables, of Parquet folders as well, pass over what begins with `_`.
    fn of_table(table: &'l Location, chain: &'l Location) -> Self {
        Self::new(table, "_probe", chain, table.root())
    }

    fn new(
        location: &'l Location,
        folder: &'static str,
        keeper: &'l Location,
        tried: &str,
    ) -> Self {
        let address = match &location.backing {
            Backing::Server { address: Some(address) } => format!(" at {address}"),
            _ => String::new(),
        };
        Self {
            location,
            folder,
            keeper,
            passed: keeper.path(&format!("probe/passed-{VERSION}")),
            memory: format!("{tried}{address} passed probe {VERSION}"),
            nonce: format!("{:016x}", RandomState::new().hash_one(0)),
            requests: AtomicU64::new(0),
        }
    }

    /// What the store remembers, a line for each address by which it has passed.
    async fn known(&self) -> Result<Vec<String>, ProbeError> {
        match read::whole(self.keeper, &self.passed).await {
            Ok(known) => Ok(String::from_utf8_lossy(&known).lines().map(str::to_owned).collect()),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(self.of_keeper("look whether the store was tried", &error)),
        }
    }

    async fn ensure(&self) -> Result<Option<Passed>, ProbeError> {
        let Some(effort) = Effort::usual(&self.location.backing) else { return Ok(None) };
        if self.known().await?.contains(&self.memory) {
            return Ok(None);
        }
        self.run_and_remember(effort).await.map(Some)
    }

    async fn run_and_remember(&self, effort: Effort) -> Result<Passed, ProbeError> {
        let passed = match self.run(effort).await {
            Ok(passed) => passed,
            Err(error) => {
                if !error.may_pass() {
                    // What it was known for does not hold any more. If this fails, too, the next run tells the same.
                    drop(self.forget().await);
                }
                return Err(error);
            }
        };
        let mut known = self.known().await?;
        known.retain(|line| *line != self.memory);
        known.push(self.memory.clone());
        // If two do so at a time, one of them tries again at its next opening.
        let newest = known.len().saturating_sub(REMEMBERED_MAX);
        self.remember(&known[newest..]).await?;
        let (url, Passed { rounds, requests, .. }) = (&self.location.url, passed);
        tracing::info!(url, rounds, requests, "the store creates each object once");
        Ok(passed)
    }

    async fn remember(&self, known: &[String]) -> Result<(), ProbeError> {
        let memory = known.join("\n") + "\n";
        let put = in_time(self.keeper.store.put(&self.passed, memory.into())).await;
        put.map_err(|error| self.of_keeper("remember that the store was tried", &error))?;
        Ok(())
    }

    async fn forget(&self) -> Result<(), ProbeError> {
        let mut known = self.known().await?;
        let count = known.len();
        known.retain(|line| *line != self.memory);
        match known.as_slice() {
            [] => {
                let deleted = in_time(self.keeper.store.delete(&self.passed)).await;
                deleted.map_err(|error| self.of_keeper("forget that the store was tried", &error))
            }
            left if left.len() < count => self.remember(left).await,
            _ => Ok(()),
        }
    }

    async fn run(&self, effort: Effort) -> Result<Passed, ProbeError> {
        let mut paths = Vec::new();
        let tried = self.rounds(effort, &mut paths).await;
        for path in paths {
            // A few bytes that nobody looks at stay if this fails.
            drop(self.delete(&path).await);
        }
        let Effort { rounds, racers } = effort;
        tried.map(|()| Passed { rounds, racers, requests: self.requests.load(Ordering::Relaxed) })
    }

    /// `paths` are the objects that there may be.
    async fn rounds(&self, effort: Effort, paths: &mut Vec<Path>) -> Result<(), ProbeError> {
        let Effort { rounds, racers } = effort;
        let (mut won, mut undecided) = (0, 0);
        while won < rounds {
            let name = format!("try-{}-{:04}", self.nonce, paths.len());
            let path = self.location.path(&format!("{}/{name}", self.folder));
            paths.push(path.clone());
            match judge(self.race(&path, racers).await) {
                Round::Won(_) if won + 1 < rounds => won += 1,
                Round::Won(winner) => {
                    won += 1;
                    self.after_the_race(&path, &winner).await?;
                }
                // An answer was lost on its way, and the client's own repetition was refused; or all met a conflict.
                Round::Undecided if undecided < rounds => undecided += 1,
                Round::Undecided => return Err(self.unsound(Flaw::NoWinner { racers })),
                Round::Flawed(Flaw::ManyWinners { winners, .. }) => {
                    let second = self.create(&path, self.body("second")).await;
                    let ignores = matches!(second, Ok(true));
                    return Err(self.unsound(Flaw::ManyWinners { winners, racers, ignores }));
                }
                Round::Flawed(flaw) => return Err(self.unsound(flaw)),
                Round::Failed(error) => return Err(self.failed("try creates that race", &error)),
            }
        }
        Ok(())
    }

    /// All racers begin at once; each looks at what there is as soon as it has its answer.
    async fn race(&self, path: &Path, racers: usize) -> Vec<Racer> {
        let racers = (0..racers).map(|racer| async move {
            let body = self.body(&racer.to_string());
            let answer = match self.create(path, body.clone()).await {
                Ok(true) => Answer::Created,
                Ok(false) => Answer::Refused,
                Err(error) => Answer::Unknown(error),
            };
            Racer { body, answer, found: self.read(path).await }
        });
        join_all(racers).await
    }

    /// What is asked of the object that the last round has made.
    async fn after_the_race(&self, path: &Path, winner: &Bytes) -> Result<(), ProbeError> {
        let failed = |error| self.failed("try the store", &error);
        let second = self.body("second");
        if self.create(path, second.clone()).await.map_err(failed)? {
            return Err(self.unsound(Flaw::Overwrites));
        }
        if self.read(path).await.map_err(failed)?.as_ref() != Some(winner) {
            return Err(self.unsound(Flaw::Changes));
        }
        let folder = self.location.path(self.folder);
        let listed = self.list(self.location.store.list(Some(&folder))).await.map_err(failed)?;
        // Of more than a page nothing follows.
        if listed.len() < LISTED_MAX && !listed.contains(path) {
            return Err(self.unsound(Flaw::NotListed));
        }
        let behind = self.location.store.list_with_offset(Some(&folder), path);
        if self.list(behind).await.map_err(failed)?.contains(path) {
            return Err(self.unsound(Flaw::ListsFromTheStart));
        }
        self.delete(path).await.map_err(failed)?;
        if self.read(path).await.map_err(failed)?.is_some() {
            return Err(self.unsound(Flaw::Undead));
        }
        let is_created = self.create(path, second.clone()).await.map_err(failed)?;
        match self.read(path).await.map_err(failed)? {
            Some(found) if found == second => Ok(()),
            // What was refused is not there.
            _ if !is_created => Err(self.unsound(Flaw::NotAgain)),
            _ => Err(self.unsound(Flaw::Changes)),
        }
    }

    fn body(&self, racer: &str) -> Bytes {
        format!("{} {racer}\n", self.nonce).into()
    }

    /// Whether the object was created by this; false if there is one.
    async fn create(&self, path: &Path, body: Bytes) -> object_store::Result<bool> {
        self.count();
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match in_time(self.location.store.put_opts(path, body.into(), options)).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read(&self, path: &Path) -> object_store::Result<Option<Bytes>> {
        self.count();
        match read::whole(self.location, path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, path: &Path) -> object_store::Result<()> {
        self.count();
        match in_time(self.location.store.delete(path)).await {
            Err(error) if !is_absent(&error) => Err(error),
            _ => Ok(()),
        }
    }

    async fn list(
        &self,
        listing: futures::stream::BoxStream<'_, object_store::Result<object_store::ObjectMeta>>,
    ) -> object_store::Result<Vec<Path>> {
        self.count();
        let paths = listing.take(LISTED_MAX).map_ok(|object| object.location);
        in_time(paths.try_collect()).await
    }

    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn unsound(&self, flaw: Flaw) -> ProbeError {
        ProbeError::Unsound { url: self.location.url.clone(), flaw }
    }

    fn failed(&self, what: &str, error: &Error) -> ProbeError {
        failed(what, self.location, error)
    }

    fn of_keeper(&self, what: &str, error: &Error) -> ProbeError {
        failed(what, self.keeper, error)
    }
}

fn failed(what: &str, location: &Location, error: &Error) -> ProbeError {
    let explanation = explain(what, location, error);
    ProbeError::Store { explanation, failure: StoreFailure::of(error) }
}
