//! What one program shares among its pipelines, and how a pipeline is started in it. The wiring, in the order of
//! the data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{broadcast, mpsc};

use crate::committed::Committed;
use crate::handle::{LanePorts, PipelineHandle};
use crate::terminal::ConsoleSinks;
use sluicegate_chain::modules::{ModuleKeep, ModuleStore, Retention};
use sluicegate_chain::{Keep, LaneStorage};
use sluicegate_connect::sink::kept::Kept;
use sluicegate_connect::source::files;
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::lane::{
    Bases, Commands, Haste, LaneParts, Looks, Outside, Pace, RealEnds, Trial,
};
use sluicegate_engine::lead::{Lead, Processes};
use sluicegate_engine::memory::Memory;
use sluicegate_engine::pulse::Pulse;
use sluicegate_engine::status::LaneStatus;
use sluicegate_engine::stop::Stop;
use sluicegate_engine::supervisor::{Ended, supervise};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, SinkKind, SourceConfig};
use sluicegate_runtime::{Bell, Names, Thread};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_store::{self as store, Location, StoreError, StoreOptions};

/// Commands wait here between two turns; more than a few at once would be a person hammering a button.
const COMMANDS_MAX: usize = 16;
/// Questions about open windows wait here between two turns; more at once are told to come again.
const LOOKS_MAX: usize = 16;
/// Live results that a slow listener may be behind before it loses the oldest: about three seconds.
const LIVE_MAX: usize = 32;

/// Threads of the runtime: it waits for the network most of the time.
const RUNTIME_THREADS: usize = 2;

/// How long a thread of the runtime that has worked on a file waits for the next. Those that wait take turns: an opening of many
/// pipelines makes hundreds, and all of them would stay for ever, each with its stack, where one file a while is written for each.
const FILE_THREADS_WAIT: Duration = Duration::from_secs(1);

/// The lane of a pipeline while there is one per pipeline. Part of every path, so never changed.
pub const LANE: &str = "0";

/// What the pipelines of one program share.
#[derive(Clone)]
pub struct Program {
    /// Runs the store, the files and HTTP.
    pub runtime: Handle,
    /// Compiles and runs plugins.
    pub engine: PluginEngine,
    /// Where modules are kept.
    pub modules: ModuleStore,
    /// Credentials and endpoints.
    pub stores: StoreOptions,
    /// Where everything takes its time from.
    pub clock: Clock,
    /// Asks all pipelines for their last commit.
    pub stop: Stop,
    /// What was read of committed files lately.
    pub kept: Kept,
    /// What its lanes may hold together.
    pub memory: Memory,
    /// Where other instances and their callers reach the HTTP of this one.
    pub advertise: Option<String>,
    /// What stays of the modules that no chain needs; none if all of them do.
    pub retention: Option<Retention>,
    /// Modules can be uploaded to this program, so a first run waits for those that are missing.
    pub takes_uploads: bool,
}

/// A pipeline that was started.
pub struct Started {
    /// For HTTP, and for the command that started it.
    pub handle: Arc<PipelineHandle>,
    /// What the lane publishes, and where it can be spoken to.
    pub ports: LanePorts,
    /// Its lane's supervisor.
    pub thread: Thread<Ended>,
    /// What shows live results on this terminal, to be closed when the lane is gone.
    pub console_sinks: ConsoleSinks,
    /// Where the console sinks run.
    pub runtime: Handle,
}

