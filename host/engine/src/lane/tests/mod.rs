//! Whole lanes over logs in memory: whatever the size of polls, the number of workers and the moments of crashes, the
//! tables equal a naive batch computation.

mod log;
mod naive;
mod native;
mod pace;
mod topics;
mod keyed;
mod lives;
mod relaid;
mod failures;
mod heard;
mod memory;
mod metadata;
mod mapped;
mod firing;
mod promises;
mod bounds;
mod coded;
mod trial;
mod scripts;
mod shadow;
mod looked;
mod saved;
mod published;
mod rivals;
mod restoring;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};

use super::open::{Ready, genesis, restore};
use super::outputs::logs::TableLogs;
use super::outputs::outbox::Outbox;
use super::plan::Plan;
use super::*;
use crate::counters::LaneMetrics;
use crate::lead::Lead;
use crate::memory::Account;
use crate::pulse::Pulse;
use crate::stop::Stop;
use log::{LogSource, Logs};
use naive::{Kind, expected};
use sluicegate_chain as chain;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::{ChainRecord, Epoch, PinnedModule};
use sluicegate_chain::{Committer, Keep, LaneStorage, Opened, Opener};
use sluicegate_connect::source::{PollLimits, Source};
use sluicegate_formats::json::encode::JsonObject;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind;
use sluicegate_model::position::Partition;
use sluicegate_model::time::Watermark;
use sluicegate_pipeline::{PluginRef, StageConfig};
use sluicegate_runtime::Bell;
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_store::Location;
use topics::Topics;

/// How every pipeline here begins.
const HEAD: &str = r#"
name = "texts"
[source]
type = "files"
[source.files]
path = "unused"
[schema]
key = "string"
text = "string"
at = "timestamp(us)"
[event_time]
column = "at"
max_out_of_orderness = "5us"
"#;

const STAGES: &str = r#"
[[stages]]
id = "drop"
kind = "filter"
plugin = "drop"
[[stages]]
id = "repeat"
kind = "map"
plugin = "repeat"
[[stages]]
id = "join"
kind = "aggregate"
plugin = "join"
[window]
key = ["key"]
WINDOW
[[sinks]]
id = "results"
type = "parquet"
path = "unused-results"
corrections = "append"
[[sinks]]
id = "finals"
type = "kafka"
brokers = "unused:1"
topic = "finals"
corrections = "append"
UPDATES
[dead_letters]
path = "unused-dead"
[late]
path = "unused-late"
[checkpoint]
path = "unused-chain"
"#;

/// One world: a store in memory and a runtime for it.
struct World {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    config: Arc<Pipeline>,
    topics: Topics,
    /// The pipeline file names the module with the other layout.
    names_relaid: AtomicBool,
    /// Of all lives.
    trial: Trial,
    /// Of the next lives.
    memory: Account,
}

const UPDATES: &str = r#"
[[sinks]]
id = "updates"
type = "kafka"
brokers = "unused:1"
topic = "updates"
emit = "updates"
"#;

const TUMBLING: Kind = Kind::Sliding { size: 10, slide: 10 };

impl World {
    fn new(kind: Kind) -> Self {
        Self::with(kind, 0, None)
    }

    fn with(kind: Kind, lateness: i64, max_ahead: Option<Duration>) -> Self {
        // A session has no identity while it is open.
        let updates = if let Kind::Session { .. } = kind { "" } else { UPDATES };
        let mut text =
            [HEAD, STAGES].concat().replace("WINDOW", &kind.toml()).replace("UPDATES", updates);
        if let Kind::Global { .. } = kind {
            // Nothing is late.
            text = text.replace("[late]\npath = \"unused-late\"\n", "");
        } else {
            let lateness = format!("key = [\"key\"]\nallowed_lateness = \"{lateness}us\"");
            text = text.replace("key = [\"key\"]", &lateness);
        }
        Self::of(&text, max_ahead)
    }

    fn of(pipeline: &str, max_ahead: Option<Duration>) -> Self {
        let path = std::path::Path::new("texts.toml");
        let mut config =
            sluicegate_pipeline::file::parse(pipeline, path, &BTreeMap::new()).unwrap();
        // Every barrier that can be taken is taken.
        config.checkpoint.interval = Duration::ZERO;
        config.limits.call_rows = 3;
        // No machine is so slow.
        config.limits.call_deadline = Duration::from_secs(600);
        config.event_time.max_ahead = max_ahead;
        Self::of_config(config)
    }

