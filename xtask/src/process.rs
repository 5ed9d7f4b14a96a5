//! What another process uses of the machine, as the kernel counts it: CPU time, wake-ups, memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::daemon::wait_until;

/// Whoever watches looks with so many asks of [`wait_until`]: every half second.
const ASKS_A_LOOK: u32 = 25;

/// What a process has used since it began, or between two looks.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// By the names of its threads, several of one name together.
    pub threads: BTreeMap<String, Thread>,
}

/// What the threads of one name have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// User and system.
    pub cpu: Duration,
    /// How often they fell asleep, which is how often they were woken.
    pub wakeups: u64,
}

impl Used {
    /// Of a process that runs. What threads used that have ended is not in it.
    pub fn by(process: u32) -> Result<Self> {
        let mut used = Self::default();
        for (name, thread) in each(process)?.into_values() {
            used.threads.entry(name).or_default().add(thread);
        }
        Ok(used)
    }

    /// What came since an earlier look.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let since = |(name, thread): (&String, &Thread)| {
            let before = before.threads.get(name).copied().unwrap_or_default();
            (name.clone(), thread.since(before))
        };
        Self { threads: self.threads.iter().map(since).collect() }
    }

    /// What a process uses while it is watched for so long. Threads that begin or end meanwhile are in it, but for the last half
    /// second of their lives.
    pub fn while_watched(process: u32, lasting: Duration) -> Result<Self> {
        let before = each(process)?;
        let (mut last, mut asks) = (before.clone(), 0_u32);
        let failed = wait_until(lasting, || {
            asks += 1;
            let looked =
                if asks.is_multiple_of(ASKS_A_LOOK) { each(process) } else { return None };
            looked.map(|threads| last.extend(threads)).err()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        last.extend(each(process)?);
        let mut used = Self::default();
        for (id, (name, thread)) in last {
            let before = before.get(&id).map_or_else(Thread::default, |(_, before)| *before);
            used.threads.entry(name).or_default().add(thread.since(before));
        }
        Ok(used)
    }

    /// All threads together.
    pub fn total(&self) -> Thread {
        let mut total = Thread::default();
        self.threads.values().for_each(|thread| total.add(*thread));
        total
    }
}

impl Thread {
    fn add(&mut self, other: Self) {
        self.cpu += other.cpu;
        self.wakeups += other.wakeups;
    }

    fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            wakeups: self.wakeups.saturating_sub(before.wakeups),
        }
    }
}

/// Memory of a process that is neither swapped out nor given back, bytes.
pub fn resident_bytes(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read `{path}`"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS is no number")?;
    Ok(kib << 10)
}

/// Of all threads that live: by their folders, with their names.
fn each(process: u32) -> Result<BTreeMap<PathBuf, (String, Thread)>> {
    let mut threads = BTreeMap::new();
    let folder = format!("/proc/{process}/task");
    for thread in fs::read_dir(&folder).with_context(|| format!("list `{folder}`"))? {
        let path = thread.with_context(|| format!("list `{folder}`"))?.path();
        // It has ended since.
        let Ok(thread) = one(&path) else { continue };
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        threads.insert(path, (name.trim().to_owned(), thread));
    }
    Ok(threads)
}

/// Of one thread, by its folder in `/proc`.
fn one(thread: &Path) -> Result<Thread> {
    let of_file = |name: &str| fs::read_to_string(thread.join(name));
    // Nanoseconds on a processor, nanoseconds of waiting for one, how often.
    let times = of_file("schedstat").context("read `schedstat`")?;
    let nanos = times.split_whitespace().next().context("`schedstat` is empty")?;
    let status = of_file("status").context("read `status`")?;
    let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    let switches = switches.context("no `voluntary_ctxt_switches`")?.trim();
    Ok(Thread {
        cpu: Duration::from_nanos(nanos.parse().context("`schedstat` is no number")?),
        wakeups: switches.parse().context("`voluntary_ctxt_switches` is no number")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_again_and_again_is_seen_to_be_woken_as_often() {
        let sleeping = std::thread::Builder::new().name("a-sleeper".to_owned());
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        let sleeping = sleeping.spawn(move || {
            for _ in 0..20 {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            let _ = stopped.recv();
        });
        let asleep = |used: &Used| used.threads.get("a-sleeper").is_some_and(|it| it.wakeups >= 20);
        while !asleep(&Used::by(std::process::id()).unwrap()) {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let used = Used::by(std::process::id()).unwrap();
        assert!(used.total().wakeups >= 20);
        assert_eq!(used.since(&used).total(), Thread::default());
        assert!(resident_bytes(std::process::id()).unwrap() > 1 << 20);
        drop(stop);
        sleeping.unwrap().join().unwrap();
    }

    #[test]
    fn a_thread_that_ends_while_it_is_watched_is_seen() {
        let short_lived = std::thread::Builder::new().name("short-lived".to_owned());
        let short_lived = short_lived.spawn(|| {
            let _nothing = wait_until(Duration::from_secs(3), || None::<()>);
        });
        let used = Used::while_watched(std::process::id(), Duration::from_secs(5)).unwrap();
        short_lived.unwrap().join().unwrap();
        assert!(used.threads.get("short-lived").is_some_and(|thread| thread.wakeups > 0));
        assert!(!Used::by(std::process::id()).unwrap().threads.contains_key("short-lived"));
    }
}
