//! What is told of dead letters: counted by kind, said in the log at most once a minute for each kind, and kept with
//! the first reason for the status.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::status::{DeadLetterCount, RecordPlace};
use sluicegate_chain::fates::Fates;
use sluicegate_connect::sink::dead_letters::DeadLetter;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::printable::printable;

/// How often the log speaks of one kind.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Records over which the share of dead letters is looked at: enough that a bad one among them is no trend, few enough
/// that a first try shows it.
pub(in crate::lane) const SHARE_RECORDS: u64 = 20;
/// A share of dead letters from which on something is wrong with all records rather than with some: one in so many.
const SHARE_OF: u64 = 2;

/// Dead letters since the lane was opened.
#[derive(Debug, Default)]
pub(in crate::lane) struct Told {
    kinds: BTreeMap<DeadLetterKind, OfKind>,
    /// The fates when the share was looked at last, and what was found then.
    looked_at: Option<Fates>,
    problem: Option<String>,
}

#[derive(Debug)]
struct OfKind {
    count: u64,
    first: Reason,
    /// Since the share was looked at, and the first of them.
    lately: u64,
    first_lately: Reason,
    /// What the log has not said yet: how many, and the first of them.
    unsaid: Option<(u64, Reason)>,
    /// By the monotonic clock.
    said_at: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Reason {
    stage: String,
    text: String,
    record: Option<RecordPlace>,
}

impl Told {
    /// Takes note of one.
    pub(in crate::lane) fn note(&mut self, letter: &DeadLetter<'_>) {
        let reason = || Reason {
            stage: letter.stage.to_owned(),
            text: printable(letter.reason).into_owned(),
            record: place_of(letter),
        };
        let kind = match self.kinds.get_mut(&letter.kind) {
            Some(kind) => kind,
            None => {
                let (first, first_lately) = (reason(), reason());
                let new = OfKind {
                    count: 0,
                    first,
                    lately: 0,
                    first_lately,
                    unsaid: None,
                    said_at: None,
                };
                self.kinds.entry(letter.kind).or_insert(new)
            }
        };
        kind.count += 1;
        if kind.lately == 0 {
            kind.first_lately = reason();
        }
        kind.lately += 1;
        kind.unsaid.get_or_insert_with(|| (0, reason())).0 += 1;
    }

    /// Of each kind how many there were, and the first of them; by kind.
    pub(in crate::lane) fn kinds(&self) -> Vec<DeadLetterCount> {
        let view = |(kind, told): (&DeadLetterKind, &OfKind)| DeadLetterCount {
            kind: kind.to_string(),
            count: told.count,
            first_stage: told.first.stage.clone(),
            first_reason: told.first.text.clone(),
            first_record: told.first.record.clone(),
        };
        self.kinds.iter().map(view).collect()
    }

    /// Looks at the share of dead letters among the records since it was looked at last, once there are enough. Until
    /// then what was found stays true: that no record comes is no news of them.
    pub(in crate::lane) fn look(&mut self, fates: Fates) {
        let before = *self.looked_at.get_or_insert(fates);
        let Fates { read, dead_lettered, .. } = fates.since(before);
        if read < SHARE_RECORDS {
            return;
        }
        self.looked_at = Some(fates);
        let is_large = dead_lettered.saturating_mul(SHARE_OF) >= read;
        let most = self.kinds.iter().max_by_key(|(_, kind)| kind.lately);
        self.problem = most.filter(|_| is_large).map(|(kind, OfKind { first_lately, .. })| {
            let Reason { stage, text, .. } = first_lately;
            format!(
                "{dead_lettered} of the last {read} records became dead letters, most of the kind {kind}, the first of these at stage `{stage}`: {text}"
            )
        });
        for kind in self.kinds.values_mut() {
            kind.lately = 0;
        }
    }

    /// What is wrong with most records, as last seen.
    pub(in crate::lane) fn problem(&self) -> Option<String> {
        self.problem.clone()
    }

    /// Logs what is new of each kind, unless that kind was spoken of within the last minute.
    pub(in crate::lane) fn say(&mut self, pipeline: &str, now: Duration, kept: bool) {
        self.due(now).iter().for_each(|line| line.log(pipeline, kept));
    }

    /// Logs everything that was not said yet.
    pub(in crate::lane) fn say_all(&mut self, pipeline: &str, kept: bool) {
        self.due(Duration::MAX).iter().for_each(|line| line.log(pipeline, kept));
    }

