//! The last commits of a lane, for whoever asks what became durable when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use sluicegate_chain::record::{ChainRecord, Epoch, PinnedModule, StateRef};
use sluicegate_model::module::ModuleDigest;

/// An epoch that became durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The epoch whose record was put.
    pub epoch: Epoch,
    /// When the lane heard of it, wall time in µs since 1970.
    pub at_micros: i64,
    /// From handing it to the committer until then.
    pub took: Duration,
    /// Data files, those of late rows and dead letters included.
    pub files: u64,
    /// Rows in these files.
    pub rows: u64,
    /// Bytes of these files, as they lie in the store.
    pub bytes: u64,
    /// Messages for topics that this epoch made; sent after it.
    pub messages: u64,
    /// State stored with it, compressed.
    pub state_bytes: u64,
    /// The modules that took another's place with it.
    pub activated: Vec<Activated>,
}

/// A module that took another's place in a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activated {
    /// `id` of the stage in the pipeline file.
    pub stage: String,
    /// For people: the name and version under which it was uploaded, or its path.
    pub module: String,
    /// SHA-256 of the module that runs now.
    pub digest: ModuleDigest,
    /// SHA-256 of the module that ran before.
    pub previous: ModuleDigest,
}

impl Commit {
    /// The commit of a record that follows one which pins the modules `before`. It took so long, and the lane heard of it
    /// at `at_micros`, wall time in µs since 1970.
    pub fn of(
        record: &ChainRecord,
        took: Duration,
        at_micros: i64,
        before: &[PinnedModule],
    ) -> Self {
        let sum =
            |of: fn(&sluicegate_chain::record::DataFile) -> u64| record.files.iter().map(of).sum();
        let activated = |now: &PinnedModule| {
            let before = before.iter().find(|before| before.stage == now.stage)?;
            (before.digest != now.digest).then(|| Activated {
                stage: now.stage.clone(),
                module: now.name.clone(),
                digest: now.digest,
                previous: before.digest,
            })
        };
        Self {
            epoch: record.epoch,
            at_micros,
            took,
            files: record.files.len() as u64,
            rows: sum(|file| file.rows),
            bytes: sum(|file| file.bytes),
            // A fence names those of an earlier epoch.
            messages: record
                .outbox
                .as_ref()
                .filter(|outbox| outbox.epoch == record.epoch)
                .map_or(0, |outbox| outbox.messages),
            state_bytes: record.state.as_ref().map_or(0, StateRef::bytes),
            activated: record.modules.iter().filter_map(activated).collect(),
        }
    }
}

/// The last commits since the program started, the newest last. The lane adds to it once a commit and waits for nobody; whoever
/// reads has what was there then.
#[derive(Debug, Default)]
pub struct Commits(ArcSwap<VecDeque<Arc<Commit>>>);

impl Commits {
    /// At a commit every ten seconds these are the last ten minutes.
    pub const KEPT: usize = 60;

    /// Adds one, and forgets the oldest if there are too many. Only one thread adds: the lane's.
    pub fn push(&self, commit: Commit) {
        let before = self.0.load();
        let forgotten = (before.len() + 1).saturating_sub(Self::KEPT);
        let kept = before.iter().skip(forgotten).map(Arc::clone);
        self.0.store(Arc::new(kept.chain([Arc::new(commit)]).collect()));
    }

    /// All that are kept, the newest last.
    pub fn all(&self) -> Arc<VecDeque<Arc<Commit>>> {
        self.0.load_full()
    }
}
