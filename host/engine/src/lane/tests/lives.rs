//! A lane that is opened twice in one process, as its supervisor does it, while a put of its first life is still on its
//! way: real openings, a real source of files, a real committer.

use std::path::Path as FilePath;

use super::*;
use crate::lane::RealEnds;
use crate::lead::Processes;
use crate::stop::PATIENCE;
use crate::supervisor::supervise;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_runtime::Names;
use sluicegate_store::StoreOptions;
use sluicegate_testing::held::HeldStore;

const PIPELINE: &str = r#"
name = "texts"
[source]
type = "files"
[source.files]
path = "INPUT"
watch = "1s"
order = "sequential"
[schema]
text = "string"
at = "timestamp(us)"
[event_time]
column = "at"
[[sinks]]
id = "rows"
type = "parquet"
path = "unused-rows"
[checkpoint]
path = "unused"
"#;

struct Process {
    input: tempfile::TempDir,
    world: World,
    held: Arc<HeldStore>,
    parts: LaneParts,
}

impl Process {
    /// A pipeline that has committed its genesis in an earlier process.
    fn begun() -> Self {
        let input = tempfile::tempdir().unwrap();
        let text = PIPELINE.replace("INPUT", input.path().to_str().unwrap());
        let mut world = World::of(&text, None);
        let held = Arc::new(HeldStore::new(Arc::clone(&world.store)));
        world.store = Arc::clone(&held) as Arc<dyn ObjectStore>;
        let (stores, runtime) = (StoreOptions::default(), world.runtime.handle().clone());
        let ends = Arc::new(RealEnds { stores, runtime, ahead: 1 << 20 });
        let parts = LaneParts {
            config: Arc::clone(&world.config),
            storage: world.storage(),
            stores: StoreOptions::default(),
            modules: ModuleStore::new(world.location("modules")),
            engine: PluginEngine::new(None, Compiler::Here).unwrap(),
            ends,
            runtime: world.runtime.handle().clone().into(),
            names: Names::random(),
            processes: Processes::of_machine(),
            clock: Clock::system(),
            instance: "test".to_owned(),
            waits_for_modules: false,
            advertise: None,
            pace: Pace::default(),
            bases: Bases::default(),
        };
        let process = Self { input, world, held, parts };
        process.write("1.ndjson", &["a"]);
        drop(process.open());
        process
    }

    fn write(&self, name: &str, texts: &[&str]) {
        let lines: String =
            texts.iter().map(|text| format!("{{\"text\":\"{text}\",\"at\":1}}\n")).collect();
        std::fs::write(FilePath::new(self.input.path()).join(name), lines).unwrap();
    }

    fn open(&self) -> (Lane, mpsc::Sender<Command>) {
        let (outside, commands) = self.world.outside(self.world.metrics(), &self.parts.clock);
        let lane = open(&self.parts, &outside).unwrap();
        (lane, commands)
    }

    /// Takes turns until `is_over`.
    fn run_until(&self, lane: &mut Lane, mut is_over: impl FnMut(&Lane) -> bool) {
        for _ in 0..10_000 {
            lane.step().unwrap();
            if is_over(lane) {
                return;
            }
        }
        panic!("nothing came of ten thousand turns");
    }

    /// A test that hangs fails.
    fn wait_until(&self, is_so: impl Fn() -> bool) {
        for _ in 0..6_000 {
            if is_so() {
                return;
            }
            self.world
                .runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
        }
        panic!("nothing came of a minute");
    }

    /// What a reader sees of the files that the chain names.
    fn rows(&self) -> Vec<String> {
        let values = self.world.table("rows").into_iter().flat_map(|batch| as_values(&batch));
        let mut rows: Vec<String> =
            values.map(|value| value["text"].as_str().unwrap().to_owned()).collect();
        rows.sort();
        rows
    }
}

#[test]
fn a_data_file_of_the_first_life_that_lands_late_is_not_that_of_the_second() {
    let process = Process::begun();
    let (mut first, commands) = process.open();
    process.held.hold("tables/rows/");
    process.run_until(&mut first, |_| process.held.has_come());
    drop((first, commands));

    // The second life finds more to read, so the same epoch has other rows.
    process.write("2.ndjson", &["b"]);
    let (mut second, _commands) = process.open();
    process.run_until(&mut second, |_| process.rows().len() == 2);
    process.world.runtime.block_on(process.held.land()).1.expect("its name is its own");
    assert_eq!(process.rows(), ROWS);
}

/// Neither between two turns nor as the last thing that it does.
#[test]
fn a_lane_that_doubts_that_it_leads_commits_nothing_and_leaves_its_rows_to_the_next_start() {
    let process = Process::begun();
    let (mut lane, _commands) = process.open();
    lane.ledger.dirty = true;
    let clock = Clock::manual(0);
    lane.desk.outside.lead = Lead::new(clock.clone());
    assert_eq!(lane.conclude().unwrap(), None);
    lane.desk.outside.stop = Stop::new(clock.clone());
    lane.desk.outside.stop.ask();
    clock.advance(PATIENCE);
    assert_eq!(lane.last_checkpoint(LaneEnd::Stopped).unwrap(), LaneEnd::CutShort);
    assert!(lane.ledger.dirty && !lane.ledger.committer.in_flight(), "it has begun to commit");
}

/// The same through the supervisor: the first life ends by a failure of its source, the second begins by itself.
#[test]
fn a_supervised_lane_that_failed_over_a_slow_put_keeps_what_its_next_life_commits() {
    let process = Process::begun();
    let (outside, _commands) = process.world.outside(process.world.metrics(), &process.parts.clock);
    let (status, stop) = (Arc::clone(&outside.status), outside.stop.clone());
    process.held.hold("tables/rows/");
    let supervisor = supervise(process.parts.clone(), outside).unwrap();
    process.world.runtime.block_on(process.held.is_held());

    // A file that sorts before one that was read is what a source in order cannot take.
    process.write("0.ndjson", &["early"]);
    process.wait_until(|| status.load().phase == Phase::BackingOff);
    std::fs::remove_file(process.input.path().join("0.ndjson")).unwrap();
    process.write("2.ndjson", &["b"]);
    process.wait_until(|| process.rows().len() == 2);
    process.world.runtime.block_on(process.held.land()).1.expect("its name is its own");
    assert_eq!(process.rows(), ROWS);
    stop.ask();
    supervisor.join().unwrap();
}

const ROWS: [&str; 2] = ["a", "b"];
