//! The program as the kernel sees it, read at a scrape.

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

/// What the kernel tells; what it does not is none.
pub(super) struct KernelView {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_fds: Option<u64>,
}

/// Asks the kernel.
pub(super) fn read() -> KernelView {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    KernelView {
        cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        resident_bytes: std::fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|it| resident(&it)),
        open_fds: std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
    }
}

/// The second number of `statm` counts resident pages.
fn resident(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size() as u64)
}