    fn of_config(config: Pipeline) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            runtime,
            store: Arc::new(InMemory::new()),
            config: Arc::new(config),
            topics: Topics::default(),
            names_relaid: AtomicBool::new(false),
            trial: Trial::default(),
            memory: Account::default(),
        }
    }

    fn location(&self, prefix: &str) -> Location {
        Location {
            store: Arc::clone(&self.store),
            prefix: Path::from(prefix),
            url: format!("memory:///{prefix}"),
            ..Location::in_memory()
        }
    }

    fn storage(&self) -> LaneStorage {
        let table = |(id, _): (Arc<str>, _)| {
            let location = self.location(&format!("tables/{id}"));
            (id, location)
        };
        LaneStorage {
            chain: self.location("chain"),
            tables: self.config.tables().into_iter().map(table).collect(),
            job: "texts".to_owned(),
            lane: "0".to_owned(),
            keep: Keep::default(),
        }
    }

    fn open(&self, logs: &Logs, workers: usize, seed: u64) -> (Lane, mpsc::Sender<Command>) {
        self.open_at(Box::new(LogSource::new(logs, 7, seed)), workers, &Clock::system())
    }

    /// The modules that the chain pins, or those of the pipeline.
    fn modules(&self, head: Option<&ChainRecord>) -> Vec<PlacedModule> {
        let stateful = self.config.stateful_stage().map(|stage| &stage.id);
        let place = |stage: &StageConfig| {
            let pinned = head.and_then(|head| {
                head.modules.iter().find(|pinned| *pinned.stage == *stage.id).cloned()
            });
            let relaid = || match &stage.plugin {
                PluginRef::Name(name) => relaid::module(name, stage.kind),
                PluginRef::Path(path) => panic!("`{}` has one layout", path.display()),
            };
            if let Some(pinned) = pinned.filter(|_| Some(&stage.id) == stateful) {
                let names_relaid = self.names_relaid.load(Ordering::Relaxed);
                if pinned.state_version == 2 {
                    return PlacedModule { stage: stage.clone(), module: relaid(), pinned };
                }
                if names_relaid {
                    let module = native::module(&stage.id, stage.kind);
                    let before = PlacedModule { stage: stage.clone(), module, pinned };
                    return PlacedModule::successor(&before, relaid());
                }
            }
            let module = match &stage.plugin {
                PluginRef::Name(name) => native::module(name, stage.kind),
                PluginRef::Path(path) => wasm(path, &CallLimits::from(&self.config.limits)),
            };
            let pinned = PinnedModule {
                stage: stage.id.to_string(),
                name: stage.id.to_string(),
                digest: module.digest,
                generation: 1,
                state_version: 1,
            };
            PlacedModule { stage: stage.clone(), module, pinned }
        };
        self.config.all_stages().map(place).collect()
    }

    fn open_at(
        &self,
        mut source: Box<dyn Source>,
        workers: usize,
        clock: &Clock,
    ) -> (Lane, mpsc::Sender<Command>) {
        let storage = self.storage();
        let mut opened = self.runtime.block_on(open_chain(&storage));
        let modules = self.modules(opened.head.as_ref());
        let plan = Plan::new(&self.config, &modules).unwrap();
        let metrics = self.metrics();
        let (outside, commands_tx) = self.outside(Arc::clone(&metrics), clock);
        let pool = Pool::new(workers, desk::brake::brake(&outside), outside.pulse.clone()).unwrap();
        let mut logic = Logic::new(&plan, &pool);
        restore(&mut logic, &pool, &plan, opened.head.as_ref(), &opened.state).unwrap();
        let handle = sluicegate_runtime::Runtime::from(self.runtime.handle().clone());
        let post = self.topics.post(&self.config);
        let outbox = Outbox::open(&self.config, &plan, &mut opened, post);
        let logs = TableLogs::start(
            Vec::new(),
            BTreeMap::new(),
            &BTreeMap::new(),
            &storage,
            &self.memory,
            &handle,
        );
        let mut committer = Committer::spawn(
            handle,
            opened.chain,
            storage,
            clock.clone(),
            Arc::clone(&metrics.commit_failures),
        );
        let record = opened.head.map(Arc::new).unwrap_or_else(|| {
            let start = source.genesis().unwrap().unwrap();
            genesis(&self.config, &modules, start, source.identity(), &mut committer, &outside)
                .unwrap()
        });
        let positions = record.source.partitions.iter();
        source
            .assign(
                &positions.map(|state| (state.partition.clone(), state.position.clone())).collect(),
            )
            .unwrap();
        let ready = Ready { record, modules, plan, pool, logic, source, committer, outbox, logs };
        // However small a base is.
        let bases = Bases { deltas_from: 0, ..Bases::default() };
        (ready.into_lane(&self.config, clock, outside, bases), commands_tx)
    }

    fn metrics(&self) -> Arc<LaneMetrics> {
        let stages = self.config.all_stages().map(|stage| Arc::clone(&stage.id));
        let tables = self.config.tables().into_iter().map(|(id, _)| id);
        Arc::new(LaneMetrics::new(stages, tables))
    }

    fn outside(
        &self,
        metrics: Arc<LaneMetrics>,
        clock: &Clock,
    ) -> (Outside, mpsc::Sender<Command>) {
        let (commands_tx, commands) = mpsc::channel(4);
        let outside = Outside {
            bell: Bell::default(),
            commands: Commands::new(commands),
            looks: Looks::new(mpsc::channel(1).1),
            // Its clock stands still: it is never overdue by itself.
            stop: Stop::new(Clock::manual(0)),
            status: Arc::new(ArcSwap::from_pointee(LaneStatus::nothing_yet(&self.config.name))),
            stages: Arc::default(),
            live: broadcast::channel(4).0,
            haste: Haste::default(),
            metrics,
            pulse: Pulse::new(clock.clone()),
            memory: self.memory.clone(),
            trial: self.trial.clone(),
            lead: Lead::alone(clock.clone()),
        };
        (outside, commands_tx)
    }

    /// The records of the chain, in order.
    fn chain(&self) -> Vec<ChainRecord> {
        let storage = self.storage();
        self.runtime.block_on(async {
            let head = chain::inspect::latest(&storage).await.unwrap().unwrap();
            let mut records = Vec::new();
            for epoch in 0..=head.0 {
                records
                    .push(chain::inspect::record(&storage, Epoch(epoch)).await.unwrap().unwrap());
            }
            records
        })
    }

    /// The rows of all files of a table that the chain names.
    fn table(&self, id: &str) -> Vec<RecordBatch> {
        self.chain().iter().flat_map(|record| self.written(record, id)).collect()
    }

    /// The rows of the files of a table that a record names.
    fn written(&self, record: &ChainRecord, id: &str) -> Vec<RecordBatch> {
        let files = record.files.iter().filter(|file| file.table == id);
        let read = |file: &sluicegate_chain::record::DataFile| {
            let path = Path::from(format!("tables/{id}/{}", file.path));
            let bytes: Bytes = self
                .runtime
                .block_on(async { self.store.get(&path).await.unwrap().bytes().await.unwrap() });
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            reader.map(Result::unwrap).collect::<Vec<_>>()
        };
        files.flat_map(read).collect()
    }

    /// `start..end key texts` of every result row that counts, sorted: a row that was written twice stands here twice.
    fn results(&self) -> Vec<String> {
        let mut rows: Vec<(i64, i64, String, i64, String)> = Vec::new();
        for batch in self.table("results") {
            let column = |name: &str| batch.column_by_name(name).unwrap();
            // Results of a global window have no bounds.
            let times = |name: &str, otherwise: i64| match batch.column_by_name(name) {
                Some(times) => times.as_primitive::<TimestampMicrosecondType>().values().to_vec(),
                None => vec![otherwise; batch.num_rows()],
            };
            let revisions = batch.column_by_name("revision").map(|revisions| {
                revisions.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
            });
            let (starts, ends) = (times("window_start", 0), times("window_end", 1));
            let keys = column("key").as_string::<i32>();
            let texts = column("texts").as_string::<i32>();
            for row in 0..batch.num_rows() {
                let revision = revisions.as_ref().map_or(0, |revisions| revisions[row]);
                let (key, texts) = (keys.value(row).to_owned(), texts.value(row).to_owned());
                rows.push((starts[row], ends[row], key, revision, texts));
            }
        }
        // A correction replaces what lies in its window.
        let counts = |(start, end, key, revision, _): &&(i64, i64, String, i64, String)| {
            !rows.iter().any(|(other_start, other_end, other_key, other_revision, _)| {
                other_revision > revision
                    && other_key == key
                    && other_start <= start
                    && end <= other_end
            })
        };
        let counting = rows.iter().filter(counts);
        let mut rows: Vec<String> = counting
            .map(|(start, end, key, _, texts)| format!("{start}..{end} {key} {texts}"))
            .collect();
        rows.sort();
        rows
    }

    /// Every row of the results as a topic has it, sorted.
    fn result_values(&self) -> Vec<String> {
        let mut values: Vec<String> = self.table("results").iter().flat_map(as_json).collect();
        values.sort();
        values
    }

    /// Of every window and key the row that counts, without its revision.
    fn last_results(&self) -> Vec<String> {
        let mut last: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for mut value in self.table("results").iter().flat_map(as_values) {
            let row = value.as_object_mut().unwrap();
            let revision = row.remove("revision").map_or(0, |revision| revision.as_u64().unwrap());
            let identity = ["window_start", "window_end", "key"].map(|name| row.get(name).cloned());
            let old = last.get(&format!("{identity:?}")).map(|(revision, _)| *revision);
            if old.is_none_or(|old| old <= revision) {
                last.insert(format!("{identity:?}"), (revision, value.to_string()));
            }
        }
        let mut values: Vec<String> = last.into_values().map(|(_, value)| value).collect();
        values.sort();
        values
    }

    fn count(&self, table: &str) -> usize {
        self.table(table).iter().map(RecordBatch::num_rows).sum()
    }
}

