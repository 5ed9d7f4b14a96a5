//! The workers of a lane: a turn forks to them and joins before its next step
//! (docs/design/decisions.md#d3).
//!
//! Each worker has its own decoder, plugin instances and share of the key shards. Chunks go to whichever worker
//! is free, because what happens to a chunk does not depend on who does it; key shards have one owner for ever,
//! because the rows of a key must be added in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::counters::LaneMetrics;
use crate::decode::Decoder;
use crate::keyed::{self, KeyedCall, KeyedTable};
use crate::plugin::brake::Brake;
use crate::plugin::runner::{RunnerStats, StageRunner};
use crate::time::Watermark;
use crate::window::snapshot::StateRow;
use crate::window::{
    KEY_SHARDS, KeyedState, SessionCall, Sessions, SlideTables, Touched, Watcher, WindowAssigner,
    snapshot,
};

use super::LaneError;
use super::firing::WindowFiring;
use super::plan::{FittedStage, Plan};
use super::timers::Firing;

/// A WASM guest may use 512 KiB of the stack; the rest is for the host around it.
pub(super) const STACK_BYTES: usize = 8 << 20;

/// What one worker owns.
pub(super) struct Worker {
    pub(super) decoder: Decoder,
    /// One per filter and map, in order.
    pub(super) stages: Vec<StageRunner>,
    pub(super) aggregate: Option<StageRunner>,
    pub(super) process: Option<StageRunner>,
    /// What each runner had done at the last report, that of the stage with state last.
    pub(super) reported: Vec<RunnerStats>,
    pub(super) state: KeyedState,
    /// Panes of sliding windows, merged. Derived from `state` with the present aggregate.
    pub(super) slide_tables: SlideTables,
    pub(super) sessions: Sessions,
    pub(super) session_call: SessionCall,
    pub(super) touched: Touched,
    pub(super) keyed: KeyedTable,
    pub(super) keyed_call: KeyedCall,
    /// Keys with timers that fire now.
    pub(super) due: Vec<u32>,
    pub(super) nanos: StageNanos,
}

/// CPU time used by a worker since the last report, ns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StageNanos {
    pub(super) decode: u64,
    pub(super) plugins: u64,
    pub(super) window: u64,
}

impl Worker {
    fn new(plan: &Plan, brake: &Brake) -> Self {
        let runner = |stage: &FittedStage| stage.runner(&plan.limits).with_brake(brake.clone());
        Self {
            decoder: plan.decoder(),
            stages: plan.stages.iter().map(runner).collect(),
            aggregate: plan.aggregate.as_ref().map(runner),
            process: plan.process.as_ref().map(|process| runner(&process.stage)),
            reported: vec![RunnerStats::default(); plan.stages.len() + 1],
            state: KeyedState::default(),
            slide_tables: SlideTables::default(),
            sessions: Sessions::default(),
            session_call: SessionCall::default(),
            touched: Touched::default(),
            keyed: KeyedTable::new(plan.process.as_ref().and_then(|process| process.ttl)),
            keyed_call: KeyedCall::default(),
            due: Vec::new(),
            nanos: StageNanos::default(),
        }
    }

    /// A group as a checkpoint gives it back.
    pub(super) fn restore(&mut self, windows: Option<WindowAssigner>, row: &StateRow<'_>) {
        match windows {
            Some(WindowAssigner::Sessions(rule)) if row.is_closed => {
                self.sessions.restore_closed(rule, row);
            }
            Some(WindowAssigner::Sessions(_)) => self.sessions.restore(row),
            Some(WindowAssigner::Slides(slides)) if row.is_fired => {
                self.state.restore_fired(&slides, row);
            }
            Some(WindowAssigner::Slides(_) | WindowAssigner::Global { .. }) | None => {
                self.state.restore(row);
            }
        }
    }

    /// Every accumulator and every state of a key that is not empty, always in the same order. Those that sliding windows
    /// merged are made anew of these.
    pub(super) fn states(&self) -> impl Iterator<Item = &[u8]> {
        let windows = self.state.states().chain(self.sessions.states());
        windows.chain(self.keyed.states())
    }

