//! What the lane tells the outside after a turn: counters, the status, live results.

use std::sync::Arc;
use std::time::Duration;

use crate::chain::record::Fates;
use crate::config::EventTimeFrom;
use crate::source::RecordBlock;
use crate::status::{LaneStatus, PartitionView, Phase, StageView, is_same_problem};

use super::plan::{FittedStage, Plan};
use super::pool::{StageNanos, Worker};
use super::prepare::Prepared;
use super::{Lane, Outside};

/// The status is copied at most this often: a person or a probe asks no more often.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// What was last told.
#[derive(Debug, Default)]
pub(super) struct Reported {
    next_status: Duration,
    problem: Option<String>,
    /// Nobody needs to hear again that the event time is the senders' own clock.
    warned_of_senders: bool,
    /// Nor that event times look like another unit.
    warned_of_unit: bool,
    /// The end of the last turn with records.
    turn_ended: Option<Duration>,
}

impl Lane {
    /// Adds a turn to the counters.
    pub(super) fn report_turn(&mut self, blocks: &[RecordBlock], fates: &Fates, started: Duration) {
        if blocks.is_empty() {
            return;
        }
        self.turns += 1;
        let metrics = &self.outside.metrics;
        metrics.records.add(fates);
        metrics.turn.observe(self.clock.monotonic().saturating_sub(started));
        self.report_steps();
        self.outside.metrics.steps.end_turn();
        self.report_plugins();
        self.warn_of_senders();
        self.reported.turn_ended = Some(self.clock.monotonic());
    }

    /// Says once that `max_future_skew` guards nothing: event times are the records' timestamps, and those are the senders'.
    fn warn_of_senders(&mut self) {
        let by_record = self.config.event_time.from == EventTimeFrom::RecordTimestamp
            && self.config.event_time.max_future_skew.is_some()
            && !self.config.event_time.future_reference_host;
        if !by_record || self.reported.warned_of_senders || !self.source.has_times_of_senders() {
            return;
        }
        self.reported.warned_of_senders = true;
        tracing::warn!(
            pipeline = %self.config.name,
            "event time is the records' timestamp, which the senders' clocks set on this topic \
             (`message.timestamp.type` is CreateTime): `event_time.max_future_skew` compares it with itself. Only \
             `max_future_skew_host` bounds it; set `future_reference = \"host\"`, or LogAppendTime on the topic"
        );
    }

    /// Says once that event times look like another unit than the column's.
    pub(super) fn warn_of_unit(&mut self, prepared: &[Prepared]) {
        if self.reported.warned_of_unit {
            return;
        }
        let mut odd = prepared.iter().filter_map(|prepared| prepared.odd_time);
        let Some(warning) = odd.find_map(|time| self.plan.time_column.warning(time)) else {
            return;
        };
        self.reported.warned_of_unit = true;
        tracing::warn!(pipeline = %self.config.name, "{warning}");
    }

    /// Adds what the workers' steps took since the last report.
    pub(super) fn report_steps(&mut self) {
        let steps = &self.outside.metrics.steps;
        for worker in self.pool.workers_mut() {
            let StageNanos { decode, plugins, window } = std::mem::take(&mut worker.nanos);
            steps.decode.add_nanos(decode);
            steps.plugins.add_nanos(plugins);
            steps.window.add_nanos(window);
        }
    }

    /// Notes how long no turn ran before this one.
    pub(super) fn note_pause(&mut self, blocks: &[RecordBlock], now: Duration) {
        if let (false, Some(ended)) = (blocks.is_empty(), self.reported.turn_ended) {
            self.outside.metrics.longest_pause.observe(now.saturating_sub(ended));
        }
    }

    /// Adds what the plugins did since the last report.
    pub(super) fn report_plugins(&mut self) {
        let stages: Vec<&FittedStage> = self.plan.all_stages().collect();
        let mut memory = vec![0; stages.len()];
        for worker in self.pool.workers_mut() {
            let runners = worker.stages.iter().chain(&worker.aggregate).chain(&worker.process);
            let runners = runners.zip(&mut worker.reported);
            for ((stage, (runner, reported)), memory) in stages.iter().zip(runners).zip(&mut memory)
            {
                let now = runner.stats();
                let before = std::mem::replace(reported, now);
                *memory += now.memory_bytes;
                let Some(metrics) = self.outside.metrics.running(&stage.id) else { continue };
                metrics.calls.add(now.calls - before.calls);
                metrics.rows.add(now.rows - before.rows);
                metrics.cpu.add_nanos(now.cpu_nanos - before.cpu_nanos);
                metrics.traps.add(now.traps - before.traps);
                metrics.deadlines.add(now.deadlines - before.deadlines);
                metrics.bad_answers.add(now.answers - before.answers);
                metrics.broken.add(now.broken - before.broken);
                metrics.rejects.add(now.rejects - before.rejects);
                metrics.unheard.add(now.unheard - before.unheard);
            }
        }
        for (stage, memory) in stages.iter().zip(memory) {
            if let Some(metrics) = self.outside.metrics.running(&stage.id) {
                metrics.memory_bytes.set(memory);
            }
        }
    }

