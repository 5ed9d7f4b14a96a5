//! `cargo xtask test`: everything that must hold, the quick answers first. It stops at the first step that fails.
//!
//! Every step that builds for this machine selects the whole workspace in the dev profile: with the same packages
//! selected, cargo resolves the same features, and the dependencies are built once.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{self, run};
use crate::workspace::Workspace;
use crate::{compose, plugins, services};

/// Runs all steps. `filter` picks end-to-end tests by name.
pub fn run_all(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let mut steps = Steps { workspace, done: Vec::new() };
    steps.cargo("format", &["fmt", "--all", "--check"])?;
    steps.cargo("lints", &CLIPPY)?;
    steps.step("plugins", || plugins::build(workspace).map(|_| ()))?;
    // One build command for all that follows, so that nothing is built twice with other features.
    steps.cargo("build", &BUILD)?;
    steps.step("deployment", || compose::check_files(workspace))?;
    steps.cargo("unit tests", &["test", "--workspace", "--lib", "--bins"])?;
    steps.cargo("doc tests", &["test", "--workspace", "--doc"])?;
    steps.step("documentation", || run(cargo(workspace, &DOC).env("RUSTDOCFLAGS", DOC_FLAGS)))?;
    steps.step("services", || services::fetch(workspace))?;
    // The times so far come before the last step, so that the last line is the test runner's own.
    steps.summary();
    steps.step("end to end", || run(&mut end_to_end(workspace, filter)))
}

/// The one way to build in the dev profile: another selection would resolve other features, and build the dependencies
/// once more.
pub(crate) const BUILD: [&str; 5] = ["build", "--workspace", "--lib", "--bins", "--tests"];
const CLIPPY: [&str; 6] = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
/// Files explain themselves by their private parts as well.
const DOC_FLAGS: &str = "-D warnings -A rustdoc::private-intra-doc-links";
const DOC: [&str; 4] = ["doc", "--workspace", "--no-deps", "--quiet"];

/// The end-to-end tests, told where everything is that they start.
fn end_to_end(workspace: &Workspace, filter: Option<&str>) -> Command {
    let mut cargo = cargo(workspace, &["test", "--workspace", "--test", "e2e"]);
    cargo.env("SLUICEGATE_BIN", workspace.host_binary("debug"));
    if let Some(filter) = filter {
        cargo.args(["--", filter]);
    }
    cargo
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut cargo = command::cargo();
    cargo.args(arguments).current_dir(workspace.root());
    cargo
}

/// The steps so far, with how long each took.
struct Steps<'a> {
    workspace: &'a Workspace,
    done: Vec<(&'static str, Duration)>,
}

impl Steps<'_> {
    fn cargo(&mut self, name: &'static str, arguments: &[&str]) -> Result<()> {
        let mut command = cargo(self.workspace, arguments);
        self.step(name, || run(&mut command))
    }

    #[expect(clippy::disallowed_methods, reason = "the summary shows how long each step took")]
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("\n== {name}");
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
            eprintln!("{name:>14} {:>7.1} s", took.as_secs_f64());
        }
    }
}