    /// Replaces the states that [`Worker::states`] gives, in that order.
    pub(super) fn set_states<'s>(&mut self, states: &mut impl Iterator<Item = &'s [u8]>) {
        self.state.set_states(states);
        self.sessions.set_states(states);
        self.keyed.set_states(states);
        assert!(states.next().is_none(), "as many states as there were");
        self.slide_tables = SlideTables::default();
    }

    /// Groups of its windows, and keys.
    pub(super) fn groups_len(&self) -> u64 {
        (self.state.groups_len() + self.sessions.len() + self.keyed.len()) as u64
    }

    /// Bytes of its windows and keys.
    pub(super) fn state_bytes(&self) -> u64 {
        let windows = self.state.bytes() + self.slide_tables.bytes() + self.sessions.bytes();
        (windows + self.keyed.bytes()) as u64
    }

    /// Groups that changed and were not shown yet.
    pub(super) fn changed_len(&self) -> usize {
        let windows =
            self.state.windows().iter().map(|window| window.groups.changed_len(Watcher::Live));
        windows.sum::<usize>() + self.sessions.changed_len()
    }
}

/// All workers of a lane, and the threads they run on.
pub(super) struct Pool {
    workers: Vec<Worker>,
    brake: Brake,
    /// None with a single worker: it runs on the lane's own thread.
    threads: Option<rayon::ThreadPool>,
    pub(super) firing: Firing,
    pub(super) window_firing: WindowFiring,
}