/// A plugin of the examples, compiled once.
/// Opens the chain as a lane does that has nothing to check.
async fn open_chain(storage: &LaneStorage) -> Opened {
    let mut opener = Opener::new(storage, "test");
    loop {
        let survey = opener.survey().await.unwrap();
        if let Some(opened) = opener.take(survey).await.unwrap() {
            return opened;
        }
    }
}

fn wasm(path: &std::path::Path, limits: &CallLimits) -> LoadedModule {
    static LOADED: Mutex<BTreeMap<PathBuf, LoadedModule>> = Mutex::new(BTreeMap::new());
    let load = || {
        let bytes = std::fs::read(path).expect("`cargo xtask plugins` was run");
        PluginEngine::new(None, Compiler::Here).unwrap().load("example", &bytes, limits).unwrap()
    };
    LOADED.lock().unwrap().entry(path.to_owned()).or_insert_with(load).clone()
}

fn as_values(batch: &RecordBatch) -> Vec<serde_json::Value> {
    let object = JsonObject::new(&batch.schema(), 0..batch.num_columns());
    let value = |row: usize| {
        let mut text = Vec::new();
        object.of(batch).write(row, &[], &mut text);
        serde_json::from_slice(&text).unwrap()
    };
    (0..batch.num_rows()).map(value).collect()
}

