//! A host that a signal has ended: where it was, as its core tells. Such an end comes once in hours, and leaves nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::harness::host::Host;
use crate::harness::place::Place;

/// Lines of the stack that are told. The thread that failed comes first.
const LINES: usize = 60;

/// Has a host leave its memory where it runs, should it crash. One that has ended meanwhile needs nothing.
pub fn leave_a_core(host: &Host) {
    let process = Pid::from_raw(i32::try_from(host.daemon.id()).unwrap());
    let hard = getrlimit(Resource::Core).maximum;
    let _gone = prlimit(process, Resource::Core, Rlimit { current: hard, maximum: hard });
}

/// The stack in the core that was left, which goes then; empty where there is none, or no `gdb`.
pub fn told(place: &Place, binary: &Path) -> String {
    let is_core = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core"))
    };
    let mut files = fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let Some(core) = files.find(|path| path.is_file() && is_core(path)) else {
        return String::new();
    };
    let mut gdb = Command::new("gdb");
    gdb.args(["--batch", "-ex", "bt", "-ex", "thread apply all bt 12"]).arg(binary).arg(&core);
    let said = gdb.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    fs::remove_file(core).unwrap();
    let said = said.unwrap_or_default();
    said.lines()
        .filter(|line| line.starts_with('#'))
        .take(LINES)
        .fold(String::new(), |told, line| told + "\n      " + line)
}
