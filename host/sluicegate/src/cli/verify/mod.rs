//! `sluicegate verify`: compares what a pipeline's chain says with what lies in the store.

mod logs;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{HumanBytes, ProgressBar};
use serde_json::json;

use crate::program::look_at_lane;
use logs::{LogLine, Logs};
use sluicegate_chain::inspect::{check_begin, was_reset};
use sluicegate_chain::verify::report::{Matter, Report};
use sluicegate_chain::verify::verify;
use sluicegate_pipeline as config;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::environment::Environment;

/// Compare a pipeline's chain, states, outboxes, data files and table logs with what lies in the store
///
/// It changes nothing, and may look beside a pipeline that runs. Exit code 0: all that the chain names is there and is what it
/// was. Exit code 1: something is missing, damaged or left over, or could not be read.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Compare sizes only: reads the chain and lists the tables, but reads no data file
    #[arg(long)]
    pub sizes_only: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

/// Compares and prints.
///
/// # Errors
/// The file is refused, the store fails, or there is no chain.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = config::load(&args.pipeline, &environment)?;
    let storage = look_at_lane(&pipeline, &environment.stores())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let bar = match io::stderr().is_terminal() && !args.json {
        true => ProgressBar::new(0),
        false => ProgressBar::hidden(),
    };
    // Before the chain: what it does not have then was never committed.
    let logs = runtime.block_on(Logs::read(&pipeline, &storage))?;
    let progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let report = runtime.block_on(verify(&storage, !args.sizes_only, &logs, progress))?;
    bar.finish_and_clear();
    let Some(mut report) = report else {
        runtime.block_on(check_begin(&storage))?;
        let since = match runtime.block_on(was_reset(&storage))? {
            true => "it was reset, and has not run since",
            false => "it has not run yet",
        };
        bail!(
            "there is no chain of pipeline `{}` in {}: {since}",
            pipeline.name,
            storage.chain.url
        );
    };
    let lines = runtime.block_on(logs.compare(&storage, &mut report))?;
    let text = match args.json {
        true => format!("{}\n", as_json(&pipeline, &report, &lines)),
        false => description(&pipeline, &report, &lines),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")?;
    Ok(if report.has_defects() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(pipeline: &Pipeline, report: &Report, logs: &[LogLine]) -> serde_json::Value {
    let mut answer = json!(report);
    answer["pipeline"] = json!(&*pipeline.name);
    answer["logs"] = json!(logs);
    answer["whole"] = json!(!report.has_defects());
    answer
}

/// A line for each finding, then what there is, then the verdict.
fn description(pipeline: &Pipeline, report: &Report, logs: &[LogLine]) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text +=
            &format!("{:<9}  {}: {}\n", finding.matter.to_string(), finding.object, finding.detail);
    }
    let Report { epochs, let_go, by_name, kept, blobs, files, bytes, .. } = report;
    let Report { hashed, counts, findings, .. } = report;
    let shown = findings.len() as u64;
    let all: u64 = counts.values().sum();
    if all > shown {
        text += &format!("… and {} more\n", all - shown);
    }
    let by = if *hashed { "size and hash" } else { "size" };
    text += &format!(
        "pipeline {}: {epochs} epochs, {blobs} states and outboxes, {files} data files of {}, compared by {by}\n",
        pipeline.name,
        HumanBytes(*bytes)
    );
    if *let_go > 0 {
        text += &format!(
            "{let_go} older epochs have no records any more (`checkpoint.retain`): {by_name} data files are theirs by name\n"
        );
    }
    if *kept > 0 {
        text += &format!(
            "{kept} data files of chains that were reset are in their tables, whose logs name them, and stay\n"
        );
    }
    logs.iter().for_each(|log| text += &format!("{}\n", log.in_words()));
    let of = |matter| counts.get(&matter).copied().unwrap_or_default();
    text += &format!(
        "missing {}, damaged {}, left over {}; foreign {}, earlier {}, undecided {}\n",
        of(Matter::Missing),
        of(Matter::Damaged),
        of(Matter::LeftOver),
        of(Matter::Foreign),
        of(Matter::Earlier),
        of(Matter::Undecided)
    );
    text += match report.has_defects() {
        true => "NOT whole: docs/operate.md says what each word means and what to do\n",
        false => "whole: everything that the chain names is there and is what it was\n",
    };
    text
}
