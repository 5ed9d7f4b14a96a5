//! `sluicegate schema`: what a pipeline file may hold, for editors and for people.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use sluicegate_pipeline::reference;

/// Print the JSON schema of pipeline files, or the page that explains every key.
#[derive(Clone, Debug, clap::Args)]
pub struct SchemaArgs {
    /// The page of every key, with its default, meaning and example, as Markdown
    #[arg(long)]
    pub markdown: bool,
}

/// Prints it on standard output.
///
/// # Errors
/// Standard output is closed.
pub fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let text = if args.markdown {
        reference::markdown()
    } else {
        serde_json::to_string_pretty(&reference::schema()).context("write the schema as JSON")?
            + "\n"
    };
    std::io::stdout().write_all(text.as_bytes()).context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}
