//! What a process that runs pipelines is started with, `run` and `serve` alike.

use std::path::PathBuf;

use anyhow::bail;
use tokio::runtime::Handle;

use crate::machine;
use crate::program::Program;
use sluicegate_chain::modules::Retention;
use sluicegate_engine::memory::Memory;
use sluicegate_engine::stop::Stop;
use sluicegate_pipeline as config;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::environment::Environment;
use sluicegate_sandbox::module::compile::Compiler;

/// Options of a process that runs pipelines.
#[derive(Clone, Debug, clap::Args)]
pub struct ProcessArgs {
    /// What all pipelines of the process may hold in memory together, for example `1GiB`: state, results on their way,
    /// plugins, records read ahead. Default: three fifths of what the machine or the control group has
    #[arg(
        long,
        value_name = "SIZE",
        env = "SLUICEGATE_MEMORY",
        value_parser = sluicegate_pipeline::parse_size
    )]
    pub memory: Option<u64>,
    /// Folder or URL of the module store. Default: the `checkpoint.path` of the pipelines
    #[arg(long, value_name = "URL", env = "SLUICEGATE_STORE")]
    pub store: Option<String>,
    /// How long an uploaded module stays that no chain needs and that is not among the ten newest versions of its name,
    /// or `forever`
    #[arg(
        long,
        value_name = "DURATION",
        env = "SLUICEGATE_KEEP_MODULES",
        default_value = "30d",
        value_parser = parse_keep_modules
    )]
    pub keep_modules: KeptModules,
    /// Keep compiled plugins in this directory between runs; nobody else may write to it. Default: below the user's
    /// cache folder
    #[arg(long, value_name = "DIR", env = "SLUICEGATE_PLUGIN_CACHE")]
    pub plugin_cache: Option<PathBuf>,
}

/// What stays of modules that no chain needs; none if all of them do.
#[derive(Clone, Copy, Debug)]
pub struct KeptModules(pub Option<Retention>);

/// A duration, or `forever`.
fn parse_keep_modules(text: &str) -> Result<KeptModules, String> {
    match text {
        "forever" => Ok(KeptModules(None)),
        _ => Ok(KeptModules(Some(Retention::for_age(config::parse_duration(text)?)))),
    }
}

impl ProcessArgs {
    /// The program that runs these pipelines, at least one.
    pub(super) fn program(
        &self,
        runtime: &Handle,
        environment: &Environment,
        stop: &Stop,
        pipelines: &[Pipeline],
    ) -> anyhow::Result<Program> {
        let modules = self.module_store(pipelines)?;
        let cache = self.plugin_cache(environment);
        let stores = environment.stores();
        let program = Program::new(runtime, &modules, stores, cache, Compiler::own_binary())?;
        let memory = self.memory.unwrap_or_else(machine::memory_limit);
        Ok(Program {
            stop: stop.clone(),
            memory: Memory::new(memory, pipelines.len())?,
            retention: self.keep_modules.0,
            ..program
        })
    }

    /// Where compiled plugins are kept: as asked for, else below the user's cache folder, else nowhere.
    fn plugin_cache(&self, environment: &Environment) -> Option<PathBuf> {
        let asked = self.plugin_cache.clone();
        asked.or_else(|| Some(environment.cache_dir()?.join("sluicegate")))
    }

    /// Where the modules of all pipelines lie. They share one store, and a pipeline that is run alone later looks in its
    /// own: so that must be the same, or somebody must have said which.
    fn module_store(&self, pipelines: &[Pipeline]) -> anyhow::Result<String> {
        if let Some(asked) = &self.store {
            return Ok(asked.clone());
        }
        let first = &pipelines[0];
        let is_elsewhere = |other: &&Pipeline| other.checkpoint.url != first.checkpoint.url;
        if let Some(other) = pipelines.iter().find(is_elsewhere) {
            bail!(
                "pipelines `{}` and `{}` have different `checkpoint.path`s, and the modules of one server lie in one \
                 store: give them one path, or say with `--store` where modules are kept, to `run` as well",
                first.name,
                other.name
            );
        }
        Ok(first.checkpoint.url.clone())
    }
}
