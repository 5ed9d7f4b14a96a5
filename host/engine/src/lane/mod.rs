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

mod error;
mod applied;
mod plan;
mod pool;
mod stage;
mod intake;
mod rows;
mod trial;
mod logic;
mod outputs;
mod ledger;
mod desk;
mod ending;
mod open;

use std::sync::Arc;
use std::time::Duration;

use crate::status::{LaneStatus, LiveResults, Phase};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;
use sluicegate_sandbox::load::LoadedModule;

pub use desk::Outside;
pub use desk::command::{Awaited, Command, Commands, Refusal, Reply};
pub use error::{LaneEnd, LaneError};
pub use open::{FoundError, LaneParts, OpenError, Pace, check_files, module_name, open};
pub(crate) use open::{heard, wait};
pub use plan::columns::{EVENT_TIME_COLUMN, REVISION_COLUMN, WINDOW_COLUMNS};
pub use plan::{Fitting, PlacedModule, PlanError, fit_all};
pub use trial::Trial;

use applied::Applied;
use desk::Desk;
use desk::brake::is_isolating;
use intake::left::Left;
use intake::{Intake, Run};
use ledger::{Frozen, Ledger};
use logic::migrate::migrated_for;
use logic::{Effects, Given, Logic, Turn};
use outputs::Outputs;
use plan::Plan;
use pool::Pool;

/// One loop with everything it owns. Made by [`open`], ended by [`Lane::run`].
pub struct Lane {
    // Fixed while the lane is open.
    config: Arc<Pipeline>,
    clock: Clock,
    pool: Pool,
    /// From the source to prepared rows.
    intake: Intake,
    /// What is made of them.
    logic: Logic,
    /// Tables, messages, dead letters.
    outputs: Outputs,
    /// What is committed, and what is due.
    ledger: Ledger,
    /// What the outside asks, and what it is told.
    desk: Desk,
}

/// What the loop does next.
enum Wake {
    Stop,
    Command(Command),
    /// Of this poll, or those of the last one that are left.
    Records(Left),
    /// The store has not yet taken the epoch before the one that is due, or a topic its messages: intake stands still.
    Paused,
    /// Windows or timers are due that the step before had no time for: no record is read before them.
    Firing,
    End,
}

impl Lane {
    /// Takes turns until the input ends or somebody asks to stop.
    pub fn run(&mut self) -> Result<LaneEnd, LaneError> {
        let mut end = self.run_on();
        if let Err(LaneError::BrokenOff) = end {
            // Whoever opens the lane again would refuse it, because there is no lane meanwhile.
            self.desk.outside.commands.hold();
            if self.desk.outside.stop.is_asked() {
                end = Ok(self.cut_short());
            }
        }
        self.outputs.tell_all_dead_letters();
        end
    }

    fn run_on(&mut self) -> Result<LaneEnd, LaneError> {
        let end = loop {
            if let Some(end) = self.step()? {
                break end;
            }
        };
        if end == LaneEnd::CutShort || self.desk.outside.stop.is_overdue() {
            return Ok(self.cut_short());
        }
        self.desk.show_at_once();
        self.show_live();
        // A clean stop ends with a checkpoint, so that a restart begins with nothing to repeat.
        self.last_checkpoint(end)
    }

    /// One turn, or whatever is to be done instead.
    fn step(&mut self) -> Result<Option<LaneEnd>, LaneError> {
        self.desk.outside.pulse.beat();
        self.desk.outside.trial.begin_other("between two turns");
        let wake = self.next_wake()?;
        self.pool.brake().begin_turn();
        let end = self.take_step(wake);
        self.pool.brake().end_turn();
        end
    }

    fn take_step(&mut self, wake: Wake) -> Result<Option<LaneEnd>, LaneError> {
        match wake {
            Wake::Stop => return Ok(Some(LaneEnd::Stopped)),
            Wake::End => {
                if self.end_input()? {
                    return Ok(Some(LaneEnd::Finished));
                }
            }
            // A barrier comes first: nothing more may be due of the module that is to go.
            Wake::Command(Command::Activate { stage, module, reply }) => {
                self.desk.ask(stage, module, reply);
                self.ledger.dirty = true;
            }
            Wake::Records(left) => {
                let records = self.turn(left)?;
                self.intake.size_turn(records, self.pool.brake().effort());
                self.advance()?;
            }
            Wake::Paused => self.wait_for_commit()?,
            Wake::Firing => self.advance()?,
        }
        self.pool.not_broken_off()?;
        if self.desk.outside.stop.is_overdue() {
            // Loops of a turn break off then: what they leave is not to be committed.
            return Ok(Some(LaneEnd::CutShort));
        }
        self.desk.outside.trial.begin_other("between two turns");
        self.ledger.check_state(self.logic.state_bytes())?;
        self.settle_outbox(Duration::ZERO);
        self.settle_epoch(Duration::ZERO)?;
        if self.checkpoint_is_due() {
            self.checkpoint()?;
        }
        self.publish();
        // Also what is shown is evaluated.
        self.pool.not_broken_off()?;
        Ok(None)
    }

