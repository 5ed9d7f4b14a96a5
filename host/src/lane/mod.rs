//! The lane: one loop that owns a set of partitions, all their state and one commit chain. Start reading here.
//!
//! ```text
//!  poll ─► prepare (by chunk) ─► observe ─► place (by chunk) ─► update (by key shard) ─► fire ─► sink ─► commit
//!          decode, event time,              late, window,       accumulators             results  files   chain
//!          filter, map                      key                                                           record
//! ```
//!
//! Between two steps everything has joined; between two turns everything is consistent, and that is
//! where an epoch is frozen, a module is exchanged and the outside is heard. A lane is an OS thread
//! of its own; nothing of it runs on the async runtime, which serves HTTP, the store and timers
//! (docs/design/decisions.md#d3).

mod columns;
mod plan;
mod pool;
mod share;
mod partitions;
mod prepare;
mod future;
mod jump;
mod unit;
mod budget;
mod stage;
mod place;
mod update;
mod process;
mod timers;
mod emitted;
mod trial;
mod turn;
mod fire;
mod runs;
mod pieces;
mod outputs;
mod told;
mod condemned;
mod outbox;
mod checkpoint;
mod command;
mod heard;
mod activate;
mod migrate;
mod early;
mod live;
mod report;
mod open;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;

use crate::chain::commit::Committer;
use crate::chain::record::Epoch;
use crate::config::Pipeline;
use crate::counters::LaneMetrics;
use crate::plugin::brake::Brake;
use crate::pulse::Pulse;
use crate::source::{Jump, PollLimits, RecordBlock, Source};
use crate::status::{LaneStatus, LiveResults, Phase, StageView};
use crate::stop::Stop;
use crate::time::{Clock, Watermark, thread_cpu_nanos};

pub use columns::{EVENT_TIME_COLUMN, REVISION_COLUMN, WINDOW_COLUMNS};
pub use command::{Awaited, Command, Commands, Refusal, Reply};
pub use open::{LaneParts, OpenError, Pace, module_name, open};
pub(crate) use open::{heard, wait};
pub use plan::{Fitting, PlacedModule, PlanError, fit_all};
pub use trial::{HOST_PANIC, Trial};

use activate::Activation;
use heard::TurnSize;
use live::Live;
use outputs::Outputs;
use partitions::Partitions;
use plan::Plan;
use pool::Pool;
use told::Told;
use turn::Left;

/// How long one poll waits for records before the lane looks at its commands and its timers. A command is heard
/// within this time, and an idle lane wakes fifty times a second.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// What the lane shares with the outside. It only sends to it and takes commands from it. Each life of a lane has a
/// clone.
#[derive(Clone)]
pub struct Outside {
    /// Taken between two turns.
    pub commands: Commands,
    /// A last commit, then the end. Not the end of input: no window fires.
    pub stop: Stop,
    /// Published after turns.
    pub status: Arc<ArcSwap<LaneStatus>>,
    /// What each stage runs and is given, for checking a new module before it is activated.
    pub stages: Arc<ArcSwap<Vec<StageView>>>,
    /// Changed groups, for whoever listens.
    pub live: broadcast::Sender<Arc<LiveResults>>,
    /// Added to once a turn.
    pub metrics: Arc<LaneMetrics>,
    /// Told each time the lane's thread passes its loop.
    pub pulse: Pulse,
    /// What made lives before panic.
    pub trial: Trial,
}

/// One loop with everything it owns. Made by [`open`], ended by [`Lane::run`].
pub struct Lane {
    // Fixed while the lane is open.
    config: Arc<Pipeline>,
    clock: Clock,
    limits: PollLimits,
    // What a record meets, in this order.
    source: Box<dyn Source>,
    partitions: Partitions,
    modules: Vec<PlacedModule>,
    plan: Plan,
    pool: Pool,
    outputs: Outputs,
    committer: Committer,
    // Where it stands.
    /// Of the last barrier.
    epoch: Epoch,
    phase: Phase,
    checkpoint_at: Duration,
    /// Something happened since the last record that a record must hold
    /// (docs/design/decisions.md#d19).
    dirty: bool,
    /// The committed record says that the bounded input has ended.
    ended: bool,
    activations: Vec<Activation>,
    /// Since the last barrier.
    jumps: Vec<Jump>,
    turns: u64,
    /// Of the last poll.
    left: Option<Left>,
    told: Told,
    /// What later starts must keep to: what the state is made with, and the columns of every table that has files.
    promises: BTreeMap<String, String>,
    /// Ends a turn that somebody waits for.
    brake: Brake,
    turn_size: TurnSize,
    // The outside.
    live: Live,
    outside: Outside,
    reported: report::Reported,
}

