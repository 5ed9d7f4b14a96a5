//! `sluicegate check`: whether a pipeline file makes sense, together with its plugins, without running it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::aligned::table;
use crate::config::file::{self, ConfigError};
use crate::config::{Pipeline, PluginRef, StageConfig, environment, summary};
use crate::plugin::engine::PluginEngine;
use crate::plugin::fit::{Fitted, fit};
use crate::plugin::limits::CallLimits;
use crate::plugin::load::MODULE_BYTES_MAX;

/// Check a pipeline file and its plugins without running it.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The pipeline file
    #[arg(value_name = "FILE")]
    pub pipeline: PathBuf,
    /// Check the file alone, without loading its plugins
    #[arg(long)]
    pub no_plugins: bool,
    /// Print the result as JSON, problems with their lines and keys included
    #[arg(long)]
    pub json: bool,
}

/// Plugins fit each into its stage, and yet not together with the rest of the pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// A key column that no row has.
    #[error(
        "`window.key` names `{column}`, which the rows do not have after the last map: they have {have}"
    )]
    NoKey {
        /// The column.
        column: String,
        /// What there is.
        have: String,
    },
    /// A result would have two columns of one name.
    #[error(
        "stage `{stage}`: plugin `{plugin}` makes the column `{column}`, which results have already: rename the field in the plugin"
    )]
    Twice {
        /// The aggregate's id.
        stage: String,
        /// The plugin's name.
        plugin: String,
        /// The column.
        column: String,
    },
    /// The file of a plugin cannot be read.
    #[error(
        "stage `{stage}`: read the plugin `{path}`; build it with `cargo build --release --target wasm32-unknown-unknown`, or correct the path"
    )]
    Unreadable {
        /// The stage's id.
        stage: String,
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// A stage with its plugin, as far as it could be looked at.
#[derive(Debug)]
pub struct CheckedStage {
    /// The stage.
    pub stage: StageConfig,
    /// None: it is named, and no store was asked for it.
    pub fitted: Option<Fitted>,
}

/// Checks a pipeline and says what it is.
///
/// # Errors
/// What is wrong with the file or its plugins. With `--json` problems of the file are an answer with exit code 2.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let pipeline = match file::load(&args.pipeline, &environment::of_process()) {
        Ok(pipeline) => pipeline,
        Err(ConfigError::Refused { problems, .. }) if args.json => {
            let problem = |problem: &file::Problem| json!({ "line": problem.line, "key": problem.key, "message": problem.message });
            let problems: Vec<Json> = problems.iter().map(problem).collect();
            print(&format!("{}\n", json!({ "ok": false, "problems": problems })))?;
            return Ok(ExitCode::from(super::REFUSED));
        }
        Err(error) => return Err(error.into()),
    };
    let stages = if args.no_plugins {
        Vec::new()
    } else {
        let engine = PluginEngine::new(None).context("start the WebAssembly engine")?;
        check_plugins(&pipeline, &engine, |_| Ok(None))?
    };
    if args.json {
        let stages: Vec<Json> = stages.iter().map(describe_json).collect();
        print(&format!(
            "{}\n",
            json!({ "ok": true, "pipeline": &*pipeline.name, "stages": stages })
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&summary::sentence(&pipeline))?;
    if !stages.is_empty() {
        let rows: Vec<_> = stages.iter().map(describe).collect();
        print(&format!("\n{}", table(["STAGE", "KIND", "PLUGIN", "READS", "MAKES"], &rows)))?;
    }
    print(if args.no_plugins { "\nthe file is good\n" } else { "\nthe pipeline is good\n" })?;
    Ok(ExitCode::SUCCESS)
}

/// Loads the plugin of every stage, in order, and fits each to the rows that the stages before it make. `fetch` gives
/// the module of a name in the store; none leaves that stage and what follows it unchecked.
///
/// # Errors
/// The first plugin that does not fit, or cannot be loaded.
pub fn check_plugins(
    pipeline: &Pipeline,
    engine: &PluginEngine,
    fetch: impl Fn(&str) -> anyhow::Result<Option<Bytes>>,
) -> anyhow::Result<Vec<CheckedStage>> {
    let limits = CallLimits::from(&pipeline.limits);
    let fields: Vec<_> = pipeline.schema.columns.iter().map(|column| column.field()).collect();
    let mut rows: Option<SchemaRef> = Some(Arc::new(Schema::new(fields)));
    let mut checked = Vec::new();
    for stage in &pipeline.stages {
        let fitted = check_stage(stage, rows.as_ref(), engine, &limits, &fetch)?;
        rows = fitted.as_ref().map(|fitted| Arc::clone(&fitted.output));
        checked.push(CheckedStage { stage: stage.clone(), fitted });
    }
    if let Some(window) = &pipeline.window {
        if let Some(rows) = &rows {
            check_key(&window.key, rows)?;
        }
        let fitted = check_stage(&window.aggregate, rows.as_ref(), engine, &limits, &fetch)?;
        if let Some(fitted) = &fitted {
            check_result(&window.key, &window.aggregate, fitted)?;
        }
        checked.push(CheckedStage { stage: window.aggregate.clone(), fitted });
    }
    Ok(checked)
}

fn check_stage(
    stage: &StageConfig,
    rows: Option<&SchemaRef>,
    engine: &PluginEngine,
    limits: &CallLimits,
    fetch: impl Fn(&str) -> anyhow::Result<Option<Bytes>>,
) -> anyhow::Result<Option<Fitted>> {
    let (name, module) = match &stage.plugin {
        PluginRef::Name(name) => (name.clone(), fetch(name)?),
        PluginRef::Path(path) => {
            let unreadable = |source| Unfit::Unreadable {
                stage: stage.id.to_string(),
                path: path.display().to_string(),
                source,
            };
            let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
            (name.into_owned(), Some(read_module(path).map_err(unreadable)?))
        }
    };
    let (Some(module), Some(rows)) = (module, rows) else { return Ok(None) };
    let module = engine.load(&name, &module, limits)?;
    Ok(Some(fit(stage, &module, rows)?))
}

/// At most one byte more than a module may have, which is then refused as too large.
fn read_module(path: &std::path::Path) -> io::Result<Bytes> {
    use io::Read;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MODULE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn check_key(key: &[String], rows: &SchemaRef) -> Result<(), Unfit> {
    match key.iter().find(|name| rows.field_with_name(name).is_err()) {
        None => Ok(()),
        Some(column) => Err(Unfit::NoKey { column: column.clone(), have: names(rows) }),
    }
}

/// A result has the key, the window's bounds and what the aggregate makes.
fn check_result(key: &[String], stage: &StageConfig, fitted: &Fitted) -> Result<(), Unfit> {
    let is_taken = |name: &str| {
        key.iter().any(|key| key == name) || crate::config::RESERVED_COLUMNS.contains(&name)
    };
    let taken = fitted.output.fields().iter().find(|field| is_taken(field.name()));
    taken.map_or(Ok(()), |field| {
        Err(Unfit::Twice {
            stage: stage.id.to_string(),
            plugin: fitted.plugin.name.to_string(),
            column: field.name().clone(),
        })
    })
}

fn names(rows: &SchemaRef) -> String {
    let names: Vec<String> =
        rows.fields().iter().map(|field| format!("`{}`", field.name())).collect();
    names.join(", ")
}

fn describe(checked: &CheckedStage) -> [String; 5] {
    let CheckedStage { stage, fitted } = checked;
    let kind = format!("{:?}", stage.kind).to_lowercase();
    let Some(Fitted { plugin, .. }) = fitted else {
        let name = match &stage.plugin {
            PluginRef::Name(name) => name.clone(),
            PluginRef::Path(path) => path.display().to_string(),
        };
        return [stage.id.to_string(), kind, name, "not looked at".to_owned(), String::new()];
    };
    let columns = |columns: &[crate::plugin::PluginColumn]| {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    };
    let (reads, makes) = (&plugin.description.inputs, &plugin.description.outputs);
    let name = format!("{}@{}", plugin.name, plugin.digest.short());
    [stage.id.to_string(), kind, name, columns(reads), columns(makes)]
}

fn describe_json(checked: &CheckedStage) -> Json {
    let [id, kind, plugin, reads, makes] = describe(checked);
    let list = |text: String| -> Vec<String> {
        text.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let Some(fitted) = &checked.fitted else {
        return json!({ "id": id, "kind": kind, "plugin": plugin, "checked": false });
    };
    json!({
        "id": id,
        "kind": kind,
        "plugin": &*fitted.plugin.name,
        "digest": fitted.plugin.digest.to_string(),
        "reads": list(reads),
        "makes": list(makes),
        "checked": true,
    })
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("write to standard output")
}

#[cfg(test)]
mod tests;
