//! The last fifteen minutes of each pipeline, for whoever opens its page: no Prometheus is needed to see where rates come from.
//!
//! One task of the program takes a sample of every pipeline each [`EVERY`], from the published status and from the counters, which
//! are atomics. The lane neither waits for it nor knows of it. Samples lie in a ring that is made once: 61 kB a pipeline and
//! 11 kB a stage. At most [`MARKS_MAX`] marks are kept beside it, less than 100 kB.

mod marks;
mod ring;
mod stage;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::api::history::{self as api, Mark, Rates, StageHistory, StageRates};
use marks::Marks;
use ring::{Ring, Sample, Span};
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::status::LaneStatus;
use sluicegate_model::time::{Clock, Watermark};
use sluicegate_pipeline::{Pipeline, SinkKind};
use stage::StageRing;

/// How long it is from one sample to the next.
pub const EVERY: Duration = Duration::from_secs(2);
/// Samples that are kept, and one before them, since when the first rate counts: fifteen minutes.
const SAMPLES: usize = 451;
/// Samples over which a rate is told: ten seconds. Less jumps with each turn, more is slow to show a change.
const RATE_SAMPLES: usize = 5;
/// Samples of a minute.
const MINUTE_SAMPLES: usize = 30;
/// How long a mark is shown, milliseconds: as long as samples.
const MARKS_MILLIS: i64 = (SAMPLES as i64 - 1) * EVERY.as_millis() as i64;
/// More than a person reads of fifteen minutes.
const MARKS_MAX: usize = 64;

/// What is kept of a pipeline. Samples come from one task; requests read between them.
#[derive(Debug)]
pub struct History {
    kept: Mutex<Kept>,
    /// How many of the tables, from the first, hold results.
    result_tables: usize,
}

#[derive(Debug)]
struct Kept {
    ring: Ring<Sample>,
    /// In the order of the pipeline.
    stages: Vec<StageRing>,
    marks: Marks,
}

/// Records that reached no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Those that came after their windows.
    pub late: u64,
    /// Records, rows, groups and timers that became dead letters.
    pub dead_letters: u64,
}

impl History {
    /// Nothing was sampled yet.
    pub fn new(config: &Pipeline, metrics: &LaneMetrics) -> Self {
        let is_table = |kind: &SinkKind| matches!(kind, SinkKind::Table(_));
        let kept = Kept {
            ring: Ring::new(SAMPLES),
            stages: metrics
                .stages()
                .iter()
                .map(|stage| StageRing::new(&stage.id, SAMPLES))
                .collect(),
            marks: Marks::default(),
        };
        // The tables of sinks come first (`Pipeline::tables`).
        let result_tables = config.sinks.iter().filter(|sink| is_table(&sink.kind)).count();
        Self { kept: Mutex::new(kept), result_tables }
    }

    /// Takes a sample. `metrics` are those that it was made for.
    pub fn sample(&self, status: &LaneStatus, metrics: &LaneMetrics, clock: &Clock) {
        let wall_micros = clock.wall_micros();
        let sample = self.look(status, metrics, wall_micros, clock.monotonic());
        let mut kept = self.kept();
        kept.ring.push(sample);
        for (ring, stage) in kept.stages.iter_mut().zip(metrics.stages()) {
            ring.sample(stage.running());
        }
        kept.marks.look(status, metrics, wall_micros);
    }

    fn look(
        &self,
        status: &LaneStatus,
        metrics: &LaneMetrics,
        wall_micros: i64,
        now: Duration,
    ) -> Sample {
        let records = &metrics.records;
        let tables = metrics.tables().iter().take(self.result_tables);
        let rows: u64 = tables.map(|table| table.rows.get()).sum();
        let sent = metrics.deliveries.sent.load(std::sync::atomic::Ordering::Relaxed);
        // What a lane shows of its state means something once it was opened.
        let is_known = status.epoch.is_some();
        Sample {
            at_millis: wall_micros.div_euclid(1_000),
            now,
            counts: [
                records.read.get(),
                records.accepted.get(),
                records.filtered.get(),
                records.late.get(),
                records.dead_lettered.get(),
                rows + sent,
                metrics.dead_letters.total(),
            ],
            lag: status.partitions.iter().filter_map(|view| view.lag).reduce(i64::saturating_add),
            watermark_delay_seconds: match status.watermark {
                Watermark::At(time) => Some(wall_micros.saturating_sub(time.micros()) as f64 / 1e6),
                Watermark::None | Watermark::End => None,
            },
            open_groups: is_known.then_some(status.groups),
            state_bytes: is_known.then_some(status.state_bytes),
        }
    }

    /// Rates a second over the last ten seconds; none before the second sample.
    pub fn rates(&self) -> Rates {
        let kept = self.kept();
        let [read, accepted, filtered, late, dead_lettered, written_rows, dead_letters] =
            match kept.ring.span(RATE_SAMPLES) {
                Some(Span { before, now }) => now.rates_since(before),
                None => [None; 7],
            };
        Rates { read, accepted, filtered, late, dead_lettered, written_rows, dead_letters }
    }

    /// What was lost in the last minute, or since the first sample if that is less.
    pub fn lost_in_a_minute(&self) -> Option<Lost> {
        let kept = self.kept();
        let Span { before, now } = kept.ring.span(MINUTE_SAMPLES)?;
        if now.now <= before.now {
            return None;
        }
        let [_, _, _, late, _, _, dead_letters] = now.counts_since(before);
        Some(Lost { late, dead_letters })
    }

    /// What goes on in a stage.
    pub fn stage_rates(&self, stage: &str) -> StageRates {
        let kept = self.kept();
        let Some(ring) = kept.stages.iter().find(|ring| *ring.id == *stage) else {
            return StageRates::default();
        };
        let span = ring.ring.span(RATE_SAMPLES).zip(kept.ring.span(RATE_SAMPLES));
        span.map_or_else(StageRates::default, |(work, time)| {
            work.now.rates_since(work.before, time.now.seconds_since(time.before))
        })
    }

    /// The samples after `since`, milliseconds since 1970, or all that are kept; marks likewise.
    pub fn show(&self, since: Option<i64>) -> api::History {
        let kept = self.kept();
        let is_new = |sample: &Sample| since.is_none_or(|since| sample.at_millis > since);
        let mut shown =
            api::History { interval_seconds: EVERY.as_secs_f64(), ..api::History::default() };
        for Span { before, now: sample } in kept.ring.steps().filter(|step| is_new(step.now)) {
            sample.show_since(before, &mut shown);
        }
        for stage in &kept.stages {
            let mut of = StageHistory::default();
            let steps = kept.ring.steps().zip(stage.ring.steps());
            for (time, work) in steps.filter(|(time, _)| is_new(time.now)) {
                let seconds = time.now.seconds_since(time.before);
                let rates = work.now.rates_since(work.before, seconds);
                of.rows.push(rates.rows);
                of.dropped.push(rates.dropped);
                of.micros_per_row.push(rates.micros_per_row);
            }
            shown.stages.insert(stage.id.to_string(), of);
        }
        // Also what happened just before the first sample.
        let oldest = kept.ring.last().map(|sample| sample.at_millis - MARKS_MILLIS);
        let since = since.max(oldest);
        shown.marks = kept.marks.since(since).collect::<Vec<Mark>>();
        shown
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Three decimals are enough to draw, and a third of the bytes.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Samples every pipeline until it is dropped.
pub async fn sample_all(each: impl Fn()) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        each();
    }
}
