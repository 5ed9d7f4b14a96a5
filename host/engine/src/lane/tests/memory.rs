//! A lane within the memory of its process: it waits while that is full, and halts where waiting does not help.

use rand::SeedableRng;
use rand::distr::{Alphanumeric, SampleString};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::memory::{Holds, Memory};
use sluicegate_testing::gate::{Gate, GatedStore};

const MIB: u64 = 1 << 20;

const RAW: &str = r#"
[[sinks]]
id = "rows"
type = "parquet"
path = "unused-rows"
[checkpoint]
path = "unused-chain"
"#;

/// Records of one time with a key each and 64 KiB of text that no encoder makes much smaller.
fn logs(count: usize) -> Logs {
    let mut random = Pcg64Mcg::seed_from_u64(7);
    let mut line = |key: usize| {
        // The plugins take small letters as commands.
        let text = Alphanumeric.sample_string(&mut random, 64 << 10).to_uppercase();
        format!(r#"{{"key":"{key}","text":"{text}","at":1}}"#)
    };
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    Arc::new(BTreeMap::from([(partition, (0..count).map(&mut line).collect())]))
}

fn raw(gate: &GatedStore, memory: Account) -> World {
    let mut config = Pipeline::clone(&World::of(&[HEAD, RAW].concat(), None).config);
    // Not the time between commits makes it wait.
    config.checkpoint.interval = Duration::from_secs(1 << 20);
    World { store: Arc::new(gate.clone()), memory, ..World::of_config(config) }
}

fn read(lane: &Lane) -> u64 {
    lane.intake.partitions.total().read
}

fn steps_until_blocked(lane: &mut Lane) {
    for _ in 0..1_000 {
        if lane.barrier() == Barrier::Blocked {
            return;
        }
        assert_eq!(lane.step().unwrap(), None, "it never waits");
    }
    panic!("it never waits");
}

fn shown(lane: &mut Lane) -> Arc<LaneStatus> {
    lane.publish_now();
    lane.desk.outside.status.load_full()
}

#[test]
fn a_lane_before_a_store_that_hangs_pauses_within_its_memory_and_goes_on() {
    const COUNT: usize = 500;
    let gate = GatedStore::new(Gate::Open);
    let memory = Memory::new(16 * MIB, 1).unwrap().open(None, 16 * MIB).unwrap();
    let world = raw(&gate, memory.clone());
    let source = LogSource::new(&logs(COUNT), 4, 1);
    let (mut lane, _commands) = world.open_at(Box::new(source), 1, &Clock::system());
    gate.set(Gate::Shut);
    steps_until_blocked(&mut lane);
    let before = read(&lane);
    assert!(before < COUNT as u64);
    for _ in 0..3 {
        assert_eq!(lane.step().unwrap(), None);
    }
    assert_eq!(read(&lane), before, "nothing is read while it waits");
    let status = shown(&mut lane);
    assert_eq!(status.phase, Phase::Paused);
    let problem = status.problem.as_deref().unwrap();
    assert!(problem.contains("MiB of results wait for the epoch before"), "{problem}");
    let view = status.memory.unwrap();
    assert!(view.used <= 16 * MIB, "{view:?}");
    assert!(view.lane.staged > MIB && view.lane.in_flight > MIB, "{view:?}");

    gate.set(Gate::Open);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.count("rows"), COUNT);
}

#[test]
fn a_lane_waits_while_others_hold_more_than_there_is() {
    let memory = Memory::new(32 * MIB, 2).unwrap();
    let own = memory.open(None, 16 * MIB).unwrap();
    let other = memory.open(None, 16 * MIB).unwrap();
    let world = raw(&GatedStore::new(Gate::Open), own);
    let (mut lane, _commands) = world.open(&logs(4), 1, 1);
    other.tell(Holds { in_flight: 40 * MIB, ..Holds::default() });
    for _ in 0..3 {
        assert_eq!(lane.step().unwrap(), None);
    }
    assert_eq!(read(&lane), 0);
    let status = shown(&mut lane);
    assert_eq!(status.phase, Phase::Paused);
    assert!(status.problem.as_deref().unwrap().contains("all pipelines of this process"));

    other.tell(Holds::default());
    assert_eq!(shown(&mut lane).phase, Phase::Running);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.count("rows"), 4);
}

/// Waiting does not make state smaller.
#[test]
fn a_lane_whose_state_does_not_fit_halts_and_goes_on_with_more_memory() {
    let memory = |limit| Memory::new(limit, 1).unwrap().open(None, 16 * MIB).unwrap();
    let logs = logs(150);
    let mut world = World { memory: memory(16 * MIB), ..World::new(TUMBLING) };
    let (mut lane, _commands) = world.open(&logs, 1, 1);
    let error = lane.run().unwrap_err();
    assert!(matches!(error, LaneError::Crowded(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("`--memory`") && text.contains("which is 16 MiB"), "{text}");
    drop(lane);

    world.memory = memory(128 * MIB);
    let (mut lane, _commands) = world.open(&logs, 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.results().len(), 150);
}
