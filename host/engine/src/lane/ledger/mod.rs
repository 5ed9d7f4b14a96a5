//! The ledger of a lane: what is committed, what the next record must hold, and when it is due.
//!
//! At the barrier, between two turns, the epoch is frozen and handed to one committer; the lane goes on
//! (docs/design/decisions.md#d4). One epoch is in flight. If the next is due before it is durable, intake stands still.

mod bases;
mod held;
mod merging;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::{Commit, LaneMetrics};
use crate::memory::MemoryView;
use crate::status::{LaneStatus, Phase};
use sluicegate_chain::frozen::EncodedFile;
use sluicegate_chain::record::{
    Activation, ChainRecord, Epoch, PinnedModule, RecordKind, SourceState, StateRef,
};
use sluicegate_chain::{CommitOutcome, Committer, FrozenEpoch, FrozenOutbox, FrozenState};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::{Clock, Watermark};
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::fingerprint::columns::TableColumns;
use sluicegate_pipeline::fingerprint::promises;
use sluicegate_sandbox::module::loaded::LoadedModule;

use super::outputs::Outputs;
use super::plan::Plan;
use super::refusal::Refusal;
use super::{LaneEnd, LaneError, Outside, PlacedModule};
use held::Held;
use merging::Merging;

pub use bases::Bases;

/// How often a lane that holds what is not committed looks how much the others hold.
const OTHERS_EVERY: Duration = Duration::from_millis(100);

/// What is committed, and what is due.
pub(super) struct Ledger {
    config: Arc<Pipeline>,
    clock: Clock,
    metrics: Arc<LaneMetrics>,
    pub(super) committer: Committer,
    memory: Held,
    /// Of the last barrier.
    epoch: Epoch,
    pub(super) phase: Phase,
    checkpoint_at: Duration,
    /// Something happened since the last record that a record must hold (docs/design/decisions.md#d19).
    pub(super) dirty: bool,
    /// What each stage runs, as records pin it.
    pub(super) modules: Vec<PlacedModule>,
    /// What each stage ran by the last record.
    pinned_before: Vec<PinnedModule>,
    /// As the last record tells them.
    activations: Arc<[Activation]>,
    /// The tables that the modules make.
    tables: Vec<TableColumns>,
    /// The state that the newest record names.
    state: Option<StateRef>,
    bases: Bases,
    merging: Merging,
    /// What later starts must keep to: what the state is made with, and the columns of every table that has files.
    promises: BTreeMap<String, String>,
}

/// What the others have for a record.
pub(super) struct Frozen {
    pub(super) source: SourceState,
    pub(super) watermark: Watermark,
    pub(super) state: Option<FrozenState>,
    pub(super) files: Vec<EncodedFile>,
    pub(super) outbox: Option<FrozenOutbox>,
}

/// Whether an epoch is to be frozen between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barrier {
    /// There is nothing to be kept, or nobody and nothing waits for it.
    NotYet,
    /// Now.
    Due,
    /// It is due and cannot be taken, because of the epoch before it. Intake stands still: also where somebody waits
    /// for it, no turn of a module that is to go comes before it.
    Blocked,
}

impl Ledger {
    /// Where the chain stands. `record` is its newest.
    pub(super) fn open(
        (config, plan): (&Arc<Pipeline>, &Plan),
        clock: &Clock,
        outside: &Outside,
        committer: Committer,
        record: &ChainRecord,
        modules: Vec<PlacedModule>,
        bases: Bases,
    ) -> Self {
        let stored = (committer.pieces(), committer.runtime());
        let merging = Merging::new(config.name.to_string(), stored, &outside.metrics);
        Self {
            merging,
            committer,
            memory: Held::nothing(outside),
            epoch: record.epoch,
            phase: Phase::Running,
            checkpoint_at: clock.monotonic() + config.checkpoint.interval,
            dirty: modules.iter().any(|placed| !record.modules.contains(&placed.pinned)),
            modules,
            pinned_before: record.modules.clone(),
            activations: record.activations.clone().into(),
            tables: plan.tables(config),
            state: record.state.clone(),
            bases,
            promises: promises(config, &record.config),
            config: Arc::clone(config),
            clock: clock.clone(),
            metrics: Arc::clone(&outside.metrics),
        }
    }

    /// The epoch that is being made.
    pub(super) fn next_epoch(&self) -> Epoch {
        self.epoch.next()
    }

