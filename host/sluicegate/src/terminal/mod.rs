//! The console sink: every few seconds the groups that changed since last time, as an aligned table on standard
//! output. In update mode: a group is shown again whenever it changed. Groups for which a table has no room wait for the
//! next ones. When the lane is gone, what was not shown yet is.

pub mod columns;
pub mod table;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::terminal::table::{Moment, Table, render};
use sluicegate_engine::live::LiveResults;

/// For the last table of a pipeline that has ended: a terminal takes it at once, and a reader of a pipe that does not
/// read must not keep the program.
const LAST_TABLE: Duration = Duration::from_secs(5);

/// The console sinks of a pipeline.
#[derive(Debug, Default)]
pub struct ConsoleSinks {
    gone: CancellationToken,
    /// Whether the last tables show all there is, set before the lane is gone.
    is_whole: Arc<AtomicBool>,
    shown: Vec<JoinHandle<()>>,
}

impl ConsoleSinks {
    /// Begins to show live results on standard output, at most `rows_max` rows at once.
    pub fn open(
        &mut self,
        runtime: &Handle,
        live: broadcast::Receiver<Arc<LiveResults>>,
        every: Duration,
        rows_max: usize,
    ) {
        let end = End { gone: self.gone.clone(), is_whole: Arc::clone(&self.is_whole) };
        self.shown.push(runtime.spawn(show(live, every, rows_max, end)));
    }

    /// Shows what was not shown yet: all of it if the input `has_ended`, as nobody will ask for more. To be called when
    /// the lane is gone, and not on the runtime.
    pub fn close(self, runtime: &Handle, has_ended: bool) {
        self.is_whole.store(has_ended, Ordering::Release);
        self.gone.cancel();
        runtime.block_on(async {
            for shown in self.shown {
                // Who does not read does not get it.
                let _ = tokio::time::timeout(LAST_TABLE, shown).await;
            }
        });
    }
}

/// The end of a lane, as its console sees it.
struct End {
    gone: CancellationToken,
    is_whole: Arc<AtomicBool>,
}

/// Shows live results until the lane is gone.
async fn show(
    mut live: broadcast::Receiver<Arc<LiveResults>>,
    every: Duration,
    rows_max: usize,
    end: End,
) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changed = Changed::default();
    loop {
        tokio::select! {
            biased;
            () = end.gone.cancelled() => break,
            _ = tick.tick() => print(changed.take(rows_max, Moment::Running)),
            results = live.recv() => match results {
                Ok(results) => changed.add(&results),
                // A slow terminal: what was lost is shown when it changes again.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
        }
    }
    loop {
        match live.try_recv() {
            Ok(results) => changed.add(&results),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let is_whole = end.is_whole.load(Ordering::Acquire);
    print(changed.take(if is_whole { LiveResults::ROWS_MAX } else { rows_max }, Moment::Ended));
}

fn print(table: Option<String>) {
    if let Some(table) = table {
        // A closed terminal is no reason to stop a pipeline.
        let _ = writeln!(std::io::stdout().lock(), "{table}");
    }
}

/// The newest rows of each group that were not shown yet.
#[derive(Default)]
struct Changed {
    /// The head of the next table.
    head: Option<Table>,
    /// By window and key.
    groups: BTreeMap<String, Unshown>,
    received: u64,
    /// Rows that were left out of the newest results and come again.
    to_come: u64,
    /// Rows that were left out of results since the last table, and do not come again.
    gone: u64,
    /// The last group of the last table that left some out: the next one goes on behind it.
    shown_to: String,
}

/// A group that was not shown yet.
#[derive(Default)]
struct Unshown {
    /// The number of the results that it came with.
    received: u64,
    rows: Vec<Vec<Value>>,
}

impl Changed {
    fn add(&mut self, results: &LiveResults) {
        self.received += 1;
        for row in results.rows.values() {
            let group = self.groups.entry(group_of(results, &row)).or_default();
            if group.received != self.received {
                *group = Unshown { received: self.received, rows: Vec::new() };
            }
            group.rows.push(row);
        }
        self.gone += results.rows_gone;
        self.to_come = results.rows_left_out.saturating_sub(results.rows_gone);
        self.head = Some(Table::headed(results));
    }

    /// The table of what was not shown: of many groups those that changed last, and of groups that changed together the
    /// ones whose turn it is. In the order of windows and keys. The others wait for the next tables.
    fn take(&mut self, rows_max: usize, moment: Moment) -> Option<String> {
        // What comes again is left out of the newest results only.
        let left_out = std::mem::take(&mut self.gone) + std::mem::take(&mut self.to_come);
        if self.groups.is_empty() && left_out == 0 {
            return None;
        }
        let mut table = self.head.clone()?;
        let (shown, cut) = self.next_groups(rows_max);
        table.rows = shown.into_values().flat_map(|group| group.rows).collect();
        let waiting: usize = self.groups.values().map(|group| group.rows.len()).sum();
        table.left_out = left_out + (cut + waiting) as u64;
        self.forget_oldest();
        Some(render(&table, moment))
    }

    /// Takes out the groups that the next table shows. How many rows it has no room for though their group is shown.
    fn next_groups(&mut self, rows_max: usize) -> (BTreeMap<String, Unshown>, usize) {
        let mut groups: Vec<_> = std::mem::take(&mut self.groups).into_iter().collect();
        if fitting(&groups, rows_max) == groups.len() {
            return (groups.into_iter().collect(), 0);
        }
        let shown_to = &self.shown_to;
        groups.sort_by(|(one, a), (other, b)| {
            let turn = |name| (name <= shown_to, name);
            (Reverse(a.received), turn(one)).cmp(&(Reverse(b.received), turn(other)))
        });
        // One group alone may have more rows than a table.
        let waiting = groups.split_off(fitting(&groups, rows_max).max(1));
        let (last, group) = groups.last_mut().expect("at least one");
        self.shown_to.clone_from(last);
        let cut = group.rows.len().saturating_sub(rows_max);
        group.rows.truncate(rows_max);
        self.groups = waiting.into_iter().collect();
        (groups.into_iter().collect(), cut)
    }

    /// No more wait than the last table could show.
    fn forget_oldest(&mut self) {
        let mut groups: Vec<_> = std::mem::take(&mut self.groups).into_iter().collect();
        groups.sort_by_key(|(_, group)| Reverse(group.received));
        groups.truncate(fitting(&groups, LiveResults::ROWS_MAX));
        self.groups = groups.into_iter().collect();
    }
}

/// How many of these groups, from the first, have at most so many rows together.
fn fitting(groups: &[(String, Unshown)], rows_max: usize) -> usize {
    let mut rows = 0;
    let fit = groups.iter().take_while(|(_, group)| {
        rows += group.rows.len();
        rows <= rows_max
    });
    fit.count()
}

/// Window and key of a row; sorts by window first.
fn group_of(results: &LiveResults, row: &[Value]) -> String {
    let window = results.columns.iter().position(|column| column == "window_start");
    let window = window.map_or("", |column| row[column].as_str().unwrap_or_default());
    let key: Vec<String> = row[..results.key_columns].iter().map(Value::to_string).collect();
    format!("{window} {}", key.join(","))
}

#[cfg(test)]
mod tests;