/// How a lane ended when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEnd {
    /// The bounded input was read to its end, every window and timer has fired, and that is committed.
    Finished,
    /// It was asked to stop, and stopped after a last commit.
    Stopped,
    /// It was asked to stop, and stopped without a last commit: it was not open, or the commit took too long.
    CutShort,
}

impl std::fmt::Display for LaneEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished: the input was read to its end",
            Self::Stopped => "stopped after a last commit",
            Self::CutShort => {
                "stopped without a last commit: the next start goes on from the one before"
            }
        })
    }
}

/// A lane that cannot go on. Everything since the last record is dropped; opening it again replays it.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The source ended.
    #[error("source failed")]
    Source(#[from] crate::source::SourceError),
    /// Rows could not be encoded.
    #[error("sink failed")]
    Sink(#[from] crate::sink::SinkError),
    /// Another writer has taken our slot of the chain: we are fenced.
    #[error("epoch {epoch} of the chain was written by `{by}`: another instance owns this lane")]
    Fenced {
        /// The slot.
        epoch: Epoch,
        /// Who wrote it.
        by: String,
    },
    /// A plugin kept failing, and somebody waited for the lane.
    #[error("a turn of failing calls was broken off, because somebody waits for the lane")]
    BrokenOff,
    /// The store will not take a record, and trying again will not help.
    #[error("commit failed")]
    Commit(#[source] crate::chain::ChainError),
    /// A plugin does not fit a topic of updates.
    #[error(transparent)]
    SeveralRows(#[from] outbox::SeveralRows),
    /// A plugin failed, and the pipeline file wants to halt then.
    #[error(
        "stage `{stage}` failed ({kind}): {reason}; nothing of it is committed, because the pipeline file says \
         `failures.{policy} = \"halt\"`: name a mended plugin, or write \"dead-letter\" there, and start again"
    )]
    PluginFailed {
        /// The stage.
        stage: String,
        /// As the dead-letter table would have it.
        kind: &'static str,
        /// For a person.
        reason: String,
        /// The key under `[failures]`.
        policy: &'static str,
    },
    /// Open windows are larger than `limits.state_bytes`.
    #[error(
        "open windows hold {bytes} bytes, `limits.state_bytes` allows {limit}: raise it, or use shorter windows or fewer keys"
    )]
    StateTooLarge {
        /// What they hold.
        bytes: u64,
        /// What they may.
        limit: u64,
    },
}

/// What the loop does next.
enum Wake {
    Stop,
    Command(Command),
    Records(Vec<RecordBlock>),
    /// Records of the last poll are left.
    Left,
    /// The store has not yet taken the epoch before the one that is due, or a topic its messages: intake stands still.
    Paused,
    /// Timers are due that the step before had no time for: no record is read before them.
    Timers,
    End,
}

impl Lane {
    /// Takes turns until the input ends or somebody asks to stop.
    pub fn run(&mut self) -> Result<LaneEnd, LaneError> {
        let end = match self.run_on() {
            Err(LaneError::BrokenOff) if self.outside.stop.is_asked() => Ok(self.cut_short()),
            end => end,
        };
        self.tell_all_dead_letters();
        end
    }

    fn run_on(&mut self) -> Result<LaneEnd, LaneError> {
        let end = loop {
            if let Some(end) = self.step()? {
                break end;
            }
        };
        if end == LaneEnd::Finished && !self.ended {
            self.finish()?;
        }
        if end == LaneEnd::CutShort || self.outside.stop.is_overdue() {
            return Ok(self.cut_short());
        }
        self.show_last();
        // A clean stop ends with a checkpoint, so that a restart begins with nothing to repeat.
        self.last_checkpoint(end)
    }

