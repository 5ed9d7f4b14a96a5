//! The console sink: every few seconds the groups that changed since last time, as an aligned table on standard
//! output. In update mode: a group is shown again whenever it changed.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::sink::console::render;
use crate::status::LiveResults;

/// Shows live results until the lane is gone.
pub async fn show(
    mut live: broadcast::Receiver<Arc<LiveResults>>,
    every: Duration,
    rows_max: usize,
) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut changed = Changed::default();
    loop {
        let wake = tokio::select! {
            biased;
            _ = tick.tick() => None,
            results = live.recv() => Some(results),
        };
        match wake {
            None => changed.print(rows_max),
            Some(Ok(results)) => changed.add(&results),
            // A slow terminal: what was lost is shown when it changes again.
            Some(Err(RecvError::Lagged(_))) => {}
            Some(Err(RecvError::Closed)) => {
                changed.print(rows_max);
                return;
            }
        }
    }
}

/// The newest rows of each group since the last print.
#[derive(Default)]
struct Changed {
    last: Option<LiveResults>,
    /// By window and key, with the number of the results they came with.
    groups: BTreeMap<String, (u64, Vec<Vec<Value>>)>,
    received: u64,
    left_out: u64,
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

    fn print(&mut self, rows_max: usize) {
        let Some(mut results) = self.last.take() else { return };
        let groups = std::mem::take(&mut self.groups).into_values();
        let rows: Vec<Vec<Value>> = groups.flat_map(|(_, rows)| rows).collect();
        let skipped = rows.len().saturating_sub(rows_max);
        results.rows_left_out = std::mem::take(&mut self.left_out) + skipped as u64;
        // Sorted by window: the last ones are those that move.
        results.rows = rows.into_iter().skip(skipped).collect();
        let mut out = std::io::stdout().lock();
        // A closed terminal is no reason to stop a pipeline.
        let _ = writeln!(out, "{}", render(&results));
    }
}

/// Window and key of a row; sorts by window first.
fn group_of(results: &LiveResults, row: &[Value]) -> String {
    let window = results.columns.iter().position(|column| column == "window_start");
    let window = window.map_or("", |column| row[column].as_str().unwrap_or_default());
    let key: Vec<String> = row[..results.key_columns].iter().map(Value::to_string).collect();
    format!("{window} {}", key.join(","))
}
