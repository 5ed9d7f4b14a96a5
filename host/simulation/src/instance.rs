//! An instance: it dies, sleeps and wakes with all that it has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;

use super::diary::Diary;

/// One life of a process.
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) diary: Diary,
    pub(crate) handle: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dead: bool,
    /// Since when its machine is suspended.
    asleep: Option<Duration>,
    /// How long it was, before.
    slept: Duration,
    /// How often one of its threads or tasks went on.
    steps: u64,
    /// It dies when it has made so many.
    dies_at: Option<u64>,
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// Whether something of an instance may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    On,
    Asleep,
    Dead,
}

impl Instance {
    pub(crate) fn new(name: &str, diary: &Diary) -> Arc<Self> {
        let (name, diary) = (name.to_owned(), diary.clone());
        Arc::new(Self { name, diary, handle: Handle::current(), state: Mutex::default() })
    }

    /// A number for a thread or task.
    pub(crate) fn number(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    /// Something of it wants to go on. If not now, it is woken when it may.
    pub(crate) fn step(&self, number: u64, context: &Context<'_>) -> Going {
        let mut state = self.state();
        if state.dead {
            return Going::Dead;
        }
        state.wakers.insert(number, context.waker().clone());
        if state.asleep.is_some() {
            return Going::Asleep;
        }
        state.steps += 1;
        let dies = state.dies_at.is_some_and(|at| state.steps >= at);
        drop(state);
        if dies {
            self.kill();
            return Going::Dead;
        }
        Going::On
    }

    pub(crate) fn ended(&self, number: u64) {
        self.state().wakers.remove(&number);
    }

    /// Nothing of it goes on.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.dead, true) {
            let steps = state.steps;
            self.wake_all(state);
            self.diary.note(&self.name, format!("dies at its await number {steps}"), "");
        }
    }

    /// It dies when its threads and tasks have gone on so often from now.
    pub(crate) fn kill_after(&self, steps: u64) {
        let mut state = self.state();
        state.dies_at = Some(state.steps + steps);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub(crate) fn suspend(&self) {
        let now = self.diary.now();
        self.state().asleep.get_or_insert(now);
        self.diary.note(&self.name, "its machine is suspended", "");
    }

    pub(crate) fn resume(&self) {
        let mut state = self.state();
        if let Some(since) = state.asleep.take() {
            state.slept += self.diary.now().saturating_sub(since);
            self.wake_all(state);
            self.diary.note(&self.name, "its machine wakes", "");
        }
    }

    /// How long its machine was suspended.
    pub(crate) fn slept(&self) -> Duration {
        let state = self.state();
        let now = state.asleep.map(|since| self.diary.now().saturating_sub(since));
        state.slept + now.unwrap_or_default()
    }

    fn wake_all(&self, state: MutexGuard<'_, State>) {
        let wakers: Vec<Waker> = state.wakers.values().cloned().collect();
        drop(state);
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
