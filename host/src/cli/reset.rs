//! `sluicegate reset`: forgets what a pipeline has in the store, after saying what that is.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;

use crate::chain::{Footprint, LaneStorage, footprint, forget};
use crate::config::environment::Environment;
use crate::config::{self, Pipeline};
use crate::process::lane_storage;

use super::left_behind::refuse_left_behind;

/// Forget a pipeline's state on purpose: its next run begins at the start of its source.
///
/// It must not be running. The chain, the positions and the open windows go; the tables stay unless --data is given,
/// and rows that are read again will then be in them twice. Modules stay in any case.
#[derive(Clone, Debug, clap::Args)]
pub struct ResetArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Delete the data files of its tables as well
    #[arg(long)]
    pub data: bool,
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

/// Says what there is, asks, and forgets it. Nothing to forget is no failure.
///
/// # Errors
/// The file is refused, the store fails, or nobody is there to ask.
pub fn run(args: &ResetArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let pipeline = config::load(&args.pipeline, &environment)?;
    let here = std::env::current_dir().context("find the working directory")?;
    refuse_left_behind(&pipeline, &here)?;
    let storage = lane_storage(&pipeline, &environment.stores())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let found = runtime.block_on(footprint(&storage))?;
    if !args.json {
        print(&description(&pipeline, &storage, &found, args.data))?;
    }
    if found.is_empty() || args.dry_run {
        return finish(args, &found, false);
    }
    if !args.yes && !is_confirmed(&pipeline)? {
        eprintln!("nothing was forgotten");
        return Ok(ExitCode::FAILURE);
    }
    let forgotten = runtime.block_on(forget(&storage, args.data))?;
    finish(args, &forgotten, true)
}

fn finish(args: &ResetArgs, footprint: &Footprint, is_done: bool) -> anyhow::Result<ExitCode> {
    let Footprint { epochs, latest, states, state_bytes, outboxes, data_files, data_bytes } =
        footprint;
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
        });
        print(&format!("{answer}\n"))?;
    } else if is_done {
        print("forgotten; the next run begins anew\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What would go and what would stay.
fn description(
    pipeline: &Pipeline,
    storage: &LaneStorage,
    found: &Footprint,
    with_data: bool,
) -> String {
    let (name, url) = (&pipeline.name, &storage.chain.url);
    if found.is_empty() {
        return format!("pipeline {name} has nothing in {url}: there is nothing to forget\n");
    }
    let Footprint { epochs, latest, states, state_bytes, outboxes, data_files, data_bytes } = found;
    let latest = latest.map(|epoch| format!(", the newest is {epoch}")).unwrap_or_default();
    let size = |bytes: u64| indicatif::HumanBytes(bytes).to_string();
    let mut text = format!(
        "pipeline {name} in {url}\n  \
         forgotten: its positions in the source and {epochs} epochs{latest}\n  \
         forgotten: its open windows, {states} states of {}\n",
        size(*state_bytes)
    );
    if *outboxes > 0 {
        text += &format!("  forgotten: {outboxes} outboxes; what was sent to topics stays there\n");
    }
    let fate = if with_data { "deleted: " } else { "kept:     " };
    text += &format!("  {fate} {data_files} data files of {} in its tables\n", size(*data_bytes));
    for (id, table) in &storage.tables {
        text += &format!("             {id}: {}\n", table.url);
    }
    if !with_data && *data_files > 0 {
        text +=
            "  Rows that are read again will be in the tables twice; --data deletes them too.\n";
    }
    text
}

/// Asks for the pipeline's name: `y` is typed too easily.
fn is_confirmed(pipeline: &Pipeline) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked here: give --yes to forget it, or --dry-run to look");
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