fn as_json(batch: &RecordBatch) -> Vec<String> {
    as_values(batch).iter().map(serde_json::Value::to_string).collect()
}

/// An event of a log; its key lives in one partition.
#[derive(Clone, Debug)]
struct Event {
    key: u8,
    at: i64,
    kind: u8,
}

fn kind() -> impl Strategy<Value = Kind> {
    let tumbling = (1..30i64).prop_map(|size| Kind::Sliding { size, slide: size });
    let sliding = (1..30i64, 1..15i64).prop_map(|(size, slide)| Kind::Sliding { size, slide });
    let session = (1..12i64, 0..20i64);
    let session = session.prop_map(|(gap, more)| Kind::Session { gap, max_length: gap + more });
    let global = (1..30i64).prop_map(|trigger| Kind::Global { trigger });
    prop_oneof![tumbling, sliding, session, global]
}

fn event() -> impl Strategy<Value = Event> {
    (0..3u8, 0..60i64, 0..10u8).prop_map(|(key, at, kind)| Event { key, at: at - 20, kind })
}

/// The text of an event decides what the plugins make of it.
fn text(index: usize, kind: u8) -> String {
    let mark = ["", "", "", "", "x", "twice", "none", "reject", "trap", ""][kind as usize];
    format!("{index}{mark}")
}

