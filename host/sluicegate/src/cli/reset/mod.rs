//! `sluicegate reset`: forgets what a pipeline has in the store, after saying what that is.

mod logged;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::program::lane_storage;
use crate::stderr::say;
use sluicegate_chain::record::OutboxRef;
use sluicegate_chain::{
    DataFiles, Footprint, LaneStorage, PATIENCE_MIN, Presence, Seen, give_up_outbox, presence,
    unsent,
};
use sluicegate_pipeline as config;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::environment::Environment;

use super::REFUSED;
use super::left_behind::refuse_left_behind;
use logged::Logged;

/// Forget a pipeline's state on purpose: its next start begins at the start of its source, and so does a host that stands by
///
/// The pipeline must not be running. Unless it has ended and said so, this command looks first whether it runs: for two
/// checkpoint intervals, at least twelve seconds and at most a minute.
///
/// The chain, the positions and the open windows go. The tables stay unless --data is given, and rows that are read
/// again will then be in them twice. Modules stay in any case.
///
/// It is also what lets a pipeline whose chain is gone begin from scratch beside the data files that are there, and what
/// releases a Delta table that another chain of the pipeline has.
#[derive(Clone, Debug, clap::Args)]
pub struct ResetArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Delete the data files of its tables as well: those of its own chain, and of chains that were reset before
    #[arg(long)]
    pub data: bool,
    /// Delete all data files of a pipeline of this name in its tables, also those of other chains and of versions before
    /// names had chains
    #[arg(long)]
    pub all_data: bool,
    /// Forget nothing but the results of the last commit that a topic does not take: the pipeline goes on behind them
    #[arg(long, conflicts_with_all = ["data", "all_data"])]
    pub outbox: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// Only say what there is to forget
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Print what was forgotten as JSON
    #[arg(long)]
    pub json: bool,
}

/// Why nothing was forgotten.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotForgotten(String);

/// Says what there is, asks, and forgets it. Nothing to forget is not a failure.
///
/// # Errors
/// The file is refused, the store fails, or [`NotForgotten`].
pub fn run(args: &ResetArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = config::load(&args.pipeline, &environment)?;
    let here = std::env::current_dir().context("find the working directory")?;
    refuse_left_behind(&pipeline, &here)?;
    let storage = lane_storage(&pipeline, &environment.stores())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    if args.outbox {
        return give_up(args, &pipeline, &storage, &runtime);
    }
    let logged = runtime.block_on(Logged::find(&pipeline, &storage, args.data_files()))?;
    // Before anything is waited for: whatever begins from here on stays.
    let seen = runtime.block_on(Seen::look(&storage))?;
    let found = seen.footprint();
    if !args.json {
        print(&description(&pipeline, &storage, &found, &logged, args.data_files()))?;
    }
    if (found.is_empty() && logged.writers.is_empty()) || args.dry_run {
        return finish(args, &found, false);
    }
    if !args.yes && !is_confirmed(&pipeline)? {
        say("nothing was forgotten");
        return Ok(ExitCode::from(REFUSED));
    }
    runtime.block_on(refuse_if_it_runs(&pipeline, &storage))?;
    runtime.block_on(logged.forget(seen.chains()))?;
    let forgotten = runtime.block_on(seen.forget(&storage, args.data_files()))?;
    finish(args, &forgotten, true)
}

impl ResetArgs {
    fn data_files(&self) -> DataFiles {
        match (self.all_data, self.data) {
            (true, _) => DataFiles::DeleteAll,
            (false, true) => DataFiles::DeleteOwn,
            (false, false) => DataFiles::Keep,
        }
    }
}

/// The longest look: somebody waits at a terminal.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

async fn refuse_if_it_runs(pipeline: &Pipeline, storage: &LaneStorage) -> anyhow::Result<()> {
    let patience = pipeline.checkpoint.interval * 2;
    let patience = patience.clamp(PATIENCE_MIN, PATIENCE_MAX);
    let runs = match presence(storage, patience).await? {
        None => return Ok(()),
        Some(Presence::Beats(instance)) => format!("`{instance}` says that it lives"),
        Some(Presence::Moved(epoch)) => format!("it has just committed epoch {epoch}"),
    };
    let name = &pipeline.name;
    let reason =
        format!("pipeline `{name}` is running: {runs}; stop it first; nothing was forgotten");
    Err(NotForgotten(reason).into())
}