    fn due(&mut self, now: Duration) -> Vec<Line> {
        let mut lines = Vec::new();
        for (kind, told) in &mut self.kinds {
            let is_due = told.said_at.is_none_or(|at| now.saturating_sub(at) >= SAY_EVERY);
            if is_due && let Some((count, first)) = told.unsaid.take() {
                told.said_at = Some(now);
                lines.push(Line { kind: *kind, count, first });
            }
        }
        lines
    }
}

/// The record of a letter; none if it is of none.
fn place_of(letter: &DeadLetter<'_>) -> Option<RecordPlace> {
    let (stream, partition, offset) = (letter.topic?, letter.partition?, letter.offset?);
    Some(RecordPlace { stream: printable(stream).into_owned(), partition, offset })
}

/// A line of the log.
#[derive(Debug)]
struct Line {
    kind: DeadLetterKind,
    count: u64,
    first: Reason,
}

impl Line {
    fn log(&self, pipeline: &str, kept: bool) {
        let Self { kind, count, first: Reason { stage, text, record } } = self;
        let record = record.as_ref().map(tracing::field::display);
        let fate =
            if kept { "dead letters" } else { "dead letters, dropped as the pipeline file says" };
        let kind = kind.as_str();
        tracing::warn!(pipeline, kind, count, stage, first_reason = text, record, "{fate}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(kind: DeadLetterKind, reason: &str) -> DeadLetter<'_> {
        DeadLetter::of("revenue", kind, reason)
    }

    #[test]
    fn the_log_speaks_of_a_kind_at_once_and_then_once_a_minute_with_all_that_came_meanwhile() {
        let mut told = Told::default();
        let lines = |told: &mut Told, seconds| -> Vec<String> {
            let lines = told.due(Duration::from_secs(seconds));
            let text = |line: &Line| format!("{} {} {}", line.count, line.kind, line.first.text);
            lines.iter().map(text).collect()
        };
        told.note(&letter(DeadLetterKind::Evaluate, "trap: one"));
        assert_eq!(lines(&mut told, 5), ["1 evaluate trap: one"]);
        told.note(&letter(DeadLetterKind::Evaluate, "trap: two"));
        told.note(&letter(DeadLetterKind::Evaluate, "trap: three"));
        told.note(&letter(DeadLetterKind::Decode, "no \u{1b}[2J JSON"));
        assert_eq!(lines(&mut told, 64), ["1 decode no \\u{1b}[2J JSON"]);
        assert_eq!(lines(&mut told, 65), ["2 evaluate trap: two"]);
        assert!(lines(&mut told, 500).is_empty(), "nothing new");
        let (topic, partition, offset) = (Some("sales"), Some(3), Some(17));
        told.note(&DeadLetter {
            topic,
            partition,
            offset,
            ..letter(DeadLetterKind::Rejected, "no price")
        });
        told.note(&letter(DeadLetterKind::Rejected, "no store"));
        let kinds = told.kinds();
        assert_eq!(
            kinds[2].to_string(),
            "2 rejected, the first at revenue: no price (sales/3 at offset 17)"
        );
        assert_eq!(kinds[1].to_string(), "3 evaluate, the first at revenue: trap: one");
        assert_eq!(kinds.iter().map(|kind| kind.count).collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(kinds[1].first_reason, "trap: one");
    }

    fn after(read: u64, dead_lettered: u64) -> Fates {
        Fates { read, dead_lettered, accepted: read - dead_lettered, ..Fates::default() }
    }

    #[test]
    fn a_large_share_of_dead_letters_is_a_problem_until_records_show_that_it_has_passed() {
        let mut told = Told::default();
        told.look(after(0, 0));
        told.note(&letter(DeadLetterKind::Rejected, "one"));
        for _ in 0..10 {
            told.note(&letter(DeadLetterKind::Decode, "no field `ts`"));
        }
        told.look(after(19, 10));
        assert_eq!(told.problem(), None, "too few records to tell");
        told.look(after(20, 11));
        let problem = told.problem().unwrap();
        assert_eq!(
            problem,
            "11 of the last 20 records became dead letters, most of the kind decode, the first of these at stage `revenue`: no field `ts`"
        );
        told.look(after(30, 11));
        assert_eq!(told.problem(), Some(problem), "too few records to tell that it has passed");
        told.look(after(40, 11));
        assert_eq!(told.problem(), None);
    }
}
