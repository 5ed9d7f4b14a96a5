//! The threads of a lane: a turn forks to them and joins before its next step (docs/design/decisions.md#d3).
//!
//! The lane's own thread is one of the workers, as long as a fork lasts. It begins at once, while the others wake up, and
//! with two workers a single thread is woken.
//!
//! What a worker needs it has from the owner of the work: a decoder and plugins, or a share of the key shards. Chunks
//! go to whichever worker is free, because what happens to a chunk does not depend on who does it; key shards have one
//! worker for ever, because the rows of a key must be added in order.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluicegate_connect::sink::Spread;
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_sandbox::run::brake::Brake;
use sluicegate_state::sections::Sections;
use sluicegate_state::window::KEY_SHARDS;

use super::LaneError;
use crate::counters::LaneMetrics;
use crate::pulse::{Pulse, Strides};

/// A WASM guest may use 512 KiB of the stack; the rest is for the host around it.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// CPU time of all calls of a turn, by all workers, for which nobody should have to wait.
pub(super) const LONG_TURN: Duration = Duration::from_secs(1);

/// Work that takes less is done on the lane's own thread, ns. To wake the workers and to wait for them would take a part of it, and
/// all that a second one could save is half of it.
const WORTH_FORKING_NANOS: u64 = 2_000_000;

/// With fewer items most of the time is what such work takes anyhow, and says little of an item.
const ITEMS_TOLD: usize = 256;

/// The threads that workers run on.
pub(super) struct Pool {
    count: usize,
    brake: Brake,
    /// That of the lane.
    pulse: Pulse,
    /// For all workers but the first, which runs on the lane's own thread. None if there is no other.
    threads: Option<Arc<rayon::ThreadPool>>,
    /// Of the rows of a turn.
    rows: Cost,
}

/// What one item of some work takes, as the last ones took it, ns.
pub(super) struct Cost(AtomicU64);

/// The threads for some work. None: it is done on the lane's own thread, for each worker in turn.
pub(super) struct Hands<'p> {
    threads: Option<&'p rayon::ThreadPool>,
}

impl Pool {
    /// For `count` workers, at least one and not more than there are key shards. All plugins that they run have the
    /// brake.
    pub(super) fn new(
        count: usize,
        brake: Brake,
        pulse: Pulse,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let count = count.clamp(1, KEY_SHARDS as usize);
        let threads = (count > 1).then(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(count - 1)
                .stack_size(STACK_BYTES)
                .thread_name(|index| format!("worker-{}", index + 1))
                .build()
        });
        let threads = threads.transpose()?.map(Arc::new);
        Ok(Self { count, brake, pulse, threads, rows: Cost::default() })
    }

    /// Of all plugins.
    pub(super) fn brake(&self) -> &Brake {
        &self.brake
    }

    /// One like this with as many workers.
    #[cfg(test)]
    pub(super) fn with_workers(&self, count: usize) -> Self {
        Self::new(count, self.brake.clone(), self.pulse.clone()).unwrap()
    }

    /// Shows that the lane lives.
    pub(super) fn beat(&self) {
        self.pulse.beat();
    }

    /// For work of one worker that takes long where a state is large, and passes no loop meanwhile.
    pub(super) fn strides(&self) -> Strides<'_> {
        self.pulse.strides()
    }

    /// Where a worker encodes a state, which takes long where that is large.
    pub(super) fn sections(&self) -> Sections {
        let pulse = self.pulse.clone();
        Sections::telling(move || pulse.beat())
    }

    /// Fails if the turn was broken off: nothing that came of it may be used.
    pub(super) fn not_broken_off(&self) -> Result<(), LaneError> {
        if self.brake.is_pulled() { Err(LaneError::BrokenOff) } else { Ok(()) }
    }

    /// The workers, for work that needs nothing else of them. What it takes counts as writing.
    pub(super) fn spread(&self, metrics: &Arc<LaneMetrics>) -> Arc<dyn Spread> {
        Arc::new(Spreading { threads: self.threads.clone(), metrics: Arc::clone(metrics) })
    }

    /// How many workers there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Calls `work` once per item, on any worker; answers in the order of the items.
    pub(super) fn each_item<W: Send, I: Sync, T: Send>(
        &self,
        workers: &mut [W],
        items: &[I],
        work: impl Fn(&mut W, &I) -> T + Sync,
    ) -> Vec<T> {
        self.hands().each_item(workers, items, work)
    }

    /// The same for work that needs nothing of a worker but its time.
    pub(super) fn each<I: Sync, T: Send>(
        &self,
        items: &[I],
        work: impl Fn(&I) -> T + Sync,
    ) -> Vec<T> {
        self.each_item(&mut vec![(); self.count], items, |(), item| work(item))
    }

    /// Calls `work` once per worker with its number; answers in the order of the workers.
    pub(super) fn each_worker<W: Send, T: Send>(
        &self,
        workers: &mut [W],
        work: impl Fn(usize, &mut W) -> T + Sync,
    ) -> Vec<T> {
        self.hands().each_worker(workers, work)
    }

    /// All threads.
    fn hands(&self) -> Hands<'_> {
        Hands { threads: self.threads.as_deref() }
    }

    /// The threads for work on so many rows of a turn. Few rows are left to the lane's own thread, if rows took little in
    /// the turns before.
    pub(super) fn for_rows(&self, rows: usize) -> Hands<'_> {
        self.for_items(&self.rows, rows)
    }

    /// The same for work on so many items of another kind.
    pub(super) fn for_items(&self, cost: &Cost, items: usize) -> Hands<'_> {
        let nanos = cost.0.load(Ordering::Relaxed).saturating_mul(items as u64);
        let threads = self.threads.as_deref().filter(|_| nanos >= WORTH_FORKING_NANOS);
        Hands { threads }
    }

    /// A turn with so many rows took so long, ns of all workers together.
    pub(super) fn learn(&self, rows: u64, nanos: u64) {
        if rows > 0 {
            self.rows.learn(usize::try_from(rows).unwrap_or(usize::MAX), nanos);
        }
    }
}

