//! Which processes share a machine: there, and only there, one sees that another is gone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluicegate_chain::lead::claim::ProcessMark;
use sluicegate_engine::lead::SeesProcesses;

use super::instance::Instance;
use super::story::Mutation;

/// All lives of a story, by the number of their process.
pub(crate) type Lives = Arc<Mutex<Vec<Arc<Instance>>>>;

/// A life as its machine sees it.
pub(crate) struct MachineOf {
    lives: Lives,
    machine: String,
    pid: usize,
    /// It says so of every process. A mutation.
    calls_all_gone: bool,
}

impl MachineOf {
    /// Begins a process on a machine.
    pub(crate) fn begin(
        lives: &Lives,
        machine: usize,
        instance: &Arc<Instance>,
        mutation: Option<Mutation>,
    ) -> Self {
        let mut all = lock(lives);
        all.push(Arc::clone(instance));
        Self {
            lives: Arc::clone(lives),
            machine: format!("machine {machine}"),
            pid: all.len() - 1,
            calls_all_gone: mutation == Some(Mutation::ProcessesLookGone),
        }
    }
}

impl SeesProcesses for MachineOf {
    fn own(&self) -> Option<ProcessMark> {
        let (boot, pid_namespace) = (self.machine.clone(), String::new());
        Some(ProcessMark { boot, pid_namespace, pid: u32::try_from(self.pid).ok()?, began: 0 })
    }

    fn is_gone(&self, process: &ProcessMark) -> bool {
        let lives = lock(&self.lives);
        let life = usize::try_from(process.pid).ok().and_then(|pid| lives.get(pid));
        let is_gone = self.calls_all_gone || life.is_none_or(|life| life.is_dead());
        process.boot == self.machine && is_gone
    }
}

fn lock(lives: &Lives) -> MutexGuard<'_, Vec<Arc<Instance>>> {
    lives.lock().unwrap_or_else(PoisonError::into_inner)
}
