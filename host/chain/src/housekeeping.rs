//! What a lane's owner does beside its commits: delete blobs and records that are not needed any more, look again for data
//! files that landed late. Nothing waits for it, and nothing it does decides anything. A round that panics is said and counted, and
//! comes again later.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::collect::{TICK, collect};
use super::mark;
use super::modules::{PruneError, Pruned};
use super::record::Epoch;
use super::retire::{Recent, retire};
use super::store::LaneStore;
use super::sweep::{is_of_chain, sweep};
use super::{ChainError, LaneStorage};
use sluicegate_model::time::EventTime;
use sluicegate_store::backoff::Backoff;
use sluicegate_store::failure;

/// After rounds that panicked, at most.
const TICK_MAX: Duration = Duration::from_secs(300);

/// How long after an opening all data files are looked at: at once, for what landed while nobody worked, and when most puts
/// of the life before have ended.
const SWEEPS_AFTER: [Duration; 3] = [TICK, Duration::from_secs(60), Duration::from_secs(600)];

/// And then as often as this, for writers that slept or whose line is thin: a listing for each thousand files.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How long after an opening the modules of the store are looked at, by when a host that is started again and again is through,
/// and how often then: a listing for each thousand objects, and three requests for each chain.
const PRUNE_AFTER: Duration = Duration::from_secs(600);
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// A pass over the modules has ended by then: within a day, or what it has seen is not true any more.
const PRUNE_LIMIT: Duration = Duration::from_secs(3600);

/// Ends with its token.
pub(super) struct Housekeeping {
    pub(super) storage: LaneStorage,
    /// As the chain has it.
    pub(super) store: LaneStore,
    /// The chain's id in names of data files.
    pub(super) chain: String,
    /// Told by the committer.
    pub(super) recent: Arc<Mutex<Recent>>,
}

impl Housekeeping {
    pub(super) async fn run(self, stop: CancellationToken) {
        let store = self.store.clone();
        let mut retired = 0;
        let mut collected = None;
        let (mut elapsed, mut has_begun) = (Duration::ZERO, false);
        let mut sweeps = SWEEPS_AFTER.into_iter().peekable();
        let mut next_sweep = sweeps.next().unwrap_or(SWEEP_EVERY);
        let mut next_prune = PRUNE_AFTER;
        let usual = self.storage.keep.tick;
        let mut back_off = Backoff::new(2 * usual, TICK_MAX, self.chain.len() as u64);
        let mut tick = usual;
        while stop.run_until_cancelled(tokio::time::sleep(tick)).await.is_some() {
            elapsed += tick;
            let round = async {
                self.retire_when_due(&store, &mut retired).await;
                self.collect_when_due(&store, &mut collected).await;
                has_begun = has_begun || self.forget_marks(&store).await;
                if elapsed >= next_sweep {
                    next_sweep = sweeps.next().unwrap_or(elapsed + SWEEP_EVERY);
                    self.look_for_late_files().await;
                }
                if elapsed >= next_prune {
                    next_prune = elapsed + PRUNE_EVERY;
                    self.prune_modules(&store).await;
                }
            };
            let round = self.storage.keep.panics.catch(round);
            let Some(done) = stop.run_until_cancelled(round).await else { return };
            tick = match done {
                Ok(()) => {
                    back_off.reset();
                    usual
                }
                Err(panicked) => {
                    let again_in = back_off.wait();
                    tracing::error!(
                        pipeline = %self.storage.job, ?again_in,
                        "what an owner does beside its commits panicked, which is a fault of Sluicegate: {panicked}"
                    );
                    again_in
                }
            };
        }
    }

    /// Removes the marks of a reset when the chain has begun: what they allowed was done, also if whoever did it died before it
    /// could remove them. Whether the chain has begun.
    async fn forget_marks(&self, store: &LaneStore) -> bool {
        let has_begun = |recent: &Recent| recent.head().is_some();
        if !has_begun(&self.recent.lock().unwrap_or_else(PoisonError::into_inner)) {
            return false;
        }
        // One that was forgotten meanwhile allows the next to begin, whatever its owner has put since: its genesis is gone. What cannot
        // be read now is left to the next opening.
        if is_of_chain(store, Epoch::GENESIS, &self.chain).await.unwrap_or(false) {
            mark::remove(store).await;
        }
        true
    }