impl Default for Cost {
    /// Nothing is known yet: as much as makes one item worth it.
    fn default() -> Self {
        Self(AtomicU64::new(WORTH_FORKING_NANOS))
    }
}

impl Cost {
    /// So many items took so long, ns of all workers together.
    pub(super) fn learn(&self, items: usize, nanos: u64) {
        self.0.store(nanos / items.max(ITEMS_TOLD) as u64, Ordering::Relaxed);
    }
}

impl Hands<'_> {
    /// As [`Pool::each_item`].
    pub(super) fn each_item<W: Send, I: Sync, T: Send>(
        &self,
        workers: &mut [W],
        items: &[I],
        work: impl Fn(&mut W, &I) -> T + Sync,
    ) -> Vec<T> {
        let Some(threads) = self.threads.filter(|_| items.len() > 1) else {
            let worker = &mut workers[0];
            return items.iter().map(|item| work(worker, item)).collect();
        };
        let next = AtomicUsize::new(0);
        let mut done: Vec<Vec<(usize, T)>> = Vec::new();
        done.resize_with(workers.len(), Vec::new);
        fork(threads, workers.iter_mut().zip(&mut done), |(worker, done)| {
            work_off(worker, items, &next, done, &work);
        });
        let mut done: Vec<_> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, answer)| answer).collect()
    }

    /// As [`Pool::each_worker`].
    pub(super) fn each_worker<W: Send, T: Send>(
        &self,
        workers: &mut [W],
        work: impl Fn(usize, &mut W) -> T + Sync,
    ) -> Vec<T> {
        let Some(threads) = self.threads else {
            let workers = workers.iter_mut().enumerate();
            return workers.map(|(number, worker)| work(number, worker)).collect();
        };
        let mut answers: Vec<Option<T>> = Vec::new();
        answers.resize_with(workers.len(), || None);
        let workers = workers.iter_mut().zip(&mut answers).enumerate();
        fork(threads, workers, |(number, (worker, answer))| *answer = Some(work(number, worker)));
        answers.into_iter().map(|answer| answer.expect("the fork joined every worker")).collect()
    }
}

