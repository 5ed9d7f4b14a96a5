//! Lives of whole lanes over a store that hangs or panics, and over a broker that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::sync_channel;

use arc_swap::ArcSwap;
use object_store::ObjectStoreExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc};

use super::*;
use crate::counters::LaneMetrics;
use crate::lane::{Bases, Command, Commands, Haste, Looks, Pace, RealEnds, Trial};
use crate::lead::{Lead, Processes, Role, TakeOverKind};
use crate::memory::Account;
use crate::pulse::Pulse;
use crate::stop::{PATIENCE, Stop};
use sluicegate_chain::modules::ModuleStore;
use sluicegate_chain::record::{ChainRecord, Epoch, RecordKind};
use sluicegate_chain::{Keep, LaneStorage, inspect};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, file};
use sluicegate_runtime::{Bell, Names};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_store::Location;
use sluicegate_store::StoreOptions;
use sluicegate_testing::gate::{Gate, GatedStore};

/// Longer than anything takes; a hang becomes a failure.
const LONG: Duration = Duration::from_secs(60);

/// For those that are to be seen soon.
const FAST: Duration = Duration::from_millis(20);

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
[leadership]
ttl = "3s"
margin = "500ms"
"#;

const UNREACHABLE: &str = r#"
[source]
type = "kafka"
[source.kafka]
brokers = "127.0.0.1:1"
topic = "nowhere"
start = "earliest"
"#;

const UNREACHABLE_SINK: &str = r#"
[[sinks]]
id = "topic"
type = "kafka"
brokers = "127.0.0.1:1"
topic = "nowhere"
"#;

const MODULE_BY_NAME: &str = r#"
[[stages]]
id = "s"
kind = "filter"
plugin = "not-there"
"#;

const MODULE_BY_PATH: &str = r#"
[[stages]]
id = "s"
kind = "filter"
plugin = "./not-there.wasm"
"#;

fn folder_of(store: &GatedStore, name: &str) -> Location {
    Location { store: Arc::new(store.clone()), ..Location::in_memory() }.child(name)
}

/// What outlives the lives of a lane.
struct World {
    runtime: Runtime,
    store: GatedStore,
    /// Where the files lie.
    folder: TempDir,
    config: Arc<Pipeline>,
    text: String,
}

/// A lane under supervision.
struct Supervised {
    thread: Thread<Ended>,
    stop: Stop,
    /// Of the stop alone: the test says when its patience is over.
    clock: Clock,
    status: Arc<ArcSwap<LaneStatus>>,
    lead: Lead,
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