    /// One turn, or whatever is to be done instead.
    fn step(&mut self) -> Result<Option<LaneEnd>, LaneError> {
        self.outside.pulse.beat();
        let mut records = 0;
        match self.next_wake()? {
            Wake::Stop => return Ok(Some(LaneEnd::Stopped)),
            Wake::End => return Ok(Some(LaneEnd::Finished)),
            Wake::Command(command) => self.on_command(command),
            Wake::Records(blocks) => {
                self.brake.begin_turn();
                records = self.turn(blocks)?;
            }
            Wake::Left => {
                self.brake.begin_turn();
                records = self.turn_over_the_rest()?;
            }
            Wake::Paused => self.wait_for_commit()?,
            Wake::Timers => {}
        }
        self.advance()?;
        self.not_broken_off()?;
        self.end_turn(records);
        if self.outside.stop.is_overdue() {
            // Loops of a turn break off then: what they leave is not to be committed.
            return Ok(Some(LaneEnd::CutShort));
        }
        self.check_state_bytes()?;
        self.settle_commit()?;
        if self.checkpoint_is_due() {
            self.checkpoint()?;
        }
        self.publish();
        Ok(None)
    }

    /// Commands first: under load there are always records.
    fn next_wake(&mut self) -> Result<Wake, LaneError> {
        if self.outside.stop.is_asked() {
            return Ok(Wake::Stop);
        }
        if let Some(command) = self.outside.commands.try_take() {
            return Ok(Wake::Command(command));
        }
        if self.ended || self.partitions.all_ended() {
            return Ok(Wake::End);
        }
        if self.must_pause() {
            return Ok(Wake::Paused);
        }
        if self.pool.firing.is_unfinished() {
            return Ok(Wake::Timers);
        }
        if self.left.is_some() {
            return Ok(Wake::Left);
        }
        let started = thread_cpu_nanos();
        let records = self.turn_size.of(self.limits.records);
        let records = self.outside.trial.limit(records, &self.partitions);
        let blocks = self.source.poll(&PollLimits { records, ..self.limits })?;
        self.note_jumps();
        self.outside.metrics.steps.source.add_nanos(thread_cpu_nanos() - started);
        Ok(Wake::Records(blocks))
    }

    /// Positions that were lost and are others now: the next record keeps that.
    fn note_jumps(&mut self) {
        let now = self.clock.monotonic();
        for jump in self.source.take_jumps() {
            self.partitions.jumped(&jump, now);
            self.outside.metrics.position_jumps.add(1);
            self.jumps.push(jump);
            self.dirty = true;
        }
    }

    /// Moves the watermark, lets partitions wait that are too far ahead, and fires what the watermark has passed.
    fn advance(&mut self) -> Result<(), LaneError> {
        let now = self.clock.monotonic();
        // What the source says is true once everything that it gave is processed. A position that has moved over what is no
        // record is news: retention deletes what lies before it.
        if self.left.is_none() {
            self.dirty |= self.partitions.progress(self.source.progress(), now);
        }
        let before = self.partitions.clock().watermark();
        let watermark = match self.partitions.all_ended() {
            // The end of all input fires every window, once, in `finish`.
            true => before,
            false => self.partitions.clock_mut().advance(),
        };
        // Also where silence has moved it, and no record: it may not go back when the lane is opened again, which counts
        // silence anew. That is once for each partition that becomes idle.
        self.dirty |= watermark > before;
        if self.partitions.clock_mut().pause_those_ahead() {
            let paused = self.partitions.paused();
            tracing::debug!(pipeline = %self.config.name, paused = paused.len(), "partitions wait for others");
            self.source.pause(&paused)?;
        }
        if self.plan.process.is_some() {
            return if self.partitions.all_ended() { Ok(()) } else { self.fire_timers(watermark) };
        }
        // Rows of this turn may have changed windows that fired before. They are corrected before the next barrier,
        // because what is to be corrected is not stored.
        let may_correct = self.plan.lateness > 0;
        if watermark > before || may_correct { self.fire(before, watermark) } else { Ok(()) }
    }

    /// The end of a bounded input: the watermark goes to the end of time and every window fires.
    fn finish(&mut self) -> Result<(), LaneError> {
        let before = self.partitions.clock().watermark();
        let watermark = self.partitions.clock_mut().advance();
        assert_eq!(watermark, Watermark::END, "all partitions have ended");
        self.ended = true;
        self.dirty = true;
        if self.plan.process.is_some() {
            return self.fire_last_timers();
        }
        self.fire(before, watermark)
    }

    fn on_command(&mut self, command: Command) {
        let Command::Activate { stage, module, reply } = command;
        self.activate(&stage, module, reply);
    }
}

#[cfg(test)]
mod tests;
