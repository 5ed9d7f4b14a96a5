//! `sluicegate plugin push`, `list` and `activate`: modules and releases of a running server.

use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::client::{Client, Connection};
use crate::api::modules::{Module, ModuleLine, Modules, Uploaded};
use crate::api::releases::{ReleaseAnswer, ReleaseRequest, VersionWanted};
use crate::terminal::columns::table;
use sluicegate_chain::modules::VersionChoice;
use sluicegate_sandbox::module::problem::MODULE_BYTES_MAX;

/// Upload a plugin. Nothing that runs changes; `activate` does that.
#[derive(Clone, Debug, clap::Args)]
pub struct PushArgs {
    /// The name it gets on the server: a-z, 0-9 and `-`
    pub name: String,
    /// The .wasm file of `cargo build --release --target wasm32-unknown-unknown`
    pub file: PathBuf,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// List the plugins of a server, or all versions of one.
#[derive(Clone, Debug, clap::Args)]
pub struct ListArgs {
    /// Only this one, with all its versions
    pub name: Option<String>,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Run a plugin in a stage of a running pipeline, from the next epoch on.
#[derive(Clone, Debug, clap::Args)]
pub struct ActivateArgs {
    /// The pipeline
    pub pipeline: String,
    /// Id of the stage in the pipeline file
    pub stage: String,
    /// The plugin's name
    pub name: String,
    /// Its version: a number, or the first digits of its digest. The newest if absent
    #[arg(long = "version", id = "module_version", value_name = "VERSION", value_parser = version)]
    pub module_version: Option<VersionWanted>,
    /// Which server
    #[command(flatten)]
    pub connection: Connection,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Uploads a plugin.
pub fn push(args: &PushArgs) -> anyhow::Result<ExitCode> {
    let PushArgs { name, file, connection, json } = args;
    let client = Client::new(connection)?;
    let size = std::fs::metadata(file).with_context(|| format!("cannot read `{}`", file.display()));
    let size = size?.len();
    if size > MODULE_BYTES_MAX as u64 {
        bail!(
            "`{}` has {size} bytes, a server takes at most {MODULE_BYTES_MAX}: build it with --release",
            file.display()
        );
    }
    let module =
        std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let (status, uploaded) = client.put_module::<Uploaded>(&["v1", "modules", name], module)?;
    if *json {
        return print_json(&uploaded);
    }
    let Uploaded { module, plugin } = uploaded;
    let what = if status == reqwest::StatusCode::CREATED { "stored" } else { "was there already" };
    let kind = format!("{:?}", plugin.kind).to_lowercase();
    let (digest, version) = (module.digest.short(), module.version);
    writeln!(
        stdout(),
        "{name} version {version} {what}: {kind}, {} bytes, {digest}",
        module.bytes
    )?;
    writeln!(stdout(), "activate it with: sluicegate plugin activate PIPELINE STAGE {name}")?;
    Ok(ExitCode::SUCCESS)
}

/// Lists plugins.
pub fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let ListArgs { name, connection, json } = args;
    let client = Client::new(connection)?;
    let path: Vec<_> = ["v1", "modules"].into_iter().chain(name.as_deref()).collect();
    let modules: Modules = client.get(&path)?;
    if *json {
        return print_json(&modules);
    }
    if modules.modules.is_empty() {
        writeln!(stdout(), "no plugins; upload one with: sluicegate plugin push NAME FILE")?;
    }
    let row = |line: &ModuleLine| {
        let Module { name, version, digest, bytes, uploaded } = &line.module;
        let (version, bytes, digest) = (version.to_string(), bytes.to_string(), digest.to_string());
        [name.clone(), version, bytes, uploaded.clone(), digest]
    };
    let rows: Vec<_> = modules.modules.iter().map(row).collect();
    write!(stdout(), "{}", table(["NAME", "VERSION", "BYTES", "UPLOADED", "DIGEST"], &rows))?;
    Ok(ExitCode::SUCCESS)
}

/// Activates a plugin, and returns when that is durable.
pub fn activate(args: &ActivateArgs) -> anyhow::Result<ExitCode> {
    let ActivateArgs { pipeline, stage, name, module_version, connection, json } = args;
    let client = Client::new(connection)?;
    let request = ReleaseRequest {
        stage: stage.clone(),
        module: name.clone(),
        version: module_version.clone(),
    };
    let path = ["v1", "pipelines", pipeline, "releases"];
    let answer: ReleaseAnswer = client.post(&path, &request)?;
    if *json {
        return print_json(&answer);
    }
    let (digest, previous, epoch) = (answer.digest.short(), answer.previous.short(), answer.epoch);
    if answer.changed {
        writeln!(
            stdout(),
            "stage {stage} of {pipeline} runs {name} {digest} after epoch {epoch} (before: {previous})"
        )?;
    } else {
        writeln!(stdout(), "stage {stage} of {pipeline} runs {name} {digest} already")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A version as people write it. The server reads it the same way.
fn version(text: &str) -> Result<VersionWanted, String> {
    match text.parse() {
        Ok(VersionChoice::Number(number)) => Ok(VersionWanted::Number(number)),
        Ok(VersionChoice::Digest(digits)) => Ok(VersionWanted::Text(digits)),
        Err(error) => Err(error.to_string()),
    }
}

/// For programs.
pub(super) fn print_json(answer: &impl serde::Serialize) -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(answer).context("the answer is not JSON")?;
    writeln!(stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// Seconds as people read them.
pub(super) fn seconds(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    if whole < Duration::from_secs(60) {
        return format!("{seconds:.1} s");
    }
    humantime::format_duration(Duration::from_secs(whole.as_secs())).to_string()
}
