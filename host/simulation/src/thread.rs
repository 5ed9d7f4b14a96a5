//! Threads that run one at a time. Each is a thread of the system, with a task in the one runtime that stands for it: when
//! the task is polled it hands over the baton, and waits until the thread waits for something or has ended.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use sluicegate_runtime::Join;
use tokio_util::sync::CancellationToken;

use super::instance::{Going, Instance};

thread_local! {
    static CURRENT: RefCell<Option<Arc<Baton>>> = const { RefCell::new(None) };
}

/// What a thread is unwound with that dies with its instance.
struct Killed;

/// Between a thread and its task.
#[derive(Default)]
struct Baton {
    turn: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Default)]
struct Turn {
    holder: Holder,
    waker: Option<Waker>,
    killed: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Holder {
    #[default]
    Runtime,
    Thread,
    Nobody,
}

/// Begins a thread of an instance.
pub(crate) fn begin(
    instance: &Arc<Instance>,
    name: String,
    stack_bytes: Option<usize>,
    work: Box<dyn FnOnce() + Send>,
) -> io::Result<Join> {
    let (baton, done) = (Arc::<Baton>::default(), CancellationToken::new());
    let mut thread = std::thread::Builder::new().name(name);
    if let Some(bytes) = stack_bytes {
        thread = thread.stack_size(bytes);
    }
    let (own, ended, handle) = (Arc::clone(&baton), done.clone(), instance.handle.clone());
    thread.spawn(move || {
        CURRENT.set(Some(Arc::clone(&own)));
        if own.wait_for_turn() {
            let _inside = handle.enter();
            // Whatever it was, the instance's own code has had it first.
            let _panicked = catch_unwind(AssertUnwindSafe(work));
            ended.cancel();
        } else {
            drop(work);
            ended.cancel();
        }
        own.give(Holder::Nobody);
    })?;
    let (instance, number) = (Arc::clone(instance), instance.number());
    let handle = instance.handle.clone();
    handle.spawn(ThreadTask { instance, number, baton });
    Ok(Box::new(move || {
        if CURRENT.with_borrow(Option::is_none) {
            // The world asks only for what has ended.
            return;
        }
        // In vain if the thread that waits dies meanwhile.
        let mut done = std::pin::pin!(done.cancelled());
        let _is_done = wait_for(done.as_mut());
    }))
}

/// Waits on the current thread. One that is to die does not return.
pub(crate) fn block_on(work: Pin<&mut (dyn Future<Output = ()> + '_)>) {
    if !wait_for(work) {
        resume_unwind(Box::new(Killed));
    }
}

/// False: the thread is to die.
fn wait_for(mut work: Pin<&mut (dyn Future<Output = ()> + '_)>) -> bool {
    let baton = CURRENT.with_borrow(|current| current.clone()).expect("a thread of an instance");
    loop {
        let (waker, killed) = {
            let turn = baton.turn();
            (turn.waker.clone().expect("it has its turn"), turn.killed)
        };
        if killed {
            return false;
        }
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return true;
        }
        baton.give(Holder::Runtime);
        baton.wait_for_turn();
    }
}

impl Baton {
    /// Whether the thread may go on, when it has its turn.
    fn wait_for_turn(&self) -> bool {
        let mut turn = self.turn();
        while turn.holder != Holder::Thread {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        !turn.killed
    }

    fn give(&self, to: Holder) {
        self.turn().holder = to;
        self.changed.notify_one();
    }

    /// The thread goes on until it waits or has ended; true if it has.
    fn run(&self, waker: &Waker, killed: bool) -> bool {
        {
            let mut turn = self.turn();
            if turn.holder == Holder::Nobody {
                return true;
            }
            (turn.waker, turn.killed, turn.holder) = (Some(waker.clone()), killed, Holder::Thread);
        }
        // It wakes to a turn that nobody holds.
        self.changed.notify_one();
        let mut turn = self.turn();
        while turn.holder == Holder::Thread {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        turn.holder == Holder::Nobody
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for a thread in the runtime.
struct ThreadTask {
    instance: Arc<Instance>,
    number: u64,
    baton: Arc<Baton>,
}

impl Future for ThreadTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let going = self.instance.step(self.number, context);
        if going == Going::Asleep {
            return Poll::Pending;
        }
        if self.baton.run(context.waker(), going == Going::Dead) {
            self.instance.ended(self.number);
            return Poll::Ready(());
        }
        if going == Going::Dead {
            // It waits for something while it unwinds: once more.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