    /// Whether a barrier is due, and can be taken. `is_asked`: somebody waits for one.
    pub(super) fn barrier(&self, outputs: &Outputs, is_asked: bool) -> Barrier {
        let is_time = self.clock.monotonic() >= self.checkpoint_at;
        let is_wanted = is_time || self.memory.is_full(outputs) || is_asked;
        match (self.dirty && is_wanted, self.is_behind(outputs)) {
            (false, _) if self.memory.waits() => Barrier::Blocked,
            (false, _) => Barrier::NotYet,
            (true, false) => Barrier::Due,
            (true, true) => Barrier::Blocked,
        }
    }

    /// When the lane is to go round again, if nothing wakes it before: for the next barrier, or because others of the process may
    /// need what it holds.
    pub(super) fn due(&self) -> Option<Duration> {
        let others = self.clock.monotonic() + OTHERS_EVERY;
        self.dirty.then(|| self.checkpoint_at.min(others))
    }

    /// When the next barrier is due, if there is anything to commit and room for it.
    pub(super) fn barrier_at(&self) -> Duration {
        self.checkpoint_at
    }

    /// Whether only epochs of other lanes are waited for, because all of them hold too much.
    pub(super) fn waits_for_others(&self, outputs: &Outputs) -> bool {
        !self.dirty && !self.is_behind(outputs) && self.memory.waits()
    }

    /// Whether the epoch before is not durable yet, or its messages are not delivered.
    pub(super) fn is_behind(&self, outputs: &Outputs) -> bool {
        self.committer.in_flight() || outputs.is_unsent()
    }

    /// The lane has ended, and its log says if that was before its last commit. `is_sent`: no message of it is on its way.
    pub(super) fn end(&mut self, end: LaneEnd, is_sent: bool) {
        self.phase = match end {
            LaneEnd::Finished => Phase::Finished,
            LaneEnd::Stopped | LaneEnd::CutShort => Phase::Stopped,
        };
        if end == LaneEnd::CutShort {
            return self.warn_of_cut();
        }
        // Whoever stands by may take the lane at once: it finds nothing half done.
        if is_sent {
            self.committer.release();
        }
    }

    /// Adds what it knows to a status. `is_isolating`: the last turn spent much of its time on failures.
    pub(super) fn show(&self, status: &mut LaneStatus, is_blocked: bool, is_isolating: bool) {
        status.phase = match self.phase {
            Phase::Running if is_blocked => Phase::Paused,
            Phase::Running if is_isolating => Phase::Isolating,
            phase => phase,
        };
        let memory = self.memory.view();
        let state_max = memory.state_max.min(self.config.limits.state_bytes);
        status.memory = Some(MemoryView { state_max, ..memory });
        status.epoch = self.committer.head();
        status.modules = self.pinned();
        status.activations = Arc::clone(&self.activations);
        status.add_problem(self.committer.problem());
        let waits = is_blocked.then(|| self.memory.problem(self.committer.in_flight()));
        status.add_problem(waits.flatten());
    }

    /// Tells what the lane holds, `state` bytes of state among it, and beside that `firing` bytes for the order of what fires. Halts
    /// before that fills the machine's memory.
    pub(super) fn check_memory(
        &mut self,
        state: u64,
        firing: u64,
        outputs: &Outputs,
    ) -> Result<(), LaneError> {
        self.tell_memory(state, firing, outputs);
        let limit = self.config.limits.state_bytes;
        if state > limit {
            return Err(LaneError::StateTooLarge { bytes: state, limit });
        }
        let mut checked = self.memory.check();
        // Nothing depends on a merge but what later checkpoints cost.
        if checked.is_err() && self.merging.give_up() {
            self.tell_memory(state, firing, outputs);
            checked = self.memory.check();
        }
        checked.map_err(LaneError::Crowded)
    }

    fn tell_memory(&mut self, state: u64, firing: u64, outputs: &Outputs) {
        let beside = firing + self.merging.bytes();
        self.memory.tell(state, beside, outputs, self.committer.in_flight());
    }

    /// Whether the next record is to have all of the state, and not what has changed only. The epoch before is durable.
    pub(super) fn is_base_due(&self) -> bool {
        self.bases.is_due(self.state.as_ref())
    }