    /// Commands first: under load there are always records.
    fn next_wake(&mut self) -> Result<Wake, LaneError> {
        if self.desk.outside.stop.is_asked() {
            return Ok(Wake::Stop);
        }
        if let Some(command) = self.desk.next_command() {
            return Ok(Wake::Command(command));
        }
        if self.must_pause() && !self.intake.ended {
            return Ok(Wake::Paused);
        }
        if self.intake.is_over() {
            return Ok(Wake::End);
        }
        if self.logic.is_firing() {
            return Ok(Wake::Firing);
        }
        if let Some(left) = self.intake.take_left() {
            return Ok(Wake::Records(left));
        }
        let blocks = self.intake.poll()?;
        self.ledger.dirty |= self.intake.has_jumped();
        if !blocks.is_empty() {
            self.desk.begin_turn(self.clock.monotonic());
        }
        Ok(Wake::Records(self.intake.cut(blocks)))
    }

    /// Takes records through all steps, as many as a turn may hold; the others are left for the next turns. Afterwards they are
    /// in the windows or in the open files. How many records it took.
    fn turn(&mut self, mut left: Left) -> Result<usize, LaneError> {
        let most = left.cut_at(&self.desk.outside.trial);
        let started = self.clock.monotonic();
        let trial = &self.desk.outside.trial;
        let Run { mut prepared, judges } =
            self.intake.take(&self.pool, trial, (&mut left, most))?;
        let turn = Turn { chunks: &prepared, judges: &judges };
        let mut judged =
            self.with_logic(|logic, given, effects| logic.update(given, &turn, effects))?;
        for (prepared, judged) in prepared.iter_mut().zip(&mut judged) {
            prepared.settle(judged, self.logic.stage());
        }
        let fates = self.intake.settle(&mut left, &prepared);
        self.ledger.dirty |= !prepared.is_empty();
        let epoch = self.ledger.next_epoch();
        self.outputs.write_turn(left.blocks(), (&prepared, &judged), epoch)?;
        if !left.blocks().is_empty() {
            self.intake.report();
            self.logic.report(&self.desk.outside.metrics);
            self.desk.end_turn(&fates, started);
        }
        self.intake.leave(left);
        self.desk.outside.trial.end();
        Ok(usize::try_from(fates.read).unwrap_or(usize::MAX))
    }

    /// Moves the watermark, and fires what it has passed.
    fn advance(&mut self) -> Result<(), LaneError> {
        let (watermark, is_news) = self.intake.advance()?;
        self.ledger.dirty |= is_news;
        self.with_logic(|logic, given, effects| logic.advance(given, watermark, effects))?;
        self.logic.report(&self.desk.outside.metrics);
        Ok(())
    }

    /// The end of a bounded input: every window and timer fires. False if there is more than a step has time for.
    fn end_input(&mut self) -> Result<bool, LaneError> {
        if self.intake.ended {
            return Ok(true);
        }
        self.intake.finish();
        self.ledger.dirty = true;
        let is_done = self.with_logic(|logic, given, effects| logic.finish(given, effects))?;
        self.pool.not_broken_off()?;
        self.intake.ended = is_done;
        Ok(is_done)
    }

