//! How much of a chain's beginning was let go, and who had written it.
//!
//! Old slots are deleted ([`collect`](super::collect)). What their records still have to tell is kept in one small object: a
//! **floor**. The epochs below it have no slots any more, but for the genesis, which stays: it holds what the chain has
//! promised for ever. And the floor says who wrote each epoch below it, so that a data file which lands late can still be
//! judged (C12). What a floor says was decided when it was written, so it is true for ever: a floor by a writer that slept
//! is only a lower one.
//!
//! ```text
//! floor/<chain>-<epoch:020>.json   {"v":1,"chain":"0c4a7b91e2d3","epoch":8641,"since":1,
//!                                   "runs":[{"first":1,"term":1,"nonce":"a1b2c3d4e5f6"}, …]}
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{Epoch, Term};
use super::store::{LaneStore, delete};
use super::{ChainError, paths};
use sluicegate_store::once::{Created, Immutable, in_time, put_once};

/// Runs that a floor remembers, about 60 bytes each. A lane that is opened every minute fills them in three days; files that
/// land later than that are left alone.
const RUNS_MAX: usize = 4_096;

/// How often a floor is read again that vanished because a higher one was put.
const LOOKS_MAX: usize = 4;

/// A writer as its files name it.
pub(super) type Name = (Term, String);

/// Epochs in a row that one writer wrote: to the next run, or to the floor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// Its first epoch.
    pub(super) first: Epoch,
    pub(super) term: Term,
    pub(super) nonce: String,
}

/// What is known of a chain's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Floor {
    /// Version of this layout: 1.
    v: u32,
    /// The chain's id as it stands in names of data files.
    chain: String,
    /// The first epoch behind the genesis whose slot counts.
    pub(super) epoch: Epoch,
    /// The first epoch of which it is still known who wrote it.
    pub(super) since: Epoch,
    /// Ascending; the first begins at `since`.
    runs: Vec<Run>,
}

impl Floor {
    /// Of a chain of which nothing was let go.
    pub(super) fn ground(chain: &str) -> Self {
        let first = Epoch::GENESIS.next();
        Self { v: 1, chain: chain.to_owned(), epoch: first, since: first, runs: Vec::new() }
    }

    /// Whether the slot of an epoch was let go.
    pub(super) fn has_let_go(&self, epoch: Epoch) -> bool {
        is_let_go(epoch, self.epoch)
    }

    /// Who wrote an epoch whose slot was let go; none if that is not known any more.
    pub(super) fn writer(&self, epoch: Epoch) -> Option<Name> {
        let after = self.runs.partition_point(|run| run.first <= epoch);
        let run = self.runs[..after].last().filter(|_| self.has_let_go(epoch))?;
        Some((run.term, run.nonce.clone()))
    }

    /// A floor at `epoch`. `runs` begin at the old floor and tell who wrote what is below the new one.
    pub(super) fn raised(&self, epoch: Epoch, runs: Vec<Run>) -> Self {
        let mut all = self.runs.clone();
        for run in runs {
            let goes_on = all
                .last()
                .is_some_and(|last: &Run| last.term == run.term && last.nonce == run.nonce);
            if !goes_on {
                all.push(run);
            }
        }
        all.drain(..all.len().saturating_sub(RUNS_MAX));
        let since = all.first().map_or(self.since, |run| run.first);
        Self { epoch, since, runs: all, ..self.clone() }
    }
}

/// Whether the slot of an epoch was deleted because it is old: it is below the floor. The genesis stays.
pub(super) fn is_let_go(epoch: Epoch, floor: Epoch) -> bool {
    epoch != Epoch::GENESIS && epoch < floor
}

/// The floors of a chain that lie in the store.
#[derive(Clone, Debug)]
pub(super) struct Floors {
    /// The highest; the ground if there is none.
    pub(super) highest: Floor,
    /// The lowest: deletions that were begun from there may not have ended. None if there is no floor.
    pub(super) lowest: Option<Epoch>,
}

