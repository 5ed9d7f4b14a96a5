//! The status of a lane as the outside reads it, and the problems that the log speaks of.

use std::sync::Arc;
use std::time::Duration;

use crate::status::{LaneStatus, is_same_problem};

use super::{Desk, Outside};

/// The status is copied at most this often: a person or a probe asks no more often.
const STATUS_EVERY: Duration = Duration::from_millis(100);

/// What was last told.
#[derive(Debug, Default)]
pub(super) struct Reported {
    next_status: Duration,
    problem: Option<String>,
}

impl Desk {
    /// Whether it is time for another status.
    pub(in crate::lane) fn status_is_due(&self) -> bool {
        self.clock.monotonic() >= self.reported.next_status
    }

    /// Publishes a status, and logs its problem if that is news.
    pub(in crate::lane) fn publish(&mut self, status: LaneStatus) {
        self.reported.next_status = self.clock.monotonic() + STATUS_EVERY;
        say(&status.pipeline, self.reported.problem.as_deref(), status.problem.as_deref());
        self.reported.problem.clone_from(&status.problem);
        self.metrics().published_micros.set_micros(self.clock.wall_micros());
        self.outside.status.store(Arc::new(status));
    }
}

/// Publishes and logs why a lane that is not open yet waits, or that it does so no more.
pub(in crate::lane) fn publish_problem(outside: &Outside, problem: Option<String>) {
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
