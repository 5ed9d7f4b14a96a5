//! The barrier: between two turns the epoch is frozen and handed to the committer; the lane goes on
//! (docs/design/decisions.md#d4). One epoch is in flight. If the next is due before it is durable,
//! intake stands still.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::chain::record::{ChainRecord, RecordKind, SourceState};
use crate::chain::{CommitOutcome, FrozenEpoch, FrozenState};
use crate::config::SourceConfig;
use crate::sink::EncodedFile;
use crate::status::Phase;
use crate::window::snapshot;

use super::activate::Activation;
use super::command::Refusal;
use super::pool::Worker;
use super::{Lane, LaneEnd, LaneError};

/// Encoded files that wait for the barrier may hold this much memory; beyond it the barrier comes early.
const STAGED_BYTES_MAX: u64 = 256 << 20;

/// How long the lane looks away while the store or a topic is behind.
const COMMIT_WAIT: Duration = Duration::from_millis(20);

impl Lane {
    pub(super) fn checkpoint_is_due(&self) -> bool {
        let wanted = self.barrier_is_overdue() || self.activations.iter().any(Activation::is_asked);
        wanted && self.dirty && !self.is_behind()
    }

    fn barrier_is_overdue(&self) -> bool {
        self.clock.monotonic() >= self.checkpoint_at
            || self.outputs.staged_bytes() >= STAGED_BYTES_MAX
    }

    /// Whether the epoch before is not durable yet, or its messages are not delivered.
    pub(super) fn is_behind(&self) -> bool {
        self.committer.in_flight() || self.outputs.outbox.is_unsent()
    }

    /// Whether a barrier is due that cannot be taken, because of the epoch before it.
    pub(super) fn must_pause(&self) -> bool {
        self.is_behind() && self.dirty && self.barrier_is_overdue()
    }

