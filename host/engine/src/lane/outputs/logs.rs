//! The logs of the tables that have one: a task beside the lane adds to each what the chain has. The lane never waits for
//! it, but at its end; what is behind is shown, and the next opening goes on where the log says that it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use sluicegate_chain::LaneStorage;
use sluicegate_chain::record::{ChainRecord, Epoch};
use sluicegate_chain::shape::TableShape;
use sluicegate_delta::compact::Sizes;
use sluicegate_delta::{LogError, Published, TableLog};
use sluicegate_runtime::Runtime;
use sluicegate_store::backoff::Backoff;

use super::compaction::{Compaction, Room, Turns};
use super::shown::Shown;
use crate::lane::LaneError;
use crate::memory::Account;
use crate::status::TableLogView;

/// A log that is this many epochs behind, for whatever reason, is a problem: its readers wait.
const BEHIND_MAX: u64 = 6;

/// The logs of a lane. Without tables that have one it does nothing. Dropping it breaks off what is under way, which may
/// still take effect.
pub(in crate::lane) struct TableLogs {
    shapes: BTreeMap<Arc<str>, Arc<TableShape>>,
    logs: Vec<Running>,
    runtime: Runtime,
}

struct Running {
    /// The newest record. Each log has a channel of its own: the readers of one are woken in an order of chance.
    head: watch::Sender<Option<Arc<ChainRecord>>>,
    /// Closed when the task has ended.
    shown: watch::Receiver<Shown>,
    task: JoinHandle<()>,
    compaction: Option<Compaction>,
    table: Arc<str>,
    url: String,
}

impl Running {
    /// How many epochs the chain has.
    fn head_count(&self) -> u64 {
        self.head.borrow().as_ref().map_or(0, |head| head.epoch.0 + 1)
    }

    fn epochs_behind(&self) -> u64 {
        behind(self.head_count(), &self.shown.borrow())
    }
}

/// How many of the chain's epochs a log lacks.
fn behind(head_count: u64, shown: &Shown) -> u64 {
    head_count.saturating_sub(shown.through.map_or(0, |through| through.0 + 1))
}

fn ended(log: &Running) -> LaneError {
    match &log.shown.borrow().refused {
        Some(reason) => LaneError::Copied(reason.clone()),
        None => LaneError::LogEnded { url: log.url.clone() },
    }
}

/// When the small files of tables become larger ones, by the tables' ids.
pub(in crate::lane) type Compactions = BTreeMap<Arc<str>, Sizes>;

fn first_needed(needed: &[AtomicU64]) -> Epoch {
    Epoch(needed.iter().map(|epoch| epoch.load(Ordering::Relaxed)).min().unwrap_or(0))
}

impl TableLogs {
    /// Goes on with these logs, beside the lane. What they have is told to the mark: it says which records may be deleted.
    pub(in crate::lane) fn start(
        logs: Vec<TableLog>,
        shapes: BTreeMap<Arc<str>, Arc<TableShape>>,
        compactions: &Compactions,
        storage: &LaneStorage,
        memory: &Account,
        runtime: &Runtime,
    ) -> Self {
        let turns = Turns::default();
        let needed = logs.iter().map(|log| AtomicU64::new(log.published().needed_from.0));
        let needed: Arc<[AtomicU64]> = needed.collect();
        let start = |(index, log): (usize, TableLog)| {
            let Published { through, version, .. } = log.published();
            let (shows, shown) = watch::channel(Shown { through, version, ..Shown::default() });
            let (head, heads) = watch::channel(None);
            let (table, url) = (Arc::from(log.table()), log.url().to_owned());
            let compaction = compactions.get(&*table).map(|sizes| {
                let beside = (runtime, &storage.keep.panics);
                let compactor = log.compactor(*sizes, Arc::new(Room(memory.clone())));
                Compaction::start(compactor, shown.clone(), turns.clone(), beside)
            });
            let work =
                Work { log, storage: storage.clone(), shows, needed: Arc::clone(&needed), index };
            let task = runtime.spawn(work.run(heads));
            Running { head, shown, task, compaction, table, url }
        };
        let logs = logs.into_iter().enumerate().map(start).collect();
        Self { shapes, logs, runtime: runtime.clone() }
    }

    /// The columns of a table, if it has a log.
    pub(in crate::lane) fn shape(&self, table: &str) -> Option<Arc<TableShape>> {
        self.shapes.get(table).cloned()
    }

    /// An epoch is committed.
    pub(in crate::lane) fn committed(&self, record: &Arc<ChainRecord>) {
        for log in &self.logs {
            log.head.send_replace(Some(Arc::clone(record)));
        }
    }

    /// Whether a log lacks something of the newest epoch.
    pub(in crate::lane) fn is_behind(&self) -> bool {
        self.logs.iter().any(|log| log.epochs_behind() > 0)
    }

