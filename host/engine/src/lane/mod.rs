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
mod refusal;
mod asked;
mod applied;
mod plan;
mod pool;
mod budget;
mod stage;
mod intake;
mod rows;
mod trial;
mod logic;
mod outputs;
mod ledger;
mod desk;
mod exchange;
mod ending;
mod rest;
mod open;

use std::sync::Arc;
use std::time::Duration;

use crate::status::{LaneStatus, Phase};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;

pub use asked::WindowsAsked;
pub use desk::command::{Command, Commands, Reply};
pub use desk::look::{Look, Looks, OpenWindows};
pub use desk::{Haste, InHaste, Outside};
pub use error::{LaneEnd, LaneError};
pub use ledger::Bases;
pub(crate) use open::wait;
pub use open::{
    Ends, FoundError, LaneParts, OpenError, Pace, RealEnds, check_files, module_name, open,
};
pub use outputs::outbox::Post;
pub use plan::columns::{EVENT_TIME_COLUMN, REVISION_COLUMN, WINDOW_COLUMNS};
pub use plan::{Fitting, PlacedModule, PlanError, fit_all};
pub use refusal::{Awaited, Refusal};
pub use trial::Trial;

use applied::Applied;
use desk::Desk;
use desk::brake::is_isolating;
use ending::{LastStep, Undone};
use exchange::Present;
use intake::left::Left;
use intake::{Intake, Run};
use ledger::{Barrier, Frozen, Ledger};
use logic::{Given, Logic, Turn};
use outputs::Outputs;
use pool::Pool;

/// How long the lane looks away while the store or a topic is behind.
const COMMIT_WAIT: Duration = Duration::from_millis(20);

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

