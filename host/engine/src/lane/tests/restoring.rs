//! A long opening shows that it lives for as long as it goes on, and does no harm when it was overtaken all the same.

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::published::{NoTopics, TABLE, one_by_one, open_in, parts_in};
use super::relaid::{self, relaid};
use super::*;
use crate::lane::logic::migrate::migrate;
use crate::lead::{Processes, Role, SeesProcesses, Standing};
use sluicegate_chain::lead::claim::{Claim, FileMark, LeadTerm, ProcessMark, Sign};
use sluicegate_chain::lead::store::{Attempt, LeadStore};
use sluicegate_connect::source::{PartitionProgress, RecordBlock, SourceError};
use sluicegate_model::position::Positions;
use sluicegate_model::time::EventTime;
use sluicegate_pipeline::LeadershipConfig;
use sluicegate_sandbox::run::brake::Brake;
use sluicegate_testing::gate::{Gate, GatedStore};

const MINUTE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);

/// What a lane that is stopped in the middle leaves of state.
fn stopped(world: &World, logs: &Logs) -> Opened {
    let (mut lane, _commands) = world.open(logs, 2, 5);
    (0..8).for_each(|_| assert_eq!(lane.step().unwrap(), None));
    lane.desk.outside.stop.ask();
    assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
    world.runtime.block_on(open_chain(&world.storage()))
}

/// The modules of a head, with another layout of the state.
fn relaid_modules(
    world: &World,
    head: &ChainRecord,
    at_migrate: relaid::AtMigrate,
) -> Vec<PlacedModule> {
    let mut modules = world.modules(Some(head));
    let placed = modules.last_mut().unwrap();
    let relaid = relaid(&placed.stage.id, placed.stage.kind, at_migrate);
    *placed = PlacedModule::successor(placed, relaid);
    modules
}

#[test]
fn whoever_restores_migrates_and_freezes_a_large_state_shows_that_it_lives() {
    let events = |n: i64| Event { key: (n % 3) as u8, at: n, kind: 0 };
    let windows = (World::new(TUMBLING), logs_of(&[(0..40).map(events).collect()]));
    let keys = |n: i64| keyed::Event { key: n as u8, at: n, kind: 0 };
    let keyed = (keyed::world(None), keyed::logs_of(&[(0..40).map(keys).collect()]));
    for (world, logs) in [windows, keyed] {
        let Opened { head, state, .. } = stopped(&world, &logs);
        let (head, clock) = (head.unwrap(), Clock::manual(0));
        let (pulse, calls) = (Pulse::new(clock.clone()), Arc::new(Mutex::new(Vec::new())));
        let slow = {
            let (clock, pulse, calls) = (clock.clone(), pulse.clone(), Arc::clone(&calls));
            move || {
                calls.lock().unwrap().push(pulse.silence());
                clock.advance(MINUTE);
                Ok(())
            }
        };
        let modules = relaid_modules(&world, &head, Arc::new(slow));
        let plan = Plan::new(&world.config, &modules).unwrap();
        let pool = Pool::new(1, Brake::default(), pulse.clone()).unwrap();
        let mut logic = Logic::new(&plan, &pool);
        clock.advance(MINUTE);
        logic.restore(&pool, head.watermark, &state).unwrap();
        assert_eq!(pulse.silence(), Duration::ZERO, "rows of a piece were restored");
        let migrated = migrate(&logic, &pool, &plan, 1).unwrap();
        assert_eq!(pulse.silence(), Duration::ZERO, "the last call has ended");
        let calls = std::mem::take(&mut *calls.lock().unwrap());
        assert!(calls.len() > 1, "{calls:?}");
        assert!(calls.iter().all(Duration::is_zero), "each call is shown: {calls:?}");
        clock.advance(MINUTE);
        migrated.put(&mut logic, &pool);
        assert_eq!(pulse.silence(), Duration::ZERO, "states were put in their places");
        clock.advance(MINUTE);
        logic.freeze(&pool, 1, head.watermark, true).unwrap();
        assert_eq!(pulse.silence(), Duration::ZERO, "a section of it was begun");
    }
}

/// Something happens as the source is told where to read on: the lane is prepared, and not taken.
struct Assigned(LogSource, Arc<dyn Fn() + Send + Sync>);

impl Source for Assigned {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        self.0.genesis()
    }
    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        (self.1)();
        self.0.assign(positions)
    }
    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        self.0.poll(limits)
    }
    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        self.0.pause(paused)
    }
    fn progress(&self) -> &[PartitionProgress] {
        self.0.progress()
    }
    fn acknowledge(&mut self, positions: &Positions) {
        self.0.acknowledge(positions);
    }
    fn problem(&self) -> Option<String> {
        self.0.problem()
    }
}

/// Ends with a source of 20 records, at whose assignment something happens.
fn happening(happens: impl Fn() + Send + Sync + 'static) -> Arc<dyn Ends> {
    let happens: Arc<dyn Fn() + Send + Sync> = Arc::new(happens);
    let source = move || Assigned(one_by_one(20), Arc::clone(&happens));
    Arc::new(NoTopics(move || Box::new(source()) as Box<dyn Source>))
}

