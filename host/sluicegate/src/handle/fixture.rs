//! A pipeline with real plugins and no lane behind it, for tests: the test plays the lane.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use bytes::Bytes;
use tokio::sync::{broadcast, mpsc};

use super::{LanePorts, PipelineHandle};
use crate::committed::{Committed, DEAD_LETTERS, LATE};
use sluicegate_chain::fates::Fates;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_chain::record::{Epoch, PinnedModule};
use sluicegate_chain::{Keep, LaneStorage};
use sluicegate_connect::sink::kept::Kept;
use sluicegate_connect::source::Fetched;
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::lane::{Command, Haste, Look};
use sluicegate_engine::lead::Lead;
use sluicegate_engine::live::LiveResults;
use sluicegate_engine::memory::{Holds, MemoryView};
use sluicegate_engine::pulse::Pulse;
use sluicegate_engine::status::{
    CompactionView, LaneStatus, PartitionView, Phase, StageView, TableLogView,
};
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::schema::{Column, ColumnType, Origin, Schema, TextForm, TimestampEncoding};
use sluicegate_model::time::{Clock, EventTime, Watermark};
use sluicegate_model::window::WindowKind;
use sluicegate_pipeline::{
    CheckpointConfig, EventTimeConfig, EventTimeFrom, Failures, FileOrder, FilesConfig, Limits,
    Pipeline, PluginRef, SourceConfig, StageConfig, WindowConfig,
};
use sluicegate_runtime::Bell;
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::fit::fit;
use sluicegate_store::Location;

/// The handle, and the lane's ends.
pub(crate) struct Fixture {
    pub(crate) handle: Arc<PipelineHandle>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) looks: mpsc::Receiver<Look>,
    pub(crate) status: Arc<ArcSwap<LaneStatus>>,
    pub(crate) live: broadcast::Sender<Arc<LiveResults>>,
    pub(crate) haste: Haste,
    pub(crate) modules: ModuleStore,
    /// Of its chain and of its tables.
    pub(crate) storage: LaneStorage,
    pub(crate) engine: PluginEngine,
    /// Of its pulse.
    pub(crate) clock: Clock,
    pub(crate) pulse: Pulse,
    /// Leads, until it follows.
    pub(crate) lead: Lead,
}

/// Pipeline `sales`, running: stage `valid` runs `valid-sale`, stage `revenue` runs `revenue`.
pub(crate) fn sales() -> Fixture {
    let config = Arc::new(config());
    let (engine, stages) = compiled();
    let status = Arc::new(ArcSwap::from_pointee(status(&stages)));
    let (commands, taken) = mpsc::channel(4);
    let (looks_tx, looks) = mpsc::channel(4);
    let (live, _) = broadcast::channel(4);
    let haste = Haste::default();
    let clock = Clock::manual(0);
    let pulse = Pulse::new(clock.clone());
    let lead = Lead::alone(clock.clone());
    let metrics = LaneMetrics::new(stages.iter().map(|stage| Arc::clone(&stage.id)), []);
    for (stage, view) in metrics.stages().iter().zip(&stages) {
        stage.runs(&view.plugin);
    }
    let ports = LanePorts {
        bell: Bell::default(),
        status: Arc::clone(&status),
        stages: Arc::new(ArcSwap::from_pointee(stages)),
        commands,
        looks: looks_tx,
        live: live.clone(),
        haste: haste.clone(),
        metrics: Arc::new(metrics),
        pulse: pulse.clone(),
        lead: lead.clone(),
    };
    let modules = modules();
    let storage = storage();
    let committed = Committed::new(storage.clone(), Kept::default());
    let handle = PipelineHandle::new(config, ports, modules.clone(), engine.clone(), committed);
    let handle = Arc::new(handle);
    let commands = taken;
    Fixture {
        handle,
        commands,
        looks,
        status,
        live,
        haste,
        modules,
        storage,
        engine,
        clock,
        pulse,
        lead,
    }
}

impl Fixture {
    /// What runs.
    pub(crate) fn stages(&self) -> Vec<StageView> {
        compiled().1
    }

    /// Publishes a changed status.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut LaneStatus)) {
        let mut status = LaneStatus::clone(&self.status.load());
        change(&mut status);
        self.status.store(Arc::new(status));
    }
}

/// With tables of late rows and dead letters.
pub(crate) fn storage() -> LaneStorage {
    storage_in(&Location::in_memory())
}

/// The same in a store.
pub(crate) fn storage_in(root: &Location) -> LaneStorage {
    let table = |id: &str| (Arc::from(id), root.child(id));
    LaneStorage {
        chain: root.child("chain"),
        tables: [LATE, DEAD_LETTERS].map(table).into(),
        job: "sales".to_owned(),
        lane: "0".to_owned(),
        keep: Keep::default(),
    }
}

/// An empty store.
pub(crate) fn modules() -> ModuleStore {
    ModuleStore::new(Location::in_memory())
}

/// A compiled plugin of `plugins/`.
pub(crate) fn guest(name: &str) -> Bytes {
    let test = std::env::current_exe().unwrap();
    let target: PathBuf = test.ancestors().nth(3).unwrap().into();
    let path = target.join("plugins").join(format!("{name}.wasm"));
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(error) => panic!("{}: {error}; build it with `cargo xtask plugins`", path.display()),
    }
}

/// The same plugin as another version: a custom section at its end changes nothing but the digest.
pub(crate) fn another(module: &Bytes) -> Bytes {
    [module, &b"\x00\x06\x04note!"[..]].concat().into()
}