    /// Waits a moment for logs that are behind.
    ///
    /// # Errors
    ///
    /// A task has ended: no moment is long enough.
    pub(in crate::lane) fn wait(&self, moment: Duration) -> Result<(), LaneError> {
        self.are_written()?;
        let Some(log) = self.logs.iter().find(|log| log.epochs_behind() > 0) else {
            return Ok(());
        };
        let head = log.head_count();
        let mut shown = log.shown.clone();
        // It looks at what is shown before it waits: a change that came a while ago is none to go round for.
        let whole = shown.wait_for(|shown| behind(head, shown) == 0);
        match self.runtime.block_on(async { tokio::time::timeout(moment, whole).await }) {
            Ok(Err(_)) => Err(ended(log)),
            // Whether it came in time is asked again.
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Looks whether every log has its task.
    ///
    /// # Errors
    ///
    /// One has panicked: only another opening has one again, and it goes on where the log stands. Or a copy of the chain has the table.
    pub(in crate::lane) fn are_written(&self) -> Result<(), LaneError> {
        // The sender goes with the task.
        let gone = self.logs.iter().find(|log| log.shown.has_changed().is_err());
        gone.map_or(Ok(()), |log| Err(ended(log)))
    }

    /// How far they are.
    pub(in crate::lane) fn views(&self) -> Vec<TableLogView> {
        let view = |log: &Running| {
            let epochs_behind = log.epochs_behind();
            let shown = log.shown.borrow();
            let problem = shown.problem.clone().filter(|_| epochs_behind > 0);
            let table = Arc::clone(&log.table);
            let (version, compaction) = (shown.version, &log.compaction);
            let compacted = compaction.as_ref().map(Compaction::shown).unwrap_or_default();
            TableLogView { table, version, epochs_behind, problem, compacted }
        };
        self.logs.iter().map(view).collect()
    }

    /// Why the readers of a table wait, if they do.
    pub(in crate::lane) fn problem(&self) -> Option<String> {
        self.logs.iter().find_map(|log| {
            let (behind, shown) = (log.epochs_behind(), log.shown.borrow());
            let why = match &shown.problem {
                Some(problem) if behind > 0 => format!(": {problem}"),
                _ if behind > BEHIND_MAX => String::new(),
                _ => return None,
            };
            Some(format!("the log of the table at {} is {behind} epochs behind{why}", log.url))
        })
    }
}

impl Drop for TableLogs {
    fn drop(&mut self) {
        self.logs.iter().for_each(|log| log.task.abort());
        self.logs.iter().filter_map(|log| log.compaction.as_ref()).for_each(Compaction::abort);
    }
}

/// One log, and what is told of it.
struct Work {
    log: TableLog,
    storage: LaneStorage,
    shows: watch::Sender<Shown>,
    /// The first epoch that each log of the lane still needs.
    needed: Arc<[AtomicU64]>,
    /// Which of them this one is.
    index: usize,
}

impl Work {
    /// Until the lane is gone, or a copy of its chain has the table.
    async fn run(mut self, mut heads: watch::Receiver<Option<Arc<ChainRecord>>>) {
        while heads.changed().await.is_ok() {
            if let Err(copied) = self.catch_up(&mut heads).await {
                self.shows.send_modify(|shown| shown.refused = Some(copied.to_string()));
                return;
            }
        }
    }

    /// Tries until the log has what the chain has.
    ///
    /// # Errors
    ///
    /// Those of [`LogError::is_of_copy`]: it never will.
    async fn catch_up(
        &mut self,
        heads: &mut watch::Receiver<Option<Arc<ChainRecord>>>,
    ) -> Result<(), LogError> {
        let mut backoff = Backoff::of_store(self.log.url().len() as u64);
        let mut has_failed = false;
        loop {
            let Some(head) = heads.borrow_and_update().clone() else { return Ok(()) };
            let error = match self.publish(&head).await {
                Ok(()) => break,
                Err(error) if error.is_of_copy() => return Err(error),
                Err(error) => error,
            };
            if !std::mem::replace(&mut has_failed, true) {
                tracing::warn!(table = self.log.url(), %error, "the table's log waits");
            }
            self.show(Some(error.to_string()));
            tokio::time::sleep(backoff.wait()).await;
        }
        if has_failed {
            tracing::info!(table = self.log.url(), "the table's log is written again");
        }
        Ok(())
    }

    async fn publish(&mut self, head: &ChainRecord) -> Result<(), LogError> {
        self.log.create().await?;
        loop {
            let before = self.log.published();
            let published = self.log.publish(&self.storage, head).await?;
            self.show(None);
            // What is held back stays behind, and is not asked for again and again.
            if published.through >= Some(head.epoch) || published == before {
                return Ok(());
            }
        }
    }

    fn show(&self, problem: Option<String>) {
        self.needed[self.index].store(self.log.published().needed_from.0, Ordering::Relaxed);
        self.storage.keep.published.advance(first_needed(&self.needed));
        let Published { through, version, .. } = self.log.published();
        self.shows.send_replace(Shown { through, version, problem, refused: None });
    }
}
