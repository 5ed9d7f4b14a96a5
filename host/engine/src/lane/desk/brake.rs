//! The brake: how the outside is heard while a stage's plugin keeps failing or takes its time.
//!
//! A plugin that is slow to fail, on one row in a hundred, can hold a turn for minutes, and so can one that is slow.
//! Calls are timed. When those that failed have taken a while, the status says so. Whoever asks for another module
//! then, or for the end, has the turn broken off: everything since the last commit is dropped, the lane is opened
//! again, and the command is the first thing that it takes. Windows and timers that fire are cut into runs for the same
//! reason.

use std::sync::Arc;
use std::time::Duration;

use crate::status::{LaneStatus, Phase};
use sluicegate_sandbox::run::brake::{Brake, Effort};

use super::Outside;
use crate::lane::pool::LONG_TURN;

/// CPU time of the failed calls of a turn from which on it is worth telling. Some thousand traps, or a few endless
/// loops.
const WORTH_TELLING: Duration = Duration::from_millis(300);

/// The brake of a lane's turns.
pub(in crate::lane) fn brake(outside: &Outside) -> Brake {
    let Outside { stop, commands, status, pulse, .. } = outside;
    let (stop, commands, pulse) = (stop.clone(), commands.clone(), pulse.clone());
    let status = Arc::clone(status);
    Brake::new(move |Effort { calls, failing }| {
        let is_failing = failing >= WORTH_TELLING;
        if !is_failing && calls < LONG_TURN {
            return stop.is_overdue();
        }
        // Slow, and alive: each call has a deadline.
        pulse.beat();
        // The lane's thread waits for the turn: nobody else publishes meanwhile.
        let told = status.load();
        // The first turn of a lane is one of a lane that opens.
        if is_failing && matches!(told.phase, Phase::Running | Phase::Opening) {
            let phase = Phase::Isolating;
            status.store(Arc::new(LaneStatus { phase, ..LaneStatus::clone(&told) }));
        }
        // What is only slow comes to its end, if a stop can wait for it: then it is committed.
        is_failing && stop.is_asked() || stop.is_overdue() || commands.is_waiting()
    })
}

/// Whether the last turn spent much of its time on failures.
pub(in crate::lane) fn is_isolating(brake: &Brake) -> bool {
    brake.effort().failing >= WORTH_TELLING
}
