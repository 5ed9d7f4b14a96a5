//! The console sink: every few seconds the groups that changed since last time, as an aligned table on standard
//! output. In update mode: a group is shown again whenever it changed. When the lane is gone, what was not shown yet is.

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

use crate::terminal::table::{Moment, render};
use sluicegate_engine::status::LiveResults;

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

/// The newest rows of each group since the last table.
#[derive(Default)]
struct Changed {
    last: Option<LiveResults>,
    /// By window and key, with the number of the results they came with.
    groups: BTreeMap<String, (u64, Vec<Vec<Value>>)>,
    received: u64,
    left_out: u64,
    /// The last group of the last table that left some out: the next one goes on behind it.
    shown_to: String,
}

impl Changed {
    fn add(&mut self, results: &LiveResults) {
        self.received += 1;
        for row in &results.rows {
            let (received, rows) = self.groups.entry(group_of(results, row)).or_default();
            if *received != self.received {
                rows.clear();
                *received = self.received;
            }
            rows.push(row.clone());
        }
        self.left_out += results.rows_left_out;
        self.last = Some(LiveResults { rows: Vec::new(), ..results.clone() });
    }

    /// The table of what has changed: of many groups those that changed last, and of groups that changed together the
    /// ones whose turn it is. In the order of windows and keys.
    fn take(&mut self, rows_max: usize, moment: Moment) -> Option<String> {
        let mut results = self.last.take()?;
        let groups = std::mem::take(&mut self.groups);
        let all: usize = groups.values().map(|(_, rows)| rows.len()).sum();
        let mut groups: Vec<_> = groups.into_iter().collect();
        if all > rows_max {
            let shown_to = &self.shown_to;
            groups.sort_by(|(one, (a, _)), (other, (b, _))| {
                (Reverse(a), one <= shown_to, one).cmp(&(Reverse(b), other <= shown_to, other))
            });
            let mut left = rows_max;
            groups.retain(|(_, (_, rows))| {
                let fits = rows.len() <= left;
                left -= if fits { rows.len() } else { left };
                fits
            });
            self.shown_to = groups.last().map(|(group, _)| group.clone()).unwrap_or_default();
            groups.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        results.rows = groups.into_iter().flat_map(|(_, (_, rows))| rows).collect();
        let skipped = all - results.rows.len();
        results.rows_left_out = std::mem::take(&mut self.left_out) + skipped as u64;
        Some(render(&results, moment))
    }
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
