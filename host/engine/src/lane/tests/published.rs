//! Lanes whose tables have logs: which records stay because a log still needs them, and what a log that cannot be written
//! does to its lane. Real openings, committer and housekeeping.

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::*;
use crate::lead::Processes;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_connect::outbox::{Deliveries, OutboxError};
use sluicegate_connect::source::SourceError;
use sluicegate_delta::TableLog;
use sluicegate_runtime::{Bell, Names};
use sluicegate_store::StoreOptions;
use sluicegate_testing::denied::DenyingStore;
use sluicegate_testing::panicking::PanickingStore;

pub(super) const TABLE: &str = r#"
[[sinks]]
id = "rows"
type = "delta"
path = "unused-rows"
[checkpoint]
path = "unused-chain"
"#;

/// Ends with a source that is made each time that one is asked for, and no topics.
pub(super) struct NoTopics<F>(pub(super) F);

impl<F: Fn() -> Box<dyn Source> + Send + Sync> Ends for NoTopics<F> {
    fn source(&self, _: &Pipeline, _: &Clock, _: &Bell) -> Result<Box<dyn Source>, SourceError> {
        Ok((self.0)())
    }

    fn post(
        &self,
        _: &Pipeline,
        _: &Clock,
        _: &Bell,
        _: Arc<Deliveries>,
        _: &dyn Fn() -> bool,
    ) -> Result<Option<Post>, OutboxError> {
        Ok(None)
    }
}

