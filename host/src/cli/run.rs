//! `sluicegate run`: one pipeline in the foreground, bounded or not.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::config;
use crate::modules::ModuleStore;
use crate::plugin::engine::PluginEngine;
use crate::process::{Process, Started};
use crate::status::Command;
use crate::store;
use crate::supervisor::Ended;
use crate::time::Clock;

/// Run one pipeline in the foreground, until its input ends or Ctrl-C.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The pipeline file (TOML).
    pub file: PathBuf,
    /// Where compiled plugins are cached between runs. Default: below the user's cache folder.
    #[arg(long, env = "SLUICEGATE_CACHE")]
    pub cache: Option<PathBuf>,
}

/// Runs it. Exit code 0 after the end of the input or a clean stop, 1 if it was halted.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let environment = config::environment::Environment::of_process();
    let pipeline = config::load(&args.file, &environment)?;
    let stores = environment.stores();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let location = store::open(&pipeline.checkpoint.url, &stores)
        .with_context(|| format!("open store `{}`", pipeline.checkpoint.url))?;
    let process = Process {
        runtime: runtime.handle().clone(),
        engine: PluginEngine::new(cache_dir(args.cache.clone(), &environment))?,
        modules: ModuleStore::new(location),
        stores,
        clock: Clock::system(),
    };
    let started = process.start(pipeline)?;
    stop_on_signal(&process, &started);
    Ok(wait(started))
}

/// Where the compile cache lies: as asked for, else in the user's cache folder.
pub fn cache_dir(asked: Option<PathBuf>, environment: &config::environment::Environment) -> Option<PathBuf> {
    asked.or_else(|| environment.cache_dir().map(|dir| dir.join("sluicegate")))
}

/// Ctrl-C and SIGTERM ask for a last commit; the second one does not wait for it.
pub fn stop_on_signal(process: &Process, started: &Started) {
    let commands = started.ports.commands.clone();
    let name = started.handle.name().to_string();
    process.runtime.spawn(async move {
        let mut asked = false;
        while let Ok(()) = crate::shutdown::signal().await {
            if asked {
                tracing::warn!(pipeline = %name, "stopped at once: the next run begins at the last commit");
                std::process::exit(130);
            }
            asked = true;
            tracing::info!(pipeline = %name, "stopping after a last commit; once more to stop at once");
            // The lane is gone already: there is nothing left to stop.
            let _ = commands.send(Command::Stop).await;
        }
    });
}

fn wait(started: Started) -> ExitCode {
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
                "{end:?}"
            );
            ExitCode::SUCCESS
        }
        Ok(Ended::Halted(reason)) => {
            eprintln!("sluicegate: pipeline `{}` halted: {reason}", handle.name());
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("sluicegate: the supervisor of `{}` panicked", handle.name());
            ExitCode::FAILURE
        }
    }
}
