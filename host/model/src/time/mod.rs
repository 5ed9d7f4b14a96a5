//! Event time, the watermark, and the clock that everything else takes its time from.

pub mod civil;

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// When something happened: microseconds since 1970-01-01T00:00:00 UTC, before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Before every other. Columns have no room for none, and this stands for it there: no window ends at it, and no timer is
    /// set for it.
    pub const MIN: Self = Self(i64::MIN);
    /// The last moment.
    pub const MAX: Self = Self(i64::MAX);

    /// Microseconds since 1970-01-01T00:00:00 UTC.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// So many microseconds later, or the last moment.
    #[inline]
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// So many microseconds earlier, or the first moment.
    #[inline]
    #[must_use]
    pub fn minus(self, micros: i64) -> Self {
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        civil::write_time(self.0, f)
    }
}

/// «No further event with `event_time < watermark` is expected.» Never goes back.
///
/// ```
/// use sluicegate_model::time::{EventTime, Watermark};
/// let watermark = Watermark::at(EventTime(30));
/// assert!(watermark.has_passed(EventTime(30)));
/// assert!(!watermark.has_passed(EventTime(31)));
/// assert!(!Watermark::None.has_passed(EventTime(i64::MIN)));
/// assert!(Watermark::End.has_passed(EventTime(i64::MAX)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watermark {
    /// Nothing was seen yet: not 1970, or events before it would be late at once.
    None,
    /// Everything before this time was seen.
    At(EventTime),
    /// The input has ended: every window fires.
    End,
}

impl Watermark {
    /// The watermark at a time.
    pub fn at(time: EventTime) -> Self {
        Self::At(time)
    }

    /// The watermark before `micros` more had passed: a window that is kept so much longer is closed when this has
    /// passed its end.
    #[must_use]
    pub fn minus(self, micros: i64) -> Self {
        match self {
            Self::At(time) => Self::At(time.minus(micros)),
            end => end,
        }
    }

    /// Whether a multiple of `every` lies between an earlier watermark and this one, which may stand on it.
    pub fn has_crossed(self, every: i64, before: Self) -> bool {
        match (before, self) {
            (Self::At(before), Self::At(now)) => {
                before.0.div_euclid(every) < now.0.div_euclid(every)
            }
            (before, now) => before < now,
        }
    }

    /// Whether a window that ends at `end` is complete: `watermark >= end`
    /// (docs/design/time.md#rule-2).
    #[inline]
    pub fn has_passed(self, end: EventTime) -> bool {
        match self {
            Self::None => false,
            Self::At(time) => time >= end,
            Self::End => true,
        }
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::At(time) => time.fmt(f),
            Self::End => f.write_str("end"),
        }
    }
}

/// CPU time that the calling thread has used, nanoseconds. For counting and for deadlines; a few hundred nanoseconds
/// themselves, so once a chunk and not once a row.
pub fn thread_cpu_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// How often a source looks for what it is not told: new partitions, and where those that bring nothing end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookPace {
    /// The time between two looks.
    pub every: Duration,
    /// After so many looks without a record they become rarer.
    pub patience: u32,
    /// Down to one look in this time.
    pub in_silence: Duration,
}

impl LookPace {
    /// As often in silence as ever.
    pub fn steady(every: Duration) -> Self {
        Self { every, patience: 0, in_silence: every }
    }
}

/// Processing time. The system's, or a test's that stands still until it is moved.
#[derive(Clone, Debug)]
pub enum Clock {
    /// Asks the machine each time.
    System(SystemClock),
    /// A test's: microseconds since 1970, which move only by [`Clock::advance`].
    Manual(std::sync::Arc<std::sync::atomic::AtomicI64>),
    /// Somebody else's, that may go wrong as clocks do.
    Told(std::sync::Arc<dyn TellsTime>),
}

/// A clock that is not the machine's. What [`Clock`] says of each of the three holds here too.
pub trait TellsTime: fmt::Debug + Send + Sync {
    /// Does not count the time that its machine is suspended.
    fn monotonic(&self) -> Duration;

    /// Counts it.
    fn with_suspend(&self) -> Duration;

    /// Microseconds since 1970 UTC.
    fn wall_micros(&self) -> i64;
}

/// The machine's clock. Wall time is asked for each time: what the monotonic clock has counted since some moment leaves
/// out the time for which the machine was suspended.
#[derive(Clone, Debug)]
pub struct SystemClock {
    started: Instant,
    wall: fn() -> SystemTime,
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
impl Clock {
    /// Its monotonic time counts from this call.
    pub fn system() -> Self {
        Self::System(SystemClock { started: Instant::now(), wall: SystemTime::now })
    }

    /// A clock that stands at `micros` until [`Clock::advance`].
    pub fn manual(micros: i64) -> Self {
        Self::Manual(std::sync::Arc::new(std::sync::atomic::AtomicI64::new(micros)))
    }

    /// Time since an origin of the clock's own; never goes back. For durations and timers.
    pub fn monotonic(&self) -> Duration {
        match self {
            Self::System(clock) => clock.started.elapsed(),
            Self::Manual(micros) => Duration::from_micros(
                micros.load(std::sync::atomic::Ordering::Relaxed).max(0).unsigned_abs(),
            ),
            Self::Told(clock) => clock.monotonic(),
        }
    }

    /// Time since the machine was started, with the time that it was suspended; never goes back. For what others count as
    /// well while this machine sleeps.
    pub fn with_suspend(&self) -> Duration {
        #[cfg(target_os = "linux")]
        const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const COUNTS_SUSPEND: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
        match self {
            Self::System(_) => {
                let time = rustix::time::clock_gettime(COUNTS_SUSPEND);
                let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
                Duration::new(time.tv_sec.unsigned_abs(), nanos)
            }
            Self::Manual(_) => self.monotonic(),
            Self::Told(clock) => clock.with_suspend(),
        }
    }

    /// Wall time, microseconds since 1970 UTC. Can go back, as the machine's does. Part of no result: of what is shown,
    /// and of the guard against clocks that are ahead.
    pub fn wall_micros(&self) -> i64 {
        match self {
            Self::System(clock) => {
                let wall = (clock.wall)().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)
            }
            Self::Manual(micros) => micros.load(std::sync::atomic::Ordering::Relaxed),
            Self::Told(clock) => clock.wall_micros(),
        }
    }

    /// Moves a manual clock; the others move by themselves.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(micros) = self {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