fn logs_of(partitions: &[Vec<Event>]) -> Logs {
    let log = |(number, events): (usize, &Vec<Event>)| {
        let line = |(index, event): (usize, &Event)| match event.kind {
            9 => "no JSON".to_owned(),
            kind => {
                let (key, text) = (format!("p{number}k{}", event.key), text(index, kind));
                format!(r#"{{"key":"{key}","text":"{text}","at":{}}}"#, event.at)
            }
        };
        let partition = Partition { stream: Arc::from("log"), number: number as i32 };
        (partition, events.iter().enumerate().map(line).collect())
    };
    Arc::new(partitions.iter().enumerate().map(log).collect())
}

fn total(record: &ChainRecord) -> Fates {
    record.source.fates()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn tables_equal_a_batch_computation_whatever_polls_workers_and_crashes(
        kind in kind(),
        lateness in prop_oneof![Just(0), 1..25i64],
        partitions in prop::collection::vec(prop::collection::vec(event(), 0..60), 1..4),
        workers in 1..5usize,
        seed: u64,
        lives in prop::collection::vec((1..12usize, 1..5usize), 0..4),
        max_ahead in prop::option::of(1..30u64),
        groups in prop::option::of(1..4usize),
    ) {
        let max_ahead = max_ahead.map(Duration::from_micros);
        let world = World::with(kind, lateness, max_ahead);
        let logs = logs_of(&partitions);
        for (life, (turns, workers)) in lives.into_iter().enumerate() {
            let (mut lane, _commands) = world.open(&logs, workers, seed ^ life as u64);
            lane.logic.set_step(groups);
            for _ in 0..turns {
                lane.step().unwrap();
            }
            // Dies here: what is not in the chain is forgotten.
        }
        let (mut lane, _commands) = world.open(&logs, workers, seed);
        lane.logic.set_step(groups);
        prop_assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let (rows, fates) = expected(&partitions, kind, lateness);
        prop_assert_eq!(world.results(), rows);
        let chain = world.chain();
        let last = chain.last().unwrap();
        prop_assert_eq!(total(last), fates);
        prop_assert!(last.source.ended && last.state.is_none());
        prop_assert_eq!(world.count("dead_letters") as u64, fates.dead_lettered);
        prop_assert_eq!(world.topics.values("finals"), world.result_values());
        if !matches!(kind, Kind::Session { .. }) {
            let mut upserted = world.topics.upserted("updates");
            upserted.sort();
            prop_assert_eq!(upserted, world.last_results());
        }
    }
}

/// The window fires, is corrected and changes again within one epoch: a topic of results gets all of it, one of updates
/// what came of it.
#[test]
fn an_epoch_sends_one_update_of_a_group_and_that_is_the_last() {
    let mut world = World::with(TUMBLING, 20, None);
    Arc::get_mut(&mut world.config).unwrap().checkpoint.interval = Duration::from_secs(3_600);
    let event = |at| Event { key: 0, at, kind: 0 };
    let logs = logs_of(&[vec![event(1), event(16), event(2), event(3), event(17)]]);
    // One record a poll at most, so that every record has a turn.
    let source = Box::new(LogSource::new(&logs, 1, 1));
    let (mut lane, _commands) = world.open_at(source, 1, &Clock::system());
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.chain().len(), 3, "genesis, everything, everything sent");
    let first = |values: Vec<String>| -> Vec<String> {
        values.into_iter().filter(|value| value.contains("1970-01-01T00:00:00Z")).collect()
    };
    assert_eq!(first(world.topics.values("finals")).len(), 3, "two corrections");
    let texts = first(world.topics.values("updates"));
    assert!(texts.len() == 1 && texts[0].contains("00;20;30;"), "{texts:?}");
    assert!(texts[0].contains("\"final\":true"), "{texts:?}");
}

/// `start..end texts`, with a mark behind the last word, of every update in the order they were sent.
fn updates_of(world: &World, events: &[i64]) -> Vec<String> {
    let event = |at: &i64| Event { key: 0, at: *at, kind: 0 };
    let logs = logs_of(&[events.iter().map(event).collect()]);
    // One record a poll, and a commit behind every turn.
    let source = Box::new(LogSource::new(&logs, 1, 1));
    let (mut lane, _commands) = world.open_at(source, 1, &Clock::system());
    loop {
        let end = lane.step().unwrap();
        while lane.ledger.is_behind(&lane.outputs) {
            lane.wait_for_commit().unwrap();
        }
        if end.is_some() {
            break;
        }
    }
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let show = |value: serde_json::Value| {
        let time = |name: &str| {
            let time = value[name].as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros()
        };
        let texts = value["texts"].as_str().unwrap();
        let mark = if value["final"].as_bool().unwrap() { " final" } else { "" };
        format!("{}..{} {texts}{mark}", time("window_start"), time("window_end"))
    };
    world.topics.read("updates").into_iter().map(|(_, value)| show(value)).collect()
}