/// Compiled once for all tests.
fn compiled() -> (PluginEngine, Vec<StageView>) {
    static COMPILED: OnceLock<(PluginEngine, Vec<StageView>)> = OnceLock::new();
    let compile = || {
        let (config, engine) = (config(), PluginEngine::new(None, Compiler::Here).unwrap());
        let aggregate = config.window.as_ref().map(|window| &window.aggregate);
        let stages = config.stages.iter().chain(aggregate);
        let stages = stages.map(|stage| view(&engine, stage)).collect();
        (engine, stages)
    };
    COMPILED.get_or_init(compile).clone()
}

fn view(engine: &PluginEngine, stage: &StageConfig) -> StageView {
    let PluginRef::Name(name) = &stage.plugin else { unreachable!("the fixture names plugins") };
    let input: SchemaRef = Arc::new(ArrowSchema::new(vec![
        Field::new("store", DataType::Utf8, false),
        Field::new("price", DataType::Decimal64(18, 2), false),
    ]));
    let module = engine.load(name, &guest(name), &limits()).unwrap();
    let plugin = fit(&stage.place(), &module, &input).unwrap().plugin;
    StageView { id: Arc::clone(&stage.id), input, plugin }
}

/// Bounds that no test meets.
pub(crate) fn limits() -> CallLimits {
    CallLimits::from(&config().limits)
}

fn stage(id: &str, kind: PluginKind, plugin: &str) -> StageConfig {
    StageConfig {
        id: id.into(),
        kind,
        plugin: PluginRef::Name(plugin.to_owned()),
        config: Vec::new(),
        columns: BTreeMap::new(),
    }
}

fn config() -> Pipeline {
    let column = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
        nullable: false,
        origin: Origin::Value(vec![name.to_owned()]),
        form: TextForm::default(),
    };
    Pipeline {
        name: "sales".into(),
        source: SourceConfig::Files(FilesConfig {
            path: "/sales".to_owned(),
            name: "sales".to_owned(),
            watch: None,
            order: FileOrder::Parallel,
            finish_after: Duration::from_secs(3_600),
        }),
        schema: Schema {
            columns: vec![
                column("store", ColumnType::String),
                column("price", ColumnType::Decimal { precision: 18, scale: 2 }),
                column("ts", ColumnType::Timestamp(TimestampEncoding::UnixSeconds)),
            ],
        },
        event_time: EventTimeConfig {
            from: EventTimeFrom::Column(2),
            max_out_of_orderness: Duration::ZERO,
            idle_after: None,
            max_ahead: None,
            max_future_skew: None,
            future_reference_host: false,
            max_future_skew_host: None,
            max_jump: None,
        },
        stages: vec![stage("valid", PluginKind::Filter, "valid-sale")],
        window: Some(WindowConfig {
            kind: WindowKind::Tumbling { size: 1_000_000, offset: 0 },
            allowed_lateness: 0,
            key: vec!["store".to_owned()],
            aggregate: stage("revenue", PluginKind::Aggregate, "revenue"),
        }),
        keyed: None,
        sinks: Vec::new(),
        dead_letters: None,
        late: None,
        leadership: sluicegate_pipeline::LeadershipConfig::default(),
        checkpoint: CheckpointConfig {
            interval: Duration::from_secs(10),
            retain: Duration::from_secs(24 * 3_600),
            url: String::new(),
            written: String::new(),
        },
        failures: Failures::default(),
        limits: Limits {
            workers: 1,
            turn_records: 1_000,
            turn_bytes: 1 << 20,
            turn_linger: Duration::ZERO,
            call_rows: 1_024,
            call_bytes: 1 << 20,
            call_deadline: Duration::from_secs(600),
            plugin_memory: 64 << 20,
            plugin_output: 16 << 20,
            key_timers: 1_024,
            key_state: 64 << 10,
            state_bytes: 1 << 30,
        },
    }
}

fn status(stages: &[StageView]) -> LaneStatus {
    let fates = Fates { read: 10, accepted: 7, filtered: 2, late: 0, dead_lettered: 1 };
    let pinned = |view: &StageView| PinnedModule {
        stage: view.id.to_string(),
        name: view.plugin.name.to_string(),
        digest: view.plugin.digest,
        generation: 1,
        state_version: view.plugin.description.state_version,
    };
    LaneStatus {
        pipeline: "sales".to_owned(),
        phase: Phase::Running,
        problem: None,
        note: None,
        epoch: Some(Epoch(7)),
        watermark: Watermark::at(EventTime(1_000_000_000)),
        partitions: vec![PartitionView {
            stream: "sales".into(),
            partition: 0,
            next_offset: 10,
            end_offset: Some(15),
            lag: Some(5),
            watermark: Watermark::at(EventTime(1_000_000_000)),
            max_event_time: Some(EventTime(1_005_000_000)),
            idle: false,
            holds_watermark: true,
            paused: false,
            jumps: 0,
            fates,
        }],
        fetched: Some(Fetched {
            by: "librdkafka",
            instead: Some("broker `kafka:9092` cannot be used".into()),
        }),
        modules: stages.iter().map(pinned).collect(),
        fates,
        groups: 3,
        state_bytes: 120,
        memory: Some(MemoryView {
            lane: Holds { state: 120, copy: 0, plugins: 1 << 20, staged: 4_096, in_flight: 0 },
            compaction: 0,
            input: 7 << 20,
            used: (8 << 20) + 4_216,
            limit: Some(64 << 20),
            state_max: 1 << 30,
        }),
        turns: 9,
        activations: Arc::default(),
        dead_letters: Vec::new(),
        table_logs: vec![TableLogView {
            table: "revenue".into(),
            version: Some(41),
            epochs_behind: 2,
            problem: Some("the store is away".to_owned()),
            compacted: CompactionView { files: 100, into_files: 2, problem: None },
        }],
        lately: Arc::default(),
        followed: None,
    }
}
