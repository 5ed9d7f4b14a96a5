//! The intake of a lane: from the source to prepared rows, each with the watermark that judges it.
//!
//! It owns the source, the partitions with their clocks, and how much a turn may take. What it prepares it knows as
//! rows; what becomes of them is the business of others.

pub(in crate::lane) mod jump;
pub(in crate::lane) mod left;
pub(in crate::lane) mod partitions;
mod prepare;
pub(in crate::lane) mod preparer;
mod turn_size;
mod warnings;

use std::sync::Arc;
use std::time::Duration;

use crate::counters::LaneMetrics;
use crate::memory::Account;
use crate::status::LaneStatus;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::{ChainRecord, SourceKind, SourceState};
use sluicegate_connect::source::{PollLimits, RecordBlock, Source};
use sluicegate_model::identity::Jump;
use sluicegate_model::position::Positions;
use sluicegate_model::time::{Clock, Watermark, thread_cpu_nanos};
use sluicegate_pipeline::{Pipeline, SourceConfig};
use sluicegate_sandbox::run::brake::Effort;
use sluicegate_state::watermark::LaneClock;

use super::logic::Judge;
use super::plan::Plan;
use super::pool::Pool;
use super::rows::{Chunk, Prepared};
use super::trial::Trial;
use super::{LaneError, Outside};
use crate::lane::budget::Budget;
use left::Left;
use partitions::Partitions;
use prepare::prepare;
use preparer::Preparer;
use turn_size::TurnSize;
use warnings::Warned;

/// How many polls at least see a partition that falls idle.
const POLLS_TO_IDLE: u32 = 8;

/// They are not more often than this, however short the patience.
const POLL_EVERY_MIN: Duration = Duration::from_millis(20);

/// Where a lane's rows come from.
pub(super) struct Intake {
    config: Arc<Pipeline>,
    clock: Clock,
    metrics: Arc<LaneMetrics>,
    source: Box<dyn Source>,
    pub(super) partitions: Partitions,
    plan: Arc<Plan>,
    preparers: Vec<Preparer>,
    limits: PollLimits,
    /// What a run of chunks may make in memory, if it is more than one record.
    made_max: usize,
    turn_size: TurnSize,
    /// Of the last poll.
    left: Option<Left>,
    /// Since the last barrier.
    jumps: Vec<Jump>,
    /// The bounded input has ended, and everything has fired.
    pub(super) ended: bool,
    warned: Warned,
}

/// Prepared rows of a turn, and who judges them.
pub(super) struct Run {
    pub(super) prepared: Vec<Prepared>,
    /// Of each chunk the watermark before its first record.
    pub(super) judges: Vec<Judge>,
}

