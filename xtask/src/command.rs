//! Running a program to its end: shown before it runs, its failure told with what to do about it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::daemon::wait_until;

/// Builds the binaries alone, with the features that the tests' build resolves: see `tests/Cargo.toml`.
pub(crate) const BUILD_BINARIES: [&str; 3] = ["build", "--workspace", "--bins"];

/// A cargo as a person would call it. The one that started us told us about our package in variables; build scripts of
/// dependencies look at them, and would run again whenever cargo is called by us and by hand in turns, and with them a
/// third of the build.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let tells_of_us = |prefix: &str| name.to_str().is_some_and(|name| name.starts_with(prefix));
        if tells_of_us("CARGO_PKG_") || tells_of_us("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a program with its output shown. An exit code other than 0 is an error that names the program.
pub fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a program with its output shown and kills it after `limit`. False if it failed or took too long.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<bool> {
    eprintln!("$ {}    (at most {} s)", shown(command), limit.as_secs());
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("start `{}`", shown(command)))?;
    match wait_until(limit, || child.try_wait().transpose()) {
        Some(status) => Ok(status?.success()),
        None => {
            child.kill().context("kill a program that takes too long")?;
            child.wait().context("wait for a killed program")?;
            Ok(false)
        }
    }
}

/// The first line that a program prints, or none if it cannot be started or fails.
pub fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    // java prints its version to standard error.
    let bytes = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned())
}

/// Installs Debian packages if we may. False: not root, or no `apt-get`, or it failed.
pub fn apt_install(packages: &[&str]) -> Result<bool> {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(false);
    }
    /// A mirror that does not answer must not hang a test run; 400 MB of compiler need a few minutes.
    const APT_LIMIT: Duration = Duration::from_secs(600);
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        run_within(&mut command, APT_LIMIT)
    };
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(packages);
    Ok(apt(&install)? || (apt(&["update", "-q"])? && apt(&install)?))
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
