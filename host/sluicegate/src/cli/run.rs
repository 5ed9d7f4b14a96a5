//! `sluicegate run`: one pipeline in the foreground, bounded or not.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::machine;
use crate::program::{Program, Started, lane_storage};
use crate::shutdown;
use crate::stderr::say;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::inspect::{check_begin, latest};
use sluicegate_chain::modules::{ModuleStoreError, Retention};
use sluicegate_chain::record::Epoch;
use sluicegate_chain::{ChainError, LaneStorage};
use sluicegate_engine::lane::LaneEnd;
use sluicegate_engine::memory::Memory;
use sluicegate_engine::status::LaneStatus;
use sluicegate_engine::stop::Stop;
use sluicegate_engine::supervisor::Ended;
use sluicegate_model::time::Clock;
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, file};
use sluicegate_sandbox::module::compile::Compiler;

use super::check::fit_plugins;
use super::left_behind::refuse_left_behind;

/// Run one pipeline in the foreground, until its input ends or Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Keep compiled plugins in this directory between runs; nobody else may write to it. Default: below the user's
    /// cache folder
    #[arg(long, value_name = "DIR", env = "SLUICEGATE_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,
    /// Exit with code 1 if any record was dead-lettered since the pipeline began, however well it ended
    #[arg(long)]
    pub fail_on_dead_letters: bool,
    /// What the pipeline may hold in memory, for example `1GiB`: state, results on their way, plugins, records read
    /// ahead. Default: three fifths of what the machine or the control group has
    #[arg(long, value_name = "SIZE", env = "SLUICEGATE_MEMORY", value_parser = parse_memory)]
    pub memory: Option<u64>,
    /// Folder or URL of the module store. Default: the `checkpoint.path` of the pipeline
    #[arg(long, value_name = "URL", env = "SLUICEGATE_STORE")]
    pub store: Option<String>,
    /// How long an uploaded module stays that no chain needs and that is not among the ten newest versions of its name,
    /// or `forever`
    #[arg(
        long,
        value_name = "DURATION",
        env = "SLUICEGATE_KEEP_MODULES",
        default_value = "30d",
        value_parser = parse_keep_modules
    )]
    pub keep_modules: KeptModules,
}