/// Of another instance.
fn claim(term: LeadTerm) -> Claim {
    Claim {
        term,
        instance: "other".to_owned(),
        nonce: "other".to_owned(),
        ttl_ms: 60_000,
        url: None,
        process: None,
        file: None,
        at: EventTime(0),
    }
}

/// A world whose instances show themselves often, and a chain in which somebody has stopped in the middle of the input.
fn begun(storage: impl Fn(&World) -> LaneStorage) -> (World, LaneStorage) {
    let mut config = Pipeline::clone(&World::of(&[HEAD, TABLE].concat(), None).config);
    let beat = Duration::from_millis(20);
    config.leadership = LeadershipConfig { ttl: MINUTE, beat, margin: Duration::ZERO };
    let world = World::of_config(config);
    let storage = storage(&world);
    let (mut lane, _commands) = open_in(&world, storage.clone(), 20).unwrap();
    (0..8).for_each(|_| assert_eq!(lane.step().unwrap(), None));
    lane.desk.outside.stop.ask();
    assert_eq!(lane.run().unwrap(), LaneEnd::Stopped);
    (world, storage)
}

/// Another instance wins the second term, and the first has heard of it.
fn overtaking(world: &World, lead: &Lead) -> impl Fn() + Send + Sync + use<> {
    let (store, lead) = (LeadStore::new(&world.storage()), lead.clone());
    let runtime = world.runtime.handle().clone();
    move || {
        let won = runtime.block_on(store.try_win(&claim(LeadTerm(2))));
        assert!(matches!(won, Attempt::Won), "{won:?}");
        while !matches!(lead.standing(), Standing::Lost(_)) {
            runtime.block_on(async { tokio::time::sleep(TICK).await });
        }
    }
}

/// What lies there of the lane.
fn of_lane(world: &World) -> Vec<Path> {
    let listed = world.store.list(None).map_ok(|meta| meta.location).try_collect();
    let all: Vec<Path> = world.runtime.block_on(listed).unwrap();
    all.into_iter().filter(|path| path.as_ref().contains("/lanes/")).collect()
}

#[track_caller]
fn steps_down(opened: Result<(), OpenError>) {
    match opened {
        Err(OpenError::SteppedDown(why)) => assert!(why.contains("`other` has led"), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("it goes on beside the one that leads"),
    }
}

/// Whoever had it has died, so that an opening puts a fence.
fn die(world: &World) {
    let beat = of_lane(world).into_iter().find(|path| path.as_ref().ends_with("/beat.json"));
    let (store, beat) = (&world.store, beat.unwrap());
    world.runtime.block_on(async {
        let bytes = store.get(&beat).await.unwrap().bytes().await.unwrap();
        let mut sign: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        (sign["released"], sign["is_led"]) = (false.into(), true.into());
        store.put(&beat, sign.to_string().into()).await.unwrap();
    });
}

/// Its table lies in another store.
fn with_tables(world: &World, tables: &GatedStore) -> LaneStorage {
    let rows = Location { store: Arc::new(tables.clone()), ..world.location("tables/rows") };
    LaneStorage { tables: BTreeMap::from([(Arc::from("rows"), rows)]), ..world.storage() }
}

/// It would fence the one that works, which would open as long in its turn.
#[test]
fn whoever_was_overtaken_while_it_opened_leaves_the_lane_alone() {
    let (world, storage) = begun(World::storage);
    let before = of_lane(&world);
    let lead = Lead::new(Clock::system());
    let overtaken = overtaking(&world, &lead);
    let parts = parts_in(&world, storage, happening(overtaken));
    let (outside, _commands) = world.outside(world.metrics(), &parts.clock);
    let opened = open(&parts, &Outside { lead, ..outside }).map(drop);
    steps_down(opened);
    assert_eq!(of_lane(&world), before, "nothing was put or deleted");
}

/// It is to hold the chain before it prepares itself again: that would stop the one that leads by then.
#[test]
fn whoever_was_overtaken_when_the_chain_had_moved_does_not_hold_it() {
    let tables = GatedStore::new(Gate::Open);
    let (world, storage) = begun(|world| with_tables(world, &tables));
    die(&world);
    // It passes all that it asks before it looks for files.
    let shut = tables.clone();
    let parts = parts_in(&world, storage, happening(move || shut.set(Gate::Shut)));
    let (outside, _commands) = world.outside(world.metrics(), &parts.clock);
    let outside = Outside { lead: Lead::new(Clock::system()), ..outside };
    let overtaken = overtaking(&world, &outside.lead);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| open(&parts, &outside).map(drop));
        world.runtime.block_on(tables.has_waited());
        let theirs = with_tables(&world, &tables.another_way());
        let moved = of_lane(&world);
        world.runtime.block_on(open_chain(&theirs));
        overtaken();
        let before = of_lane(&world);
        assert!(before.len() > moved.len(), "it has moved: {before:?}");
        tables.set(Gate::Open);
        steps_down(opening.join().unwrap());
        assert_eq!(of_lane(&world), before, "nothing was put or deleted");
    });
}

