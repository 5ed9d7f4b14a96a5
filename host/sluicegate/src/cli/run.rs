//! `sluicegate run`: one pipeline in the foreground, bounded or not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::program::{Program, Started, lane_storage};
use crate::shutdown;
use crate::stderr::say;
use sluicegate_chain::LaneStorage;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::inspect::{check_begin, latest};
use sluicegate_chain::modules::ModuleStoreError;
use sluicegate_chain::record::Epoch;
use sluicegate_engine::lane::LaneEnd;
use sluicegate_engine::status::LaneStatus;
use sluicegate_engine::stop::Stop;
use sluicegate_engine::supervisor::Ended;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, file};
use sluicegate_store::StoreOptions;

use super::check::{fit_plugins, refuse_others};
use super::is_refusal;
use super::left_behind::refuse_left_behind;
use super::process::ProcessArgs;

/// Run one pipeline in the foreground, until its input ends or Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Exit with code 1 if any record was dead-lettered since the pipeline began, however well it ended
    #[arg(long)]
    pub fail_on_dead_letters: bool,
    /// What it has in common with other commands that run pipelines
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// Runs it. Exit code 0 after the end of the input or a clean stop, 1 if it was halted.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = file::load(&args.pipeline, environment.variables())?;
    let runtime = Program::runtime()?;
    let stop = Stop::new(Clock::system());
    shutdown::stop_on_signal(stop.clone()).context("wait for signals")?;
    let pipelines = std::slice::from_ref(&pipeline);
    let program = args.process.program(runtime.handle(), &environment, &stop, pipelines)?;
    check_first_run(&program, &pipeline)?;
    let ended_well = wait(program.start(pipeline)?, !args.fail_on_dead_letters);
    Program::leave(runtime);
    Ok(if ended_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
            looked = look(&storage, pipeline, &program.stores) => Some(looked),
        }
    });
    match looked {
        Some(Ok(None)) => {}
        Some(Err(error)) if is_refusal(&error) => return Err(error),
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
async fn look(
    storage: &LaneStorage,
    pipeline: &Pipeline,
    stores: &StoreOptions,
) -> anyhow::Result<Option<Epoch>> {
    let latest = latest(storage).await?;
    if latest.is_none() {
        check_begin(storage).await?;
        // Their columns are compared when the modules are known.
        refuse_others(pipeline, storage, &BTreeMap::new(), stores).await?;
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
