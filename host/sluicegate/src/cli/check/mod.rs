//! `sluicegate check`: whether a pipeline file makes sense, together with its plugins and its chain, without running it.

mod logs;
mod outlook;
mod positions;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::program::look_at_lane;
use crate::terminal::columns::table;
pub(super) use logs::refuse_others;
pub(super) use outlook::OtherModule;
use outlook::Outlook;
pub(super) use positions::LostPositions;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_chain::record::PinnedModule;
use sluicegate_engine::lane::{
    Fitting, FoundError, PlacedModule, check_files, fit_all, module_name,
};
use sluicegate_model::call::CallLimits;
use sluicegate_pipeline as config;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::file::Problem;
use sluicegate_pipeline::fingerprint::columns::check_tables;
use sluicegate_pipeline::{ConfigError, Pipeline, PluginRef, StageConfig, summary};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::problem::MODULE_BYTES_MAX;
use sluicegate_sandbox::plugin::Plugin;
use sluicegate_sandbox::plugin::description::PluginColumn;
use sluicegate_store as store;

/// Check a pipeline file, its plugins and what its chain says, without running it
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Check the file alone, without its plugins, its chain and without asking the store
    #[arg(long)]
    pub no_plugins: bool,
    /// Print the result as JSON, problems with their lines and keys included
    #[arg(long)]
    pub json: bool,
}

