//! `sluicegate store probe`: whether a store can keep results exactly once.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use sluicegate_pipeline::environment::Environment;
use sluicegate_store::open;
use sluicegate_store::probe::{Effort, Passed, probe_and_remember};

/// Try whether a store creates each object once, whoever races for it, and shows at once what was written.
///
/// A pipeline tries the store of its `checkpoint.path` by itself before it runs there first, and refuses one that fails. This
/// command tries it again, and as long as wanted. Credentials and the address come from the environment, as for `run`.
///
/// It writes a few hundred small objects into `probe/` below the place and deletes them, all but one, which remembers that
/// the store has passed.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// The place, as `checkpoint.path` names it: a path, `s3://bucket/prefix`, `gs://…` or `az://…`
    #[arg(value_name = "URL")]
    pub url: String,
    /// Rounds of racing creates. Default: what a pipeline does, 8 for a server and 1 for a directory
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: Option<u32>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Tries the store and says what it has passed.
///
/// # Errors
///
/// The place cannot be opened, the store does not answer, or it has failed.
pub fn probe(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    let location = open(&args.url, &Environment::of_program().stores())?;
    let usual = Effort::usual(&location.backing).unwrap_or(Effort::OF_A_DIRECTORY);
    let effort = Effort { rounds: args.rounds.unwrap_or(usual.rounds), ..usual };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let Passed { rounds, racers, requests } =
        runtime.block_on(probe_and_remember(&location, effort))?;
    let text = match args.json {
        true => {
            let answer = json!({
                "url": args.url, "passed": true, "rounds": rounds, "racers": racers, "requests": requests
            });
            format!("{answer}\n")
        }
        false => format!(
            "{}: passed {rounds} rounds of {racers} racing creates, {requests} requests; it can keep results exactly \
             once\n",
            args.url
        ),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
