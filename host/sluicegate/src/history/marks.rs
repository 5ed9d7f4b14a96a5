//! What happened to a pipeline and when: modules that took others' places, openings, problems that came and passed.

use std::collections::VecDeque;

use super::MARKS_MAX;
use crate::api::history::{Mark, MarkKind};
use crate::terminal::columns::cut;
use sluicegate_engine::counters::{Activated, Commit, LaneMetrics};
use sluicegate_engine::status::{LaneStatus, is_same_problem};
use sluicegate_model::time::EventTime;

/// Characters of a problem that are kept.
const TEXT_MAX: usize = 300;

/// The newest marks, the oldest first, and what was seen when they were made.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// With the time of the sample that saw each, milliseconds since 1970. It may have happened before the sample before, which a
    /// reader has already.
    marks: VecDeque<(i64, Mark)>,
    openings: u64,
    /// The newest commit that was looked at.
    commit: Option<u64>,
    problem: Option<String>,
}

impl Marks {
    /// Makes marks of what happened since the last look.
    pub(super) fn look(&mut self, status: &LaneStatus, metrics: &LaneMetrics, wall_micros: i64) {
        let openings = metrics.openings.get();
        if openings > self.openings {
            self.openings = openings;
            let at = metrics.opened_micros.time().map_or(wall_micros, EventTime::micros);
            self.push(wall_micros, at, opened(metrics.opened_epoch.get()));
        }
        for commit in metrics.commits.all().iter() {
            if self.commit.is_none_or(|seen| commit.epoch.0 > seen) {
                self.commit = Some(commit.epoch.0);
                for activated in &commit.activated {
                    self.push(wall_micros, commit.at_micros, activation(commit, activated));
                }
            }
        }
        self.look_at_problem(status, wall_micros);
    }

    fn look_at_problem(&mut self, status: &LaneStatus, wall_micros: i64) {
        match (&self.problem, &status.problem) {
            (None, None) => {}
            (Some(before), Some(now)) if is_same_problem(before, now) => {}
            (_, Some(now)) => {
                let mark = Mark { text: cut(now, TEXT_MAX), ..plain(MarkKind::Problem) };
                self.push(wall_micros, wall_micros, mark);
                self.problem = Some(now.clone());
            }
            (Some(before), None) => {
                let mark = Mark { text: cut(before, TEXT_MAX), ..plain(MarkKind::Mended) };
                self.push(wall_micros, wall_micros, mark);
                self.problem = None;
            }
        }
    }

    /// Wall times in µs: when it was seen, and when it happened.
    fn push(&mut self, seen: i64, at: i64, mark: Mark) {
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
        }
        let (seen, at) = (seen.div_euclid(1_000), at.div_euclid(1_000));
        self.marks.push_back((seen, Mark { at: EventTime(at * 1_000).to_string(), ..mark }));
    }

    /// Those that were seen after a time, milliseconds since 1970.
    pub(super) fn since(&self, millis: Option<i64>) -> impl Iterator<Item = Mark> {
        let is_new = move |seen: i64| millis.is_none_or(|since| seen > since);
        self.marks.iter().filter(move |(seen, _)| is_new(*seen)).map(|(_, mark)| mark.clone())
    }
}

fn opened(epoch: u64) -> Mark {
    let text = match epoch {
        0 => "opened, at the beginning".to_owned(),
        epoch => format!("opened, goes on behind epoch {epoch}"),
    };
    Mark { epoch: Some(epoch), text, ..plain(MarkKind::Opened) }
}

fn activation(commit: &Commit, activated: &Activated) -> Mark {
    let Activated { stage, module, digest, previous } = activated;
    let text = format!(
        "stage {stage} runs {module} {} instead of {}, from epoch {} on",
        digest.short(),
        previous.short(),
        commit.epoch
    );
    Mark {
        epoch: Some(commit.epoch.0),
        text,
        stage: Some(stage.clone()),
        module: Some(module.clone()),
        digest: Some(*digest),
        previous: Some(*previous),
        ..plain(MarkKind::Activation)
    }
}

fn plain(kind: MarkKind) -> Mark {
    Mark {
        at: String::new(),
        epoch: None,
        kind,
        text: String::new(),
        stage: None,
        module: None,
        version: None,
        digest: None,
        previous: None,
    }
}
