//! Process plugins on tables: a small host that keeps state and timers, and the law that calls may be cut anywhere.

use super::table::{self, Table};
use super::{Answer, configuration, output_cells, reject_lines};
use crate::process::{Groups, KeyedBatch, TimerSets};
use crate::{Description, OwnedColumn, ProcessPlugin, Processor, Reject, Span, Timer, Varlen};

/// Runs a process plugin to the end of input; the rows of the answer are the event time, the group and the columns of
/// the output.
///
/// A column `time` of the table is the event time of a row. `group`, with small numbers, says which key it
/// belongs to; without it there is one, 0. `watermark` says how far time has come before it; without it that is
/// the largest time of the rows before it. Times are numbers with a unit (`90s`, `5m`), or microseconds.
///
/// Also checks what the host relies on, and panics if it does not hold: every group emits the same when its rows come one
/// a call and the host fires the timers in between.
///
/// # Errors
/// What the plugin says of the configuration.
pub fn process<P: ProcessPlugin>(
    _: P,
    config: &[(&str, &str)],
    rows: &str,
) -> Result<Answer, String> {
    let description = P::describe();
    let table = Table::parse(rows, description.inputs);
    let times = table::column(rows, "time").expect("the table has a column `time`");
    let watermarks = table::column(rows, "watermark").unwrap_or_else(|| largest_before(&times));
    let plugin = P::init(&configuration(config, &table))?;
    let script = Script { plugin: &*plugin, description, table, times, watermarks };

    let mut at_once = script.host();
    at_once.process(0..script.table.rows());
    at_once.end();
    let mut one_by_one = script.host();
    for row in 0..script.table.rows() {
        one_by_one.advance(script.watermarks[row]);
        one_by_one.process(row..row + 1);
    }
    one_by_one.end();
    for group in 0..script.table.groups() {
        let (expected, found) = (at_once.of(group), one_by_one.of(group));
        table::assert_same(&expected, &found, "with the rows one a call");
    }
    assert_eq!(at_once.rejects, one_by_one.rejects, "other rows are refused one by one");
    let rows = at_once.emitted.into_iter().map(|(_, line)| line).collect();
    Ok(Answer { rows, rejects: reject_lines(&at_once.rejects) })
}

/// The watermark of a partition without disorder: the largest time before each row.
fn largest_before(times: &[i64]) -> Vec<i64> {
    let mut largest = i64::MIN;
    let before = |time: &i64| {
        let before = largest;
        largest = largest.max(*time);
        before
    };
    times.iter().map(before).collect()
}

struct Script<'p> {
    plugin: &'p dyn Processor,
    description: Description,
    table: Table,
    times: Vec<i64>,
    watermarks: Vec<i64>,
}

impl Script<'_> {
    fn host(&self) -> Host<'_> {
        let groups = vec![(Vec::new(), Vec::new()); self.table.groups()];
        Host { script: self, groups, emitted: Vec::new(), rejects: Vec::new() }
    }
}

/// Keeps state and timers of each group, and collects what is emitted.
struct Host<'s> {
    script: &'s Script<'s>,
    groups: Vec<(Vec<u8>, Vec<Timer>)>,
    emitted: Vec<(usize, String)>,
    rejects: Vec<Reject>,
}

impl Host<'_> {
    fn process(&mut self, range: std::ops::Range<usize>) {
        let script = self.script;
        let batch = script.table.batch(range.clone());
        let group_of = &script.table.group_of[range.clone()];
        let rows = KeyedBatch {
            rows: batch.borrow(),
            times: &script.times[range.clone()],
            watermarks: &script.watermarks[range.clone()],
            expired: &vec![0; range.len().div_ceil(8)],
            groups: group_of,
        };
        let (states, timers) = self.given(0..self.groups.len());
        let given = Groups { states: states.borrow(), timers: timers.borrow() };
        let answer = script.plugin.process(&rows, given);
        let groups: Vec<usize> =
            answer.source_rows.iter().map(|row| group_of[*row as usize] as usize).collect();
        self.emit(&answer.columns, &groups, &answer.times);
        self.rejects.extend(answer.rejects.into_iter().map(|mut reject| {
            reject.row += crate::varlen::offset(range.start);
            reject
        }));
        self.take(0, &answer.states, &answer.timers);
    }

    /// Fires what is due at a watermark, by the rules of the contract.
    fn advance(&mut self, watermark: i64) {
        for group in 0..self.groups.len() {
            while self.groups[group].1.first().is_some_and(|first| first.at.0 <= watermark) {
                self.fire(group);
            }
        }
    }

    /// The end of input: what is due at the last watermark, then every timer that is left, once.
    fn end(&mut self) {
        let last = self.script.times.iter().chain(&self.script.watermarks).max();
        self.advance(last.copied().unwrap_or(i64::MIN));
        for group in 0..self.groups.len() {
            while !self.groups[group].1.is_empty() {
                let left = self.groups[group].1.clone();
                self.fire(group);
                self.groups[group].1.retain(|timer| left.contains(timer));
            }
        }
    }

    fn fire(&mut self, group: usize) {
        let timer = self.groups[group].1.remove(0);
        let (states, timers) = self.given(group..group + 1);
        let given = Groups { states: states.borrow(), timers: timers.borrow() };
        let answer = self.script.plugin.on_timer(&[timer], given);
        self.emit(&answer.columns, &vec![group; answer.rows], &vec![timer.at.0; answer.rows]);
        self.take(group, &answer.states, &answer.timers);
    }

    fn given(&self, groups: std::ops::Range<usize>) -> (Varlen, TimerSets) {
        let (mut states, mut timers) = (Varlen::new(), TimerSets::new());
        for (state, set) in &self.groups[groups] {
            states.push(state);
            timers.push(set);
        }
        (states, timers)
    }

    fn take(&mut self, first: usize, states: &Varlen, timers: &TimerSets) {
        for (index, state) in states.borrow().iter().enumerate() {
            self.groups[first + index] = (state.to_vec(), timers.borrow().get(index).collect());
        }
    }

    fn emit(&mut self, columns: &[OwnedColumn], groups: &[usize], times: &[i64]) {
        for (row, (group, time)) in groups.iter().zip(times).enumerate() {
            let mut cells = vec![Span(*time).to_string(), group.to_string()];
            cells.extend(output_cells(&self.script.description, columns, row));
            self.emitted.push((*group, cells.join(" | ")));
        }
    }

    fn of(&self, group: usize) -> Vec<String> {
        let lines = self.emitted.iter().filter(|(of, _)| *of == group);
        lines.map(|(_, line)| line.clone()).collect()
    }
}