#[test]
fn a_window_that_fires_unchanged_is_told_once_more_that_it_is_final() {
    // The watermark is 5 behind: the third row fires the first window, and nothing else is told of it.
    let updates = updates_of(&World::new(TUMBLING), &[1, 2, 15, 16]);
    let first: Vec<&String> = updates.iter().filter(|it| it.starts_with("0..")).collect();
    assert_eq!(first, ["0..10 00;", "0..10 00;10;", "0..10 00;10; final"]);
    let second: Vec<&String> = updates.iter().filter(|it| it.starts_with("10..")).collect();
    assert_eq!(second, ["10..20 20;", "10..20 20;30;", "10..20 20;30; final"]);
}

#[test]
fn a_window_that_is_corrected_is_final_when_it_is_closed() {
    // Fires at 15, is corrected at 17, is closed when the watermark has passed 20.
    let updates = updates_of(&World::with(TUMBLING, 10, None), &[1, 15, 3, 17, 25, 26]);
    let first: Vec<&String> = updates.iter().filter(|it| it.starts_with("0..")).collect();
    assert_eq!(first, ["0..10 00;", "0..10 00;20;", "0..10 00;20; final"]);
}

#[test]
fn every_sliding_window_that_changed_is_told() {
    let kind = Kind::Sliding { size: 10, slide: 5 };
    for lateness in [0, 10] {
        let updates = updates_of(&World::with(kind, lateness, None), &[6, 8, 40]);
        let of = |window: &str| -> Vec<String> {
            let of = updates.iter().filter_map(|it| it.strip_prefix(window)).map(str::to_owned);
            of.collect()
        };
        assert_eq!(of("0..10 "), ["00;", "00;10;", "00;10; final"], "{lateness}");
        assert_eq!(of("5..15 "), ["00;", "00;10;", "00;10; final"], "{lateness}");
    }
}

#[test]
fn the_groups_of_a_global_window_are_final_at_the_end_of_input() {
    let updates = World::new(Kind::Global { trigger: 10 });
    let event = |key: u8, at| Event { key, at, kind: 0 };
    let logs = logs_of(&[vec![event(0, 1), event(1, 2), event(0, 30), event(0, 31)]]);
    let source = Box::new(LogSource::new(&logs, 1, 1));
    let (mut lane, _commands) = updates.open_at(source, 1, &Clock::system());
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    // That the last of each is final is checked there.
    assert_eq!(updates.topics.upserted("updates").len(), 2);
}

/// Of several rows of a group a topic of updates would keep one.
#[test]
fn updates_of_several_rows_a_group_halt_the_lane_and_final_results_do_not() {
    let logs = logs_of(&[(0..40).map(|at| Event { key: 0, at, kind: 0 }).collect()]);
    let text = [HEAD, STAGES].concat().replace("plugin = \"join\"", "plugin = \"several\"");
    let text = text.replace("WINDOW", &TUMBLING.toml());
    let world = World::of(&text.replace("UPDATES", ""), None);
    assert_eq!(world.open(&logs, 2, 1).0.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.topics.values("finals").len(), 2 * 4);

    let world = World::of(&text.replace("UPDATES", UPDATES), None);
    let error = world.open(&logs, 2, 1).0.run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "sink `updates` sends updates, which take the place of each other by key and window, and stage `join` makes \
         several rows of a group: write `emit = \"final\"`"
    );
}

#[test]
fn a_finished_bounded_input_is_not_read_again() {
    let world = World::new(TUMBLING);
    let logs = logs_of(&[vec![Event { key: 0, at: 1, kind: 0 }]]);
    let run = || {
        let (mut lane, _commands) = world.open(&logs, 1, 1);
        assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        assert_eq!(world.results(), ["0..10 p0k0 00;"]);
        world.chain().len()
    };
    assert_eq!(run(), run(), "the second run commits nothing");
}