impl Pool {
    /// `count` workers, at least one and not more than there are key shards.
    pub(super) fn new(
        plan: &Plan,
        count: usize,
        brake: Brake,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let count = count.clamp(1, KEY_SHARDS as usize);
        let threads = (count > 1).then(|| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(count)
                .stack_size(STACK_BYTES)
                .thread_name(|index| format!("worker-{index}"))
                .build()
        });
        let workers = (0..count).map(|_| Worker::new(plan, &brake)).collect();
        Ok(Self {
            workers,
            brake,
            threads: threads.transpose()?,
            firing: Firing::default(),
            window_firing: WindowFiring::default(),
        })
    }

    /// Gives every worker the code of a changed plan. Open windows and keys stay.
    pub(super) fn replan(&mut self, plan: &Plan) {
        for worker in &mut self.workers {
            let state = std::mem::take(&mut worker.state);
            let sessions = std::mem::take(&mut worker.sessions);
            let keyed = std::mem::take(&mut worker.keyed);
            let nanos = worker.nanos;
            *worker = Worker { state, sessions, keyed, nanos, ..Worker::new(plan, &self.brake) };
        }
        self.window_firing.begin_small();
    }

    /// Whether timers or windows are due that a step has left to the next one.
    pub(super) fn is_firing(&self) -> bool {
        self.firing.is_unfinished() || self.window_firing.is_unfinished()
    }

    /// Of all its runners.
    pub(super) fn brake(&self) -> &Brake {
        &self.brake
    }

    /// Fails if the turn was broken off: nothing that came of it may be used.
    pub(super) fn not_broken_off(&self) -> Result<(), LaneError> {
        if self.brake.is_pulled() { Err(LaneError::BrokenOff) } else { Ok(()) }
    }

    /// Groups of all windows, and keys.
    pub(super) fn groups_len(&self) -> u64 {
        self.workers.iter().map(Worker::groups_len).sum()
    }

    /// Bytes of all windows and keys.
    pub(super) fn state_bytes(&self) -> u64 {
        self.workers.iter().map(Worker::state_bytes).sum()
    }

    /// Appends what a checkpoint stores of the state, with the generation of its module and the watermark. How many groups or
    /// keys that is.
    pub(super) fn freeze(
        &self,
        plan: &Plan,
        (generation, watermark): (u32, Watermark),
        bytes: &mut Vec<u8>,
    ) -> u64 {
        let workers = self.workers.iter();
        if plan.process.is_some() {
            let keys = workers.map(|worker| &worker.keyed);
            return keyed::snapshot::encode(keys, generation, bytes);
        }
        let states = workers.map(|worker| (&worker.state, &worker.sessions));
        snapshot::encode(states, generation, self.window_firing.behind(watermark), bytes)
    }

    /// Adds what the workers and their plugins did since the last report.
    pub(super) fn report(&mut self, plan: &Plan, metrics: &LaneMetrics) {
        self.report_steps(metrics);
        let stages: Vec<&FittedStage> = plan.all_stages().collect();
        let mut memory = vec![0; stages.len()];
        for worker in &mut self.workers {
            let runners = worker.stages.iter().chain(&worker.aggregate).chain(&worker.process);
            let runners = runners.zip(&mut worker.reported);
            for ((stage, (runner, reported)), memory) in stages.iter().zip(runners).zip(&mut memory)
            {
                let now = runner.stats();
                let before = std::mem::replace(reported, now);
                *memory += now.memory_bytes;
                let Some(metrics) = metrics.running(&stage.id) else { continue };
                metrics.calls.add(now.calls - before.calls);
                metrics.rows.add(now.rows - before.rows);
                metrics.cpu.add_nanos(now.cpu_nanos - before.cpu_nanos);
                metrics.traps.add(now.traps - before.traps);
                metrics.deadlines.add(now.deadlines - before.deadlines);
                metrics.bad_answers.add(now.answers - before.answers);
                metrics.broken.add(now.broken - before.broken);
                metrics.rejects.add(now.rejects - before.rejects);
                metrics.unheard.add(now.unheard - before.unheard);
            }
        }
        for (stage, memory) in stages.iter().zip(memory) {
            if let Some(metrics) = metrics.running(&stage.id) {
                metrics.memory_bytes.set(memory);
            }
        }
    }

    /// Adds what the workers' steps took since the last report.
    pub(super) fn report_steps(&mut self, metrics: &LaneMetrics) {
        for worker in &mut self.workers {
            let StageNanos { decode, plugins, window } = std::mem::take(&mut worker.nanos);
            metrics.steps.decode.add_nanos(decode);
            metrics.steps.plugins.add_nanos(plugins);
            metrics.steps.window.add_nanos(window);
        }
    }

    /// How many workers there are.
    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    pub(super) fn workers_mut(&mut self) -> &mut [Worker] {
        &mut self.workers
    }

    /// Calls `work` once per item, on any worker; answers in the order of the items.
    pub(super) fn each_item<I: Sync, T: Send>(
        &mut self,
        items: &[I],
        work: impl Fn(&mut Worker, &I) -> T + Sync,
    ) -> Vec<T> {
        let Some(threads) = self.threads.as_ref().filter(|_| items.len() > 1) else {
            let worker = &mut self.workers[0];
            return items.iter().map(|item| work(worker, item)).collect();
        };
        let next = AtomicUsize::new(0);
        let mut done: Vec<Vec<(usize, T)>> = Vec::new();
        done.resize_with(self.workers.len(), Vec::new);
        threads.scope(|scope| {
            for (worker, done) in self.workers.iter_mut().zip(&mut done) {
                let (next, work) = (&next, &work);
                scope.spawn(move |_| work_off(worker, items, next, done, work));
            }
        });
        let mut done: Vec<_> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Calls `work` once per worker with its number; answers in the order of the workers.
    pub(super) fn each_worker<T: Send>(
        &mut self,
        work: impl Fn(usize, &mut Worker) -> T + Sync,
    ) -> Vec<T> {
        let Some(threads) = &self.threads else {
            return vec![work(0, &mut self.workers[0])];
        };
        let mut answers: Vec<Option<T>> = Vec::new();
        answers.resize_with(self.workers.len(), || None);
        threads.scope(|scope| {
            for ((number, worker), answer) in self.workers.iter_mut().enumerate().zip(&mut answers)
            {
                let work = &work;
                scope.spawn(move |_| *answer = Some(work(number, worker)));
            }
        });
        answers.into_iter().map(|answer| answer.expect("the scope joined every worker")).collect()
    }
}

/// Does items that no other worker has taken, until there are none.
fn work_off<I, T>(
    worker: &mut Worker,
    items: &[I],
    next: &AtomicUsize,
    done: &mut Vec<(usize, T)>,
    work: impl Fn(&mut Worker, &I) -> T,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(index) else { return };
        done.push((index, work(worker, item)));
    }
}
