//! What the generators of events have in common: a clock, delays, and records that cannot be decoded.

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use super::chance::{Delay, Lags, bound, draw, moment};

/// How events come, whatever they say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamSettings {
    /// Same seed and settings, same events.
    pub seed: u64,
    /// Event time of the first event, microseconds since 1970.
    pub start_micros: i64,
    /// Events per second of event time; 0 is taken as 1.
    pub rate: u64,
    /// Which part of the events is up to how much behind.
    pub out_of_order: Delay,
    /// Which part of the events is this much to twice as much behind.
    pub late: Delay,
    /// Which part of the records cannot be decoded, 0 to 1.
    pub bad_share: f64,
}

impl Default for StreamSettings {
    /// Those of `sluicegate produce`: in 2026, a thousand a second, slightly out of order.
    fn default() -> Self {
        Self {
            seed: 0,
            start_micros: 1_767_225_600_000_000,
            rate: 1_000,
            out_of_order: Delay { share: 0.2, by: Duration::from_secs(2) },
            late: Delay { share: 0.0, by: Duration::from_secs(60) },
            bad_share: 0.0,
        }
    }
}

/// The course of a stream. Every event takes the same number of random numbers, so that a change of one share leaves
/// all other properties of the events as they are.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    settings: StreamSettings,
    lags: Lags,
    bad: u64,
    random: Pcg64Mcg,
    made: u64,
}

impl Stream {
    /// Before the first event.
    pub(super) fn new(settings: StreamSettings) -> Self {
        Self {
            settings,
            lags: Lags::new(settings.out_of_order, settings.late),
            bad: bound(settings.bad_share),
            random: Pcg64Mcg::seed_from_u64(settings.seed),
            made: 0,
        }
    }

    /// How many events were made.
    #[inline]
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Two random numbers of 32 bits, for what an event says.
    #[inline]
    pub(super) fn draw(&mut self) -> (u32, u32) {
        draw(&mut self.random)
    }

    /// Ends an event, whose other numbers were drawn: its time, and if it is broken a random number that says how.
    #[inline]
    pub(super) fn end_event(&mut self) -> (i64, Option<u32>) {
        let (fate, amount) = self.draw();
        let (badness, kind) = self.draw();
        let now = moment(self.settings.start_micros, self.made, self.settings.rate);
        self.made += 1;
        let time = now.saturating_sub(self.lags.micros(fate, amount));
        (time, (u64::from(badness) < self.bad).then_some(kind))
    }
}