/// A plugin's file cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "stage `{stage}`: read the plugin `{path}`; build it with `cargo build --release --target \
     wasm32-unknown-unknown`, or correct the path, which is relative to the pipeline file"
)]
pub struct UnreadablePlugin {
    stage: String,
    path: String,
    source: io::Error,
}

/// Checks a pipeline and says what it is. Nothing is written anywhere.
///
/// # Errors
/// What is wrong with the file or its plugins, or what a start would refuse. With `--json` that is an answer, with exit
/// code 2.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_program();
    let pipeline = match config::load(&args.pipeline, &environment) {
        Ok(pipeline) => pipeline,
        Err(ConfigError::Refused { problems, .. }) if args.json => {
            let problem = |problem: &Problem| json!({ "line": problem.line, "key": problem.key, "message": problem.message });
            let problems: Vec<Json> = problems.iter().map(problem).collect();
            print(&format!("{}\n", json!({ "ok": false, "problems": problems })))?;
            return Ok(ExitCode::from(super::REFUSED));
        }
        Err(error) => return Err(error.into()),
    };
    let found = if args.no_plugins { Ok(None) } else { find(&pipeline, &environment).map(Some) };
    let found = match found {
        // What a start would refuse is an answer as well.
        Err(error) if args.json && super::is_refusal(&error) => {
            let problem = json!({ "line": null, "key": null, "message": format!("{error:#}") });
            print(&format!("{}\n", json!({ "ok": false, "problems": [problem] })))?;
            return Ok(ExitCode::from(super::REFUSED));
        }
        found => found?,
    };
    let text = if args.json {
        answer(&pipeline, found.as_ref())
    } else {
        description(&pipeline, found.as_ref())
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What lies around a pipeline file.
struct Found {
    outlook: Outlook,
    plugins: Vec<Plugin>,
}

/// Reads the chain and the plugins.
fn find(pipeline: &Pipeline, environment: &Environment) -> anyhow::Result<Found> {
    let stores = environment.stores();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let here = std::env::current_dir().context("find the working directory")?;
    let outlook = outlook::look(pipeline, &stores, &here, runtime.handle())?;
    if let Outlook::Continues(head) = &outlook {
        positions::check_positions(pipeline, head, &stores, runtime.handle())?;
    }
    let engine =
        PluginEngine::new(None, Compiler::own_binary()).context("start the WebAssembly engine")?;
    let modules = ModuleStore::new(store::look(&pipeline.checkpoint.url, &stores)?);
    let Fitting { plugins, tables, logged } = fit_plugins(pipeline, &engine, &modules)?;
    if let Outlook::Continues(head) = &outlook {
        check_tables(&tables, &head.config)?;
    }
    let storage = look_at_lane(pipeline, &stores)?;
    let nothing = BTreeMap::new();
    let known = if let Outlook::Continues(head) = &outlook { &head.config } else { &nothing };
    match runtime.block_on(check_files(&tables, &storage, known)) {
        Err(FoundError::Columns(conflict)) => return Err(conflict.into()),
        Err(error @ FoundError::HasLog { .. }) => return Err(error.into()),
        // A start would wait for the store.
        Ok(()) | Err(FoundError::Chain(_) | FoundError::Log(_)) => {}
    }
    runtime.block_on(refuse_others(pipeline, &storage, &logged, &stores))?;
    if let Outlook::Continues(head) = &outlook {
        outlook::check_successors(pipeline, head, &plugins, &engine, &modules, runtime.handle())?;
    }
    Ok(Found { outlook, plugins })
}

/// Loads the plugin of every stage, by its file or by its name in the store, and fits them to the pipeline. In the
/// order of the stages, the aggregate last.
///
/// # Errors
/// The first plugin that cannot be had or does not fit.
pub fn fit_plugins(
    pipeline: &Pipeline,
    engine: &PluginEngine,
    modules: &ModuleStore,
) -> anyhow::Result<Fitting> {
    let limits = CallLimits::from(&pipeline.limits);
    let place = |stage: &StageConfig| {
        let (name, bytes) = fetch(stage, modules)?;
        let module = engine.load(&name, &bytes, &limits)?;
        let pinned = PinnedModule {
            stage: stage.id.to_string(),
            name,
            digest: module.digest,
            generation: 1,
            state_version: module.description.state_version,
        };
        Ok(PlacedModule { stage: stage.clone(), module, pinned })
    };
    let placed: anyhow::Result<Vec<PlacedModule>> = pipeline.all_stages().map(place).collect();
    Ok(fit_all(pipeline, &placed?)?)
}

/// The name and bytes of a stage's module.
fn fetch(stage: &StageConfig, modules: &ModuleStore) -> anyhow::Result<(String, Bytes)> {
    let name = match &stage.plugin {
        PluginRef::Name(name) => name,
        PluginRef::Path(path) => {
            let bytes = read_module(path).map_err(|source| UnreadablePlugin {
                stage: stage.id.to_string(),
                path: path.display().to_string(),
                source,
            })?;
            return Ok((module_name(path), bytes));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime that asks the store")?;
    let got = runtime.block_on(async {
        let version = modules.resolve(name, None).await?;
        modules.get(&version.digest).await
    });
    let bytes = got.with_context(|| format!("stage `{}`: get the plugin `{name}`", stage.id))?;
    Ok((name.clone(), bytes))
}

/// At most one byte more than a module may have, which is then refused as too large.
fn read_module(path: &Path) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MODULE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// For people.
fn description(pipeline: &Pipeline, found: Option<&Found>) -> String {
    let mut text = summary::of(pipeline);
    let Some(Found { outlook, plugins }) = found else { return text + "\nthe file is good\n" };
    let row = |(stage, plugin): (&StageConfig, &Plugin)| {
        let kind = format!("{:?}", stage.kind).to_lowercase();
        let name = format!("{}@{}", plugin.name, plugin.digest.short());
        let makes = names(&plugin.description.outputs).join(", ");
        [stage.id.to_string(), kind, name, reads(stage, plugin).join(", "), makes]
    };
    let rows: Vec<_> = pipeline.all_stages().zip(plugins).map(row).collect();
    if !rows.is_empty() {
        text += &format!("\n{}", table(["STAGE", "KIND", "PLUGIN", "READS", "MAKES"], &rows));
    }
    text + &format!("\nthe pipeline is good; {}\n", outlook.sentence(pipeline))
}

/// For machines.
fn answer(pipeline: &Pipeline, found: Option<&Found>) -> String {
    let stage = |(stage, plugin): (&StageConfig, &Plugin)| {
        json!({
            "id": &*stage.id,
            "kind": stage.kind,
            "plugin": &*plugin.name,
            "digest": plugin.digest,
            "reads": names(&plugin.description.inputs),
            "columns": stage.columns,
            "makes": names(&plugin.description.outputs),
        })
    };
    let stages = found
        .map(|found| pipeline.all_stages().zip(&found.plugins).map(stage).collect::<Vec<Json>>());
    let start = found.map(|found| found.outlook.answer());
    let name = &*pipeline.name;
    format!("{}\n", json!({ "ok": true, "pipeline": name, "stages": stages, "start": start }))
}

/// The columns that a plugin reads, with its own names for them where they differ: `price as value`.
fn reads(stage: &StageConfig, plugin: &Plugin) -> Vec<String> {
    let column = |input: &PluginColumn| match stage.place().column_of(&input.name) {
        column if column == input.name => column.to_owned(),
        column => format!("{column} as {}", input.name),
    };
    plugin.description.inputs.iter().map(column).collect()
}

fn names(columns: &[PluginColumn]) -> Vec<&str> {
    columns.iter().map(|column| column.name.as_str()).collect()
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("write to standard output")
}

#[cfg(test)]
mod tests;
