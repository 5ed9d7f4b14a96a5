//! Letting go of the beginning of a chain: slots that nobody needs any more are deleted.
//!
//! A deleted name can be created again, by a writer that slept or by a put that lands late. Four rules make that harmless;
//! `tests/search/collected.rs` leaves them out one by one and finds a counter-example each time:
//!
//! * **C16** A slot is deleted only below a floor (`floor.rs`) that was put before. So what is missing below it is not damage,
//!   and who wrote those epochs stays known.
//! * **C17** What lies in a slot below the floor counts for nothing. Whoever concludes something from slots looks again
//!   whether the floor still stands where it stood before they were read.
//! * **C18** After its put a writer looks at the floor (`commit`). If its slot was let go it has slept: it stops, and withdraws
//!   nothing, for an earlier attempt of its own may be what was committed there.
//! * **C19** A writer whose slot is taken withdraws its files only if that slot was not let go: else an earlier
//!   attempt of its own may be what was committed there.
//!
//! The genesis and the newest [`Keep::slots_min`] epochs always stay, so an opening never meets the floor, and the head cannot go.
//! How long the others stay is for people ([`Keep::age`]); no clock of ours is asked, for a store gives each slot its own
//! time, and only those are compared.
//!
//! # What it costs
//!
//! Slots go 128 at a time, or a thousand if so many are due: for each such step three listings of floors, one of
//! slots, two reads of records and ten or so for each opening among them, one put and two deletions. At ten seconds an epoch
//! that is a step every 21 minutes. A chain of a year that an earlier version has left goes in 3,200 steps of a thousand, one
//! every two seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::floor::{self, Floors};
use super::modules::ModuleKeep;
use super::record::Epoch;
use super::resolve::LOOK_BACK;
use super::store::{LIST_PAGE, LaneStore, delete};
use super::writers::{Span, Writers};
use super::{ChainError, paths};
use sluicegate_runtime::Panics;
use sluicegate_store::once::in_time;

/// Of the epochs that an opening reads so many times as many always stay, so that none of them goes while it reads: 128.
const KEPT_TIMES: u64 = 2;

/// How often it is looked whether anything may go, outside of simulations.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// How long a slot stays if nobody says otherwise: a day to look back at.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// No more than these go in one step: one deletion on S3.
const STEP_MAX: u64 = LIST_PAGE as u64;

/// Slots that a step looks at for their sizes and for strays, where a store lists in no order.
const LISTED_MAX: usize = 16 * LIST_PAGE;

/// What stays of a lane, and the count of what went.
#[derive(Clone, Debug)]
pub struct Keep {
    /// How many of the newest epochs an opening looks back at: [`LOOK_BACK`], but in a simulation, whose chains are short. Their
    /// states and outboxes stay.
    pub look_back: usize,
    /// How often an owner looks whether anything may go.
    pub tick: Duration,
    /// A slot stays for so long after it was put, as seen from the newest.
    pub age: Duration,
    /// Slots from here on are still needed by who publishes them.
    pub published: Published,
    /// What was deleted.
    pub deleted: Arc<Deleted>,
    /// Modules that the owner collects; none if they lie elsewhere, or stay for ever.
    pub modules: Option<ModuleKeep>,
    /// Rounds of work beside the lane that panicked; each comes again.
    pub panics: Panics,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            look_back: LOOK_BACK,
            tick: TICK,
            age: KEPT_FOR,
            published: Published::everything(),
            deleted: Arc::default(),
            modules: None,
            panics: Panics::default(),
        }
    }
}

impl Keep {
    /// So many of the newest slots always stay.
    pub fn slots_min(&self) -> u64 {
        KEPT_TIMES * self.look_back as u64
    }

    /// Fewer slots than these do not go, and so many epochs later it is worth another look.
    pub(super) fn at_once(&self) -> u64 {
        self.slots_min()
    }
}

/// How far a chain was published to readers that are fed from it: a table log, say. Clones are the same mark.
#[derive(Clone, Debug)]
pub struct Published(Arc<AtomicU64>);

impl Published {
    /// Nobody is fed from the chain.
    pub fn everything() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Epochs below this were published, and no others: their slots stay.
    pub fn below(epoch: Epoch) -> Self {
        Self(Arc::new(AtomicU64::new(epoch.0)))
    }

    /// Epochs below this were published. It never goes back.
    pub fn advance(&self, epoch: Epoch) {
        self.0.fetch_max(epoch.0, Ordering::Relaxed);
    }

