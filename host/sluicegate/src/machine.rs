//! How much memory the process may have, by its control group and by the machine.

use std::path::Path;

/// Of what there is, this part is for what lanes hold. The rest is for plugins, the queues of Kafka clients, compiled
/// code and what the allocator keeps.
const SHARE: (u64, u64) = (3, 5);

/// Bytes that lanes may hold together, unless somebody says otherwise. Without a limit where the kernel tells nothing.
pub fn memory_limit() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    limit(&read)
}

fn limit(read: &dyn Fn(&Path) -> Option<String>) -> u64 {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let least = groups.lines().flat_map(|line| group_limits(line, read)).chain(machine).min();
    least.map_or(u64::MAX, |bytes| bytes / SHARE.1 * SHARE.0)
}

/// `MemTotal:       24683744 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1 << 10)
}

/// The limits of a group and of those above it. `line` is `0::/a/b`, or `4:memory:/a/b` of the first version. A
/// container sees its own group at the root.
fn group_limits(line: &str, read: &dyn Fn(&Path) -> Option<String>) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (root, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        _ => return Vec::new(),
    };
    let root = Path::new(root);
    let own = root.join(group.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|folder| folder.starts_with(root));
    // `max` is no limit.
    groups.filter_map(|folder| read(&folder.join(file))?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> u64 {
        limit(&|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemFree: 1 kB\nMemTotal:   1000 kB\n");

    #[test]
    fn the_smallest_limit_counts() {
        assert_eq!(of(&[]), u64::MAX);
        assert_eq!(of(&[MACHINE]), 614_400);
        let group = ("/proc/self/cgroup", "0::/a/b\n");
        let (max, above) = ("/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/a/memory.max");
        assert_eq!(of(&[MACHINE, group, (max, "max\n")]), 614_400, "no limit");
        assert_eq!(of(&[MACHINE, group, (max, "5000\n")]), 3_000);
        assert_eq!(of(&[MACHINE, group, (max, "max\n"), (above, "500\n")]), 300);
    }

    #[test]
    fn a_group_of_the_first_version_counts() {
        let group = ("/proc/self/cgroup", "3:cpu:/x\n4:memory:/x\n");
        let max = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n");
        assert_eq!(of(&[MACHINE, group, max]), 3_000);
        let none = (max.0, "9223372036854771712\n");
        assert_eq!(of(&[MACHINE, group, none]), 614_400, "the kernel's word for none");
    }
}
