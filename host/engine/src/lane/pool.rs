//! The threads of a lane: a turn forks to them and joins before its next step (docs/design/decisions.md#d3).
//!
//! What a worker needs it has from the owner of the work: a decoder and plugins, or a share of the key shards. Chunks
//! go to whichever worker is free, because what happens to a chunk does not depend on who does it; key shards have one
//! worker for ever, because the rows of a key must be added in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// The threads that workers run on.
pub(super) struct Pool {
    count: usize,
    brake: Brake,
    /// None with a single worker: it runs on the lane's own thread.
    threads: Option<Arc<rayon::ThreadPool>>,
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
        Ok(Self { count, brake, threads: threads.transpose()?.map(Arc::new) })
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
        let Some(threads) = self.threads.as_ref().filter(|_| items.len() > 1) else {
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
        let Some(threads) = &self.threads else {
            return workers.iter_mut().map(|worker| work(0, worker)).collect();
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