    /// Over files that come.
    fn watching() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = format!(
            "[source]\ntype = \"files\"\n[source.files]\npath = \"{}\"\nwatch = \"100ms\"\n",
            folder.path().display()
        );
        Self::new(Gate::Open, folder, &source)
    }

    /// A file with a record.
    fn bring(&self, name: &str) {
        let there = self.folder.path().join(format!("{name}.tmp"));
        std::fs::write(&there, "{\"key\":\"k\",\"at\":1}\n").unwrap();
        std::fs::rename(there, self.folder.path().join(format!("{name}.json"))).unwrap();
    }

    /// With another pipeline file.
    fn changed(&self, text: &str) -> Self {
        let config = file::parse(text, Path::new("lives.toml"), &BTreeMap::new()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Self {
            runtime: runtime.worker_threads(1).enable_all().build().unwrap(),
            store: self.store.clone(),
            folder: tempfile::tempdir().unwrap(),
            config: Arc::new(config),
            text: text.to_owned(),
        }
    }

    fn new(gate: Gate, folder: TempDir, source: &str) -> Self {
        let text = PIPELINE.replace("SOURCE", source);
        let config = file::parse(&text, Path::new("lives.toml"), &BTreeMap::new()).unwrap();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Self {
            runtime: runtime.worker_threads(1).enable_all().build().unwrap(),
            store: GatedStore::new(gate),
            folder,
            config: Arc::new(config),
            text,
        }
    }

    fn storage(&self, store: &GatedStore) -> LaneStorage {
        let table = |(id, _): (Arc<str>, _)| {
            let folder = folder_of(store, &id);
            (id, folder)
        };
        LaneStorage {
            chain: folder_of(store, "chain"),
            tables: self.config.tables().into_iter().map(table).collect(),
            job: "lives".to_owned(),
            lane: "0".to_owned(),
            keep: Keep::default(),
        }
    }

    fn start(&self) -> Supervised {
        self.start_as("test", Pace::default(), &self.store)
    }

    fn start_as(&self, instance: &str, pace: Pace, store: &GatedStore) -> Supervised {
        let clock = Clock::manual(0);
        let (outside, commands) = self.outside(&clock);
        let Outside { stop, status, lead, .. } = outside.clone();
        let thread = supervise(self.parts(instance, pace, store), outside).unwrap();
        Supervised { thread, stop, clock, status, lead, _commands: commands }
    }

    /// `clock` is that of the stop.
    fn outside(&self, clock: &Clock) -> (Outside, mpsc::Sender<Command>) {
        let (commands_tx, commands) = mpsc::channel(4);
        let tables = self.config.tables().into_iter().map(|(id, _)| id);
        let outside = Outside {
            bell: Bell::default(),
            lead: Lead::new(Clock::system()),
            commands: Commands::new(commands),
            looks: Looks::new(mpsc::channel(1).1),
            stop: Stop::new(clock.clone()),
            status: Arc::new(ArcSwap::from_pointee(LaneStatus::nothing_yet(&self.config.name))),
            stages: Arc::default(),
            live: broadcast::channel(4).0,
            haste: Haste::default(),
            metrics: Arc::new(LaneMetrics::new([], tables)),
            pulse: Pulse::new(Clock::system()),
            memory: Account::default(),
            trial: Trial::default(),
        };
        (outside, commands_tx)
    }

    fn parts(&self, instance: &str, pace: Pace, store: &GatedStore) -> LaneParts {
        let (stores, runtime) = (StoreOptions::default(), self.runtime.handle().clone());
        let ends = Arc::new(RealEnds { stores, runtime, ahead: 1 << 20 });
        LaneParts {
            config: Arc::clone(&self.config),
            storage: self.storage(store),
            stores: StoreOptions::default(),
            modules: ModuleStore::new(folder_of(store, "modules")),
            engine: PluginEngine::new(None, Compiler::Here).unwrap(),
            ends,
            runtime: self.runtime.handle().clone().into(),
            names: Names::random(),
            processes: Processes::of_machine(),
            clock: Clock::system(),
            instance: instance.to_owned(),
            waits_for_modules: true,
            advertise: None,
            pace,
            bases: Bases::default(),
        }
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
        assert!(self.records().next_back().unwrap().source.ended);
        self.read()
    }

    fn head(&self) -> Epoch {
        let storage = self.storage(&self.store);
        self.runtime.block_on(inspect::latest(&storage)).unwrap().unwrap()
    }

    /// All of the chain.
    fn records(&self) -> impl DoubleEndedIterator<Item = ChainRecord> {
        let storage = self.storage(&self.store);
        (0..=self.head().0).map(move |epoch| {
            self.runtime.block_on(inspect::record(&storage, Epoch(epoch))).unwrap().unwrap()
        })
    }

    /// Records read, by what is committed.
    fn read(&self) -> u64 {
        self.records().next_back().unwrap().source.fates().read
    }
}