/// It has begun the chain, and the source is told where to read. Another one leads by then.
#[test]
fn whoever_was_overtaken_while_it_began_a_chain_takes_no_table() {
    let mut config = Pipeline::clone(&World::of(&[HEAD, TABLE].concat(), None).config);
    let beat = Duration::from_millis(20);
    config.leadership = LeadershipConfig { ttl: MINUTE, beat, margin: Duration::ZERO };
    let world = World::of_config(config);
    let lead = Lead::new(Clock::system());
    let overtaken = overtaking(&world, &lead);
    let parts = parts_in(&world, world.storage(), happening(overtaken));
    let (outside, _commands) = world.outside(world.metrics(), &parts.clock);
    let opened = open(&parts, &Outside { lead, ..outside });
    assert!(matches!(opened, Err(OpenError::SteppedDown(_))), "{:?}", opened.err());
    let listed = world.store.list(None).map_ok(|meta| meta.location).try_collect();
    let all: Vec<Path> = world.runtime.block_on(listed).unwrap();
    assert!(all.iter().any(|path| path.as_ref().contains("/lanes/0/chain/")), "it has begun");
    assert!(all.iter().all(|path| !path.as_ref().contains("_delta_log")), "{all:?}");
}

/// However long the store takes for what is read ahead: here it never answers.
#[test]
fn whoever_stands_by_sees_the_leader_end_while_it_follows() {
    let tables = GatedStore::new(Gate::Open);
    let (world, storage) = begun(|world| with_tables(world, &tables));
    let store = LeadStore::new(&storage);
    let leader = claim(LeadTerm::FIRST);
    let won = world.runtime.block_on(store.try_win(&leader));
    assert!(matches!(won, Attempt::Won), "{won:?}");
    let parts = parts_in(&world, storage, happening(|| {}));
    let (outside, _commands) = world.outside(world.metrics(), &parts.clock);
    let outside = Outside { lead: Lead::new(Clock::system()), ..outside };
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            tokio::time::sleep(TICK).await;
        }
    };
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| open(&parts, &outside).map(drop));
        let seen = world.runtime.block_on(async {
            until(&|| outside.status.load().phase == Phase::Standby).await;
            tables.set(Gate::Shut);
            tables.has_waited().await;
            let ended = Sign { released: true, ..Sign::of_life(&leader, 1) };
            store.put_sign(LeadTerm::FIRST, &ended, None, MINUTE).await.unwrap();
            let leads = || outside.lead.view().role == Role::Leader;
            let seen = tokio::time::timeout(Duration::from_secs(10), until(&leads)).await;
            tables.set(Gate::Open);
            seen
        });
        opening.join().unwrap().unwrap();
        assert!(seen.is_ok(), "it looks when it has followed, and not before");
    });
}

/// Processes of others are gone, and the own one cannot be told.
struct AllGone;

impl SeesProcesses for AllGone {
    fn own(&self) -> Option<ProcessMark> {
        None
    }

    fn is_gone(&self, _: &ProcessMark) -> bool {
        true
    }
}

/// What killed them kills the next one, and each host of the pipeline in its turn.
#[test]
fn whoever_is_to_lead_behind_three_that_died_without_a_commit_waits_and_says_why() {
    let (world, storage) = begun(World::storage);
    let store = LeadStore::new(&storage);
    for term in 1..=3 {
        let instance = format!("host-{term}");
        let process = ProcessMark {
            boot: "b".to_owned(),
            pid_namespace: "n".to_owned(),
            pid: 1,
            began: term,
        };
        let (version, sections) = (env!("CARGO_PKG_VERSION").to_owned(), BTreeMap::new());
        let file = Some(FileMark { version, sections });
        let dead = Claim { instance, process: Some(process), file, ..claim(LeadTerm(term)) };
        let won = world.runtime.block_on(store.try_win(&dead));
        assert!(matches!(won, Attempt::Won), "{won:?}");
    }
    let parts = LaneParts {
        clock: Clock::manual(0),
        processes: Processes::told(Arc::new(AllGone)),
        ..parts_in(&world, storage, happening(|| {}))
    };
    let (outside, _commands) = world.outside(world.metrics(), &parts.clock);
    let outside = Outside { lead: Lead::new(parts.clock.clone()), ..outside };
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| open(&parts, &outside).map(drop));
        let said = world.runtime.block_on(async {
            loop {
                if let Some(problem) = &outside.status.load().problem {
                    return problem.clone();
                }
                tokio::time::sleep(TICK).await;
            }
        });
        assert!(said.contains("the last 3 leaders died one after the other"), "{said}");
        assert!(said.contains("`host-3`, `host-2`, `host-1`"), "{said}");
        assert_eq!(outside.lead.view().role, Role::Standby);
        parts.clock.advance(Duration::from_secs(10));
        opening.join().unwrap().unwrap();
    });
    assert_eq!(outside.lead.view().term, Some(LeadTerm(4)));
}