    /// Has the logic work on what it is given, and applies its effects.
    fn with_logic<T>(
        &mut self,
        work: impl FnOnce(&mut Logic, &Given<'_>, &mut dyn Effects) -> T,
    ) -> T {
        let Self { pool, intake, logic, outputs, ledger, desk, .. } = self;
        let (stop, trial) = (desk.outside.stop.clone(), desk.outside.trial.clone());
        let given = Given { pool, clock: intake.clock(), stop, trial };
        work(logic, &given, &mut Applied { outputs, ledger, desk })
    }

    fn checkpoint_is_due(&self) -> bool {
        self.wants_barrier() && self.ledger.dirty && !self.is_behind()
    }

    fn wants_barrier(&self) -> bool {
        self.ledger.is_overdue(self.outputs.staged_bytes()) || self.desk.awaits_barrier()
    }

    /// Whether the epoch before is not durable yet, or its messages are not delivered.
    fn is_behind(&self) -> bool {
        self.ledger.committer.in_flight() || self.outputs.is_unsent()
    }

    /// Whether a barrier is due that cannot be taken, because of the epoch before it. Also one that somebody waits for: no turn of
    /// a module that is to go comes before it.
    fn must_pause(&self) -> bool {
        self.is_behind() && self.ledger.dirty && self.wants_barrier()
    }

    /// Freezes the epoch and hands it to the committer.
    fn checkpoint(&mut self) -> Result<(), LaneError> {
        let started = self.clock.monotonic();
        self.desk.outside.trial.begin_other("while an epoch was frozen");
        self.flip_modules();
        self.with_logic(|logic, given, effects| logic.tell_changes(given, effects))?;
        let watermark = self.intake.clock().watermark();
        let state = self.logic.freeze(self.ledger.state_generation(), watermark);
        self.pool.not_broken_off()?;
        let (files, outbox) = self.outputs.freeze()?;
        self.ledger.submit(Frozen {
            source: self.intake.freeze(),
            watermark,
            state,
            files,
            outbox,
        });
        self.ledger.end_barrier(started);
        Ok(())
    }

    /// At the barrier: rows up to here went through the old modules, rows from here on go through the new ones.
    fn flip_modules(&mut self) {
        let next = self.ledger.next_epoch();
        for activation in self.desk.take_activations() {
            let kept = activation.flip(next, |stage, module| self.flip(stage, module));
            self.desk.keep(kept);
        }
    }

    fn flip(&mut self, stage: &str, module: &LoadedModule) -> Result<(), Refusal> {
        let (before, modules) = self.ledger.with_successor(stage, module)?;
        let plan = Arc::new(Plan::new(&self.config, &modules)?);
        let pinned = self.ledger.pinned();
        let by = (&*self.config.name, &self.clock);
        let migrated = migrated_for(module, &plan, (&self.logic, &pinned), &self.pool, by)?;
        // What the old module did last, between the last turn and this barrier.
        self.intake.report();
        self.logic.report(&self.desk.outside.metrics);
        self.intake.replan(&plan, &self.pool);
        self.logic.replan(&plan, &self.pool);
        if let Some(migrated) = migrated {
            migrated.put(&mut self.logic);
        }
        self.ledger.replan(&plan, modules);
        self.desk.publish_stages(&plan);
        if let Some(metrics) = self.desk.metrics().stage(stage) {
            metrics.activated(self.clock.wall_micros());
        }
        tracing::info!(stage, before = %before.short(), now = %module.digest.short(), "module exchanged");
        Ok(())
    }

    /// Takes note of an epoch that is durable, if it is so within `limit`.
    fn settle_epoch(&mut self, limit: Duration) -> Result<(), LaneError> {
        let Some(record) = self.ledger.settled(limit)? else { return Ok(()) };
        self.outputs.outbox.committed(record.epoch);
        self.intake.acknowledge(&record);
        // Whoever is answered may look at the status at once.
        self.publish_now();
        self.desk.answer(&record);
        Ok(())
    }

    /// Takes note of messages that were delivered, if they were within `limit`. That is news that a record must hold, even if
    /// there is no other: an opening on one that names an outbox sends it again (C8).
    fn settle_outbox(&mut self, limit: Duration) {
        if self.outputs.have_arrived(limit) {
            self.ledger.phase = Phase::Running;
            self.ledger.dirty = true;
        }
    }

    /// Publishes the status and the live results, if it is time.
    fn publish(&mut self) {
        self.show_live();
        self.outputs.tell_dead_letters();
        if self.desk.status_is_due() {
            self.publish_now();
        }
    }

    fn publish_now(&mut self) {
        self.outputs.told.look(self.intake.partitions.total());
        let problem = self.intake.problem();
        let problem = problem.or_else(|| self.ledger.committer.problem());
        let problem = problem.or_else(|| self.outputs.outbox.problem());
        let problem = problem.or_else(|| self.desk.outside.trial.problem());
        let problem = problem.or_else(|| self.outputs.told.problem());
        let phase = match self.ledger.phase {
            Phase::Running if self.must_pause() => Phase::Paused,
            Phase::Running if is_isolating(self.pool.brake()) => Phase::Isolating,
            phase => phase,
        };
        self.desk.publish(LaneStatus {
            pipeline: self.config.name.to_string(),
            phase,
            problem,
            epoch: self.ledger.committer.head(),
            watermark: self.intake.clock().watermark(),
            partitions: self.intake.show(),
            modules: self.ledger.pinned(),
            fates: self.intake.partitions.total(),
            groups: self.logic.groups_len(),
            state_bytes: self.logic.state_bytes(),
            turns: self.desk.turns,
            dead_letters: self.outputs.kinds(),
        });
    }

    /// Sends what changed, if somebody listens and it is time.
    fn show_live(&mut self) {
        if let Some(fired) = self.desk.take_fired() {
            let max = LiveResults::ROWS_MAX;
            let changed = self.with_logic(|logic, given, _| logic.show(given, max));
            let of_rows = (self.logic.key_columns(), self.ledger.next_epoch());
            self.desk.show(fired, changed, of_rows);
        }
    }
}

#[cfg(test)]
mod tests;