    fn floor(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the owner of a lane has deleted because nothing needs it any more: slots, states, outboxes, modules, and data files that
/// no record names.
#[derive(Debug, Default)]
pub struct Deleted {
    /// Objects.
    pub objects: AtomicU64,
    /// Bytes of those objects, where a listing told them.
    pub bytes: AtomicU64,
}

impl Deleted {
    pub(super) fn add(&self, objects: u64, bytes: u64) {
        self.objects.fetch_add(objects, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The first epoch that must stay whatever its age. Pure.
pub(super) fn limit(head: Epoch, keep: &Keep) -> Epoch {
    Epoch((head.0 + 1).saturating_sub(keep.slots_min()).min(keep.published.floor()))
}

/// Lets go of the oldest slots, in one step. Whether more of them may be due.
///
/// # Errors
///
/// [`ChainError::Store`], or a floor or a record that cannot be read.
pub(super) async fn collect(
    store: &LaneStore,
    chain: &str,
    head: Epoch,
    keep: &Keep,
) -> Result<bool, ChainError> {
    let limit = limit(head, keep);
    let Floors { highest, lowest } = floor::find(store, chain).await?;
    let lowest = lowest.unwrap_or(highest.epoch);
    let to = due(store, highest.epoch, limit, head, keep).await?;
    let mut raised = highest.clone();
    if to > highest.epoch {
        let span = Span { first: highest.epoch, last: Epoch(to.0 - 1) };
        let runs = Writers::new(store, chain, &highest).runs(span).await;
        let Some(runs) = floor::settled(store, &highest, runs).await? else { return Ok(true) };
        if lowest == highest.epoch {
            // It shows where the deletion began, should it not end.
            floor::put(store, &highest).await?;
        }
        raised = highest.raised(to, runs);
        floor::put(store, &raised).await?;
    }
    if raised.epoch > lowest {
        delete_slots(store, lowest, raised.epoch, &keep.deleted).await?;
        floor::forget_lower(store, &raised).await?;
    }
    Ok(to.0 >= highest.epoch.0 + STEP_MAX)
}

/// How far slots may go now; where the floor is if none may.
async fn due(
    store: &LaneStore,
    floor: Epoch,
    limit: Epoch,
    head: Epoch,
    keep: &Keep,
) -> Result<Epoch, ChainError> {
    let Some(newest) = put_at(store, head).await? else { return Ok(floor) };
    for step in [STEP_MAX, keep.at_once()] {
        let to = Epoch(floor.0 + step);
        if to > limit {
            continue;
        }
        // The youngest of the step.
        let put = put_at(store, Epoch(to.0 - 1)).await?;
        let is_old =
            |put: DateTime<Utc>| (newest - put).to_std().is_ok_and(|past| past >= keep.age);
        if put.is_some_and(is_old) {
            return Ok(to);
        }
    }
    Ok(floor)
}

/// When the store took a slot, by its own clock; none if it is not there.
async fn put_at(store: &LaneStore, epoch: Epoch) -> Result<Option<DateTime<Utc>>, ChainError> {
    store.put_at(epoch).await.map_err(|error| store.unread(&error))
}

/// Deletes the slots from `first` up to the floor, and what came back below them.
pub(super) async fn delete_slots(
    store: &LaneStore,
    first: Epoch,
    floor: Epoch,
    deleted: &Deleted,
) -> Result<(), ChainError> {
    let failed = |error| ChainError::store("delete old records", &store.folder, &error);
    let folder = store.path(paths::CHAIN_FOLDER);
    let mut listing = store.folder.store.list(Some(&folder));
    let (mut gone, mut bytes, mut listed, mut in_order) = (Vec::new(), 0, 0, true);
    let mut last = Epoch::GENESIS;
    let look = async {
        while let Some(object) = listing.try_next().await? {
            let Some(epoch) = object.location.filename().and_then(paths::parse_slot) else {
                continue;
            };
            (listed, in_order) = (listed + 1, in_order && epoch >= last);
            last = epoch;
            if (Epoch::GENESIS.next()..floor).contains(&epoch) {
                gone.push(epoch);
                bytes += object.size;
            }
            if (in_order && epoch >= floor) || listed >= LISTED_MAX {
                break;
            }
        }
        Ok(())
    };
    in_time(look).await.map_err(failed)?;
    let listed = gone.len() as u64;
    // A listing without order has not shown all of them.
    gone.extend((first.0.max(1)..floor.0).map(Epoch));
    gone.sort_unstable();
    gone.dedup();
    let paths = gone.iter().map(|epoch| store.path(&paths::slot(*epoch))).collect();
    delete(&store.folder, paths).await.map_err(failed)?;
    deleted.add(listed, bytes);
    Ok(())
}
