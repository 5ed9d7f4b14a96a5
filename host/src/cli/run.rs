//! `sluicegate run`: one pipeline in the foreground, bounded or not.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::config::{StoreOptions, environment, file};
use crate::process::{Process, Started};
use crate::{shutdown, supervisor::Ended};

/// Run one pipeline in the foreground, until its input ends or Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Keep compiled plugins in this directory between runs; nobody else may write to it
    #[arg(long, value_name = "DIR", env = "SLUICEGATE_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,
}

/// Runs it. Exit code 0 after the end of the input or a clean stop, 1 if it was halted.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let environment = environment::of_process();
    let pipeline = file::load(&args.pipeline, &environment)?;
    let runtime = Process::runtime()?;
    let modules = pipeline.checkpoint.url.clone();
    let stores = StoreOptions::from_environment(&environment);
    let process = Process::new(runtime.handle(), &modules, stores, args.plugin_cache.clone())?;
    let started = process.start(pipeline)?;
    let stopping = CancellationToken::new();
    runtime.spawn(shutdown::cancel_on_signal(stopping.clone()));
    runtime.spawn(started.stop_when(stopping));
    Ok(if wait(started) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for the end of a pipeline and says how it came. Whether it was a good one.
pub(super) fn wait(started: Started) -> bool {
    let Started { handle, thread, .. } = started;
    match thread.join() {
        Ok(Ended::Well(end)) => {
            let fates = handle.status().fates;
            tracing::info!(
                pipeline = %handle.name(),
                read = fates.read,
                accepted = fates.accepted,
                filtered = fates.filtered,
                late = fates.late,
                dead_lettered = fates.dead_lettered,
                "{end}"
            );
            true
        }
        Ok(Ended::Halted(reason)) => {
            eprintln!("error: pipeline `{}` halted: {reason}", handle.name());
            false
        }
        Err(_) => {
            eprintln!("error: the supervisor of pipeline `{}` panicked", handle.name());
            false
        }
    }
}
