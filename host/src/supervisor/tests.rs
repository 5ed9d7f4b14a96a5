//! Lives of whole lanes over a store that hangs or panics, and over a broker that is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};

use super::*;
use crate::chain::{LaneStorage, inspect};
use crate::config::{Pipeline, StoreOptions, file};
use crate::lane::{Command, Commands};
use crate::metrics::LaneMetrics;
use crate::modules::ModuleStore;
use crate::plugin::compile::Compiler;
use crate::plugin::engine::PluginEngine;
use crate::stop::{PATIENCE, Stop};
use crate::store::gate::{Gate, GatedStore};
use crate::time::Clock;

/// Longer than anything takes; a hang becomes a failure.
const LONG: Duration = Duration::from_secs(60);

const PIPELINE: &str = r#"
name = "lives"
SOURCE
[schema]
key = "string"
at = "timestamp(us)"
[event_time]
column = "at"
[[sinks]]
id = "rows"
type = "parquet"
path = "unused"
[dead_letters]
path = "unused-dead"
[checkpoint]
path = "unused-chain"
interval = "100ms"
"#;

const UNREACHABLE: &str = r#"
[source]
type = "kafka"
[source.kafka]
brokers = "127.0.0.1:1"
topic = "nowhere"
start = "earliest"
"#;

/// What outlives the lives of a lane.
struct World {
    runtime: Runtime,
    store: GatedStore,
    /// Where the files lie.
    _folder: TempDir,
    config: Arc<Pipeline>,
}

/// A lane under supervision.
struct Supervised {
    thread: JoinHandle<Ended>,
    stop: Stop,
    /// Of the stop alone: the test says when its patience is over.
    clock: Clock,
    status: Arc<ArcSwap<LaneStatus>>,
    _commands: mpsc::Sender<Command>,
}

impl World {
    /// Over three records in a file.
    fn of_files(gate: Gate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines = (0..3).map(|at| format!("{{\"key\":\"k\",\"at\":{at}}}\n"));
        std::fs::write(folder.path().join("in.json"), lines.collect::<String>()).unwrap();
        let source = format!(
            "[source]\ntype = \"files\"\n[source.files]\npath = \"{}\"\n",
            folder.path().display()
        );
        Self::new(gate, folder, &source)
    }

    fn new(gate: Gate, folder: TempDir, source: &str) -> Self {
        let text = PIPELINE.replace("SOURCE", source);
        let config = file::parse(&text, Path::new("lives.toml"), &BTreeMap::new()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Self {
            runtime: runtime.worker_threads(1).enable_all().build().unwrap(),
            store: GatedStore::new(gate),
            _folder: folder,
            config: Arc::new(config),
        }
    }

    fn storage(&self) -> LaneStorage {
        let table = |(id, _): (Arc<str>, _)| {
            let folder = self.store.folder(&id);
            (id, folder)
        };
        LaneStorage {
            chain: self.store.folder("chain"),
            tables: self.config.tables().into_iter().map(table).collect(),
            job: "lives".to_owned(),
            lane: "0".to_owned(),
        }
    }

    fn start(&self) -> Supervised {
        let clock = Clock::manual(0);
        let stop = Stop::new(clock.clone());
        let status = Arc::new(ArcSwap::from_pointee(crate::process::nothing_yet(&self.config)));
        let (commands_tx, commands) = mpsc::channel(4);
        let tables = self.config.tables().into_iter().map(|(id, _)| id);
        let outside = Outside {
            commands: Commands::new(commands),
            stop: stop.clone(),
            status: Arc::clone(&status),
            stages: Arc::default(),
            live: broadcast::channel(4).0,
            metrics: Arc::new(LaneMetrics::new([], tables)),
        };
        let parts = LaneParts {
            config: Arc::clone(&self.config),
            storage: self.storage(),
            modules: ModuleStore::new(self.store.folder("modules")),
            engine: PluginEngine::new(None, Compiler::Here).unwrap(),
            stores: StoreOptions::default(),
            runtime: self.runtime.handle().clone(),
            clock: Clock::system(),
            instance: "test".to_owned(),
            waits_for_modules: true,
        };
        let thread = supervise(parts, outside).unwrap();
        Supervised { thread, stop, clock, status, _commands: commands_tx }
    }

    /// Waits until a request of the lane hangs.
    fn hangs(&self) {
        self.runtime.block_on(async {
            let waited = tokio::time::timeout(LONG, self.store.has_waited());
            waited.await.expect("a request hangs");
        });
    }

    /// Runs the lane to the end of its input. How many records it has read then, all lives together.
    fn finish(&self) -> u64 {
        self.store.set(Gate::Open);
        assert_eq!(self.start().ended(), LaneEnd::Finished);
        let read = async {
            let head = inspect::latest(&self.storage()).await.unwrap().unwrap();
            let record = inspect::record(&self.storage(), head).await.unwrap().unwrap();
            assert!(record.source.ended);
            record.source.partitions.iter().map(|state| state.fates.read).sum()
        };
        self.runtime.block_on(read)
    }
}

impl Supervised {
    /// Waits until the status is as wanted.
    fn shows(&self, wanted: impl Fn(&LaneStatus) -> bool) {
        let clock = Clock::system();
        while !wanted(&self.status.load()) {
            assert!(clock.monotonic() < LONG, "{:?}", self.status.load());
            std::thread::yield_now();
        }
    }

    fn ended(self) -> LaneEnd {
        let (ended_tx, ended) = sync_channel(1);
        std::thread::spawn(move || ended_tx.send(self.thread.join().unwrap()));
        match ended.recv_timeout(LONG).expect("the lane ends") {
            Ended::Well(end) => end,
            Ended::Halted(reason) => panic!("halted: {reason}"),
        }
    }
}

#[test]
fn a_stop_is_heard_while_the_store_does_not_answer_an_opening() {
    let world = World::of_files(Gate::Shut);
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::CutShort);
    assert_eq!(world.finish(), 3);
}

#[test]
fn a_stop_is_heard_while_the_store_does_not_take_the_genesis() {
    let world = World::of_files(Gate::Puts(0));
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::CutShort);
    assert_eq!(world.finish(), 3);
}

/// The genesis is taken, and not the file of the only epoch.
#[test]
fn a_stop_does_not_wait_for_a_commit_for_ever() {
    let world = World::of_files(Gate::Puts(1));
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    lane.clock.advance(PATIENCE);
    assert_eq!(lane.ended(), LaneEnd::CutShort);
    assert_eq!(world.finish(), 3);
}

#[test]
fn a_stop_waits_a_while_for_a_commit() {
    let world = World::of_files(Gate::Puts(1));
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    world.store.set(Gate::Open);
    assert_eq!(lane.ended(), LaneEnd::Finished);
    assert_eq!(world.finish(), 3);
}

#[test]
fn a_stop_is_heard_while_no_broker_says_where_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Gate::Open, folder, UNREACHABLE);
    let lane = world.start();
    lane.shows(|status| status.problem.is_some());
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::CutShort);
}

#[test]
fn an_opening_that_panics_is_shown_and_tried_again() {
    let world = World::of_files(Gate::Panics);
    let lane = world.start();
    lane.shows(|status| {
        let problem = status.problem.as_deref().unwrap_or_default();
        status.phase == Phase::BackingOff && problem.contains("the store panics")
    });
    world.store.set(Gate::Open);
    assert_eq!(lane.ended(), LaneEnd::Finished);
}
