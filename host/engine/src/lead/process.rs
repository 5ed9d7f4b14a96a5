//! Whether the process that leads ran on this machine and is gone, which is the one death that can be seen at once.
//!
//! A number of a process means something within one boot and one namespace of processes. Where both are ours, the kernel is
//! asked. Where not, nothing is known: also not of a container beside us, whose namespace is another. Then its silence tells.

use std::fmt;
use std::fs;
use std::os::linux::fs::MetadataExt;
use std::sync::Arc;

use sluicegate_chain::lead::claim::ProcessMark;

/// Somebody who sees processes in the place of the kernel.
pub trait SeesProcesses: Send + Sync {
    /// The process that asks, for others.
    fn own(&self) -> Option<ProcessMark>;

    /// Whether a process is gone for certain.
    fn is_gone(&self, process: &ProcessMark) -> bool;
}

/// What an instance sees of processes: what the kernel says, unless a simulation says it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Processes {
    told: Option<Arc<dyn SeesProcesses>>,
}

impl Processes {
    /// Those of this machine.
    pub fn of_machine() -> Self {
        Self::default()
    }

    /// Those that somebody tells of.
    pub fn told(by: Arc<dyn SeesProcesses>) -> Self {
        Self { told: Some(by) }
    }

    pub(super) fn own(&self) -> Option<ProcessMark> {
        self.told.as_ref().map_or_else(own, |told| told.own())
    }

    pub(crate) fn is_gone(&self, process: &ProcessMark) -> bool {
        self.told.as_ref().map_or_else(|| is_gone(process), |told| told.is_gone(process))
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.told.is_some() { "Processes(told)" } else { "Processes(machine)" })
    }
}

/// This process, for others; none where the kernel does not tell.
fn own() -> Option<ProcessMark> {
    let pid = std::process::id();
    let began = stat(pid)?.began;
    Some(ProcessMark { boot: boot()?, pid_namespace: pid_namespace()?, pid, began })
}

/// Whether a process is gone for certain.
fn is_gone(process: &ProcessMark) -> bool {
    let is_here = boot().as_ref() == Some(&process.boot)
        && pid_namespace().as_ref() == Some(&process.pid_namespace);
    // Where processes of others are hidden, one that is not seen may live.
    if !is_here || stat(1).is_none() {
        return false;
    }
    match stat(process.pid) {
        None => true,
        Some(stat) => stat.began != process.began || stat.has_ended,
    }
}

struct Stat {
    /// Ticks since the boot.
    began: u64,
    /// Nobody has asked for its exit code yet.
    has_ended: bool,
}

/// None if there is no such process, or it is hidden.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let has_ended = matches!(fields.next()?, "Z" | "X");
    Some(Stat { began: fields.nth(18)?.parse().ok()?, has_ended })
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn pid_namespace() -> Option<String> {
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?;
    Some(format!("{}:{}", namespace.st_dev(), namespace.st_ino()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_lives_and_one_that_has_ended_is_gone() {
        let own = own().unwrap();
        assert!(!is_gone(&own));
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        let child_began = stat(pid).map_or(own.began, |stat| stat.began);
        child.wait().unwrap();
        let gone = ProcessMark { pid, began: child_began, ..own.clone() };
        assert!(is_gone(&gone));
        let before_it = ProcessMark { began: own.began - 1, ..own.clone() };
        assert!(is_gone(&before_it), "the number was used again");
    }

    #[test]
    fn of_another_machine_or_container_nothing_is_known() {
        let own = own().unwrap();
        let gone = ProcessMark { began: own.began - 1, ..own };
        let elsewhere = [
            ProcessMark { boot: "another".to_owned(), ..gone.clone() },
            ProcessMark { pid_namespace: "another".to_owned(), ..gone.clone() },
        ];
        assert!(is_gone(&gone) && elsewhere.iter().all(|process| !is_gone(process)));
    }
}