/// The epochs of the floors of a chain, ascending. One listing of a name or two.
async fn epochs(store: &LaneStore, chain: &str) -> object_store::Result<Vec<Epoch>> {
    let listed = in_time(store.list(paths::FLOOR_FOLDER)).await?;
    let names = listed.iter().filter_map(|object| paths::parse_floor(object.location.filename()?));
    let mut epochs: Vec<_> = names.filter(|(of, _)| *of == chain).map(|(_, epoch)| epoch).collect();
    epochs.sort_unstable();
    Ok(epochs)
}

/// The first epoch behind the genesis whose slot counts.
///
/// # Errors
///
/// The store's.
pub(super) async fn highest(store: &LaneStore, chain: &str) -> object_store::Result<Epoch> {
    Ok(epochs(store, chain).await?.pop().unwrap_or(Epoch::GENESIS.next()))
}

/// What was let go of a chain.
///
/// # Errors
///
/// [`ChainError::Store`], or a floor that cannot be read.
pub(super) async fn find(store: &LaneStore, chain: &str) -> Result<Floors, ChainError> {
    for _ in 0..LOOKS_MAX {
        let epochs = epochs(store, chain).await.map_err(|error| store.unread(&error))?;
        let (Some(lowest), Some(highest)) = (epochs.first(), epochs.last()) else {
            let highest = Floor::ground(chain);
            return Ok(Floors { lowest: None, highest });
        };
        let below = paths::floor(chain, *highest);
        let read = store.checked(&below, |bytes| thaw(chain, *highest, &below, &bytes)).await?;
        // Gone: there is a higher one by now.
        let Some(highest) = read else { continue };
        return Ok(Floors { lowest: Some(*lowest), highest });
    }
    Err(ChainError::Contended { url: store.folder.url.clone() })
}

/// Whether the highest floor is still this one: then no slot that was read meanwhile from it on had been let go before, and
/// what it held is the chain's.
async fn is_still(store: &LaneStore, floor: &Floor) -> Result<bool, ChainError> {
    let highest = highest(store, &floor.chain).await.map_err(|error| store.unread(&error))?;
    Ok(highest == floor.epoch)
}

/// What was read of slots from this floor on; none if it does not stand there any more (C17).
///
/// # Errors
///
/// What the reading came to, if the floor still stands.
pub(super) async fn settled<T>(
    store: &LaneStore,
    floor: &Floor,
    read: Result<T, ChainError>,
) -> Result<Option<T>, ChainError> {
    if is_still(store, floor).await? { read.map(Some) } else { Ok(None) }
}

fn thaw(chain: &str, epoch: Epoch, below: &str, bytes: &Bytes) -> Result<Floor, ChainError> {
    let unreadable = |reason: String| ChainError::Unreadable { what: format!("`{below}`"), reason };
    let floor: Floor =
        serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    let is_sound = floor.v == 1
        && floor.chain == chain
        && floor.epoch == epoch
        && floor.runs.first().is_none_or(|run| run.first == floor.since)
        && floor.runs.windows(2).all(|pair| pair[0].first < pair[1].first)
        && floor.runs.last().is_none_or(|run| run.first < epoch);
    match is_sound {
        true => Ok(floor),
        false => Err(unreadable("it is not a floor of this chain".to_owned())),
    }
}

/// Puts a floor. One of its height that is there already says the same.
pub(super) async fn put(store: &LaneStore, floor: &Floor) -> Result<(), ChainError> {
    let body = serde_json::to_vec(floor).expect("numbers and words are JSON");
    let path = store.path(&paths::floor(&floor.chain, floor.epoch));
    match put_once(&store.folder, &path, &Immutable::new(Bytes::from(body))).await {
        Created::Ours | Created::Taken => Ok(()),
        Created::Unknown(error) => {
            Err(ChainError::store("put the chain's floor", &store.folder, &error))
        }
    }
}

/// Deletes the floors below one: what was to be done for them is done.
pub(super) async fn forget_lower(store: &LaneStore, floor: &Floor) -> Result<(), ChainError> {
    let all = epochs(store, &floor.chain).await.map_err(|error| store.unread(&error))?;
    let lower = all.into_iter().filter(|epoch| *epoch < floor.epoch);
    let paths = lower.map(|epoch| store.path(&paths::floor(&floor.chain, epoch))).collect();
    let failed = |error| ChainError::store("delete old floors", &store.folder, &error);
    delete(&store.folder, paths).await.map_err(failed)
}
