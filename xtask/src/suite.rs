//! `cargo xtask test`: everything that must hold, the quick answers first. It stops at the first step that fails.
//!
//! Nothing is compiled twice. Every step that builds for this machine selects the whole workspace in the dev profile:
//! with the same packages selected, cargo resolves the same features, and the dependencies are built once, for the demo as
//! well. Lints are found by the build itself: clippy's compiler stands in for rustc in our own crates, where `cargo clippy`
//! would check all dependencies anew. For the same reason the documentation is made with the doc tests ([`rustdoc`]).
//!
//! Two steps are begun before their turn, because what runs then leaves cores idle: the services are fetched while the build
//! runs, and the documentation is made beside the unit tests. The summary says how long their turns took.

use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{self, run};
use crate::daemon::{Daemon, Output};
use crate::workspace::Workspace;
use crate::{compose, console, plugins, rustdoc, services};

/// The steps, in order, and what they take on two quiet cores: the first time, and when only our own code has changed.
const STEPS: [(&str, &str); 9] = [
    ("format", "a second"),
    ("plugins", "some minutes the first time, then seconds"),
    ("build and lints", "half an hour the first time, some minutes after a change"),
    ("deployment", "a second"),
    ("unit tests", "some minutes: searches, and a thousand stories"),
    ("documentation", "made beside the unit tests: doc tests, and a warning is an error"),
    ("services", "what is missing is fetched the first time, while the steps before run"),
    ("console in a browser", "two minutes: real Chromium, a real host, a real Kafka"),
    ("end to end", "some minutes, against a real Kafka and a real S3 server"),
];

/// Runs all steps. `filter` picks end-to-end tests and tests of the console by name.
pub fn run_all(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let mut steps = Steps::default();
    steps.step(|| run(&mut cargo(workspace, &["fmt", "--all", "--check"])))?;
    // The network is slow and the build keeps the cores busy: neither waits for the other.
    let fetching = fetch_services(workspace);
    steps.step(|| plugins::build(workspace).map(|_| ()))?;
    // One build command for all that follows, so that nothing is built twice with other features.
    steps.step(|| run(&mut linted(workspace, &BUILD)?))?;
    steps.step(|| compose::check_files(workspace))?;
    // Some unit tests wait, and rustdoc takes one crate after the other: neither keeps the cores busy.
    let printed = workspace.target().join("documentation.log");
    let documentation = Beside::start("documentation", &documentation(workspace)?, &printed)?;
    steps.step(|| run(&mut linted(workspace, &["test", "--workspace", "--lib", "--bins"])?))?;
    steps.step(|| documentation.finish())?;
    steps.step(|| fetching.join().unwrap_or_else(|_| bail!("fetching the services panicked")))?;
    steps.step(|| console::test(workspace, filter))?;
    // The times so far come before the last step, so that the last line is the test runner's own.
    steps.summary();
    steps.step(|| run(&mut end_to_end(workspace, filter)?))
}

fn fetch_services(workspace: &Workspace) -> JoinHandle<Result<()>> {
    let workspace = workspace.clone();
    thread::spawn(move || services::fetch(&workspace))
}

const BUILD: [&str; 3] = ["build", "--workspace", "--all-targets"];

/// A cargo that has clippy's compiler for our own crates.
fn linted(workspace: &Workspace, arguments: &[&str]) -> Result<Command> {
    if command::first_line("clippy-driver", &["--version"]).is_none() {
        bail!("`clippy-driver` is not on the path: `rustup component add clippy`");
    }
    let mut cargo = cargo(workspace, arguments);
    // What `cargo clippy -- -D warnings` hands on.
    cargo.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    cargo.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    Ok(cargo)
}