    /// Halts before the open windows fill the machine's memory.
    pub(super) fn check_state_bytes(&self) -> Result<(), LaneError> {
        let bytes = self.pool.workers().iter().map(Worker::state_bytes).sum();
        let limit = self.config.limits.state_bytes;
        if bytes > limit { Err(LaneError::StateTooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Waits a moment for the store or the topics. Nothing is dropped: records stay where they are.
    pub(super) fn wait_for_commit(&mut self) -> Result<(), LaneError> {
        self.phase = Phase::Paused;
        if let Some(outcome) = self.committer.wait(COMMIT_WAIT) {
            self.settle(outcome)?;
        }
        self.settle_outbox(COMMIT_WAIT);
        Ok(())
    }

    /// Takes note of messages that were delivered, if they were within `limit`. That is news that a record must hold, even if
    /// there is no other: an opening on one that names an outbox sends it again (C8).
    fn settle_outbox(&mut self, limit: Duration) {
        if self.outputs.outbox.wait(limit) {
            self.phase = Phase::Running;
            self.dirty = true;
        }
    }

    /// Freezes the epoch and hands it to the committer.
    pub(super) fn checkpoint(&mut self) -> Result<(), LaneError> {
        let started = self.clock.monotonic();
        self.flip_modules();
        let frozen = self.freeze()?;
        self.committer.submit(frozen);
        self.epoch = self.epoch.next();
        self.dirty = false;
        let now = self.clock.monotonic();
        self.checkpoint_at = now + self.config.checkpoint.interval;
        self.outside.metrics.checkpoint.observe(now.saturating_sub(started));
        Ok(())
    }

    fn freeze(&mut self) -> Result<FrozenEpoch, LaneError> {
        self.write_updates()?;
        let mut bytes = Vec::new();
        let (workers, generation) = (self.pool.workers().iter(), self.state_generation());
        let groups = if self.plan.process.is_some() {
            let keys = workers.map(|worker| &worker.keyed);
            crate::keyed::snapshot::encode(keys, generation, &mut bytes)
        } else {
            let states = workers.map(|worker| (&worker.state, &worker.sessions));
            snapshot::encode(states, generation, &mut bytes)
        };
        let kind = match &self.config.source {
            SourceConfig::Kafka(_) => crate::chain::record::SourceKind::Kafka,
            SourceConfig::Files(_) => crate::chain::record::SourceKind::Files,
        };
        let files = self.outputs.freeze()?;
        let config = self.promises(&files);
        self.partitions.tell(&self.outside.metrics.partitions);
        // What is left of a cut turn names partitions by their places, which would move up.
        if self.left.is_none() && self.source.knows_finished() {
            self.partitions.retire_finished();
        }
        Ok(FrozenEpoch {
            kind: RecordKind::Data,
            source: SourceState {
                kind,
                ended: self.ended,
                identity: self.source.identity(),
                partitions: self.partitions.states(),
                jumps: std::mem::take(&mut self.jumps),
                finished: self.partitions.finished(),
            },
            watermark: self.partitions.clock().watermark(),
            state: (groups > 0).then_some(FrozenState { bytes, groups }),
            files,
            outbox: self.outputs.outbox.freeze(),
            modules: self.modules.iter().map(|placed| placed.pinned.clone()).collect(),
            config,
        })
    }

    /// The promises with the columns of the tables that have files from this epoch on.
    fn promises(&mut self, files: &[EncodedFile]) -> BTreeMap<String, String> {
        if !files.is_empty() {
            let has_files = |id: &str| files.iter().any(|file| *file.table == *id);
            for table in self.plan.tables(&self.config).iter().filter(|table| has_files(&table.id))
            {
                let part = table.part(&self.promises);
                self.promises.insert(table.key(), part);
            }
        }
        self.promises.clone()
    }

    /// Takes note of an epoch that the committer has finished and of messages that were delivered, if there are any.
    pub(super) fn settle_commit(&mut self) -> Result<(), LaneError> {
        self.settle_outbox(Duration::ZERO);
        match self.committer.try_take() {
            Some(outcome) => self.settle(outcome),
            None => Ok(()),
        }
    }

    fn settle(&mut self, outcome: CommitOutcome) -> Result<(), LaneError> {
        match outcome {
            CommitOutcome::Committed(record) => {
                self.outside.metrics.commit.observe(self.committer.took());
                self.on_committed(&record);
                Ok(())
            }
            CommitOutcome::Lost(lost) => Err(LaneError::Fenced {
                epoch: lost.epoch,
                by: lost
                    .record
                    .map_or_else(|| "nobody".to_owned(), |record| record.writer.instance.clone()),
            }),
            CommitOutcome::Failed(error) => Err(LaneError::Commit(error)),
        }
    }

    fn on_committed(&mut self, record: &Arc<ChainRecord>) {
        self.phase = Phase::Running;
        self.outputs.outbox.committed(record.epoch);
        let positions = record.source.partitions.iter();
        let positions =
            positions.map(|state| (state.partition.clone(), state.position.clone())).collect();
        self.source.acknowledge(&positions);
        let now = self.clock.wall_micros();
        self.outside.metrics.committed(&record.files, record.state.as_ref(), now);
        // Whoever is answered may look at the status at once.
        self.publish_now();
        self.answer_activations(record);
    }

    /// The last commits of a lane that ends: its state, and that its messages are delivered. Waits until store and topics
    /// have them, as long as that takes; a lane that is asked to stop waits only a while, because opening it again reads
    /// and sends what is left. How it ended.
    pub(super) fn last_checkpoint(&mut self, end: LaneEnd) -> Result<LaneEnd, LaneError> {
        loop {
            if !self.drain_committer()? {
                return Ok(self.cut_short());
            }
            if !self.drain_outbox() {
                return Ok(self.ended(LaneEnd::Stopped));
            }
            if !self.dirty {
                return Ok(self.ended(end));
            }
            self.checkpoint()?;
        }
    }

    /// The end of a lane that may not wait for its last commit. What was not committed is dropped, so it is read again.
    pub(super) fn cut_short(&mut self) -> LaneEnd {
        tracing::warn!(
            pipeline = %self.config.name, problem = self.committer.problem(),
            "stopped before the last commit; the next start goes on from epoch {}",
            self.committer.head().unwrap_or_default()
        );
        self.ended(LaneEnd::CutShort)
    }

    fn ended(&mut self, end: LaneEnd) -> LaneEnd {
        self.phase = match end {
            LaneEnd::Finished => Phase::Finished,
            LaneEnd::Stopped | LaneEnd::CutShort => Phase::Stopped,
        };
        if end != LaneEnd::CutShort && !self.outputs.outbox.is_unsent() {
            self.committer.release();
        }
        self.publish_now();
        end
    }

    /// Whether what was submitted is committed; false if a stop may not wait for it.
    fn drain_committer(&mut self) -> Result<bool, LaneError> {
        while self.committer.in_flight() {
            if self.outside.stop.is_overdue() {
                return Ok(false);
            }
            if let Some(outcome) = self.committer.wait(COMMIT_WAIT) {
                self.settle(outcome)?;
            }
            self.pass_loop();
        }
        Ok(true)
    }

    /// Whether all messages are delivered; false if a stop may not wait for it.
    fn drain_outbox(&mut self) -> bool {
        while self.outputs.outbox.is_unsent() {
            if self.outside.stop.is_overdue() {
                tracing::warn!(
                    pipeline = %self.config.name,
                    "stopped before a topic took the last results; the next start sends them"
                );
                return false;
            }
            self.settle_outbox(COMMIT_WAIT);
            self.pass_loop();
        }
        true
    }

    /// What a lane that waits for its end does all the same. Nothing is activated in it.
    fn pass_loop(&mut self) {
        self.outside.pulse.beat();
        self.publish();
        while let Some(command) = self.outside.commands.try_take() {
            command.refuse(Refusal::Ended);
        }
    }
}
