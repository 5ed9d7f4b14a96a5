//! What came to a stage, over all modules that it ran: each begins its counts at zero, and those of the stage go on.

use std::sync::Arc;

use super::ring::{Ring, a_second};
use super::round;
use crate::api::history::StageRates;
use sluicegate_engine::counters::ModuleMetrics;

/// The samples of a stage.
#[derive(Debug)]
pub(super) struct StageRing {
    pub(super) id: Arc<str>,
    pub(super) ring: Ring<Work>,
    /// What it ran at the last sample, and what that had done by then.
    module: Option<(Arc<ModuleMetrics>, Work)>,
    total: Work,
}

/// What modules did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    rows: u64,
    dropped: u64,
    cpu_nanos: u64,
}

impl StageRing {
    /// Nothing done yet.
    pub(super) fn new(id: &Arc<str>, samples: usize) -> Self {
        Self { id: Arc::clone(id), ring: Ring::new(samples), module: None, total: Work::default() }
    }

    /// Takes a sample of what the stage runs.
    pub(super) fn sample(&mut self, running: Option<Arc<ModuleMetrics>>) {
        if let Some((module, seen)) = &mut self.module {
            // Also what a module did last that runs no more.
            let done = Work::of(module);
            self.total = self.total.plus(done.since(*seen));
            *seen = done;
        }
        let same = |now: &Arc<ModuleMetrics>| {
            self.module.as_ref().is_some_and(|(before, _)| Arc::ptr_eq(before, now))
        };
        if let Some(now) = running.filter(|now| !same(now)) {
            let done = Work::of(&now);
            self.total = self.total.plus(done);
            self.module = Some((now, done));
        }
        self.ring.push(self.total);
    }
}

impl Work {
    fn of(module: &ModuleMetrics) -> Self {
        Self {
            rows: module.given.get(),
            dropped: module.dropped.get(),
            cpu_nanos: module.cpu.nanos(),
        }
    }

    fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    fn since(self, before: Self) -> Self {
        self.each(before, u64::saturating_sub)
    }

    fn each(self, other: Self, join: fn(u64, u64) -> u64) -> Self {
        Self {
            rows: join(self.rows, other.rows),
            dropped: join(self.dropped, other.dropped),
            cpu_nanos: join(self.cpu_nanos, other.cpu_nanos),
        }
    }

    /// What was done since an earlier sample, which is so many seconds ago.
    pub(super) fn rates_since(self, before: &Self, seconds: f64) -> StageRates {
        let Self { rows, dropped, cpu_nanos } = self.since(*before);
        StageRates {
            rows: a_second(rows, seconds),
            dropped: a_second(dropped, seconds),
            micros_per_row: (rows > 0).then(|| round(cpu_nanos as f64 / 1e3 / rows as f64)),
        }
    }
}
