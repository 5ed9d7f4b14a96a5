//! Samples at even intervals: the newest so many of them, in memory that is taken once.

use std::collections::VecDeque;
use std::time::Duration;

use super::round;
use crate::api::history::History;

/// The newest samples, the oldest first.
#[derive(Debug)]
pub(super) struct Ring<S> {
    samples: VecDeque<S>,
    most: usize,
}

/// A pipeline at one moment. Counts are since the program started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Wall time, milliseconds since 1970: RFC 3339 texts of browsers have no finer times.
    pub(super) at_millis: i64,
    /// Monotonic time: the wall may be moved, and a rate must not show it.
    pub(super) now: Duration,
    /// Records read, accepted, filtered, late, dead-lettered; rows written; dead letters.
    pub(super) counts: [u64; 7],
    pub(super) lag: Option<i64>,
    pub(super) watermark_delay_seconds: Option<f64>,
    pub(super) open_groups: Option<u64>,
    pub(super) state_bytes: Option<u64>,
}

/// Two samples of one thing.
#[derive(Debug)]
pub(super) struct Span<'r, S> {
    pub(super) before: &'r S,
    pub(super) now: &'r S,
}

impl<S> Ring<S> {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Self {
        Self { samples: VecDeque::with_capacity(most), most }
    }

    /// Adds one; the oldest goes if there is no room.
    pub(super) fn push(&mut self, sample: S) {
        if self.samples.len() == self.most {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// The newest.
    pub(super) fn last(&self) -> Option<&S> {
        self.samples.back()
    }

    /// The newest sample and the one `samples` before it, or the oldest if there are fewer; none before the second sample.
    pub(super) fn span(&self, samples: usize) -> Option<Span<'_, S>> {
        let last = self.samples.len().checked_sub(1).filter(|last| *last > 0)?;
        Some(Span { before: &self.samples[last.saturating_sub(samples)], now: &self.samples[last] })
    }

    /// Each sample but the first, since the one before it.
    pub(super) fn steps(&self) -> impl Iterator<Item = Span<'_, S>> {
        let now = self.samples.iter().skip(1);
        self.samples.iter().zip(now).map(|(before, now)| Span { before, now })
    }
}

impl Sample {
    pub(super) fn seconds_since(&self, before: &Self) -> f64 {
        self.now.saturating_sub(before.now).as_secs_f64()
    }

    pub(super) fn counts_since(&self, before: &Self) -> [u64; 7] {
        std::array::from_fn(|of| self.counts[of].saturating_sub(before.counts[of]))
    }

    /// A second.
    pub(super) fn rates_since(&self, before: &Self) -> [Option<f64>; 7] {
        let seconds = self.seconds_since(before);
        self.counts_since(before).map(|count| a_second(count, seconds))
    }

    /// Adds itself to what is shown.
    pub(super) fn show_since(&self, before: &Self, shown: &mut History) {
        let lists = [
            &mut shown.read,
            &mut shown.accepted,
            &mut shown.filtered,
            &mut shown.late,
            &mut shown.dead_lettered,
            &mut shown.written_rows,
            &mut shown.dead_letters,
        ];
        for (list, rate) in lists.into_iter().zip(self.rates_since(before)) {
            list.push(rate);
        }
        shown.at.push(self.at_millis as f64 / 1e3);
        shown.lag.push(self.lag);
        shown.watermark_delay_seconds.push(self.watermark_delay_seconds.map(round));
        shown.open_groups.push(self.open_groups);
        shown.state_bytes.push(self.state_bytes);
    }
}

/// `count` in so many seconds, a second; none in no time.
pub(super) fn a_second(count: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| round(count as f64 / seconds))
}
