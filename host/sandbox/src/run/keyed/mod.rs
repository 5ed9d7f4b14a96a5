//! Runs a keyed plugin: rows with what is due before them, and timers that the watermark has passed.
//!
//! A call that fails is cut in halves like any other (see [`super::isolate`]). A row that stands alone is asked for with
//! care: what is due before it fires first, timer by timer, so that a timer's fault is not blamed on the row.

mod groups;

use std::ops::Range;

use super::calls::Calls;
use super::cut::RowBytes;
use super::isolate::{self, CallFailure, Haste};
use super::made::Made;
use super::outcome::{KeyedOutcome, TimerOutcome, TimerRefusal, kind_of, refusable};
use super::runner::{KeyedRunner, rejected};
use crate::plugin::PluginError;
use crate::plugin::answer::KeyedRows;
use crate::plugin::guest::KeyedGuest;
use groups::WorkingGroups;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::{KeyedGroups, Timer};

impl KeyedRunner {
    /// Timers of one key that fire in one step of its watermark.
    pub fn firings_max(&self) -> u32 {
        self.firings_max
    }

    /// Processes rows: row `i` belongs to group `rows.groups[i]`. Refused rows and timers leave no trace.
    pub fn process(&mut self, rows: &KeyedRows<'_>, groups: &KeyedGroups) -> KeyedOutcome {
        let bytes = RowBytes::new(&rows.batch);
        let end = rows.times.len();
        let mut work = Work {
            rows,
            groups: WorkingGroups::new(groups),
            made: Made::new(&self.calls.plugin().output_schema),
            times: Vec::new(),
            timers: Vec::new(),
            firings_max: self.firings_max,
        };
        let mut refusals = Vec::new();
        let mut start = 0;
        while start < end {
            // Half of the bytes are for the rows, half for the groups.
            let half = self.bytes_max / 2;
            let part = bytes.next(start, end, self.rows_max, half);
            let part = work.groups.fitting(part, rows.groups, half);
            start = part.end;
            let calls = &mut self.calls;
            let course = isolate::attempt(
                part,
                &mut self.budget,
                |part, haste| {
                    if part.len() == 1 {
                        work.fire_before(calls, part.start)?;
                    }
                    work.process(calls, part, haste)
                },
                |part, result| match refusable(&part, result) {
                    Ok(rejects) => refusals.extend(rejects.into_iter().map(rejected(&part))),
                    Err(refused) => refused.rows(&part, &mut refusals),
                },
            );
            self.calls.learn(course, &mut self.rows_max);
        }
        self.calls.count_rows(end, end - refusals.len());
        let (batch, source_rows) = work.made.finish();
        let (times, timers, groups) = (work.times, work.timers, work.groups.finish());
        KeyedOutcome { groups, batch, source_rows, times, refusals, timers }
    }

    /// Fires timer `i` of group `i`, which is no longer among its timers. A group whose timer is refused comes back as
    /// it was given.
    pub fn on_timers(&mut self, fired: &[Timer], groups: &KeyedGroups) -> TimerOutcome {
        let mut made = Made::new(&self.calls.plugin().output_schema);
        let mut after = KeyedGroups::default();
        let mut refusals = Vec::new();
        let mut start = 0;
        while start < fired.len() {
            let part = next_groups(groups, start, self.groups_max, self.bytes_max);
            start = part.end;
            let calls = &mut self.calls;
            let course = isolate::attempt(
                part,
                &mut self.budget,
                |part, haste| {
                    let mut given = KeyedGroups::default();
                    part.clone().for_each(|group| given.push_from(groups, group));
                    calls.call(part.len(), haste, |guest| {
                        guest.on_timer(&fired[part.clone()], &given)
                    })
                },
                |part, result| {
                    let kept = refusable(&part, result).and_then(|answer| {
                        made.push(&part, answer.batch, answer.of)?;
                        Ok(answer.groups)
                    });
                    match kept {
                        Ok(answered) => {
                            (0..part.len()).for_each(|group| after.push_from(&answered, group));
                        }
                        Err(refused) => {
                            refused.groups(&part, &mut refusals);
                            part.for_each(|group| after.push_from(groups, group));
                        }
                    }
                },
            );
            self.calls.learn(course, &mut self.groups_max);
        }
        let (batch, of) = made.finish();
        TimerOutcome { groups: after, batch, of, refusals }
    }
}

/// The next range of groups, with at most `groups_max` groups and `bytes_max` bytes; at least one group.
fn next_groups(
    groups: &KeyedGroups,
    start: usize,
    groups_max: usize,
    bytes_max: usize,
) -> Range<usize> {
    let most = groups.len().min(start + groups_max.max(1));
    let mut bytes = groups.bytes_of(start);
    let fits = |group: &usize| {
        bytes += groups.bytes_of(*group);
        bytes <= bytes_max
    };
    start..start + 1 + (start + 1..most).take_while(fits).count()
}

