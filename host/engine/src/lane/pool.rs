//! The threads of a lane: a turn forks to them and joins before its next step (docs/design/decisions.md#d3).
//!
//! What a worker needs it has from the owner of the work: a decoder and plugins, or a share of the key shards. Chunks
//! go to whichever worker is free, because what happens to a chunk does not depend on who does it; key shards have one
//! worker for ever, because the rows of a key must be added in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sluicegate_connect::sink::Spread;
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_sandbox::run::brake::Brake;
use sluicegate_state::window::KEY_SHARDS;

use super::LaneError;
use crate::counters::LaneMetrics;

/// A WASM guest may use 512 KiB of the stack; the rest is for the host around it.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// CPU time of all calls of a turn, by all workers, for which nobody should have to wait.
pub(super) const LONG_TURN: Duration = Duration::from_secs(1);

/// Work that takes less is done on the lane's own thread, ns: to wake the workers and to wait for them takes a good part of it.
const WORTH_FORKING_NANOS: u64 = 200_000;

/// Of a turn with fewer rows most is what every turn takes: what it took says little of a row.
const ROWS_TOLD: usize = 256;

/// The threads that workers run on.
pub(super) struct Pool {
    count: usize,
    brake: Brake,
    /// None with a single worker: it runs on the lane's own thread.
    threads: Option<Arc<rayon::ThreadPool>>,
    /// What the last turn took; more than it may be before the first.
    nanos_per_row: AtomicU64,
}

/// The threads for some work. None: it is done on the lane's own thread, for each worker in turn.
pub(super) struct Hands<'p> {
    threads: Option<&'p rayon::ThreadPool>,
}

impl Pool {
    /// For `count` workers, at least one and not more than there are key shards. All plugins that they run have the
    /// brake.
    pub(super) fn new(count: usize, brake: Brake) -> Result<Self, rayon::ThreadPoolBuildError> {
        let count = count.clamp(1, KEY_SHARDS as usize);
        let threads = (count > 1).then(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(count)
                .stack_size(STACK_BYTES)
                .thread_name(|index| format!("worker-{index}"))
                .build()
        });
        let nanos_per_row = AtomicU64::new(WORTH_FORKING_NANOS);
        Ok(Self { count, brake, threads: threads.transpose()?.map(Arc::new), nanos_per_row })
    }

    /// Of all plugins.
    pub(super) fn brake(&self) -> &Brake {
        &self.brake
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
        let nanos = self.nanos_per_row.load(Ordering::Relaxed).saturating_mul(rows as u64);
        let threads = self.threads.as_deref().filter(|_| nanos >= WORTH_FORKING_NANOS);
        Hands { threads }
    }

    /// A turn with so many rows took so long.
    pub(super) fn learn(&self, rows: usize, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // All of them may have worked all the while.
        let nanos = nanos.saturating_mul(self.count as u64) / rows.max(ROWS_TOLD) as u64;
        self.nanos_per_row.store(nanos, Ordering::Relaxed);
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
        threads.scope(|scope| {
            for (worker, done) in workers.iter_mut().zip(&mut done) {
                let (next, work) = (&next, &work);
                scope.spawn(move |_| work_off(worker, items, next, done, work));
            }
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
        threads.scope(|scope| {
            for ((number, worker), answer) in workers.iter_mut().enumerate().zip(&mut answers) {
                let work = &work;
                scope.spawn(move |_| *answer = Some(work(number, worker)));
            }
        });
        answers.into_iter().map(|answer| answer.expect("the scope joined every worker")).collect()
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
        threads.scope(|scope| {
            for work in work {
                scope.spawn(move |_| {
                    let started = thread_cpu_nanos();
                    work();
                    self.metrics.steps.sink.add_nanos(thread_cpu_nanos() - started);
                });
            }
        });
    }
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
    use super::*;

    /// The names of the threads that work on so many rows.
    fn working(pool: &Pool, rows: usize) -> Vec<String> {
        let name = || std::thread::current().name().unwrap_or_default().to_owned();
        pool.for_rows(rows).each_worker(&mut [0, 0], |number, _| format!("{number} {}", name()))
    }

    #[test]
    fn workers_are_woken_only_for_what_takes_a_while() {
        let pool = Pool::new(2, Brake::default()).unwrap();
        let alone = |rows| working(&pool, rows).iter().all(|thread| !thread.contains("worker-"));
        assert!(alone(0) && !alone(1), "nothing is known of rows yet");
        pool.learn(1_000, Duration::from_micros(100));
        assert!(alone(999) && !alone(1_000), "200 ns a row");
        pool.learn(1, Duration::from_micros(256));
        assert!(alone(99) && !alone(100), "a turn takes its time with one row as well");
        pool.learn(10, Duration::from_secs(1));
        assert!(!alone(1), "a plugin that takes a tenth of a second for a row");
        assert_eq!(working(&pool, 0)[1].split(' ').next(), Some("1"), "each by its number");
    }
}