    /// Hands an epoch to the committer. Rows from here on are of the next.
    pub(super) fn submit(&mut self, frozen: Frozen) {
        let Frozen { source, watermark, mut state, files, outbox } = frozen;
        if let Some(delta) = state.as_mut().filter(|state| state.is_delta) {
            delta.merged = self.merging.take();
        }
        self.memory.submitted(state.as_ref(), &files, outbox.as_ref());
        let config = self.promises(&files);
        self.committer.submit(FrozenEpoch {
            kind: RecordKind::Data,
            source,
            watermark,
            state,
            files,
            outbox,
            modules: self.pinned(),
            config,
        });
        self.epoch = self.epoch.next();
        self.dirty = false;
    }

    /// A barrier that began at `started` is over.
    pub(super) fn end_barrier(&mut self, started: Duration) {
        let now = self.clock.monotonic();
        self.checkpoint_at = now + self.config.checkpoint.interval;
        self.metrics.checkpoint.observe(now.saturating_sub(started));
    }

    /// The promises with the columns of the tables that have files from this epoch on.
    fn promises(&mut self, files: &[EncodedFile]) -> BTreeMap<String, String> {
        let has_files = |id: &str| files.iter().any(|file| *file.table == *id);
        for table in self.tables.iter().filter(|table| has_files(&table.id)) {
            let part = table.part(&self.promises);
            self.promises.insert(table.key(), part);
        }
        self.promises.clone()
    }

    /// The epoch that was in flight, if it is durable within `limit`; at once if that is zero.
    pub(super) fn settled(
        &mut self,
        limit: Duration,
    ) -> Result<Option<Arc<ChainRecord>>, LaneError> {
        let outcome = match limit {
            Duration::ZERO => self.committer.try_take(),
            limit => self.committer.wait(limit),
        };
        match outcome {
            None => Ok(None),
            Some(CommitOutcome::Committed(record)) => {
                self.phase = Phase::Running;
                if *record.activations != *self.activations {
                    self.activations = record.activations.clone().into();
                }
                self.metrics.commit.observe(self.committer.took());
                let now = self.clock.wall_micros();
                self.metrics.committed(record.epoch, &record.files, record.state.as_ref(), now);
                let commit = Commit::of(&record, self.committer.took(), now, &self.pinned_before);
                self.metrics.commits.push(commit);
                self.pinned_before.clone_from(&record.modules);
                self.state.clone_from(&record.state);
                self.merging.committed(self.state.as_ref(), &self.bases);
                Ok(Some(record))
            }
            Some(CommitOutcome::Lost(lost)) => {
                let by = lost.record.map(|record| record.writer.instance.clone());
                let by = by.unwrap_or_else(|| "nobody".to_owned());
                Err(LaneError::Fenced { epoch: lost.epoch, by })
            }
            Some(CommitOutcome::Failed(error)) => Err(LaneError::Commit(error)),
        }
    }

    /// The modules with another one in the place of that of a stage, and which that was.
    pub(super) fn with_successor(
        &self,
        stage: &str,
        module: &LoadedModule,
    ) -> Result<(ModuleDigest, Vec<PlacedModule>), Refusal> {
        let mut modules = self.modules.clone();
        let placed = modules.iter_mut().find(|placed| *placed.stage.id == *stage);
        let placed = placed.ok_or_else(|| Refusal::NoStage(stage.to_owned()))?;
        let before = placed.pinned.digest;
        *placed = PlacedModule::successor(placed, module.clone());
        Ok((before, modules))
    }

    /// From the next record on these modules run.
    pub(super) fn replan(&mut self, plan: &Plan, modules: Vec<PlacedModule>) {
        self.tables = plan.tables(&self.config);
        self.modules = modules;
    }

    /// What each stage runs.
    pub(super) fn pinned(&self) -> Vec<PinnedModule> {
        self.modules.iter().map(|placed| placed.pinned.clone()).collect()
    }

    /// How many modules the stage with state has had: the generation of its state rows.
    pub(super) fn state_generation(&self) -> u32 {
        let stage = self.config.stateful_stage().map(|stage| &stage.id);
        let placed = self.modules.iter().find(|placed| Some(&placed.stage.id) == stage);
        placed.map_or(0, |placed| placed.pinned.generation)
    }

    /// Says that the lane stops before its last commit.
    fn warn_of_cut(&self) {
        tracing::warn!(
            pipeline = %self.config.name, problem = self.committer.problem(),
            "stopped before the last commit; the next start goes on from epoch {}",
            self.committer.head().unwrap_or_default()
        );
    }
}