struct Work<'a> {
    rows: &'a KeyedRows<'a>,
    groups: WorkingGroups<'a>,
    made: Made,
    /// Event time of each row of `made`.
    times: Vec<EventTime>,
    timers: Vec<TimerRefusal>,
    firings_max: u32,
}

impl Work<'_> {
    fn process(
        &mut self,
        calls: &mut Calls<dyn KeyedGuest>,
        part: Range<usize>,
        haste: Haste,
    ) -> Result<Vec<crate::plugin::answer::Reject>, CallFailure> {
        let Self { rows, groups, made, .. } = self;
        let answer = calls.call(part.len(), haste, |guest| {
            groups.call(&rows.groups[part.clone()], |of, given| {
                let answer = guest.process(&rows.part(&part, &of), given)?;
                made.admit(&answer.batch)?;
                let after = answer.groups;
                Ok(((answer.batch, answer.source_rows, answer.times, answer.rejects), after))
            })
        });
        let (batch, source_rows, times, rejects) = answer?;
        made.push_admitted(&part, batch, source_rows);
        self.times.extend(times);
        Ok(rejects)
    }

    /// Fires what is due before a row, one by one, and forgets its group if its life is over then.
    fn fire_before(
        &mut self,
        calls: &mut Calls<dyn KeyedGuest>,
        row: usize,
    ) -> Result<(), CallFailure> {
        let (group, watermark) = (self.rows.groups[row], self.rows.watermarks[row]);
        let mut firings = 0;
        while let Some(timer) = self.groups.first_timer(group).filter(|it| it.time <= watermark) {
            firings += 1;
            let fired = if firings > self.firings_max {
                Err(CallFailure {
                    fault: too_many(self.firings_max),
                    hopeless: false,
                    used: false,
                    nanos: 0,
                })
            } else {
                self.fire(calls, group, timer, row)
            };
            match fired {
                Ok(()) => {}
                Err(failure) if failure.hopeless => return Err(failure),
                Err(failure) => self.condemn(group, timer, &failure.fault),
            }
        }
        // Here and not only in the call: should the row be condemned, its group was forgotten all the same.
        if self.rows.expired[row] && self.groups.first_timer(group).is_none() {
            let mut forgotten = KeyedGroups::default();
            forgotten.push(&[], []);
            self.groups.replace_one(group, forgotten);
        }
        Ok(())
    }

    /// Once more in a new instance if the first had a past, or was too slow.
    fn fire(
        &mut self,
        calls: &mut Calls<dyn KeyedGuest>,
        group: u32,
        timer: Timer,
        row: usize,
    ) -> Result<(), CallFailure> {
        let rest = self.groups.without_first_timer(group);
        let mut call = || {
            calls.call(1, Haste::None, |guest| {
                let answer = guest.on_timer(&[timer], &rest)?;
                self.made.admit(&answer.batch)?;
                Ok(answer)
            })
        };
        let answer = match call() {
            Err(failure) if !failure.hopeless && deserves_another(&failure) => call(),
            result => result,
        }?;
        self.times.resize(self.times.len() + answer.batch.num_rows(), timer.time);
        let sources = vec![0; answer.batch.num_rows()];
        self.made.push_admitted(&(row..row + 1), answer.batch, sources);
        self.groups.replace_one(group, answer.groups);
        Ok(())
    }

    fn condemn(&mut self, group: u32, timer: Timer, fault: &PluginError) {
        self.timers.push(TimerRefusal {
            group,
            timer,
            state: self.groups.state(group).to_vec(),
            kind: kind_of(fault),
            reason: fault.to_string(),
        });
        self.groups.replace_one(group, self.groups.without_first_timer(group));
    }
}

fn deserves_another(failure: &CallFailure) -> bool {
    failure.used || matches!(failure.fault, PluginError::Deadline { .. })
}

/// What is said of the timer with which a chain is cut off.
pub fn too_many(firings_max: u32) -> PluginError {
    PluginError::Answer(format!(
        "the timers of the key have fired {firings_max} times in one step of the watermark, each setting another"
    ))
}

impl<'r> KeyedRows<'r> {
    /// Some of the rows; `groups` are the indexes of theirs.
    fn part(&self, part: &Range<usize>, groups: &'r [u32]) -> Self {
        Self {
            batch: self.batch.slice(part.start, part.len()),
            times: &self.times[part.clone()],
            watermarks: &self.watermarks[part.clone()],
            expired: &self.expired[part.clone()],
            groups,
        }
    }
}
