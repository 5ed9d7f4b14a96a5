//! The thread whose ticks make deadlines fire. It sleeps while no guest runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// How often running guests are asked whether their time is over. Most deadlines are some hundred milliseconds, so this
/// is exact enough.
const TICK: Duration = Duration::from_millis(5);

/// The same while no call is seen to run: most last for some microseconds. One that begins meanwhile is asked so much later for the
/// first time.
const CALM_TICK: Duration = Duration::from_millis(25);

/// After so many ticks without a call it sleeps. While records come one call follows the other, and to wake it costs the
/// caller a system call.
const QUIET_TICKS: u32 = 5;

/// Ticks while calls run. Clones share the thread, which ends with the last of them.
#[derive(Clone)]
pub(crate) struct Ticker(Arc<Owner>);

/// A call that runs: until it is dropped there are ticks.
pub(crate) struct Ticking(Ticker);

struct Owner {
    calls: Arc<Calls>,
    thread: Thread,
}

/// What the thread and its callers tell each other.
#[derive(Default)]
struct Calls {
    running: AtomicUsize,
    /// One has begun since the last tick.
    begun: AtomicBool,
    /// Whoever begins one wakes the thread.
    sleeps: AtomicBool,
    is_over: AtomicBool,
}

impl Ticker {
    /// Calls `tick` every few milliseconds while there are calls.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> io::Result<Self> {
        let calls = Arc::<Calls>::default();
        let seen = Arc::clone(&calls);
        let thread = thread::Builder::new().name("plugin-ticks".to_owned());
        let handle = thread.spawn(move || seen.tick_on(tick))?;
        Ok(Self(Arc::new(Owner { calls, thread: handle.thread().clone() })))
    }

    /// A call begins.
    pub(crate) fn begin(&self) -> Ticking {
        let Owner { calls, thread } = &*self.0;
        calls.running.fetch_add(1, Ordering::SeqCst);
        calls.begun.store(true, Ordering::Relaxed);
        // Either this sees that the thread is about to sleep, or the thread sees the call: both orders are total.
        if calls.sleeps.load(Ordering::SeqCst) && calls.sleeps.swap(false, Ordering::SeqCst) {
            thread.unpark();
        }
        Ticking(self.clone())
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.0.calls.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.calls.is_over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Calls {
    fn tick_on(&self, tick: impl Fn()) {
        let mut quiet = 0;
        while !self.is_over() {
            if quiet < QUIET_TICKS {
                // A spurious return is an early tick, and does no harm.
                thread::park_timeout(if self.has_running() { TICK } else { CALM_TICK });
            } else {
                self.sleep();
                quiet = 0;
            }
            tick();
            let is_busy = self.begun.swap(false, Ordering::Relaxed) || self.has_running();
            quiet = if is_busy { 0 } else { quiet + 1 };
        }
    }

    /// Until a call begins, or nobody is left to make one.
    fn sleep(&self) {
        self.sleeps.store(true, Ordering::SeqCst);
        while self.sleeps.load(Ordering::SeqCst) && !self.has_running() && !self.is_over() {
            thread::park();
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }

    fn has_running(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks again and again, for as long as the test runner has patience.
    fn eventually(is_so: impl Fn() -> bool) {
        while !is_so() {
            thread::park_timeout(TICK);
        }
    }

    fn counting() -> (Ticker, Arc<AtomicUsize>) {
        let ticks = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&ticks);
        let tick = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        (Ticker::start(tick).unwrap(), ticks)
    }

    #[test]
    fn there_are_ticks_while_a_call_runs_and_none_when_none_does() {
        let (ticker, ticks) = counting();
        let calls = Arc::clone(&ticker.0.calls);
        for _ in 0..3 {
            eventually(|| calls.sleeps.load(Ordering::SeqCst));
            let before = ticks.load(Ordering::SeqCst);
            thread::park_timeout(TICK * 10);
            assert_eq!(ticks.load(Ordering::SeqCst), before, "it ticks for nobody");
            let (call, other) = (ticker.begin(), ticker.begin());
            drop(other);
            let enough = before + 2 * QUIET_TICKS as usize;
            eventually(|| ticks.load(Ordering::SeqCst) > enough);
            drop(call);
        }
    }

    #[test]
    fn the_thread_ends_with_the_last_who_may_call() {
        let (ticker, ticks) = counting();
        let calls = Arc::downgrade(&ticker.0.calls);
        let other = ticker.clone();
        eventually(|| ticker.0.calls.sleeps.load(Ordering::SeqCst));
        drop(ticker);
        assert!(calls.upgrade().is_some());
        drop(other);
        eventually(|| calls.upgrade().is_none() && Arc::strong_count(&ticks) == 1);
    }
}
