//! Small files of a lane's Delta tables become larger ones, by a task for each table beside the one that writes its log. Nobody
//! waits for it; what fails is shown and tried again after as many commits.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use sluicegate_delta::compact::{self, Compacted, Compactor};
use sluicegate_runtime::{Panics, Runtime};

use super::shown::Shown;
use crate::memory::Account;
use crate::status::CompactionView;

/// What a lane's part of the memory leaves to files that are put together.
#[derive(Debug)]
pub(super) struct Room(pub(super) Account);

impl compact::Room for Room {
    fn bytes(&self) -> u64 {
        self.0.compaction_max()
    }

    fn take(&self, bytes: u64) -> Option<Box<dyn Send>> {
        self.0.set_aside(bytes).map(|aside| Box::new(aside) as Box<dyn Send>)
    }
}

/// One table of a lane has its turn at a time: each holds old and new files in memory.
#[derive(Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// After an opening a table is looked at this soon, in commits: hosts that restart often would never look else.
const FIRST_LOOK: u64 = 10;

/// The compaction of one table.
pub(super) struct Compaction {
    task: JoinHandle<()>,
    shown: watch::Receiver<CompactionView>,
}

impl Compaction {
    /// Looks at the table each time that its log has as many more commits as small files are to become one.
    pub(super) fn start(
        compactor: Compactor,
        log: watch::Receiver<Shown>,
        turns: Turns,
        (runtime, panics): (&Runtime, &Panics),
    ) -> Self {
        let (shows, shown) = watch::channel(CompactionView::default());
        let task = runtime.spawn(run(compactor, log, turns, shows, panics.clone()));
        Self { task, shown }
    }

    /// What it has done since the lane was opened.
    pub(super) fn shown(&self) -> CompactionView {
        self.shown.borrow().clone()
    }

    pub(super) fn abort(&self) {
        self.task.abort();
    }
}

async fn run(
    compactor: Compactor,
    mut log: watch::Receiver<Shown>,
    turns: Turns,
    shows: watch::Sender<CompactionView>,
    panics: Panics,
) {
    let version = |log: &mut watch::Receiver<Shown>| log.borrow_and_update().version.unwrap_or(0);
    let after = compactor.after_commits();
    let mut due = version(&mut log) + after.min(FIRST_LOOK);
    while log.changed().await.is_ok() {
        let at = version(&mut log);
        if at < due {
            continue;
        }
        due = at + after;
        let Ok(_turn) = turns.0.acquire().await else { return };
        let failed = match panics.catch(compactor.look()).await {
            Ok(Ok(done)) => {
                shows.send_modify(|view| add(view, done));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(panicked) => format!("it panicked, which is a fault of Sluicegate: {panicked}"),
        };
        tracing::warn!(table = compactor.url(), error = failed, "the table's small files stay");
        shows.send_modify(|view| view.problem = Some(failed));
    }
}

fn add(view: &mut CompactionView, done: Compacted) {
    view.files += done.files;
    view.into_files += done.commits;
    view.problem = (done.waiting > 0).then(|| {
        let waiting = done.waiting;
        format!("memory is too short for {waiting} of the new files, more of it (`--memory`) helps")
    });
}