impl Lane {
    /// Takes turns until the input ends or somebody asks to stop.
    pub fn run(&mut self) -> Result<LaneEnd, LaneError> {
        let mut end = self.run_on();
        if let Err(LaneError::BrokenOff) = end {
            // Whoever opens the lane again would refuse it, because there is no lane meanwhile.
            self.desk.outside.commands.hold();
            if self.desk.outside.stop.is_asked() {
                end = Ok(self.end(LaneEnd::CutShort));
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
            return Ok(self.end(LaneEnd::CutShort));
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
        self.pool.brake().begin_turn();
        let end = match self.do_next() {
            Ok(None) => self.conclude(),
            end => end,
        };
        self.pool.brake().end_turn();
        end
    }

    /// Does what is most urgent. Commands first: under load there are always records.
    fn do_next(&mut self) -> Result<Option<LaneEnd>, LaneError> {
        if self.desk.outside.stop.is_asked() {
            return Ok(Some(LaneEnd::Stopped));
        }
        if let Some(Command::Activate { stage, module, reply }) = self.desk.next_command() {
            // A barrier comes first: nothing more may be due of the module that is to go.
            self.desk.ask(stage, module, reply);
            self.ledger.dirty = true;
        } else if let Some(look) = self.desk.next_look() {
            self.show_open(look)?;
        } else if !self.desk.leads()? || (!self.intake.ended && self.barrier() == Barrier::Blocked)
        {
            self.wait_for_commit()?;
        } else if self.intake.is_over() {
            return Ok(self.end_input()?.then_some(LaneEnd::Finished));
        } else if self.logic.is_firing() {
            // What is due and the step before had no time for: no record is read before it.
            self.advance()?;
        } else {
            let left = match self.intake.take_left() {
                Some(left) => left,
                None => self.poll()?,
            };
            let records = self.turn(left)?;
            self.intake.size_turn(records, self.pool.brake().effort());
            self.advance()?;
        }
        Ok(None)
    }

    /// What follows on every step: others are heard of, an epoch is frozen if it is time, the outside is told.
    fn conclude(&mut self) -> Result<Option<LaneEnd>, LaneError> {
        self.pool.not_broken_off()?;
        if self.desk.outside.stop.is_overdue() {
            // Loops of a turn break off then: what they leave is not to be committed.
            return Ok(Some(LaneEnd::CutShort));
        }
        // All that may have rung is looked at from here on.
        self.desk.outside.bell.hush();
        self.desk.outside.trial.begin_other("between two turns");
        let (state, firing) = (self.logic.state_bytes(), self.logic.firing_bytes());
        self.ledger.check_memory(state, firing, &self.outputs)?;
        self.outputs.logs.are_written()?;
        self.settle_outbox(Duration::ZERO);
        self.settle_epoch(Duration::ZERO)?;
        if self.barrier() == Barrier::Due && self.desk.leads()? {
            self.checkpoint()?;
        }
        self.publish();
        // Also what is shown is evaluated.
        self.pool.not_broken_off()?;
        Ok(None)
    }

    /// Takes records through all steps, as many as a turn may hold; the others are left for the next turns. Afterwards
    /// they are in the windows or in the open files. How many records it took.
    fn turn(&mut self, mut left: Left) -> Result<usize, LaneError> {
        let most = left.cut_at(&self.desk.outside.trial);
        let started = self.clock.monotonic();
        let trial = &self.desk.outside.trial;
        let Run { mut prepared, judges } = self.intake.take(&self.pool, trial, &mut left, most)?;
        let turn = Turn { chunks: &prepared, judges: &judges };
        let mut judged =
            self.with_logic(|logic, given, effects| logic.update(given, &turn, effects))?;
        for (prepared, judged) in prepared.iter_mut().zip(&mut judged) {
            judged.settle(prepared, self.logic.stage());
        }
        let fates = self.intake.settle(&mut left, &prepared);
        self.ledger.dirty |= !prepared.is_empty();
        let epoch = self.ledger.next_epoch();
        self.outputs.write_turn(left.blocks(), &prepared, &judged, epoch)?;
        if !left.blocks().is_empty() {
            self.intake.report();
            self.logic.report(&self.desk.outside.metrics);
            let nanos = self.desk.end_turn(&fates, started);
            self.pool.learn(fates.read, nanos);
        }
        self.intake.leave(left);
        self.desk.outside.trial.end();
        Ok(usize::try_from(fates.read).unwrap_or(usize::MAX))
    }

    /// Moves the watermark, and fires what it has passed.
    fn advance(&mut self) -> Result<(), LaneError> {
        let (watermark, is_news) = self.intake.advance()?;
        if is_news {
            self.ledger.dirty = true;
            self.desk.has_news();
        }
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
        work: impl FnOnce(&mut Logic, &Given<'_>, &mut Applied<'_>) -> T,
    ) -> T {
        let Self { pool, intake, logic, outputs, ledger, desk, .. } = self;
        let (stop, trial) = (desk.outside.stop.clone(), desk.outside.trial.clone());
        let given = Given { pool, clock: intake.clock(), stop, trial };
        work(logic, &given, &mut Applied { outputs, ledger, desk })
    }

    /// Whether an epoch is to be frozen.
    fn barrier(&self) -> Barrier {
        self.ledger.barrier(&self.outputs, self.desk.awaits_barrier())
    }

    /// Freezes the epoch and hands it to the committer.
    fn checkpoint(&mut self) -> Result<(), LaneError> {
        let started = self.clock.monotonic();
        self.desk.outside.trial.begin_other("while an epoch was frozen");
        self.exchange_modules();
        self.with_logic(|logic, given, effects| logic.tell_changes(given, effects))?;
        let watermark = self.intake.clock().watermark();
        let Self { logic, pool, ledger, .. } = self;
        let (generation, whole) = (ledger.state_generation(), ledger.is_base_due());
        let state = logic.freeze(pool, generation, watermark, whole);
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
    fn exchange_modules(&mut self) {
        let Self { config, clock, pool, intake, logic, ledger, desk, .. } = self;
        Present { config, clock, pool, intake, logic, ledger }.exchange_asked(desk);
    }

    /// Takes note of an epoch that is durable, if it is so within `limit`.
    fn settle_epoch(&mut self, limit: Duration) -> Result<(), LaneError> {
        let Some(record) = self.ledger.settled(limit)? else { return Ok(()) };
        self.outputs.outbox.committed(record.epoch);
        self.outputs.logs.committed(&record);
        self.intake.acknowledge(&record);
        // Whoever is answered may look at the status at once.
        self.publish_now();
        self.desk.answer(&record);
        Ok(())
    }

    /// Takes note of messages that were delivered, if they were within `limit`. That is news that a record must hold,
    /// even if there is no other: an opening on one that names an outbox sends it again (C8).
    fn settle_outbox(&mut self, limit: Duration) {
        if self.outputs.have_arrived(limit) {
            self.ledger.phase = Phase::Running;
            self.ledger.dirty = true;
        }
    }

    /// Sends what changed, if somebody listens and it is time.
    fn show_live(&mut self) {
        self.with_logic(|logic, given, Applied { ledger, desk, .. }| {
            desk.show_live(logic, given, ledger.next_epoch());
        });
    }

    /// Answers somebody who asks what stands in the open groups. Nothing of the lane changes by it.
    fn show_open(&mut self, look: Look) -> Result<(), LaneError> {
        self.with_logic(|logic, given, Applied { ledger, desk, .. }| {
            desk.show_open(look, logic, given, ledger.next_epoch())
        })
    }

    /// Publishes the status and the live results, if it is time.
    fn publish(&mut self) {
        self.show_live();
        self.outputs.tell_dead_letters();
        if self.desk.status_is_due() {
            self.publish_now();
        }
    }

    /// What is said first of why nothing moves stands before all others: they most likely follow from it.
    fn publish_now(&mut self) {
        let is_blocked = self.barrier() == Barrier::Blocked;
        let mut status = LaneStatus::nothing_yet(&self.config.name);
        self.intake.show(&mut status);
        self.ledger.show(&mut status, is_blocked, is_isolating(self.pool.brake()));
        status.add_problem(self.desk.outside.lead.problem());
        status.add_problem(self.outputs.outbox.problem());
        status.add_problem(self.desk.outside.trial.problem());
        status.add_problem(self.outputs.logs.problem());
        self.outputs.show(&mut status, self.intake.partitions.total());
        status.groups = self.logic.groups_len();
        status.state_bytes = self.logic.state_bytes();
        status.turns = self.desk.turns;
        self.desk.publish(status);
    }

    /// Waits a moment for the topics or the store. Nothing is dropped: records stay where they are. Messages are on their
    /// way only while no epoch is (O3), so whatever comes first is heard at once.
    fn wait_for_commit(&mut self) -> Result<(), LaneError> {
        // It stays so until the next commit, which may be far if only other lanes are waited for: then it is looked at each time.
        if !self.ledger.waits_for_others(&self.outputs) {
            self.ledger.phase = Phase::Paused;
        }
        if self.outputs.is_unsent() {
            self.settle_outbox(COMMIT_WAIT);
            return Ok(());
        }
        self.settle_epoch(COMMIT_WAIT)
    }

    /// The last commits of a lane that ends, and that its messages are delivered. The outside is told all the while;
    /// nothing is activated any more. How it ended.
    fn last_checkpoint(&mut self, end: LaneEnd) -> Result<LaneEnd, LaneError> {
        loop {
            let undone = Undone::of(&self.ledger, &self.outputs);
            match undone.next(end, self.desk.outside.stop.is_overdue()) {
                LastStep::End(end) => return Ok(self.end(end)),
                LastStep::Freeze if self.desk.leads()? => {
                    self.checkpoint()?;
                    continue;
                }
                LastStep::Freeze if self.desk.outside.stop.is_overdue() => {
                    return Ok(self.end(LaneEnd::CutShort));
                }
                // Until it is durable, or clear who leads.
                LastStep::Freeze | LastStep::Commit => self.settle_epoch(COMMIT_WAIT)?,
                LastStep::Send => self.settle_outbox(COMMIT_WAIT),
                LastStep::Publish => self.outputs.logs.wait(COMMIT_WAIT)?,
            }
            self.desk.outside.pulse.beat();
            self.publish();
            self.desk.refuse_all();
        }
    }

    /// What was not committed is dropped, so it is read again.
    fn end(&mut self, end: LaneEnd) -> LaneEnd {
        let is_sent = self.outputs.end(end);
        self.ledger.end(end, is_sent);
        self.publish_now();
        end
    }
}

#[cfg(test)]
mod tests;