    /// Publishes the status and the live results, if it is time.
    pub(super) fn publish(&mut self) {
        if let Err(error) = self.show_live() {
            tracing::warn!(%error, "live results could not be made");
        }
        self.tell_dead_letters();
        if self.clock.monotonic() >= self.reported.next_status {
            self.publish_now();
        }
    }

    /// Publishes the status.
    pub(super) fn publish_now(&mut self) {
        self.reported.next_status = self.clock.monotonic() + STATUS_EVERY;
        self.told.look(self.partitions.total());
        let problem = self.source.problem();
        let problem = problem.or_else(|| self.committer.problem());
        let problem = problem.or_else(|| self.outputs.outbox.problem());
        let problem = problem.or_else(|| self.outside.trial.problem());
        let problem = problem.or_else(|| self.told.problem());
        say(&self.config.name, self.reported.problem.as_deref(), problem.as_deref());
        self.reported.problem.clone_from(&problem);
        let phase = match self.phase {
            Phase::Running if self.must_pause() => Phase::Paused,
            Phase::Running if self.is_isolating() => Phase::Isolating,
            phase => phase,
        };
        self.partitions.tell(&self.outside.metrics.partitions);
        self.outside.metrics.published_micros.set_micros(self.clock.wall_micros());
        let workers = self.pool.workers().iter();
        self.outside.status.store(Arc::new(LaneStatus {
            pipeline: self.config.name.to_string(),
            phase,
            problem,
            epoch: self.committer.head(),
            watermark: self.partitions.clock().watermark(),
            partitions: self.partition_views(),
            modules: self.modules.iter().map(|placed| placed.pinned.clone()).collect(),
            fates: self.partitions.total(),
            groups: workers.clone().map(Worker::groups_len).sum(),
            state_bytes: workers.map(Worker::state_bytes).sum(),
            turns: self.turns,
            dead_letters: self.told.kinds(),
        }));
    }

    fn partition_views(&self) -> Vec<PartitionView> {
        let clock = self.partitions.clock();
        let view = |(index, partition): (usize, &super::partitions::LanePartition)| {
            let next_offset = partition.position.next_offset.get();
            PartitionView {
                stream: Arc::clone(&partition.partition.stream),
                partition: partition.partition.number,
                next_offset,
                end_offset: partition.end_offset,
                lag: partition.end_offset.map(|end| (end - next_offset).max(0)),
                watermark: clock.own(index),
                max_event_time: clock.partitions()[index].max_event_time,
                idle: clock.partitions()[index].idle,
                paused: clock.partitions()[index].paused,
                jumps: partition.jumps,
                fates: partition.fates,
            }
        };
        self.partitions.iter().map(view).collect()
    }

    /// Publishes what each stage runs and is given.
    pub(super) fn publish_stages(&self) {
        for stage in self.plan.all_stages() {
            if let Some(metrics) = self.outside.metrics.stage(&stage.id) {
                metrics.runs(&stage.plugin);
            }
        }
        self.outside.stages.store(Arc::new(stage_views(&self.plan)));
    }
}

fn stage_views(plan: &Plan) -> Vec<StageView> {
    let view = |stage: &FittedStage| StageView {
        id: Arc::clone(&stage.id),
        input: Arc::clone(&stage.declared),
        plugin: stage.plugin.clone(),
    };
    plan.all_stages().map(view).collect()
}

/// Publishes and logs why a lane that is not open yet waits, or that it does so no more.
pub(super) fn publish_problem(outside: &Outside, problem: Option<String>) {
    let status = outside.status.load();
    if status.problem != problem {
        say(&status.pipeline, status.problem.as_deref(), problem.as_deref());
        outside.status.store(Arc::new(LaneStatus { problem, ..LaneStatus::clone(&status) }));
    }
}

/// Logs a problem when it begins and when it has passed. Source and outbox keep theirs ready to be asked for and say
/// nothing themselves; the committer does, because it also commits the genesis, before there is a lane.
fn say(pipeline: &str, said: Option<&str>, problem: Option<&str>) {
    match (said, problem) {
        (Some(said), Some(problem)) if is_same_problem(said, problem) => {}
        (_, Some(problem)) => tracing::warn!(pipeline, "{problem}"),
        (Some(_), None) => tracing::info!(pipeline, "the problem has passed"),
        (None, None) => {}
    }
}
