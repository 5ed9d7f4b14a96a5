//! The clock of an instance: it drifts, its wall time is off, and its machine sleeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sluicegate_model::time::TellsTime;

use super::instance::Instance;

/// See the module's page.
pub(crate) struct DriftingClock {
    pub(crate) instance: Arc<Instance>,
    /// Its seconds in one of the world's.
    pub(crate) rate: f64,
    /// Wall time when the world began, µs since 1970.
    pub(crate) wall: i64,
    /// As L8 of leadership wants it. False is a mutation.
    pub(crate) counts_suspend: bool,
}

impl TellsTime for DriftingClock {
    fn monotonic(&self) -> Duration {
        let awake = self.instance.diary.now().saturating_sub(self.instance.slept());
        awake.mul_f64(self.rate)
    }

    fn with_suspend(&self) -> Duration {
        match self.counts_suspend {
            true => self.instance.diary.now().mul_f64(self.rate),
            false => self.monotonic(),
        }
    }

    fn wall_micros(&self) -> i64 {
        let since = self.instance.diary.now().mul_f64(self.rate).as_micros();
        self.wall.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for DriftingClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriftingClock({})", self.rate)
    }
}