/// Hands work to the threads of a pool, if it has some.
#[derive(Debug)]
struct Spreading {
    threads: Option<Arc<rayon::ThreadPool>>,
    metrics: Arc<LaneMetrics>,
}

impl Spread for Spreading {
    fn each(&self, work: Vec<Box<dyn FnOnce() + Send + '_>>) {
        // The lane's own time is counted by whoever asks.
        let Some(threads) = &self.threads else { return work.into_iter().for_each(|work| work()) };
        let others = threads.current_num_threads().min(work.len().saturating_sub(1));
        let work = Mutex::new(work.into_iter());
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        fork(threads, 0..=others, |worker| {
            let started = thread_cpu_nanos();
            while let Some(work) = next() {
                work();
            }
            if worker > 0 {
                self.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
            }
        });
    }
}

/// Calls `work` with each part: with the first on this thread, with the others on those of the pool. Returns when all are
/// done.
fn fork<P: Send>(
    threads: &rayon::ThreadPool,
    mut parts: impl Iterator<Item = P>,
    work: impl Fn(P) + Sync,
) {
    let Some(own) = parts.next() else { return };
    threads.in_place_scope(|scope| {
        let work = &work;
        parts.for_each(|part| scope.spawn(move |_| work(part)));
        work(own);
    });
}

/// Does items that no other worker has taken, until there are none.
fn work_off<W, I, T>(
    worker: &mut W,
    items: &[I],
    next: &AtomicUsize,
    done: &mut Vec<(usize, T)>,
    work: impl Fn(&mut W, &I) -> T,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(index) else { return };
        done.push((index, work(worker, item)));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use sluicegate_model::time::Clock;

    fn pool_of(workers: usize) -> Pool {
        Pool::new(workers, Brake::default(), Pulse::new(Clock::manual(0))).unwrap()
    }

    /// The names of the threads that work on so many rows.
    fn working(pool: &Pool, rows: usize) -> Vec<String> {
        let name = || std::thread::current().name().unwrap_or_default().to_owned();
        pool.for_rows(rows).each_worker(&mut [0, 0], |number, _| format!("{number} {}", name()))
    }

    #[test]
    fn the_first_worker_is_the_thread_that_asks() {
        let pool = pool_of(3);
        let asks = std::thread::current().id();
        let own = pool.each_worker(&mut [(); 3], |_, ()| std::thread::current().id() == asks);
        assert_eq!(own, [true, false, false]);
    }

    #[test]
    fn a_panic_of_any_worker_is_that_of_the_lane_once_all_have_ended() {
        let pool = pool_of(2);
        for panics in 0..2 {
            let ended = AtomicUsize::new(0);
            let work = |number, (): &mut ()| match number == panics {
                true => panic!("as the test asks"),
                false => ended.fetch_add(1, Ordering::Relaxed),
            };
            let forked = AssertUnwindSafe(|| pool.each_worker(&mut [(); 2], work));
            assert!(catch_unwind(forked).is_err());
            assert_eq!(ended.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn workers_are_woken_only_for_what_takes_a_while() {
        let pool = pool_of(2);
        let alone = |rows| working(&pool, rows).iter().all(|thread| !thread.contains("worker-"));
        assert!(alone(0) && !alone(1), "nothing is known of rows yet");
        pool.learn(10_000, 2_000_000);
        assert!(alone(9_999) && !alone(10_000), "200 ns a row");
        pool.learn(1, 512_000);
        assert!(alone(999) && !alone(1_000), "a turn takes its time with one row as well");
        pool.learn(10, 1_000_000_000);
        assert!(!alone(1), "a plugin that takes a tenth of a second for a row");
        let groups = Cost::default();
        let alone = |items| pool.for_items(&groups, items).threads.is_none();
        assert!(alone(0) && !alone(1), "what is known of rows is not known of groups");
        groups.learn(500, 100_000);
        assert!(alone(9_999) && !alone(10_000), "200 ns a group");
        assert_eq!(working(&pool, 0)[1].split(' ').next(), Some("1"), "each by its number");
    }
}
