//! What a lane adds to: counters, gauges and histograms of plain atomics, read only when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use sluicegate_model::time::EventTime;

/// A number that only grows, since the program started.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more, from any thread.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// What was added so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number as it stands.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// What is true from now on, whatever was before.
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// Replaces it by a time in µs since 1970; what lies before is 0.
    pub fn set_micros(&self, micros: i64) {
        self.set(u64::try_from(micros).unwrap_or(0));
    }

    /// The time set last, in seconds since 1970; none if it was not set.
    pub fn timestamp_seconds(&self) -> Option<f64> {
        self.time().map(|time| time.micros() as f64 / 1e6)
    }

    /// The time set last; none if it was not set.
    pub fn time(&self) -> Option<EventTime> {
        let micros = i64::try_from(self.get()).unwrap_or(i64::MAX);
        (micros > 0).then_some(EventTime(micros))
    }

    /// The number set last; 0 before the first.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Time spent, since the program started. Kept in nanoseconds, shown in seconds; full after 584 years.
#[derive(Debug, Default)]
pub struct TimeCounter(AtomicU64);

impl TimeCounter {
    /// Adds time that was spent, in whole nanoseconds.
    pub fn add(&self, spent: Duration) {
        self.add_nanos(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds nanoseconds: what is measured of a turn is handed over as a number.
    pub fn add_nanos(&self, nanos: u64) {
        self.0.fetch_add(nanos, Relaxed);
    }

    /// Nanoseconds spent so far.
    pub fn nanos(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Seconds spent so far.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.load(Relaxed)).as_secs_f64()
    }
}

/// The longest of some durations.
#[derive(Debug, Default)]
pub struct Longest(AtomicU64);

impl Longest {
    /// Keeps the duration if it is the longest.
    pub fn observe(&self, duration: Duration) {
        self.0.fetch_max(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The longest since this was asked last; zero if there was none.
    pub fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Relaxed))
    }
}

/// Buckets of a [`Histogram`], the one for everything above its last bound included.
const BUCKETS: usize = 13;

/// Upper bounds in seconds of what is over in milliseconds: turns. A turn aims at a few of them, and a hot swap
/// may cost one at most 50.
pub const FAST: [f64; BUCKETS - 1] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Upper bounds in seconds of what waits for a store: checkpoints and commits.
pub const SLOW: [f64; BUCKETS - 1] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// How durations are spread: a count for each bucket, and their sum in seconds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64; BUCKETS - 1],
    counts: [AtomicU64; BUCKETS],
    sum: TimeCounter,
}

impl Histogram {
    /// Nothing observed yet. `bounds` are upper bounds in seconds, inclusive, ascending.
    pub fn new(bounds: &'static [f64; BUCKETS - 1]) -> Self {
        Self { bounds, counts: Default::default(), sum: TimeCounter::default() }
    }

    /// Counts one duration into its bucket.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.add(duration);
    }

    /// How many durations were observed.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// All durations together, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum.seconds()
    }

    /// Upper bound of each bucket (the last is infinite) and what fell into it and no smaller one.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().map(|count| count.load(Relaxed))).collect()
    }
}

/// The time of one step of turns: all of it, and how it is spread over turns.
#[derive(Debug)]
pub struct StepTime {
    spent: TimeCounter,
    /// What of it belongs to turns that have ended, nanoseconds.
    ended: AtomicU64,
    turns: Histogram,
}

impl Default for StepTime {
    fn default() -> Self {
        Self {
            spent: TimeCounter::default(),
            ended: AtomicU64::new(0),
            turns: Histogram::new(&FAST),
        }
    }
}

impl StepTime {
    /// Adds nanoseconds to the turn that is under way.
    pub fn add_nanos(&self, nanos: u64) {
        self.spent.add_nanos(nanos);
    }

    /// Seconds spent so far.
    pub fn seconds(&self) -> f64 {
        self.spent.seconds()
    }

    /// A turn has ended: what was added since the one before is its time. How much, ns.
    pub(super) fn end_turn(&self) -> u64 {
        let spent = self.spent.0.load(Relaxed);
        let before = self.ended.swap(spent, Relaxed);
        let nanos = spent.saturating_sub(before);
        self.turns.observe(Duration::from_nanos(nanos));
        nanos
    }

    /// How it is spread over turns.
    pub fn turns(&self) -> &Histogram {
        &self.turns
    }
}

/// Counters by kind, as the kinds turn up. The number of names is bounded, because
/// each is a series that Prometheus keeps for weeks; what comes later is counted as [`NamedCounters::OTHER`].
#[derive(Debug, Default)]
pub struct NamedCounters(RwLock<BTreeMap<String, Counter>>);

impl NamedCounters {
    /// More names than a person looks at.
    pub const NAMES_MAX: usize = 32;
    /// A name is cut to this many bytes at most.
    pub const NAME_BYTES_MAX: usize = 64;
    /// Where the names beyond the limit are counted.
    pub const OTHER: &'static str = "other";

    /// Adds `n` to the counter of that name. Characters other than ASCII letters, digits, `_`, `-`, `.` and `:`
    /// become `_`.
    pub fn add(&self, name: &str, n: u64) {
        let name = clean(name);
        if let Some(counter) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return counter.add(n);
        }
        let mut counters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = counters.len() < Self::NAMES_MAX - 1 || counters.contains_key(&name);
        let name = if known { name } else { Self::OTHER.to_owned() };
        counters.entry(name).or_default().add(n);
    }

    /// The sum over all names.
    pub fn total(&self) -> u64 {
        let counters = self.0.read().unwrap_or_else(PoisonError::into_inner);
        counters.values().map(Counter::get).fold(0, u64::saturating_add)
    }

    /// Names and numbers, by name.
    pub fn all(&self) -> Vec<(String, u64)> {
        let counters = self.0.read().unwrap_or_else(PoisonError::into_inner);
        counters.iter().map(|(name, counter)| (name.clone(), counter.get())).collect()
    }
}

fn clean(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let clean = name.chars().map(|c| if allowed(c) { c } else { '_' });
    clean.take(NamedCounters::NAME_BYTES_MAX).collect()
}
