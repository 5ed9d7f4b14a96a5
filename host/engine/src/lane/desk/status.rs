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
    /// Something has changed since.
    pub(super) is_behind: bool,
}

impl Reported {
    /// When a status is to be published, if one must be.
    pub(super) fn due(&self) -> Option<Duration> {
        self.is_behind.then_some(self.next_status)
    }
}

impl Desk {
    /// Whether it is time for another status.
    pub(in crate::lane) fn status_is_due(&self) -> bool {
        self.clock.monotonic() >= self.reported.next_status
    }

    /// Publishes a status, and logs its problem if that is news.
    pub(in crate::lane) fn publish(&mut self, status: LaneStatus) {
        self.reported.next_status = self.clock.monotonic() + STATUS_EVERY;
        self.reported.is_behind = false;
        say(&status.pipeline, self.reported.problem.as_deref(), status.problem.as_deref());
        self.reported.problem.clone_from(&status.problem);
        self.metrics().published_micros.set_micros(self.clock.wall_micros());
        self.outside.status.store(Arc::new(status));
    }
}

/// What a step of an opening waits for, as it is shown and logged. What was shown before the step is another one's, and
/// has not passed because this one goes on: it is shown again then.
pub(in crate::lane) struct Shown<'o> {
    outside: &'o Outside,
    before: Option<String>,
    now: Option<String>,
}

impl<'o> Shown<'o> {
    /// The step has begun.
    pub(in crate::lane) fn new(outside: &'o Outside) -> Self {
        Self { outside, before: outside.status.load().problem.clone(), now: None }
    }

    /// It waits.
    pub(in crate::lane) fn problem(&mut self, problem: String) {
        let said = self.now.as_deref().or(self.before.as_deref());
        say(&self.outside.status.load().pipeline, said, Some(&problem));
        self.publish(Some(problem.clone()));
        self.now = Some(problem);
    }

    /// It waits no more: what it waited for is there.
    pub(in crate::lane) fn passed(self) {
        let Some(now) = &self.now else { return };
        say(&self.outside.status.load().pipeline, Some(now), None);
        let other = self.before.as_ref().filter(|before| !is_same_problem(before, now));
        self.publish(other.cloned());
    }

    fn publish(&self, problem: Option<String>) {
        let status = LaneStatus::clone(&self.outside.status.load());
        self.outside.status.store(Arc::new(LaneStatus { problem, ..status }));
    }
}

/// Logs a problem when it begins and when it has passed, which is when what failed has succeeded since: whoever keeps a
/// problem ready to be asked for forgets it then and not before. Source and outbox say nothing themselves; the
/// committer does, because it also commits the genesis, before there is a lane.
fn say(pipeline: &str, said: Option<&str>, problem: Option<&str>) {
    match (said, problem) {
        (Some(said), Some(problem)) if is_same_problem(said, problem) => {}
        (_, Some(problem)) => tracing::warn!(pipeline, "{problem}"),
        (Some(passed), None) => tracing::info!(pipeline, passed, "the problem has passed"),
        (None, None) => {}
    }
}
