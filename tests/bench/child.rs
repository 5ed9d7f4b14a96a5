//! A run in a process of its own: started by [`run`], played by [`play`], which prints what it measured as one line.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluicegate::cli::Cli;

use crate::{boundary, job, keys, references, state, swap};

/// Starts ourselves in a role, waits for the end, and reads what was measured.
pub(crate) fn run<T: DeserializeOwned>(role: &[&str]) -> Result<T> {
    let output = command(role)?
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start the run `{}`", role.join(" ")))?;
    if !output.status.success() {
        bail!("the run `{}` ended with {}", role.join(" "), output.status);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("read the answer `{line}` of a run"))
}

/// Ourselves in a role.
pub(crate) fn command(role: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.arg("child").args(role).env("SLUICEGATE_LOG", "warn");
    Ok(command)
}

/// Plays a role and prints what was measured.
pub(crate) fn play(role: &[String]) -> Result<ExitCode> {
    let role: Vec<&str> = role.iter().map(String::as_str).collect();
    match role.as_slice() {
        ["job", pipeline] => print(&job::run(pipeline.as_ref(), false)?),
        ["job", pipeline, "native"] => print(&job::run(pipeline.as_ref(), true)?),
        ["arrow-json", folder] => print(&references::arrow_json(folder.as_ref())?),
        ["drain", brokers, topic, records] => {
            print(&references::drain(brokers, topic, records.parse().context("records")?)?)
        }
        ["drain-direct", brokers, topic, records] => {
            print(&references::drain_direct(brokers, topic, records.parse().context("records")?)?)
        }
        ["boundary", pipeline, folder] => {
            print(&boundary::run(pipeline.as_ref(), folder.as_ref())?)
        }
        ["swap", folder, swaps] => {
            print(&swap::run(folder.as_ref(), swaps.parse().context("swaps")?)?)
        }
        ["state", groups] => print(&state::run(groups.parse().context("groups")?)?),
        ["keys", count] => print(&keys::run(count.parse().context("keys")?)?),
        // The command itself, so that what is measured is what people start.
        ["sluicegate", arguments @ ..] => {
            let cli = std::iter::once(&"sluicegate").chain(arguments);
            Ok(<Cli as clap::Parser>::parse_from(cli).run())
        }
        other => bail!("`{}` is not a run", other.join(" ")),
    }
}

fn print(measured: &impl Serialize) -> Result<ExitCode> {
    println!("{}", serde_json::to_string(measured).context("write what was measured")?);
    Ok(ExitCode::SUCCESS)
}

/// CPU time of this process so far, all threads, user and system, nanoseconds.
pub(crate) fn cpu_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