/// Runs it. Exit code 0 after the end of the input or a clean stop, 1 if it was halted.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = file::load(&args.pipeline, environment.variables())?;
    let runtime = Program::runtime()?;
    let stop = Stop::new(Clock::system());
    shutdown::stop_on_signal(stop.clone()).context("wait for signals")?;
    let modules = args.store.as_ref().unwrap_or(&pipeline.checkpoint.url).clone();
    let stores = environment.stores();
    let cache = plugin_cache(args.plugin_cache.as_deref(), &environment);
    let compiler = Compiler::own_binary();
    let program = Program::new(runtime.handle(), &modules, stores, cache, compiler)?;
    let program = Program {
        stop,
        memory: memory_for(args.memory, 1)?,
        retention: args.keep_modules.0,
        ..program
    };
    check_first_run(&program, &pipeline)?;
    let ended_well = wait(program.start(pipeline)?, !args.fail_on_dead_letters);
    // A request that hangs must not hold up the end.
    runtime.shutdown_background();
    Ok(if ended_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A size for the lanes of a process, in bytes.
pub(super) fn parse_memory(text: &str) -> Result<u64, String> {
    sluicegate_pipeline::parse_size(text)
}

/// What stays of modules that no chain needs; none if all of them do.
#[derive(Clone, Copy, Debug)]
pub struct KeptModules(pub Option<Retention>);

/// A duration, or `forever`.
pub(super) fn parse_keep_modules(text: &str) -> Result<KeptModules, String> {
    match text {
        "forever" => Ok(KeptModules(None)),
        _ => Ok(KeptModules(Some(Retention::for_age(config::parse_duration(text)?)))),
    }
}

/// What so many pipelines may hold: `asked`, or what suits the machine.
pub(super) fn memory_for(asked: Option<u64>, pipelines: usize) -> anyhow::Result<Memory> {
    Ok(Memory::new(asked.unwrap_or_else(machine::memory_limit), pipelines)?)
}

/// Refuses a pipeline whose plugins do not fit before anything is written. Only on its first run: a lane that has run
/// goes on with the modules that its chain pins, whatever lies in the files now. A store that is away is waited for, as
/// are modules that can still be uploaded.
pub(super) fn check_first_run(program: &Program, pipeline: &Pipeline) -> anyhow::Result<()> {
    refuse_left_behind(pipeline, &std::env::current_dir().context("find the working directory")?)?;
    let storage = lane_storage(pipeline, &program.stores)?;
    let looked = program.runtime.block_on(async {
        tokio::select! {
            biased;
            // The lane hears it as well, and ends.
            () = program.stop.asked() => None,
            looked = look(&storage) => Some(looked),
        }
    });
    match looked {
        Some(Ok(None)) => {}
        Some(Err(error @ ChainError::Beside { .. })) => return Err(error.into()),
        _ => return Ok(()),
    }
    match fit_plugins(pipeline, &program.engine, &program.modules) {
        Err(error) if program.takes_uploads && is_not_uploaded(&error) => Ok(()),
        // Whoever ends need not fit, and what it started may have heard the same signal.
        Err(_) if program.stop.is_asked() => Ok(()),
        fitted => fitted.map(drop),
    }
}

/// The newest epoch; none if a chain may begin.
async fn look(storage: &LaneStorage) -> Result<Option<Epoch>, ChainError> {
    let latest = latest(storage).await?;
    if latest.is_none() {
        check_begin(storage).await?;
    }
    Ok(latest)
}

fn is_not_uploaded(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(ModuleStoreError::is_not_uploaded)
}

/// Whether more records died or came too late than did not.
fn is_mostly_lost(fates: &Fates) -> bool {
    let lost = fates.dead_lettered.saturating_add(fates.late);
    lost > fates.read.saturating_sub(lost)
}

/// Says what became dead letters since the start, a line for each kind, with the reason and the place of the first.
fn say_dead_letters(status: &LaneStatus) {
    for kind in &status.dead_letters {
        tracing::warn!(pipeline = status.pipeline, "dead letters: {kind}");
    }
}

/// Where compiled plugins are kept: as asked for, else below the user's cache folder, else nowhere.
pub(super) fn plugin_cache(asked: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    asked.map(Path::to_owned).or_else(|| Some(environment.cache_dir()?.join("sluicegate")))
}

/// Waits for the end of a pipeline and says how it came, and loudly if most records are in no result. Whether it was a
/// good one; a dead letter makes it a bad one where they are not `tolerated`.
pub(super) fn wait(started: Started, tolerated: bool) -> bool {
    let Started { handle, thread, console_sinks, runtime, .. } = started;
    let ended = thread.join();
    console_sinks.close(&runtime, matches!(ended, Ok(Ended::Well(LaneEnd::Finished))));
    match ended {
        Ok(Ended::Well(end)) => {
            let status = handle.status();
            let fates = status.fates;
            tracing::info!(
                pipeline = %handle.name(),
                read = fates.read,
                accepted = fates.accepted,
                filtered = fates.filtered,
                late = fates.late,
                dead_lettered = fates.dead_lettered,
                "{end}"
            );
            say_dead_letters(&status);
            if is_mostly_lost(&fates) {
                tracing::warn!(
                    pipeline = %handle.name(),
                    "most records are in no result: {} of {} were dead-lettered, {} were late; the dead-letter table has the \
                     reason of each",
                    fates.dead_lettered,
                    fates.read,
                    fates.late
                );
            }
            if !tolerated && fates.dead_lettered > 0 {
                let (name, dead) = (handle.name(), fates.dead_lettered);
                say(format_args!(
                    "error: pipeline `{name}` has {dead} dead letters, and `--fail-on-dead-letters` is set"
                ));
            }
            tolerated || fates.dead_lettered == 0
        }
        Ok(Ended::Halted(reason)) => {
            say_dead_letters(&handle.status());
            say(format_args!("error: pipeline `{}` halted: {reason}", handle.name()));
            false
        }
        Err(_) => {
            say(format_args!("error: the supervisor of pipeline `{}` panicked", handle.name()));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_loud_where_most_records_are_in_no_result() {
        let fates = |read, late, dead_lettered| Fates {
            read,
            late,
            dead_lettered,
            accepted: read - late - dead_lettered,
            ..Fates::default()
        };
        assert!(is_mostly_lost(&fates(12, 0, 11)) && is_mostly_lost(&fates(12, 4, 3)));
        assert!(!is_mostly_lost(&fates(12, 3, 3)) && !is_mostly_lost(&fates(0, 0, 0)));
    }
}