impl Supervised {
    /// Waits until the status is as wanted.
    fn shows(&self, mut wanted: impl FnMut(&LaneStatus) -> bool) {
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

/// Exit codes other than 0 tell service managers of something that wants looking at.
#[test]
fn an_opening_that_fails_when_it_is_to_stop_is_no_halt() {
    let refused = || OpenError::OtherModule("another module".to_owned());
    assert!(matches!(open_failed(refused(), false), Life::Halted(_)));
    assert!(matches!(open_failed(refused(), true), Life::Ended(LaneEnd::CutShort)));
    assert!(matches!(open_failed(OpenError::Fenced(3), true), Life::Ended(LaneEnd::CutShort)));
}

#[test]
fn a_stop_is_heard_while_the_store_does_not_take_the_genesis() {
    // The claim of the leadership comes first.
    let world = World::of_files(Gate::Puts(1));
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::CutShort);
    assert_eq!(world.finish(), 3);
}

/// The claim of the leadership and the genesis are taken, and not the file of the only epoch.
#[test]
fn a_stop_does_not_wait_for_a_commit_for_ever() {
    let world = World::of_files(Gate::Puts(2));
    let lane = world.start();
    world.hangs();
    lane.stop.ask();
    lane.clock.advance(PATIENCE);
    assert_eq!(lane.ended(), LaneEnd::CutShort);
    assert_eq!(world.finish(), 3);
}

#[test]
fn a_stop_waits_a_while_for_a_commit() {
    let world = World::of_files(Gate::Puts(2));
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

/// Waits until a lane runs and has read so many records.
fn runs(lane: &Supervised, read: u64) {
    lane.shows(|status| status.phase == Phase::Running && status.fates.read >= read);
}

/// Waits until a lane stands by for another instance.
fn stands_by(lane: &Supervised, leader: &str) {
    lane.shows(|status| {
        let lead = lane.lead.view();
        // What it knew as a leader is now the other's to say.
        let tells_of_the_stream = status.epoch.is_some() || !status.partitions.is_empty();
        status.phase == Phase::Standby
            && !tells_of_the_stream
            && lead.role == Role::Standby
            && lead.leader.as_deref() == Some(leader)
    });
}

#[test]
fn of_two_that_run_a_lane_the_first_goes_on_and_the_other_waits_for_its_end() {
    let world = World::watching();
    world.bring("1");
    let pace = Pace { look: FAST, ..Pace::default() };
    let old = world.start_as("old", pace, &world.store);
    runs(&old, 1);
    let new = world.start_as("new", pace, &world.store);
    stands_by(&new, "old");
    world.bring("2");
    runs(&old, 2);
    stands_by(&new, "old");
    // It answers whoever asks what the chain says.
    let epoch = world.head();
    new.shows(|status| status.phase == Phase::Standby && status.committed() >= Some(epoch));

    old.stop.ask();
    assert_eq!(old.ended(), LaneEnd::Stopped);
    world.bring("3");
    runs(&new, 3);
    assert_eq!(new.lead.view().role, Role::Leader);
    new.stop.ask();
    assert_eq!(new.ended(), LaneEnd::Stopped);
    assert_eq!(world.read(), 3);
}

/// Its settings rule when it takes over, and somebody may have forgotten that.
#[test]
fn who_stands_by_says_in_what_its_pipeline_file_differs_from_that_of_the_leader() {
    let world = World::watching();
    let pace = Pace { look: FAST, ..Pace::default() };
    let leader = world.start_as("leader", pace, &world.store);
    leader.shows(|status| status.phase == Phase::Running);
    let same = world.start_as("same", pace, &world.store);
    stands_by(&same, "leader");
    let slower = world.changed(&world.text.replace("interval = \"100ms\"", "interval = \"200ms\""));
    let other = slower.start_as("other", pace, &world.store);
    other.shows(|status| {
        let says = |note: &String| {
            note.contains("not that of the leader, `leader`: checkpoint differs;")
                && note.contains("its own file rules")
        };
        status.phase == Phase::Standby && status.note.as_ref().is_some_and(says)
    });
    assert_eq!(other.status.load().problem, None, "it is ready for its turn");
    assert_eq!(same.status.load().note, None);
    for lane in [other, same, leader] {
        lane.stop.ask();
        lane.ended();
    }
}

/// Nobody works meanwhile, so it asks for what has come since and for nothing else.
#[test]
fn an_instance_that_stood_by_asks_the_store_for_little_when_it_takes_over() {
    let files = World::watching();
    let delta = files.text.replace("\"parquet\"", "\"delta\"");
    let world =
        files.changed(&delta.replace("[dead_letters]", "[dead_letters]\nformat = \"delta\""));
    let pace = Pace { look: FAST, ..Pace::default() };
    let old = world.start_as("old", pace, &world.store);
    for number in 1..40 {
        files.bring(&number.to_string());
        runs(&old, number);
    }
    let way = world.store.another_way();
    let new = world.start_as("new", pace, &way);
    stands_by(&new, "old");
    old.stop.ask();
    assert_eq!(old.ended(), LaneEnd::Stopped);
    files.bring("40");
    runs(&new, 40);
    let took_over = new.lead.view().took_over.expect("from the one before");
    assert_eq!(took_over.kind, TakeOverKind::HandOver);
    new.stop.ask();
    assert_eq!(new.ended(), LaneEnd::Stopped);

    let asked = way.asked();
    let is_claim = |(verb, path): &(&str, String)| *verb == "put" && path.contains("/terms/");
    let (before, after) = asked.split_at(asked.iter().position(is_claim).expect("it has claimed"));
    // It reads its logs until it runs, and lists nothing of them.
    let gets = |asked: &[(&str, String)], part: &str| -> Vec<String> {
        let gets = asked.iter().filter(|(verb, path)| *verb == "get" && path.contains(part));
        gets.map(|(_, path)| path.clone()).collect()
    };
    assert_eq!(gets(before, "_last_checkpoint").len(), 2);
    assert_eq!(gets(after, "_last_checkpoint").len(), 0);
    let slots = gets(before, "/lanes/0/chain/");
    assert!(slots.len() >= 8, "{slots:?}");
    let again = gets(after, "/lanes/0/chain/").into_iter().filter(|slot| slots.contains(slot));
    // The genesis says that the chain was not reset.
    let again: BTreeSet<String> =
        again.filter(|slot| !slot.ends_with("/00000000000000000000.json")).collect();
    assert!(again.len() <= 1, "the newest that it knew, and no other: {again:?}");
}

/// Its line to the store is cut: it lives, and nobody can see that.
#[test]
fn a_leader_that_shows_no_sign_of_life_is_taken_over_and_stands_by_when_it_hears_of_it() {
    let world = World::watching();
    world.bring("1");
    let pace = Pace { look: FAST, ..Pace::default() };
    let way = world.store.another_way();
    let old = world.start_as("old", pace, &way);
    runs(&old, 1);
    let new = world.start_as("new", pace, &world.store);
    stands_by(&new, "old");
    way.set(Gate::Shut);
    world.bring("2");
    runs(&new, 2);
    way.set(Gate::Open);
    stands_by(&old, "new");
    for lane in [old, new] {
        lane.stop.ask();
        lane.ended();
    }
    assert_eq!(world.read(), 2);
}

/// Otherwise two instances that fail alike, but rarely at the same time, would hand the lane to each other for ever.
#[test]
fn standing_by_does_not_make_good_what_has_failed_before() {
    let files = World::watching();
    let world = files.changed(&files.text.replace("ttl = \"3s\"", "ttl = \"10m\""));
    let pace = Pace { look: FAST, ..Pace::default() };
    let leader = world.start_as("leader", pace, &world.store);
    leader.shows(|status| status.phase == Phase::Running);

    let (way, clock) = (world.store.another_way(), Clock::manual(0));
    let (outside, _commands) = world.outside(&Clock::manual(0));
    let mut back_off = Backoff::new(BACK_OFF_MIN, BACK_OFF_MAX, 7);
    while back_off.wait() < BACK_OFF_MAX / 2 {}
    let parts = LaneParts { clock: clock.clone(), ..world.parts("fails", pace, &way) };
    let mut supervisor = Supervisor { parts, back_off, worked: Duration::ZERO, said: None };
    let status = Arc::clone(&outside.status);
    let life = std::thread::spawn(move || {
        let life = supervisor.live(&outside);
        (life, supervisor)
    });
    let watch = Clock::system();
    while status.load().phase != Phase::Standby {
        assert!(watch.monotonic() < LONG, "{:?}", status.load());
        std::thread::yield_now();
    }
    clock.advance(2 * BACK_OFF_MAX);
    way.set(Gate::Panics);
    let (life, mut supervisor) = life.join().unwrap();
    assert!(matches!(life, Life::Failed { .. }));
    let wait = supervisor.wait_after_failure();
    assert!(wait >= BACK_OFF_MAX / 2, "{wait:?}");
    assert!(hands_over(wait, false) && !hands_over(wait, true));
    leader.stop.ask();
    assert_eq!(leader.ended(), LaneEnd::Stopped);
}

/// It knows no terms; its beat tells that it lives.
#[test]
fn an_owner_of_an_earlier_version_is_waited_for() {
    let world = World::watching();
    world.bring("1");
    let first = world.start_as("first", Pace::default(), &world.store);
    runs(&first, 1);
    first.stop.ask();
    assert_eq!(first.ended(), LaneEnd::Stopped);
    let beat = |released: bool| {
        let beat = format!(
            r#"{{"writer":{{"instance":"elder","nonce":"n"}},"count":1,"released":{released}}}"#
        );
        let folder = folder_of(&world.store, "chain");
        let path = folder.path("lives/lanes/0/beat.json");
        world.runtime.block_on(folder.store.put(&path, beat.into())).unwrap();
    };
    beat(false);
    let new = world.start_as("new", Pace { look: FAST, ..Pace::default() }, &world.store);
    stands_by(&new, "elder");
    beat(true);
    runs(&new, 1);
    new.stop.ask();
    assert_eq!(new.ended(), LaneEnd::Stopped);
}

/// Of a pipeline file.
type Change<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn a_start_that_cannot_work_leaves_alone_what_runs() {
    let world = World::watching();
    world.bring("1");
    let pace = Pace { look: FAST, ..Pace::default() };
    let lane = world.start_as("works", pace, &world.store);
    runs(&lane, 1);
    let before_sinks = |more: &'static str| {
        move |text: &str| text.replace("[[sinks]]", &format!("{more}[[sinks]]"))
    };
    let changes: [(&str, Change<'_>); 4] = [
        ("do not answer", &before_sinks(UNREACHABLE_SINK)),
        ("waits for its module", &before_sinks(MODULE_BY_NAME)),
        ("read module of stage `s`", &before_sinks(MODULE_BY_PATH)),
        ("source", &|text| {
            let (source, schema) = (text.find("[source]"), text.find("[schema]"));
            [&text[..source.unwrap()], UNREACHABLE, &text[schema.unwrap()..]].concat()
        }),
    ];
    for (number, (why, change)) in changes.into_iter().enumerate() {
        let epoch = world.head();
        let other = world.changed(&change(&world.text));
        let refused = other.start_as("cannot work", pace, &world.store);
        refused.shows(|status| status.problem.as_deref().is_some_and(|text| text.contains(why)));
        world.bring(&format!("more-{number}"));
        runs(&lane, 2 + number as u64);
        lane.shows(|status| status.epoch > Some(epoch));
        refused.stop.ask();
        refused.thread.join().unwrap();
    }
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::Stopped);
    let fences = world.records().filter(|record| record.kind == RecordKind::Fence);
    assert_eq!(fences.count(), 0);
}

/// What goes on would be a chain of its own making, with the configuration of before.
#[test]
fn a_lane_whose_chain_was_forgotten_halts_for_good() {
    let world = World::watching();
    world.bring("1");
    let lane = world.start();
    runs(&lane, 1);
    lane.shows(|_| world.read() == 1);
    let storage = world.storage(&world.store);
    world
        .runtime
        .block_on(sluicegate_chain::forget(&storage, sluicegate_chain::reset::DataFiles::Keep))
        .unwrap();
    world.bring("2");
    lane.shows(|status| {
        let problem = status.problem.as_deref().unwrap_or_default();
        status.phase == Phase::Halted && problem.contains("epoch")
    });
    let latest = world.runtime.block_on(inspect::latest(&storage)).unwrap();
    assert_eq!(latest, None, "nothing was begun");
}

/// An opening asks for its modules first, which are there, and then for a topic, whose brokers are not.
#[test]
fn what_an_opening_waits_for_stays_shown_until_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let sink = UNREACHABLE_SINK.replace("nowhere", "elsewhere");
    let world = World::new(Gate::Open, folder, &format!("{UNREACHABLE}{sink}"));
    let lane = world.start();
    lane.shows(|status| status.phase == Phase::BackingOff && status.problem.is_some());
    let (mut attempts, mut before) = (0, Phase::BackingOff);
    lane.shows(|status| {
        let problem = status.problem.as_deref().unwrap_or_default();
        assert!(problem.contains("127.0.0.1:1"), "while {}: {problem}", status.phase);
        attempts += u32::from(before == Phase::Opening && status.phase == Phase::BackingOff);
        before = status.phase;
        attempts == 2
    });
    lane.stop.ask();
    assert_eq!(lane.ended(), LaneEnd::CutShort);
}
