//! The command line of `sluicegate`, one file a command.

pub mod run;
pub mod check;
pub mod serve;
pub mod process;
pub mod reset;
pub mod positions;
pub mod verify;
pub mod provision;
pub mod store;
pub mod produce;
pub mod broker;
pub mod schema;
pub mod plugin;
pub mod plugin_new;
pub mod status;
pub mod dead_letters;
pub mod windows;
pub mod client;
mod parquet_table;
mod table_place;
pub mod delta_table;
mod interrupt;
mod left_behind;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::stderr::say;
use crate::telemetry::{self, LogFilterError, LogOptions};
use left_behind::LeftBehind;
use reset::NotForgotten;
use sluicegate_chain::ChainError;
use sluicegate_delta::LogError;
use sluicegate_engine::lane::PlanError;
use sluicegate_pipeline::file::ConfigError;
use sluicegate_pipeline::fingerprint::StateConflict;
use sluicegate_pipeline::fingerprint::columns::TableConflict;
use sluicegate_sandbox::module::compile::child;
use sluicegate_sandbox::module::fit::FitError;
use sluicegate_sandbox::module::problem::LoadError;

/// Shown under `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  done; a bounded pipeline was read to its end, an unbounded one was stopped
  1  failed while working
  2  refused before anything was done: wrong usage, pipeline file or plugin

A first try:
  sluicegate broker &                        a broker to play with; prints its address
  sluicegate produce sales --brokers ADDRESS
  sluicegate check PIPELINE.toml && sluicegate run PIPELINE.toml";

/// A stream processor whose logic is WebAssembly: Kafka in, event-time windows and keyed state, Parquet and Kafka out,
/// swapped while it runs.
#[derive(Debug, Parser)]
#[command(name = "sluicegate", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to log.
    #[command(flatten)]
    pub log: LogOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum Command {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Serve(serve::ServeArgs),
    Verify(verify::VerifyArgs),
    Reset(reset::ResetArgs),
    Positions(positions::PositionsArgs),
    Provision(provision::ProvisionArgs),
    Status(status::StatusArgs),
    Health(status::HealthArgs),
    DeadLetters(dead_letters::DeadLettersArgs),
    Windows(windows::WindowsArgs),
    /// Create, upload and activate plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Look at an object store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Produce events to try pipelines with.
    #[command(subcommand)]
    Produce(produce::ProduceCommand),
    /// Run a small Kafka-protocol broker in memory, for trying things out. It is not Apache Kafka.
    Broker(broker::BrokerArgs),
    Table(delta_table::TableArgs),
    Schema(schema::SchemaArgs),
    /// The host's own compiler: reads a module, writes machine code.
    #[command(hide = true, name = child::COMMAND)]
    CompilePlugin,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum PluginCommand {
    New(plugin_new::NewArgs),
    Push(plugin::PushArgs),
    List(plugin::ListArgs),
    Activate(plugin::ActivateArgs),
}

/// What to do with an object store.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum StoreCommand {
    Probe(store::ProbeArgs),
}

impl Cli {
    /// Begins to log, does what the command says, and says on standard error why it could not be done.
    pub fn run(self) -> ExitCode {
        let Self { log, command } = self;
        if let Command::CompilePlugin = command {
            return child::serve_host();
        }
        let started = telemetry::start(&log).map_err(anyhow::Error::from);
        report(started.and_then(|()| dispatch(&command)))
    }
}

/// Does what the command says.
fn dispatch(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Reset(args) => reset::run(args),
        Command::Positions(args) => positions::run(args),
        Command::Provision(args) => provision::run(args),
        Command::Status(args) => status::status(args),
        Command::Health(args) => status::health(args),
        Command::DeadLetters(args) => dead_letters::dead_letters(args),
        Command::Windows(args) => windows::windows(args),
        Command::Plugin(PluginCommand::New(args)) => plugin_new::new(args),
        Command::Plugin(PluginCommand::Push(args)) => plugin::push(args),
        Command::Plugin(PluginCommand::List(args)) => plugin::list(args),
        Command::Plugin(PluginCommand::Activate(args)) => plugin::activate(args),
        Command::Store(StoreCommand::Probe(args)) => store::probe(args),
        Command::Produce(command) => produce::run(command),
        Command::Broker(args) => broker::run(args).map(|()| ExitCode::SUCCESS),
        Command::Table(args) => delta_table::run(args),
        Command::Schema(args) => schema::run(args),
        Command::CompilePlugin => Ok(child::serve_host()),
    }
}

/// Refused before anything was done.
const REFUSED: u8 = 2;

/// Says on standard error why a command failed, and gives its exit code.
fn report(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        // Whoever reads standard output wants no more of it (`| head`).
        Err(error) if is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Err(error) => error,
    };
    match error.downcast_ref::<ConfigError>() {
        // A line per problem, each with its place in front, as compilers do it.
        Some(ConfigError::Refused { path, problems }) => {
            say(&error);
            let plural = if problems.len() == 1 { "problem" } else { "problems" };
            let count = problems.len();
            say(format_args!("error: `{}` is refused: {count} {plural}", path.display()));
        }
        _ => say(format_args!("error: {error:#}")),
    }
    if is_refusal(&error) { ExitCode::from(REFUSED) } else { ExitCode::FAILURE }
}

/// Whether a pipe of ours has nobody at its other end. What fails on the network has an error of its client around it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether nothing was done because of what the user gave.
fn is_refusal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<StateConflict>()
            || cause.is::<FitError>()
            || cause.is::<LoadError>()
            || cause.is::<PlanError>()
            || cause.is::<TableConflict>()
            || cause.is::<check::UnreadablePlugin>()
            || cause.is::<LeftBehind>()
            || cause.is::<NotForgotten>()
            || cause.is::<check::OtherModule>()
            || cause.is::<check::LostPositions>()
            || cause.is::<LogFilterError>()
            || matches!(cause.downcast_ref(), Some(ChainError::Beside { .. }))
            || matches!(cause.downcast_ref(), Some(LogError::Refused { .. } | LogError::Several(_)))
    })
}

#[cfg(test)]
mod tests;