/// Gives up the messages of the newest record, which may be sent in part.
fn give_up(
    args: &ResetArgs,
    pipeline: &Pipeline,
    storage: &LaneStorage,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<ExitCode> {
    let unsent = runtime.block_on(unsent(storage))?;
    let (name, url) = (&pipeline.name, &storage.chain.url);
    if !args.json {
        print(&match &unsent {
            None => format!("pipeline {name} in {url} has no results that wait for a topic\n"),
            Some(OutboxRef { epoch, messages, key, .. }) => format!(
                "pipeline {name} in {url}\n  to give up: {messages} messages of epoch {epoch} for its topics; those that \
                 were sent stay there\n  to keep:    {key} below its lane's folder, in which they all stand\n"
            ),
        })?;
    }
    let (mut is_done, has_waited) = (false, unsent.is_some());
    if has_waited && !args.dry_run {
        if !args.yes && !is_confirmed(pipeline)? {
            say("nothing was given up");
            return Ok(ExitCode::from(REFUSED));
        }
        runtime.block_on(refuse_if_it_runs(pipeline, storage))?;
        is_done = runtime.block_on(give_up_outbox(storage, "reset --outbox"))?.is_some();
    }
    if args.json {
        let (epoch, messages) = (unsent.as_ref().map(|it| it.epoch), unsent.map(|it| it.messages));
        print(&format!(
            "{}\n",
            json!({ "given_up": is_done, "epoch": epoch, "messages": messages })
        ))?;
    } else if is_done {
        print("given up; the next run goes on behind them\n")?;
    } else if has_waited && !args.dry_run {
        print("nothing was given up: the newest record has none any more\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn finish(args: &ResetArgs, footprint: &Footprint, is_done: bool) -> anyhow::Result<ExitCode> {
    let Footprint { epochs, latest, states, state_bytes, outboxes, .. } = footprint;
    let Footprint { data_files, data_bytes, other_files, other_bytes, .. } = footprint;
    if args.json {
        let answer = json!({
            "forgotten": is_done,
            "epochs": epochs,
            "latest_epoch": latest,
            "states": states,
            "state_bytes": state_bytes,
            "outboxes": outboxes,
            "data_files": data_files,
            "data_bytes": data_bytes,
            "other_files": other_files,
            "other_bytes": other_bytes,
        });
        print(&format!("{answer}\n"))?;
    } else if is_done {
        print(
            "forgotten; the next start begins from scratch, and so does a host that stands by\n",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What would go and what would stay.
fn description(
    pipeline: &Pipeline,
    storage: &LaneStorage,
    found: &Footprint,
    logged: &Logged<'_>,
    data: DataFiles,
) -> String {
    let (name, url) = (&pipeline.name, &storage.chain.url);
    if found.is_empty() && logged.writers.is_empty() {
        return format!("pipeline {name} has nothing in {url}: there is nothing to forget\n");
    }
    let Footprint { epochs, latest, states, state_bytes, outboxes, .. } = found;
    let Footprint { data_files, data_bytes, other_files, other_bytes, .. } = found;
    let latest = latest.map(|epoch| format!(", the newest is {epoch}")).unwrap_or_default();
    let size = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let mut text = format!(
        "pipeline {name} in {url}\n  \
         to forget: its positions in the source and {epochs} epochs{latest}\n  \
         to forget: its open windows, {states} states of {}\n",
        size(*state_bytes)
    );
    if *outboxes > 0 {
        text += &format!("  to forget: {outboxes} outboxes; what was sent to topics stays there\n");
    }
    let fate = |is_deleted| if is_deleted { "to delete:" } else { "to keep:  " };
    text += &format!(
        "  {} {data_files} data files of {} in its tables\n",
        fate(data != DataFiles::Keep),
        size(*data_bytes)
    );
    if *other_files > 0 {
        text += &format!(
            "  {} {other_files} data files of {} there that no record of its chain proves to be its own\n",
            fate(data == DataFiles::DeleteAll),
            size(*other_bytes)
        );
    }
    for (id, table) in &storage.tables {
        text += &format!("             {id}: {}\n", table.url);
    }
    text += &logged.description();
    let (own_stay, others_stay) = match data {
        DataFiles::Keep => (*data_files > 0, *other_files > 0),
        DataFiles::DeleteOwn => (false, *other_files > 0),
        DataFiles::DeleteAll => (false, false),
    };
    let option = logged.option(own_stay);
    if own_stay || others_stay {
        text += &format!(
            "  Rows that are read again will be in the tables twice; {option} deletes them too.\n"
        );
    }
    text
}

/// Asks for the pipeline's name: `y` is typed too easily.
fn is_confirmed(pipeline: &Pipeline) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        let how = "nobody can be asked here: give --yes to forget it, or --dry-run to look";
        return Err(NotForgotten(how.to_owned()).into());
    }
    print("Write the pipeline's name to forget it: ")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("read the answer")?;
    Ok(line.trim() == &*pipeline.name)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("write to standard output")
}