#[test]
fn an_activated_module_runs_from_the_epoch_that_pins_it() {
    let world = World::new(TUMBLING);
    let logs = logs_of(&[(0..30).map(|at| Event { key: 0, at, kind: 0 }).collect()]);
    let (mut lane, commands) = world.open(&logs, 2, 1);
    let metrics = Arc::clone(lane.desk.metrics());
    lane.step().unwrap();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let module = native::module("drop-2", PluginKind::Filter);
    let digest = module.digest;
    commands.try_send(Command::Activate { stage: "drop".to_owned(), module, reply }).unwrap();
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let epoch = answer.blocking_recv().unwrap().unwrap();
    let runs = |record: &ChainRecord| record.modules[0].digest == digest;
    let first = world.chain().into_iter().find(runs).unwrap();
    assert_eq!((first.epoch, first.modules[0].generation), (epoch, 2));
    assert_eq!(metrics.openings.get(), 1);
    assert_commits(&metrics, &world.chain());
    let partitions: BTreeSet<_> =
        world.results().iter().map(|row| row.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(partitions.len(), 1);
}

/// What is told of the last commits is what the chain says of the epochs behind the genesis.
fn assert_commits(metrics: &LaneMetrics, chain: &[ChainRecord]) {
    let commits = metrics.commits.all();
    assert_eq!(commits.len(), chain.len() - 1);
    for (commit, pair) in commits.iter().zip(chain.windows(2)) {
        let [before, record] = pair else { unreachable!("windows of two") };
        assert_eq!(commit.epoch, record.epoch);
        assert_eq!(commit.files, record.files.len() as u64);
        assert_eq!(commit.rows, record.files.iter().map(|file| file.rows).sum::<u64>());
        assert_eq!(commit.bytes, record.files.iter().map(|file| file.bytes).sum::<u64>());
        assert_eq!(commit.state_bytes, record.state.as_ref().map_or(0, |state| state.bytes()));
        let (was, is) = (&before.modules[0], &record.modules[0]);
        let told: Vec<_> = commit.activated.iter().map(|it| (it.digest, it.previous)).collect();
        let changed = (was.digest != is.digest).then_some((is.digest, was.digest));
        assert_eq!(told, Vec::from_iter(changed), "epoch {}", record.epoch);
    }
    assert_eq!(commits.iter().filter(|commit| !commit.activated.is_empty()).count(), 1);
}

/// Loops of a turn break off then, so what they leave must not become a commit.
#[test]
fn a_lane_whose_stop_is_overdue_commits_nothing_more() {
    let mut world = World::new(TUMBLING);
    Arc::get_mut(&mut world.config).unwrap().checkpoint.interval = Duration::from_secs(3_600);
    let logs = logs_of(&[(0..30).map(|at| Event { key: 0, at, kind: 0 }).collect()]);
    let (mut lane, _commands) = world.open(&logs, 1, 1);
    let clock = Clock::manual(0);
    lane.desk.outside.stop = Stop::new(clock.clone());
    while lane.desk.turns == 0 {
        lane.step().unwrap();
    }
    lane.desk.outside.stop.ask();
    clock.advance(crate::stop::PATIENCE);
    assert_eq!(lane.run().unwrap(), LaneEnd::CutShort);
    assert_eq!(world.chain().len(), 1, "the genesis");
    let (mut lane, _commands) = world.open(&logs, 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(total(world.chain().last().unwrap()).read, 30);
}

#[test]
fn a_stage_that_is_not_there_is_refused_and_nothing_changes() {
    let world = World::new(TUMBLING);
    let logs = logs_of(&[vec![Event { key: 0, at: 1, kind: 0 }]]);
    let (mut lane, commands) = world.open(&logs, 1, 1);
    let (reply, answer) = tokio::sync::oneshot::channel();
    let module = native::module("drop-2", PluginKind::Filter);
    commands.try_send(Command::Activate { stage: "dorp".to_owned(), module, reply }).unwrap();
    lane.run().unwrap();
    let refusal = answer.blocking_recv().unwrap().unwrap_err();
    assert!(matches!(&refusal, Refusal::NoStage(stage) if stage == "dorp"), "{refusal}");
    assert!(world.chain().iter().all(|record| record.modules[0].generation == 1));
}