/// So many records from memory, one at a time.
pub(super) fn one_by_one(records: usize) -> LogSource {
    let line = |at: usize| format!(r#"{{"key":"k","text":"t","at":{at}}}"#);
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    let logs = Arc::new(BTreeMap::from([(partition, (0..records).map(line).collect())]));
    LogSource::new(&logs, 1, 1)
}

/// A lane over so many records that keeps no record of the chain for its age.
fn open_on(world: &World, records: usize) -> (Lane, mpsc::Sender<Command>) {
    try_open(world, records).unwrap()
}

fn try_open(world: &World, records: usize) -> Result<(Lane, mpsc::Sender<Command>), OpenError> {
    open_in(world, world.storage(), records)
}

/// A lane of the world's pipeline whose chain and tables lie there.
pub(super) fn open_in(
    world: &World,
    storage: LaneStorage,
    records: usize,
) -> Result<(Lane, mpsc::Sender<Command>), OpenError> {
    let ends = NoTopics(move || Box::new(one_by_one(records)) as Box<dyn Source>);
    let parts = parts_in(world, storage, Arc::new(ends));
    let (outside, commands) = world.outside(world.metrics(), &parts.clock);
    Ok((open(&parts, &outside)?, commands))
}

/// A lane of the world's pipeline whose chain and tables lie there, and that keeps no record of the chain for its age.
pub(super) fn parts_in(world: &World, storage: LaneStorage, ends: Arc<dyn Ends>) -> LaneParts {
    let keep = Keep { age: Duration::ZERO, ..Keep::default() };
    LaneParts {
        config: Arc::clone(&world.config),
        storage: LaneStorage { keep, ..storage },
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
    }
}

/// The one who takes it would delete the files of those records, and readers of the table would find them gone.
#[test]
fn a_chain_whose_newest_records_are_gone_is_not_taken_while_a_log_has_them() {
    let world = World::of(&[HEAD, TABLE].concat(), None);
    assert_eq!(open_on(&world, 3).0.run().unwrap(), LaneEnd::Finished);
    let objects = || -> Vec<Path> {
        let listed = world.store.list(None).map_ok(|meta| meta.location).try_collect();
        world.runtime.block_on(listed).unwrap()
    };
    // All but the first. Those at the end have no rows, and no log has them.
    let is_slot = |path: &&Path| path.as_ref().contains("lanes/0/chain/");
    let slots: Vec<_> = objects().iter().filter(is_slot).cloned().collect();
    let [_, newer @ ..] = &*slots else { panic!("{slots:?}") };
    assert!(!newer.is_empty());
    for slot in newer {
        world.runtime.block_on(world.store.delete(slot)).unwrap();
    }
    let before = objects();
    let refused = try_open(&world, 3).err().unwrap();
    assert!(!refused.may_pass());
    let said = refused.to_string();
    assert!(said.contains("newer records of the chain are gone"), "{said}");
    assert_eq!(objects(), before, "nothing is written or deleted");
}

/// A lane that commits at every turn, and keeps no record for its age.
struct Forgetful {
    world: World,
    store: Arc<DenyingStore>,
    lane: Lane,
    _commands: mpsc::Sender<Command>,
}

impl Forgetful {
    fn open(denied: Option<&str>) -> Self {
        let mut world = World::of(&[HEAD, TABLE].concat(), None);
        let store = Arc::new(DenyingStore::new(Arc::clone(&world.store)));
        world.store = Arc::clone(&store) as Arc<dyn ObjectStore>;
        let (lane, commands) = open_on(&world, 100_000);
        denied.into_iter().for_each(|denied| store.deny(denied));
        Self { world, store, lane, _commands: commands }
    }

    fn commit_up_to(&mut self, epoch: u64) {
        while self.lane.ledger.committer.head() < Some(Epoch(epoch)) {
            assert_eq!(self.lane.step().unwrap(), None);
        }
    }

    /// Waits until housekeeping has looked which records may go, when the newest was that one or a later one.
    fn is_looked_at(&self, head: u64) {
        for _ in 0..6_000 {
            let slot = |path: &Path| path.filename()?.strip_suffix(".json")?.parse().ok();
            if self.store.heads().iter().filter_map(slot).any(|epoch: u64| epoch >= head) {
                return;
            }
            self.rest();
        }
        panic!("nobody looked in a minute");
    }

    fn rest(&self) {
        self.world.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
    }

    fn has_record(&self, epoch: u64) -> bool {
        let storage = self.world.storage();
        let record = chain::inspect::record(&storage, Epoch(epoch));
        self.world.runtime.block_on(record).unwrap().is_some()
    }
}

#[test]
fn records_that_a_log_has_taken_go() {
    let mut lane = Forgetful::open(None);
    lane.commit_up_to(300);
    assert!((0..6_000).any(|_| {
        lane.lane.step().unwrap();
        lane.rest();
        !lane.has_record(1)
    }));
}

/// All of them, for its next opening begins with the first that it lacks.
#[test]
fn records_that_a_log_lacks_stay_however_old() {
    let mut lane = Forgetful::open(Some("_delta_log/"));
    lane.commit_up_to(430);
    lane.is_looked_at(300);
    // What that look has let go is gone when the next one begins.
    lane.commit_up_to(560);
    lane.is_looked_at(430);
    assert!((0..=560).all(|epoch| lane.has_record(epoch)));
    let problem = lane.lane.outputs.logs.problem().unwrap();
    assert!(problem.contains("write the table's log"), "{problem}");
}

/// A moment is over before a log that cannot be written is asked for again, also behind news that it gave before.
#[test]
fn a_lane_waits_for_a_log_and_does_not_turn_round_and_round() {
    let mut lane = Forgetful::open(Some("_delta_log/"));
    lane.commit_up_to(3);
    while lane.lane.outputs.logs.problem().is_none_or(|text| !text.contains("write the table")) {
        lane.rest();
    }
    let (clock, moment) = (Clock::system(), Duration::from_millis(60));
    let began = clock.monotonic();
    lane.lane.outputs.logs.wait(moment).unwrap();
    let waited = clock.monotonic() - began;
    assert!(waited >= moment, "{waited:?}");
}

/// The first commit behind that which makes the table is not put.
fn world_that_panics() -> World {
    let mut world = World::of(&[HEAD, TABLE].concat(), None);
    let (inner, first) = (Arc::clone(&world.store), "_delta_log/00000000000000000001.json");
    world.store = Arc::new(PanickingStore::new(inner, first, 1));
    world
}

fn assert_log_ended(error: LaneError) {
    assert!(matches!(&error, LaneError::LogEnded { url } if url.contains("rows")), "{error}");
}

#[test]
fn a_lane_fails_whose_log_has_panicked_and_the_next_writes_what_it_lacks() {
    let world = world_that_panics();
    let (mut lane, _commands) = open_on(&world, 5);
    // It may have read to its end by then: it does not wait for a log that nobody writes.
    assert_log_ended(lane.run().unwrap_err());
    drop(lane);
    let (mut lane, _commands) = open_on(&world, 5);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let table = world.storage().tables["rows"].clone();
    let read = sluicegate_delta::contents::contents(&table);
    let files = world.runtime.block_on(read).unwrap().files;
    let written: usize = world.chain().iter().map(|record| record.files.len()).sum();
    assert_eq!((files.len(), world.count("rows")), (written, 5));
}

/// It has much to read, and does not leave the readers of its table behind until somebody starts it again.
#[test]
fn a_lane_fails_whose_log_has_panicked_also_amidst_its_input() {
    let world = world_that_panics();
    let (mut lane, _commands) = open_on(&world, 100_000);
    let failed = std::iter::repeat_with(|| lane.step()).find_map(Result::err);
    assert_log_ended(failed.unwrap());
}

/// As a copy of its chain does that was opened where nobody could look for the original.
fn take_as_a_copy(world: &World) {
    let storage = world.storage();
    let storage = LaneStorage { chain: storage.chain.child("copy"), ..storage };
    let head = world.chain().last().unwrap().clone();
    let shape = head.tables["rows"].clone();
    world.runtime.block_on(async {
        let (clock, names) = (Clock::system(), Names::random());
        let log = TableLog::open(&storage, "rows", Arc::new(shape), clock, names).await.unwrap();
        log.of_chain(&head.chain_id()).take(&[]).await.unwrap();
    });
}

/// It neither reads on, nor deletes files of the copy as left over.
#[test]
fn a_lane_ends_for_good_when_a_copy_of_its_chain_has_a_table() {
    let world = World::of(&[HEAD, TABLE].concat(), None);
    let (mut lane, _commands) = open_on(&world, 100_000);
    while lane.ledger.committer.head() < Some(Epoch(3)) {
        assert_eq!(lane.step().unwrap(), None);
    }
    take_as_a_copy(&world);
    let failed = std::iter::repeat_with(|| lane.step()).find_map(Result::err).unwrap();
    assert!(matches!(&failed, LaneError::Copied(said) if said.contains("is a copy")), "{failed}");
}
