//! How much of what a stage's plugin logs is heard, over all its instances and in time: a plugin that says something
//! at every call would fill the log otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluicegate_model::time::Clock;

/// The time over which lines are counted.
const PERIOD: Duration = Duration::from_secs(60);
/// Lines of one period: some a second, as much as a person can follow.
pub(crate) const LINES_MAX: u32 = 600;

/// The lines of one stage, counted by period.
#[derive(Debug)]
pub(crate) struct Heard {
    clock: Clock,
    period: Mutex<Period>,
    /// Lines were dropped that nobody was told of: looked at without the lock, once a call.
    owes_a_word: AtomicBool,
}

#[derive(Debug)]
struct Period {
    began: Duration,
    lines: u32,
    dropped: u64,
}

impl Heard {
    pub(crate) fn new(clock: Clock) -> Self {
        let period = Mutex::new(Period { began: clock.monotonic(), lines: 0, dropped: 0 });
        Self { clock, period, owes_a_word: AtomicBool::new(false) }
    }

    /// Whether a line has its place in this period.
    pub(crate) fn takes_a_line(&self, plugin: &str) -> bool {
        self.tell_when_due(plugin);
        let mut period = self.period();
        let takes = period.lines < LINES_MAX;
        period.lines += u32::from(takes);
        takes
    }

    /// Counts lines that had no place, of a call or of the period, and says so when a period is over. Returns how many it
    /// has spoken of.
    pub(crate) fn drops(&self, plugin: &str, lines: u64) -> u64 {
        if lines > 0 {
            self.period().dropped += lines;
            self.owes_a_word.store(true, Ordering::Relaxed);
        }
        if self.owes_a_word.load(Ordering::Relaxed) { self.tell_when_due(plugin) } else { 0 }
    }

    fn tell_when_due(&self, plugin: &str) -> u64 {
        let now = self.clock.monotonic();
        let mut period = self.period();
        if now.saturating_sub(period.began) < PERIOD {
            return 0;
        }
        let dropped =
            std::mem::replace(&mut *period, Period { began: now, lines: 0, dropped: 0 }).dropped;
        drop(period);
        if dropped > 0 {
            self.owes_a_word.store(false, Ordering::Relaxed);
            tracing::warn!(
                plugin,
                dropped,
                "log lines of the plugin were dropped: a call has a few, and a stage {LINES_MAX} a minute"
            );
        }
        dropped
    }

    fn period(&self) -> MutexGuard<'_, Period> {
        self.period.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_the_next_one_says_how_many_were_dropped() {
        let clock = Clock::manual(0);
        let heard = Heard::new(clock.clone());
        let say = |lines: u32| (0..lines).filter(|_| heard.takes_a_line("chatty")).count();
        assert_eq!(say(LINES_MAX + 50), LINES_MAX as usize);
        assert_eq!(heard.drops("chatty", 50), 0, "the minute is not over");
        clock.advance(PERIOD);
        assert_eq!(heard.drops("chatty", 7), 57);
        assert_eq!(say(LINES_MAX + 1), LINES_MAX as usize, "a new minute");
        clock.advance(PERIOD);
        assert_eq!(heard.drops("chatty", 0), 0, "nothing was dropped since");
    }
}