    /// Says it if that fails: the next look may do better.
    async fn look_for_late_files(&self) {
        match sweep(&self.storage, &self.store, &self.chain).await {
            Ok(files) => self.storage.keep.deleted.add(files as u64, 0),
            Err(error) => {
                tracing::warn!(pipeline = %self.storage.job, "look for late data files: {error}");
            }
        }
    }

    /// Says what went, and what keeps all of them.
    async fn prune_modules(&self, store: &LaneStore) {
        let Some(modules) = &self.storage.keep.modules else { return };
        let head = self.recent.lock().unwrap_or_else(PoisonError::into_inner).head();
        let Some(head) = head else { return };
        let prune = async {
            let put = store.put_at(head).await.map_err(|error| store.unread(&error))?;
            // If it is not, the next commit says so.
            let is_ours = is_of_chain(store, head, &self.chain).await?;
            let Some(put) = put.filter(|_| is_ours) else { return Ok(Pruned::default()) };
            modules.prune(EventTime(put.timestamp_micros())).await
        };
        let pruned: Result<Result<_, PruneError>, _> = timeout(PRUNE_LIMIT, prune).await;
        let pipeline = &self.storage.job;
        let Ok(pruned) = pruned else {
            let waited = PRUNE_LIMIT;
            tracing::warn!(%pipeline, ?waited, "look for old modules: the store is too slow");
            return;
        };
        match pruned {
            Ok(Pruned { elsewhere: 1.., .. }) => tracing::info!(
                %pipeline,
                "old modules stay: `modules/elsewhere` names chains of other stores that may need them"
            ),
            Ok(Pruned { versions: 0, modules: 0, .. }) => {}
            Ok(Pruned { versions, modules, bytes, .. }) => {
                self.storage.keep.deleted.add(versions + modules, bytes);
                tracing::info!(
                    %pipeline, versions, modules, bytes,
                    "deleted old versions of modules, and modules that nothing names any more"
                );
            }
            Err(error) => tracing::warn!(%pipeline, "look for old modules: {error}"),
        }
    }

    /// `collected` is the head at which nothing more was due; none if nobody has looked yet.
    async fn collect_when_due(&self, store: &LaneStore, collected: &mut Option<u64>) {
        let head = self.recent.lock().unwrap_or_else(PoisonError::into_inner).head();
        let at_once = self.storage.keep.at_once();
        let is_due = |head: &Epoch| collected.is_none_or(|last| head.0 >= last + at_once);
        let Some(head) = head.filter(is_due) else { return };
        let collect = async {
            // If it is not, the next commit says so.
            let is_ours = is_of_chain(store, head, &self.chain).await?;
            Ok(is_ours && collect(store, &self.chain, head, &self.storage.keep).await?)
        };
        let collect: Result<bool, ChainError> = collect.await;
        if let Err(error) = &collect {
            tracing::warn!(pipeline = %self.storage.job, "delete old records: {error}");
        }
        if !collect.unwrap_or(false) {
            *collected = Some(head.0);
        }
    }

    /// `retired` is the head at which nothing was left to delete.
    async fn retire_when_due(&self, store: &LaneStore, retired: &mut u64) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_due = |head: &Epoch| head.0 >= *retired + recent.epochs_at_once();
        let Some(head) = recent.head().filter(is_due) else { return };
        match is_of_chain(store, head, &self.chain).await {
            Ok(true) => {}
            // The next commit says so.
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(pipeline = %self.storage.job, "delete old states and outboxes: {error}");
                *retired = head.0;
                return;
            }
        }
        match retire(store, &recent, &self.storage.keep.deleted).await {
            Ok(true) => {}
            Ok(false) => *retired = head.0,
            Err(error) => {
                let what = "delete old states and outboxes";
                let problem = failure::explain(what, &self.storage.chain, &error);
                tracing::warn!(pipeline = %self.storage.job, "{problem}");
                // Not at every tick.
                *retired = head.0;
            }
        }
    }
}
