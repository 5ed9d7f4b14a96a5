//! Sessions: windows that follow from the other rows of a key as well.

use super::aggregate::{Aggregate, CondemnedGroup, Results};
use super::open::Looking;
use super::shape::{By, Fired, Shape, Until, Watching, Way};
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::{Judging, LateRow, Placed};
use crate::lane::rows::{Rows, project};
use sluicegate_connect::sink::late::Missed;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::varlen::Varlen;
use sluicegate_state::window::StateRow;
use sluicegate_state::window::snapshot::{KnownClosed, Stored};
use sluicegate_state::window::{
    LateForSession, RunSize, SessionCall, SessionRow, SessionRule, Sessions,
};

/// The sessions of one worker.
pub(super) struct OpenSessions {
    rule: SessionRule,
    sessions: Sessions,
    call: SessionCall,
}

impl OpenSessions {
    /// Without rows.
    pub(super) fn new(rule: SessionRule) -> Self {
        Self { rule, sessions: Sessions::default(), call: SessionCall::default() }
    }

    /// Finds the session of each row, in order: what a row finds depends on the rows before it. Answers with those that
    /// are on time.
    fn assign(&mut self, owned: Owned<'_>, lateness: i64, answers: &mut Answers) -> Vec<u32> {
        let Self { rule, sessions, call } = self;
        let Owned { prepared, placed, mine } = owned;
        let mut assigned = Vec::with_capacity(placed.rows.len());
        let mut assign = |index: usize| {
            let (number, Judging { watermark, by }) = (placed.rows[index], placed.judging[index]);
            let row = SessionRow {
                time: EventTime(prepared.rows.times[number as usize]),
                closed_until: watermark.minus(lateness),
                hash: placed.keys.hash(index),
                key: placed.keys.key(index),
            };
            match sessions.assign(*rule, row, call) {
                Ok(()) => assigned.push(number),
                Err(LateForSession { own, covers }) => answers.late.push(LateRow {
                    row: number,
                    missed: Missed {
                        first: own,
                        last_end: own.end,
                        windows: 1,
                        covers,
                        watermark,
                        by,
                    },
                }),
            }
        };
        match mine {
            Some(mine) => mine.iter().for_each(|index| assign(*index as usize)),
            None => (0..placed.rows.len()).for_each(assign),
        }
        assigned
    }
}

impl Shape for OpenSessions {
    /// Who is late is known when the sessions before a row are: until then all rows that are left are placed.
    fn place(&self, rows: &Rows, By { judge, clock, .. }: By<'_>, placed: &mut Placed) {
        placed.judging.reserve(rows.len());
        rows.selection().for_each(|row| {
            placed.rows.push(row as u32);
            let before = rows.before[row];
            let (watermark, by) = (judge.watermark(before, clock), judge.whose(before, clock));
            placed.judging.push(Judging { watermark, by });
        });
    }

    /// Merges sessions between rows where it must be.
    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers) {
        let plan = aggregate.plan;
        let rows = self.assign(owned, plan.lateness, answers);
        let Self { sessions, call, .. } = self;
        let batch = &owned.prepared.rows.batch;
        for round in 0..call.rounds() {
            let mut merge = |left: &Varlen, right: &Varlen| aggregate.runner.merge(left, right);
            call.merge_round(round, &mut merge, |key, bounds, state, refusal| {
                let (key, refusal) = (sessions.key(key).to_vec(), refusal.clone());
                answers.condemned.push(CondemnedGroup {
                    step: DeadLetterKind::Merge,
                    bounds,
                    key,
                    state,
                    refusal,
                });
            });
            let now = call.rows_of(round);
            let picked: Vec<u32> = now.rows.iter().map(|row| rows[*row as usize]).collect();
            let is_all = picked.len() == batch.num_rows();
            let picked_or_all = (!is_all).then_some(picked.as_slice());
            let input = project(batch, &plan.grouped.stage.inputs, picked_or_all);
            let answer = aggregate.runner.update(&input, &now.groups, &now.states);
            call.put(round, &answer.states, answer.refusals.iter().map(|refusal| refusal.row));
            let refused = answer.refusals.into_iter();
            answers.refused.extend(refused.map(|it| (picked[it.row as usize], it)));
        }
        sessions.settle(call);
    }

    fn has_due(&self, way: Way) -> bool {
        self.sessions.has_due(way.now)
    }

    fn next_run(&mut self, way: Way, size: RunSize) -> Option<Until> {
        Until::of(self.sessions.next_run(way.now, size))
    }

    fn fire(&mut self, aggregate: &mut Aggregate<'_>, _way: Way, until: &Until) -> Fired {
        let mut results = Results::default();
        let firing = self.sessions.fire_run(until.group());
        aggregate.evaluate(&firing, &mut results);
        Fired::of(&firing, results)
    }

    fn is_closing(&self, now: Watermark, _lateness: i64) -> bool {
        self.sessions.has_due(now)
    }

    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired {
        self.sessions.close(self.rule, way.now, aggregate.plan.lateness);
        Fired::default()
    }

    /// The sessions in which at most `max` keys are now. There is one watcher of them.
    fn changed(&mut self, aggregate: &mut Aggregate<'_>, _by: Watching, max: usize) -> Results {
        let mut results = Results::default();
        aggregate.evaluate(&self.sessions.take_changed(max), &mut results);
        results
    }

    fn open(&mut self, aggregate: &mut Aggregate<'_>, _now: Watermark, looking: &mut Looking<'_>) {
        for group in self.sessions.open() {
            if looking.is_enough() {
                return;
            }
            looking.find(aggregate, group);
        }
    }

    fn changed_len(&self) -> usize {
        self.sessions.changed_len()
    }

    fn restore(&mut self, row: &StateRow<'_>) {
        if row.is_closed {
            self.sessions.restore_closed(self.rule, row);
        } else {
            self.sessions.restore(row);
        }
    }

    fn restored(&mut self, known: KnownClosed, closed: Watermark) {
        let unknown_before = match (known, closed) {
            (KnownClosed::From(before), _) => before,
            // Whatever was closed by then has begun before.
            (KnownClosed::Nothing, Watermark::At(time)) => self.rule.corrected.then_some(time),
            (KnownClosed::Nothing, _) => None,
        };
        self.sessions.set_unknown_before(unknown_before);
    }

    fn set_saved(&mut self) {
        self.sessions.set_saved();
    }

    fn stored(&self) -> Stored<'_> {
        Stored::Sessions(&self.sessions)
    }

    fn states(&self) -> States<'_> {
        Box::new(self.sessions.states())
    }

    fn set_states(&mut self, mut states: &mut dyn Iterator<Item = &[u8]>) {
        self.sessions.set_states(&mut states);
    }

    fn groups_len(&self) -> usize {
        self.sessions.len()
    }

    fn bytes(&self) -> usize {
        self.sessions.bytes()
    }

    fn firing_bytes(&self) -> usize {
        self.sessions.firing_bytes()
    }
}
