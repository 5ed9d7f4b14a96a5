//! Runs lanes: each on a thread of its own, opened again with back-off after a failure.
//!
//! A lane works while its instance leads ([`lead`](crate::lead)). Overtaken is not failed: an instance that lost its lane to
//! another one opens it again, which stands by. What
//! trying again will not mend (a damaged chain, a pipeline that its state does not survive) halts the lane with its
//! message in the status. What somebody outside has to mend (a store that is away, a bucket that is missing) is said
//! once in the log, stays in the status, and is asked for often enough that mending it shows.

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::lane::{
    self, Awaited, Lane, LaneEnd, LaneError, LaneParts, OpenError, Outside, Refusal,
};
use crate::memory::Holds;
use crate::status::{LaneStatus, Phase, is_same_problem};
use sluicegate_chain::beat::BEAT_EVERY;
use sluicegate_connect::source::SourceError;
use sluicegate_runtime::{Thread, panicked};
use sluicegate_store::backoff::Backoff;

/// A guest may use 512 KiB of the lane's stack, and JSON and Parquet some of their own.
const LANE_STACK_BYTES: usize = 8 << 20;
/// The first wait after a failure; doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// The longest wait. A lane that ran this long without failing begins at the first again.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// The longest wait for what lies outside, before anything was read: a few requests each time, and whoever mends it
/// looks whether it helped.
const OUTSIDE_BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// Who waits for so long after a failure leads no more: the cause may lie in its machine, and another one may do better.
const HANDS_OVER_AFTER: Duration = Duration::from_secs(4);
/// An owner of an earlier version has shown itself by then: it knows no terms, and takes the lane before it beats.
const OVERTAKEN_WAIT: Duration = BEAT_EVERY;

/// How a supervised lane ended.
#[derive(Debug)]
pub enum Ended {
    /// Finished or stopped.
    Well(LaneEnd),
    /// Halted: the message says why and what to do.
    Halted(String),
}

/// Starts a lane on its own thread.
pub fn supervise(parts: LaneParts, outside: Outside) -> std::io::Result<Thread<Ended>> {
    let (runtime, name) = (parts.runtime.clone(), format!("lane-{}", parts.config.name));
    outside.stop.rings(&outside.bell);
    runtime.thread(name, Some(LANE_STACK_BYTES), move || {
        let supervisor = Supervisor {
            back_off: Backoff::new(BACK_OFF_MIN, BACK_OFF_MAX, seed(&parts)),
            worked: Duration::ZERO,
            parts,
            said: None,
        };
        let runtime = supervisor.parts.runtime.clone();
        let ended = supervisor.run(&outside);
        outside.lead.release(&runtime);
        outside.pulse.end();
        ended
    })
}

/// Instances wait differently.
fn seed(parts: &LaneParts) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{} {}", parts.config.name, parts.instance).as_bytes())
}

struct Supervisor {
    parts: LaneParts,
    back_off: Backoff,
    /// How long the last life went on behind its opening. Standing by is no work: it shows nothing of what fails.
    worked: Duration,
    /// What was logged to be waited for.
    said: Option<String>,
}

/// What one life of a lane came to.
enum Life {
    Ended(LaneEnd),
    /// It could not begin: something outside is not as it must be.
    Awaits(String),
    /// Another instance has the lane, as its chain says.
    Overtaken(String),
    /// Another instance leads, or this one does no more.
    SteppedDown(String),
    /// It was broken off to take a command, which the next does first.
    BrokenOff,
    /// Another life may do better.
    Failed {
        reason: String,
        /// The next one here is a step nearer to the cause.
        narrows: bool,
    },
    /// No other life will.
    Halted(String),
}

impl Life {
    fn failed(reason: String) -> Self {
        Self::Failed { reason, narrows: false }
    }
}

impl Supervisor {
    fn run(mut self, outside: &Outside) -> Ended {
        loop {
            // What it waits for stays visible while it looks again.
            let waits_for = outside.status.load().problem.clone();
            publish(outside, Phase::Opening, waits_for);
            let life = self.live(outside);
            // Everything went with the lane.
            outside.memory.tell(Holds::default());
            if !matches!(life, Life::BrokenOff) {
                outside.commands.refuse_held(Refusal::NotOpen(Awaited::NextLife));
            }
            let wait;
            match life {
                Life::Ended(end) => {
                    if end == LaneEnd::CutShort {
                        publish(outside, Phase::Stopped, None);
                    }
                    return Ended::Well(end);
                }
                Life::Halted(reason) => {
                    tracing::error!(pipeline = %self.parts.config.name, "halted: {reason}");
                    publish(outside, Phase::Halted, Some(reason.clone()));
                    return Ended::Halted(reason);
                }
                Life::Overtaken(by) => {
                    tracing::warn!(pipeline = %self.parts.config.name, "{by}; stands by");
                    self.said = None;
                    self.release(outside);
                    wait = OVERTAKEN_WAIT;
                    outside.stand_by(&self.parts.config.name, None, None, None);
                }
                Life::SteppedDown(why) => {
                    tracing::warn!(pipeline = %self.parts.config.name, "{why}; stands by");
                    self.said = None;
                    self.release(outside);
                    continue;
                }
                Life::BrokenOff => {
                    tracing::warn!(
                        pipeline = %self.parts.config.name,
                        "a turn of failing calls was broken off for a command: going on from the last commit"
                    );
                    continue;
                }
                Life::Awaits(reason) => {
                    wait = self.back_off.wait_at_most(OUTSIDE_BACK_OFF_MAX);
                    self.release(outside);
                    self.say_once(&reason, wait);
                    publish(outside, Phase::BackingOff, Some(reason));
                }
                Life::Failed { reason, narrows } => {
                    wait = self.wait_after_failure();
                    if hands_over(wait, narrows) {
                        self.release(outside);
                    }
                    self.said = None;
                    outside.metrics.restarts.add(1);
                    tracing::error!(pipeline = %self.parts.config.name, again_in = ?wait, "{reason}");
                    publish(outside, Phase::BackingOff, Some(reason));
                }
            }
            if self.wait_before_next(outside, wait) {
                publish(outside, Phase::Stopped, None);
                return Ended::Well(LaneEnd::CutShort);
            }
        }
    }

