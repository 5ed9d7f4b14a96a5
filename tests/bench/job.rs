//! The whole job in a process of its own, as `sluicegate run` runs it, with the plugins as modules or as native code.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluicegate::program::Program;
use sluicegate_engine::supervisor::Ended;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::ModuleDigest;
use sluicegate_pipeline::environment::Environment;
use sluicegate_pipeline::{Pipeline, file};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::plugin::Code;
use xtask::workspace::Workspace;

use crate::child::cpu_nanos;
use crate::native::NativeCode;
use crate::plugins::{revenue, split_basket, valid_sale};

/// What a run of the job used and made.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// From the start of the process to its end.
    pub(crate) cpu_nanos: u64,
    /// From opening the lane to its end.
    pub(crate) wall_nanos: u64,
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    /// CPU time by step. What is left of the whole is the source's own threads, start-up and commits.
    pub(crate) steps: Vec<(String, u64)>,
}

/// Runs the pipeline to the end of its input.
pub(crate) fn run(pipeline: &Path, native: bool) -> Result<Job> {
    let environment = Environment::of_program();
    let pipeline = file::load(pipeline, environment.variables())?;
    let runtime = Program::runtime()?;
    let program = program(&pipeline, &environment, runtime.handle())?;
    let program = if native { with_native_plugins(program, &pipeline)? } else { program };
    let (clock, begin) = (program.clock.clone(), program.clock.monotonic());
    let started = program.start(pipeline)?;
    let (handle, ended) = (started.handle, started.thread.join());
    match ended {
        Ok(Ended::Well(_)) => {}
        Ok(Ended::Halted(reason)) => bail!("the job halted: {reason}"),
        Err(_) => bail!("the job panicked"),
    }
    let wall = clock.monotonic() - begin;
    let metrics = handle.metrics();
    let steps = &metrics.steps;
    let of_plugin = |stage: &str| metrics.running(stage).map_or(0.0, |module| module.cpu.seconds());
    let (filter, aggregate) = (of_plugin("valid"), of_plugin("revenue"));
    let seconds = [
        ("source", steps.source.seconds()),
        ("decode", steps.decode.seconds()),
        ("filter_plugin", filter),
        ("around_filter", steps.plugins.seconds() - filter),
        ("aggregate_plugin", aggregate),
        ("window", steps.window.seconds() - aggregate),
        ("sink", steps.sink.seconds()),
    ];
    let nanos = |seconds: f64| (seconds.max(0.0) * 1e9) as u64;
    let fates = handle.status().fates;
    Ok(Job {
        cpu_nanos: cpu_nanos(),
        wall_nanos: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
        read: fates.read,
        accepted: fates.accepted,
        steps: seconds.map(|(step, spent)| (step.to_owned(), nanos(spent))).to_vec(),
    })
}

/// As the command makes it, with the user's cache of compiled plugins.
pub(crate) fn program(
    pipeline: &Pipeline,
    environment: &Environment,
    runtime: &tokio::runtime::Handle,
) -> Result<Program> {
    let cache = Some(Workspace::here().target().join("bench").join("compiled"));
    Program::new(runtime, &pipeline.checkpoint.url, environment.stores(), cache, Compiler::Here)
}

/// The same, except that the calls of both plugins stay outside the sandbox.
fn with_native_plugins(mut program: Program, pipeline: &Pipeline) -> Result<Program> {
    let revenue = module("revenue")?;
    let loaded = program.engine.load("revenue", &revenue, &CallLimits::from(&pipeline.limits))?;
    let outputs = Arc::new(outputs(&loaded.description));
    program.engine = program
        .engine
        .substitute(digest(&module("valid-sale")?), NativeCode::filter::<valid_sale::Plugin>())
        .substitute(digest(&revenue), NativeCode::aggregate::<revenue::Plugin>(&outputs));
    Ok(program)
}

/// The columns that a plugin declares to make.
pub(crate) fn outputs(
    description: &sluicegate_sandbox::plugin::description::Description,
) -> arrow::datatypes::Schema {
    let field = |column: &sluicegate_sandbox::plugin::description::PluginColumn| {
        arrow::datatypes::Field::new(&column.name, column.data_type.clone(), column.nullable)
    };
    arrow::datatypes::Schema::new(description.outputs.iter().map(field).collect::<Vec<_>>())
}

/// The bytes of a compiled plugin.
pub(crate) fn module(name: &str) -> Result<Vec<u8>> {
    let path = Workspace::here().plugins().join(format!("{name}.wasm"));
    std::fs::read(&path)
        .with_context(|| format!("read `{}`; `cargo xtask plugins` makes it", path.display()))
}

fn digest(module: &[u8]) -> ModuleDigest {
    ModuleDigest(Sha256::digest(module).into())
}

/// The native code of `split-basket`, for the boundary.
pub(crate) fn native_map(outputs: &arrow::datatypes::SchemaRef) -> Arc<dyn Code> {
    NativeCode::map::<split_basket::Plugin>(outputs)
}
