//! Whether the process that leads ran on this machine and is gone, which is the one death that can be seen at once.
//!
//! A number of a process means something within one boot and one namespace of processes. Where both are ours, the kernel is
//! asked. Where not, nothing is known: also not of a container beside us, whose namespace is another. Then its silence tells.

use std::fmt;
use std::fs;
use std::io;
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
    let began = stat(pid).ok()?.began;
    Some(ProcessMark { boot: boot()?, pid_namespace: pid_namespace()?, pid, began })
}

/// Whether a process is gone for certain.
fn is_gone(process: &ProcessMark) -> bool {
    let is_here = boot().as_ref() == Some(&process.boot)
        && pid_namespace().as_ref() == Some(&process.pid_namespace);
    is_here && is_gone_by(stat, process)
}

/// The same of a process of this machine, by what the kernel says.
fn is_gone_by(stat: impl Fn(u32) -> io::Result<Stat>, process: &ProcessMark) -> bool {
    // Where processes of others are hidden, one that is not seen may live.
    if stat(1).is_err() {
        return false;
    }
    match stat(process.pid) {
        Ok(stat) => stat.began != process.began || stat.has_ended,
        // Nothing else says that it has ended: this process may have no descriptor to spare.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

struct Stat {
    /// Ticks since the boot.
    began: u64,
    /// Nobody has asked for its exit code yet.
    has_ended: bool,
}

/// `ESRCH` of Linux.
const NO_SUCH_PROCESS: i32 = 3;

/// What the kernel says of a process. `NotFound` if there is none, or it is hidden.
fn stat(pid: u32) -> io::Result<Stat> {
    let text = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // It has ended since the file was opened.
        Err(error) if error.raw_os_error() == Some(NO_SUCH_PROCESS) => {
            Err(io::ErrorKind::NotFound)?
        }
        text => text?,
    };
    parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse(stat: &str) -> Option<Stat> {
    // The name of the program stands in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
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

    /// A process without a descriptor to spare saw that the leader was gone, and took over from it.
    #[test]
    fn a_process_that_cannot_be_looked_at_is_not_gone() {
        let own = own().unwrap();
        // ENOENT; EIO, ENOMEM, EACCES, ENFILE, EMFILE.
        for (number, is_gone) in
            [(2, true), (5, false), (12, false), (13, false), (23, false), (24, false)]
        {
            let seen = |pid| match pid {
                1 => stat(1),
                _ => Err(io::Error::from_raw_os_error(number)),
            };
            assert_eq!(is_gone_by(seen, &own), is_gone, "error {number}");
        }
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