impl Intake {
    /// Stands where a record says.
    pub(super) fn open(
        config: &Arc<Pipeline>,
        clock: &Clock,
        outside: &Outside,
        plan: &Arc<Plan>,
        pool: &Pool,
        source: Box<dyn Source>,
        record: &ChainRecord,
    ) -> Self {
        let (metrics, memory) = (&outside.metrics, &outside.memory);
        Self {
            source,
            plan: Arc::clone(plan),
            preparers: Preparer::of_all(plan, pool),
            partitions: Partitions::of_record(config, record, clock.monotonic()),
            limits: poll_limits(config, memory),
            made_max: memory.made_max(),
            turn_size: TurnSize::FULL,
            left: None,
            jumps: Vec::new(),
            ended: record.source.ended,
            warned: Warned::default(),
            config: Arc::clone(config),
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.partitions.all_ended()
    }

    /// Records of the last poll that are left.
    pub(super) fn take_left(&mut self) -> Option<Left> {
        self.left.take()
    }

    /// Asks the source for records, as many as a turn may have, and waits so long for the first if nobody rings before. Nobody
    /// sees what becomes of them before `unseen_until`.
    pub(super) fn poll(
        &mut self,
        wait: Duration,
        unseen_until: Duration,
    ) -> Result<Vec<RecordBlock>, LaneError> {
        let started = thread_cpu_nanos();
        let records = self.turn_size.of(self.limits.records);
        let limits = PollLimits { records, wait, unseen_until, ..self.limits };
        let blocks = self.source.poll(&limits)?;
        let now = self.clock.monotonic();
        for jump in self.source.take_jumps() {
            self.partitions.jumped(&jump, now);
            self.metrics.position_jumps.add(1);
            self.jumps.push(jump);
        }
        self.metrics.steps.source.add_nanos(thread_cpu_nanos() - started);
        Ok(blocks)
    }

    /// When the source is to be polled again though nobody rings: its partitions are seen to be silent by polls only.
    pub(super) fn due(&self) -> Option<Duration> {
        let idle_after = self.config.event_time.idle_after?;
        self.partitions.fall_silent().then(|| self.clock.monotonic() + look_every_poll(idle_after))
    }

    /// Whether positions were lost since the last barrier and are others now: the next record keeps that.
    pub(super) fn has_jumped(&self) -> bool {
        !self.jumps.is_empty()
    }

    /// Cuts the records of a poll into chunks.
    pub(super) fn cut(&mut self, blocks: Vec<RecordBlock>) -> Left {
        let now = self.clock.monotonic();
        let bytes = blocks.iter().map(|block| block.values.bytes.len() as u64).sum();
        self.metrics.read_bytes.add(bytes);
        let (rows, workers) = (self.plan.limits.rows, self.preparers.len());
        Left::cut(blocks, rows, workers, |block| self.partitions.index(&block.partition, now))
    }

    /// Takes as many of the first `most` chunks that are left as a turn may hold, and moves the clocks of their
    /// partitions over them.
    pub(super) fn take(
        &mut self,
        pool: &Pool,
        trial: &Trial,
        left: &mut Left,
        most: usize,
    ) -> Result<Run, LaneError> {
        let now = self.clock.monotonic();
        let mut prepared = self.prepare(pool, trial, left, most)?;
        let judges = self.observe(&mut prepared, now);
        self.warn_of_unit(&prepared);
        Ok(Run { prepared, judges })
    }

    /// Prepares chunks from the first on, as many as the budget suffices for, at least one. Chunks that make too much
    /// are halved; a record that makes too much by itself is refused.
    fn prepare(
        &mut self,
        pool: &Pool,
        trial: &Trial,
        left: &mut Left,
        most: usize,
    ) -> Result<Vec<Prepared>, LaneError> {
        let (plan, clock, preparers) = (&*self.plan, &self.clock, &mut self.preparers);
        let mut run: Vec<Chunk> = left.chunks.iter().take(most).cloned().collect();
        while !run.is_empty() {
            let single = matches!(&*run, [chunk] if chunk.records.len() == 1);
            // A record is refused by the pipeline's limits alone, whatever memory there is.
            let made_max = plan.made_bytes_max.min(if single { usize::MAX } else { self.made_max });
            let budget = Budget::new(made_max, single);
            let records = run.iter().map(|chunk| chunk.records.len()).sum();
            let prepared = pool.for_rows(records).each_item(preparers, &run, |preparer, chunk| {
                prepare(preparer, plan, clock, left.blocks(), chunk, trial, &budget)
            });
            pool.not_broken_off()?;
            let prepared: Vec<Prepared> = prepared.into_iter().map_while(|chunk| chunk).collect();
            if !prepared.is_empty() {
                left.chunks.drain(..prepared.len());
                return Ok(prepared);
            }
            if run.len() == 1 {
                left.halve_first();
            }
            run = left.chunks.iter().take(1).cloned().collect();
        }
        Ok(Vec::new())
    }

    /// Moves the partitions' clocks over the chunks, in order, and takes the rows out that jump. Answers with who
    /// judges the rows of each chunk: the watermark before its first record.
    fn observe(&mut self, prepared: &mut [Prepared], now: Duration) -> Vec<Judge> {
        let plan = &self.plan;
        let judge = |prepared: &mut Prepared| {
            let partition = prepared.chunk.partition;
            let before = self.partitions.known(partition);
            let doubted = jump::judge(prepared, plan, before);
            self.partitions.doubt(partition, doubted);
            let clock = self.partitions.clock_mut();
            // Before the clock moves over the chunk: its own rows count only for those behind them.
            let judge = Judge::new(before.max, clock.watermark());
            clock.observe(partition, prepared.max_event_time, now);
            if before.max.is_none() {
                self.partitions.look_at_first(partition);
            }
            judge
        };
        prepared.iter_mut().map(judge).collect()
    }

    /// Counts what became of the records that were taken, and moves the positions behind them.
    pub(super) fn settle(&mut self, left: &mut Left, taken: &[Prepared]) -> Fates {
        let count = |fates: Fates, prepared: &Prepared| {
            fates.plus(self.partitions.count(prepared.chunk.partition, &prepared.fates))
        };
        let fates = taken.iter().fold(Fates::default(), count);
        let now = self.clock.monotonic();
        left.pass(&self.config.source, |partition, next| {
            let index = self.partitions.index(partition, now);
            self.partitions.processed(index, next);
        });
        fates
    }

    /// A turn is over: what it did not take is left to the next.
    pub(super) fn leave(&mut self, left: Left) {
        if !left.blocks().is_empty() {
            self.warn_of_senders();
        }
        self.left = Some(left).filter(|left| !left.chunks.is_empty());
    }

    /// Sizes the next turn by what the last one has cost.
    pub(super) fn size_turn(&mut self, records: usize, effort: Effort) {
        self.turn_size = self.turn_size.after(records, effort);
    }

    /// Runs the modules of another plan from now on. A new module is tried on one record before it is given more.
    pub(super) fn replan(&mut self, plan: &Arc<Plan>, pool: &Pool) {
        self.preparers = Preparer::of_all(plan, pool);
        self.plan = Arc::clone(plan);
        self.turn_size = TurnSize::ONE;
    }

    /// Adds what its steps and plugins did since the last report.
    pub(super) fn report(&mut self) {
        preparer::report(&mut self.preparers, &self.plan, &self.metrics);
    }

    /// Moves the watermark, and lets partitions wait that are too far ahead. How far it has come, and whether a record
    /// must hold something of that.
    pub(super) fn advance(&mut self) -> Result<(Watermark, bool), LaneError> {
        let now = self.clock.monotonic();
        let mut is_news = false;
        // What the source says is true once everything that it gave is processed. A position that has moved over what
        // is no record is news: retention deletes what lies before it. So is where a file ends: it may be removed.
        if self.left.is_none() {
            is_news = self.partitions.progress(self.source.progress(), now);
        }
        let before = self.partitions.clock().watermark();
        let watermark = match self.partitions.all_ended() {
            // The end of all input fires every window, once, in `end_input`.
            true => before,
            false => self.partitions.clock_mut().advance(),
        };
        // Also where silence has moved it, and no record: it may not go back when the lane is opened again, which
        // counts silence anew. That is once for each partition that becomes idle.
        is_news |= watermark > before;
        if self.partitions.clock_mut().pause_those_ahead() {
            let paused = self.partitions.paused();
            tracing::debug!(pipeline = %self.config.name, paused = paused.len(), "partitions wait for others");
            self.source.pause(&paused)?;
        }
        Ok((watermark, is_news))
    }

    /// The end of a bounded input: the watermark goes to the end of time.
    pub(super) fn finish(&mut self) {
        let now = self.partitions.clock_mut().advance();
        assert_eq!(now, Watermark::End, "all partitions have ended");
    }

    /// The clocks.
    pub(super) fn clock(&self) -> &LaneClock {
        self.partitions.clock()
    }

    /// What a record must hold of it.
    pub(super) fn freeze(&mut self) -> SourceState {
        self.partitions.tell(&self.metrics.partitions);
        // What is left of a cut turn names partitions by their places, which would move up.
        if self.left.is_none() && self.source.knows_finished() {
            self.partitions.retire_finished();
        }
        SourceState {
            kind: match &self.config.source {
                SourceConfig::Kafka(_) => SourceKind::Kafka,
                SourceConfig::Files(_) => SourceKind::Files,
            },
            ended: self.ended,
            identity: self.source.identity(),
            partitions: self.partitions.states(),
            jumps: std::mem::take(&mut self.jumps),
            finished: self.partitions.finished(),
        }
    }

    /// Tells the source what is committed.
    pub(super) fn acknowledge(&mut self, record: &ChainRecord) {
        self.source.acknowledge(&positions(record));
    }

    /// Adds what it knows to a status. The metrics hear of the partitions too.
    pub(super) fn show(&mut self, status: &mut LaneStatus) {
        self.partitions.tell(&self.metrics.partitions);
        status.watermark = self.clock().watermark();
        status.partitions = self.partitions.views();
        status.fetched = self.source.fetched();
        status.fates = self.partitions.total();
        // Why no records come.
        status.add_problem(self.source.problem());
    }
}

/// Several polls see a partition that is silent before it counts as idle.
fn look_every_poll(idle_after: Duration) -> Duration {
    (idle_after / POLLS_TO_IDLE).max(POLL_EVERY_MIN)
}

/// Where the partitions of a record stand.
pub(super) fn positions(record: &ChainRecord) -> Positions {
    let states = record.source.partitions.iter();
    states.map(|state| (state.partition.clone(), state.position.clone())).collect()
}

fn poll_limits(config: &Pipeline, memory: &Account) -> PollLimits {
    PollLimits {
        records: config.limits.turn_records,
        bytes: config.limits.turn_bytes.min(memory.turn_max()),
        wait: Duration::ZERO,
        linger: config.limits.turn_linger,
        unseen_until: Duration::ZERO,
    }
}