impl Program {
    /// The runtime for the store, the files and HTTP. No turn of a lane runs on it.
    pub fn runtime() -> anyhow::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(RUNTIME_THREADS).thread_keep_alive(FILE_THREADS_WAIT).enable_all();
        builder.build().context("start the runtime")
    }

    /// Leaves a runtime to the end of the process, which is next: a request that hangs must not hold that up.
    ///
    /// `shutdown_background` would detach its threads, and of those some are just ending. The C library of Debian 12
    /// then reads a thread that is gone: one process in some 800 ended with SIGSEGV instead of its exit code.
    pub fn leave(runtime: Runtime) {
        std::mem::forget(runtime);
    }

    /// A program whose modules lie in the store at `modules`, and that nobody uploads to.
    pub fn new(
        runtime: &Handle,
        modules: &str,
        stores: StoreOptions,
        plugin_cache: Option<PathBuf>,
        compiler: Compiler,
    ) -> anyhow::Result<Self> {
        let location =
            store::open(modules, &stores).with_context(|| format!("open store `{modules}`"))?;
        Ok(Self {
            runtime: runtime.clone(),
            engine: PluginEngine::new(plugin_cache, compiler).context("start the plugin engine")?,
            modules: ModuleStore::new(location),
            stores,
            stop: Stop::new(Clock::system()),
            clock: Clock::system(),
            kept: Kept::default(),
            memory: Memory::unlimited(),
            advertise: None,
            retention: None,
            takes_uploads: false,
        })
    }

    /// Starts a pipeline: its lane on a thread of its own, its console sinks on the runtime.
    pub fn start(&self, pipeline: Pipeline) -> anyhow::Result<Started> {
        let config = Arc::new(pipeline);
        let turn = config.limits.turn_bytes as u64;
        let memory = self.memory.open(read_ahead(&config), turn);
        let memory = memory.with_context(|| format!("pipeline `{}`", config.name))?;
        let (commands_tx, commands) = mpsc::channel(COMMANDS_MAX);
        let (looks_tx, looks) = mpsc::channel(LOOKS_MAX);
        let (live, _) = broadcast::channel(LIVE_MAX);
        let ports = LanePorts {
            bell: Bell::default(),
            status: Arc::new(ArcSwap::from_pointee(LaneStatus::nothing_yet(&config.name))),
            stages: Arc::default(),
            commands: commands_tx,
            looks: looks_tx,
            live,
            haste: Haste::default(),
            metrics: Arc::new(lane_metrics(&config)),
            pulse: Pulse::new(self.clock.clone()),
            lead: Lead::new(self.clock.clone()),
        };
        let outside = Outside {
            bell: ports.bell.clone(),
            commands: Commands::new(commands),
            looks: Looks::new(looks),
            stop: self.stop.clone(),
            status: Arc::clone(&ports.status),
            stages: Arc::clone(&ports.stages),
            live: ports.live.clone(),
            haste: ports.haste.clone(),
            metrics: Arc::clone(&ports.metrics),
            pulse: ports.pulse.clone(),
            trial: Trial::default(),
            memory,
            lead: ports.lead.clone(),
        };
        let mut console_sinks = ConsoleSinks::default();
        for sink in &config.sinks {
            if let SinkKind::Console { every, rows } = sink.kind {
                console_sinks.open(&self.runtime, ports.live.subscribe(), every, rows);
            }
        }
        let mut storage = lane_storage(&config, &self.stores)?;
        storage.keep.deleted = Arc::clone(&ports.metrics.deleted);
        storage.keep.panics = ports.metrics.panics.clone();
        storage.keep.modules = self.module_keep(&storage);
        let (stores, runtime) = (self.stores.clone(), self.runtime.clone());
        let ends = RealEnds { stores: stores.clone(), runtime, ahead: outside.memory.ahead() };
        let parts = LaneParts {
            config: Arc::clone(&config),
            storage: storage.clone(),
            stores,
            modules: self.modules.clone(),
            engine: self.engine.clone(),
            ends: Arc::new(ends),
            runtime: self.runtime.clone().into(),
            names: Names::random(),
            processes: Processes::of_machine(),
            clock: self.clock.clone(),
            instance: instance(),
            waits_for_modules: self.takes_uploads,
            advertise: self.advertise.clone(),
            pace: Pace::default(),
            bases: Bases::default(),
        };
        let thread = supervise(parts, outside).context("start the lane's thread")?;
        let (modules, engine) = (self.modules.clone(), self.engine.clone());
        let committed = Committed::new(storage, self.kept.clone());
        let handle = PipelineHandle::new(config, ports.clone(), modules, engine, committed);
        let runtime = self.runtime.clone();
        Ok(Started { handle: Arc::new(handle), ports, thread, console_sinks, runtime })
    }

    /// The modules that the owner of a chain collects: those beside it.
    fn module_keep(&self, storage: &LaneStorage) -> Option<ModuleKeep> {
        let retention = self.retention.filter(|_| self.modules.is_beside(&storage.chain))?;
        Some(ModuleKeep { store: self.modules.clone(), retention })
    }
}

/// What the source of a pipeline reads ahead, in bytes, if that does not go by the memory there is.
fn read_ahead(config: &Pipeline) -> Option<u64> {
    match &config.source {
        // The client keeps about as much with the records.
        SourceConfig::Kafka(kafka) => kafka.queued_bytes().map(|bytes| bytes.saturating_mul(2)),
        SourceConfig::Files(_) => Some(files::AHEAD_BYTES),
    }
}

/// Opens everything a lane is durable in: the chain's folder and one folder per table.
pub fn lane_storage(config: &Pipeline, stores: &StoreOptions) -> anyhow::Result<LaneStorage> {
    lane_storage_by(config, |url| store::open(url, stores))
}

/// As [`lane_storage`], for reading only: nothing is made.
pub fn look_at_lane(config: &Pipeline, stores: &StoreOptions) -> anyhow::Result<LaneStorage> {
    lane_storage_by(config, |url| store::look(url, stores))
}

fn lane_storage_by(
    config: &Pipeline,
    open: impl Fn(&str) -> Result<Location, StoreError>,
) -> anyhow::Result<LaneStorage> {
    let open = |url: &str| open(url).with_context(|| format!("open store `{url}`"));
    let mut tables = std::collections::BTreeMap::new();
    for (id, location) in config.tables() {
        tables.insert(id, open(&location.url)?);
    }
    Ok(LaneStorage {
        chain: open(&config.checkpoint.url)?,
        tables,
        job: config.name.to_string(),
        lane: LANE.to_owned(),
        keep: Keep { age: config.checkpoint.retain, ..Keep::default() },
    })
}

fn lane_metrics(config: &Pipeline) -> LaneMetrics {
    let stages = config.all_stages().map(|stage| Arc::clone(&stage.id));
    LaneMetrics::new(stages, config.tables().into_iter().map(|(id, _)| id))
}

/// Who we are in chain records, for people: host and number of the operating-system process.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.as_deref().map_or("host", str::trim);
    format!("{host}/{}", std::process::id())
}