fn documentation(workspace: &Workspace) -> Result<Command> {
    let mut cargo = linted(workspace, &["test", "--workspace", "--doc"])?;
    // As the build has left it: the file that this process was started from is gone by then.
    cargo.env("RUSTDOC", workspace.target().join("debug").join("xtask"));
    cargo.env(rustdoc::STANDS_IN, workspace.target().join("doc"));
    Ok(cargo)
}

/// The end-to-end tests, told where everything is that they start.
fn end_to_end(workspace: &Workspace, filter: Option<&str>) -> Result<Command> {
    let mut cargo = linted(workspace, &["test", "--workspace", "--test", "e2e"])?;
    cargo.env("SLUICEGATE_BIN", workspace.host_binary("debug"));
    // They wait for brokers, stores and clocks: with one test per core, the cores idle half of the time.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cargo.args(["--", "--test-threads", &(2 * cores).to_string()]);
    cargo.args(filter);
    Ok(cargo)
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut cargo = command::cargo();
    cargo.args(arguments).current_dir(workspace.root());
    cargo
}

/// The command of a step that begins before its turn. Two that print at once cannot be read: what it prints waits in a file until
/// its turn comes. If another step fails before, it is killed.
struct Beside(Daemon);

impl Beside {
    /// Against one that hangs; it takes two minutes alone.
    const LIMIT: Duration = Duration::from_secs(1_800);

    fn start(step: &str, command: &Command, printed: &Path) -> Result<Self> {
        eprintln!("\n== begun: {step}, prints to {}", printed.display());
        Ok(Self(Daemon::start(step, command, Output::Log(printed))?))
    }

    /// Waits for its end, and shows all that it has printed.
    fn finish(mut self) -> Result<()> {
        let ended = self.0.wait(Self::LIMIT)?;
        eprint!("{}", self.0.log());
        if !ended.success() {
            bail!("it ended with {ended}");
        }
        Ok(())
    }
}

/// The steps so far, with how long each took.
#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    #[expect(clippy::disallowed_methods, reason = "the summary shows how long each step took")]
    fn step(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let (name, takes) = STEPS[self.done.len()];
        eprintln!("\n== {} of {}: {name} ({takes})", self.done.len() + 1, STEPS.len());
        let begin = Instant::now();
        let result = work();
        self.done.push((name, begin.elapsed()));
        if result.is_err() {
            self.summary();
        }
        result.with_context(|| format!("step `{name}` failed"))
    }

    fn summary(&self) {
        eprintln!();
        for (name, took) in &self.done {
            eprintln!("{name:>20} {:>7.1} s", took.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Beside, Command, cargo};
    use crate::workspace::Workspace;

    /// Packages with their features, as a build resolves them along these edges.
    fn resolved(edges: &str) -> BTreeSet<String> {
        let shown = ["tree", "--workspace", "--locked", "--offline", "--prefix", "none"];
        let mut tree = cargo(&Workspace::here(), &shown);
        let output = tree.args(["--format", "{p} {f}", "--edges", edges]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    }

    #[test]
    fn what_the_demo_compiles_is_what_the_tests_compile() {
        let (demo, tests) = (resolved("normal,build"), resolved("normal,build,dev"));
        assert!(demo.len() > 300, "{demo:?}");
        let twice: Vec<_> = demo.difference(&tests).collect();
        assert!(
            twice.is_empty(),
            "with other features in the tests, see tests/Cargo.toml: {twice:?}"
        );
    }

    #[test]
    fn what_runs_beside_fails_when_its_turn_comes() {
        let printed = Workspace::here().target().join("beside-in-tests.log");
        let ended = |script: &str| {
            let mut shell = Command::new("sh");
            Beside::start("a step", shell.args(["-c", script]), &printed).unwrap().finish()
        };
        ended("echo fine; echo aside >&2").unwrap();
        assert_eq!(std::fs::read_to_string(&printed).unwrap(), "fine\naside\n");
        let failed = ended("exit 3").unwrap_err().to_string();
        assert_eq!(failed, "it ended with exit status: 3");
    }
}