    /// Logs what is waited for, unless that was logged already.
    fn say_once(&mut self, reason: &str, wait: Duration) {
        if self.said.as_deref().is_some_and(|said| is_same_problem(said, reason)) {
            tracing::debug!(pipeline = %self.parts.config.name, again_in = ?wait, "{reason}");
        } else {
            tracing::warn!(pipeline = %self.parts.config.name, "{reason}; trying again");
            self.said = Some(reason.to_owned());
        }
    }

    fn live(&mut self, outside: &Outside) -> Life {
        self.worked = Duration::ZERO;
        match caught(|| lane::open(&self.parts, outside)) {
            Ok(Ok(mut lane)) => {
                let clock = &self.parts.clock;
                let begun = clock.monotonic();
                let life = run_caught(&mut lane, outside);
                self.worked = clock.monotonic().saturating_sub(begun);
                life
            }
            Ok(Err(error)) => open_failed(error, outside.stop.is_asked()),
            Err(panicked) => Life::failed(panicked),
        }
    }

    fn wait_after_failure(&mut self) -> Duration {
        if self.worked >= BACK_OFF_MAX {
            self.back_off.reset();
        }
        self.back_off.wait()
    }

    /// Leads no more, so that another instance may.
    fn release(&self, outside: &Outside) {
        outside.lead.release(&self.parts.runtime);
    }

    /// Whether it is to stop instead.
    fn wait_before_next(&self, outside: &Outside, wait: Duration) -> bool {
        lane::wait(outside, &self.parts.runtime, wait, Awaited::NextLife)
    }
}

/// Whether a failure that is followed by such a wait has the instance lead no more. What narrows a failure down is known in
/// this process only: another one would begin at the first panic.
fn hands_over(wait: Duration, narrows: bool) -> bool {
    wait >= HANDS_OVER_AFTER && !narrows
}

fn run_caught(lane: &mut Lane, outside: &Outside) -> Life {
    match caught(|| lane.run()) {
        Ok(Ok(end)) => Life::Ended(end),
        Ok(Err(LaneError::BrokenOff)) => Life::BrokenOff,
        Ok(Err(
            error @ (LaneError::StateTooLarge { .. }
            | LaneError::Crowded(_)
            | LaneError::Source(SourceError::Lost(_) | SourceError::Final(_))
            | LaneError::PluginFailed { .. }
            | LaneError::Copied(_)
            | LaneError::SeveralRows(_)),
        )) => Life::Halted(chain_of(&error)),
        Ok(Err(error @ LaneError::Fenced { .. })) => Life::Overtaken(error.to_string()),
        Ok(Err(error @ LaneError::SteppedDown(_))) => Life::SteppedDown(error.to_string()),
        Ok(Err(LaneError::Commit(error))) if !error.may_pass() => Life::Halted(chain_of(&error)),
        Ok(Err(error)) => Life::failed(chain_of(&error)),
        Err(panicked) => {
            let reason = format!("{panicked}; {}", outside.trial.panicked(&panicked));
            Life::Failed { reason, narrows: outside.trial.narrows() }
        }
    }
}

/// A panic is a fault of ours. The lane's memory is dropped and the chain opened again, like after any failure.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panicked(&*panic);
        format!("the lane panicked, which is a fault of Sluicegate: {text}")
    })
}

/// Of a lane that need not open any more nothing is asked: whatever it failed of, its end is a good one.
fn open_failed(error: OpenError, is_to_stop: bool) -> Life {
    match error {
        OpenError::Stopped => Life::Ended(LaneEnd::CutShort),
        error if is_to_stop => {
            tracing::warn!("stopped while it could not be opened: {}", chain_of(&error));
            Life::Ended(LaneEnd::CutShort)
        }
        error @ OpenError::Fenced(_) => Life::Overtaken(error.to_string()),
        OpenError::SteppedDown(why) => Life::SteppedDown(why),
        error if error.may_pass() => Life::Awaits(chain_of(&error)),
        error => Life::Halted(chain_of(&error)),
    }
}

/// An error with its causes, as a person reads it.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn publish(outside: &Outside, phase: Phase, problem: Option<String>) {
    let status = outside.status.load();
    outside.status.store(Arc::new(LaneStatus { phase, problem, ..LaneStatus::clone(&status) }));
}
