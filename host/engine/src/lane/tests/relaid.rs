//! The same plugins with another layout of their state: every state that is not empty has a mark before it. One that
//! has none, or has it twice, is not understood. And lanes in which such a module takes over while windows and timers
//! are open.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::keyed::by_hand;
use super::*;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_sandbox::plugin::answer::{EvaluateAnswer, UpdateAnswer};
use sluicegate_sandbox::plugin::answer::{KeyedAnswer, KeyedRows, TimerAnswer};
use sluicegate_sandbox::plugin::description::Description;
use sluicegate_sandbox::plugin::guest::{
    AggregateGuest, Guest, Instance, KeyedGuest, StatefulGuest,
};
use sluicegate_sandbox::plugin::{Code, PluginError};

const MARK: u8 = b'@';

/// A module with version 2 of the state of `name`, which has version 1.
pub(super) fn module(name: &str, kind: PluginKind) -> LoadedModule {
    relaid(name, kind, Arc::new(|| Ok(())))
}

/// What is done at each call of `migrate`.
pub(super) type AtMigrate = Arc<dyn Fn() -> Result<(), PluginError> + Send + Sync>;

/// The same, which does something whenever it migrates.
pub(super) fn relaid(name: &str, kind: PluginKind, at_migrate: AtMigrate) -> LoadedModule {
    let (inner, description) = native::code(name, kind);
    let description = Description {
        state_version: 2,
        state_fingerprint: 2,
        migrates_from: vec![1],
        ..description
    };
    LoadedModule::native(&format!("{name}-2"), description, Arc::new(Relaid { inner, at_migrate }))
}

struct Relaid {
    inner: Arc<dyn Code>,
    at_migrate: AtMigrate,
}

struct RelaidGuest<G: ?Sized> {
    inner: Box<G>,
    at_migrate: AtMigrate,
}

impl Code for Relaid {
    fn instantiate(&self, config: &[(String, String)]) -> Result<Instance, PluginError> {
        let at_migrate = Arc::clone(&self.at_migrate);
        Ok(match self.inner.instantiate(config)? {
            Instance::Aggregate(inner) => {
                Instance::Aggregate(Box::new(RelaidGuest { inner, at_migrate }))
            }
            Instance::Keyed(inner) => Instance::Keyed(Box::new(RelaidGuest { inner, at_migrate })),
            stateless => stateless,
        })
    }
}

fn marked(states: &Varlen) -> Varlen {
    let mark = |state: &[u8]| match state {
        [] => Vec::new(),
        state => [&[MARK], state].concat(),
    };
    states.iter().map(mark).collect::<Vec<_>>().iter().map(Vec::as_slice).collect()
}

fn bare(states: &Varlen) -> Varlen {
    let strip = |state: &'_ [u8]| match state {
        [] => Vec::new(),
        [MARK, rest @ ..] if rest.first() != Some(&MARK) => rest.to_vec(),
        other => panic!("`{}` is not a state of version 2", other.escape_ascii()),
    };
    states.iter().map(strip).collect::<Vec<_>>().iter().map(Vec::as_slice).collect()
}

fn bare_groups(groups: &KeyedGroups) -> KeyedGroups {
    KeyedGroups { states: bare(&groups.states), timers: groups.timers.clone() }
}

fn marked_groups(groups: KeyedGroups) -> KeyedGroups {
    KeyedGroups { states: marked(&groups.states), timers: groups.timers }
}

impl<G: Guest + ?Sized> Guest for RelaidGuest<G> {}

impl AggregateGuest for RelaidGuest<dyn AggregateGuest> {
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let answer = self.inner.update(rows, groups, &bare(states))?;
        Ok(UpdateAnswer { states: marked(&answer.states), ..answer })
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError> {
        self.inner.merge(&bare(left), &bare(right)).map(|merged| marked(&merged))
    }

    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError> {
        self.inner.evaluate(windows, &bare(states))
    }
}

impl KeyedGuest for RelaidGuest<dyn KeyedGuest> {
    fn process(
        &mut self,
        rows: &KeyedRows<'_>,
        groups: &KeyedGroups,
    ) -> Result<KeyedAnswer, PluginError> {
        let answer = self.inner.process(rows, &bare_groups(groups))?;
        Ok(KeyedAnswer { groups: marked_groups(answer.groups), ..answer })
    }

    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError> {
        let answer = self.inner.on_timer(fired, &bare_groups(groups))?;
        Ok(TimerAnswer { groups: marked_groups(answer.groups), ..answer })
    }
}

impl<G: Guest + ?Sized> StatefulGuest for RelaidGuest<G> {
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        assert_eq!(from_version, 1);
        (self.at_migrate)()?;
        Ok(marked(states))
    }
}

/// When and how the other module takes over.
#[derive(Clone, Copy, Debug)]
struct Takeover {
    /// In which life of the lane.
    life: usize,
    /// After so many turns; none: the pipeline file names it when this life begins.
    turns: Option<usize>,
}

fn takeover() -> impl Strategy<Value = Takeover> {
    (0..4usize, prop::option::of(0..12usize)).prop_map(|(life, turns)| Takeover { life, turns })
}

/// Runs a lane through its lives to the end of its input. Whether the other module runs in the end.
fn run(
    world: &World,
    logs: &Logs,
    workers: usize,
    (seed, lives): (u64, Vec<usize>),
    takeover: Takeover,
    stage: &str,
) -> bool {
    let lives = lives.into_iter().map(Some).chain([None]);
    for (life, turns) in lives.enumerate() {
        if life == takeover.life && takeover.turns.is_none() {
            world.names_relaid.store(true, Ordering::Relaxed);
        }
        let (mut lane, commands) = world.open(logs, workers, seed ^ life as u64);
        let at = takeover.turns.filter(|_| life == takeover.life);
        let activate = |lane: &mut Lane| {
            if lane.intake.ended
                || lane.ledger.modules.iter().any(|it| it.pinned.state_version == 2)
            {
                return;
            }
            let kind = world.config.stateful_stage().unwrap().kind;
            let (reply, _) = oneshot::channel();
            let (stage, module) = (stage.to_owned(), module(stage, kind));
            commands.try_send(Command::Activate { stage, module, reply }).unwrap();
        };
        match turns {
            Some(turns) => {
                for turn in 0..turns {
                    if at == Some(turn) {
                        activate(&mut lane);
                    }
                    lane.step().unwrap();
                }
            }
            None => {
                for _ in 0..at.unwrap_or(0) {
                    lane.step().unwrap();
                }
                if at.is_some() {
                    activate(&mut lane);
                }
                assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
            }
        }
    }
    let last = world.chain().pop().unwrap();
    last.modules.iter().any(|pinned| pinned.state_version == 2)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn open_windows_go_over_to_another_layout_at_any_time(
        kind in kind(),
        lateness in prop_oneof![Just(0), 1..25i64],
        partitions in prop::collection::vec(prop::collection::vec(event(), 0..60), 1..4),
        workers in 1..5usize,
        seed: u64,
        lives in prop::collection::vec(1..12usize, 0..4),
        takeover in takeover(),
    ) {
        let world = World::with(kind, lateness, None);
        let logs = logs_of(&partitions);
        run(&world, &logs, workers, (seed, lives), takeover, "join");
        let (rows, fates) = expected(&partitions, kind, lateness);
        prop_assert_eq!(world.results(), rows);
        prop_assert_eq!(total(world.chain().last().unwrap()), fates);
    }

    #[test]
    fn keys_and_their_timers_go_over_to_another_layout_at_any_time(
        ttl in prop::option::of(1..25i64),
        partitions in prop::collection::vec(prop::collection::vec(keyed::event(), 0..60), 1..4),
        workers in 1..5usize,
        seed: u64,
        lives in prop::collection::vec(1..12usize, 0..4),
        takeover in takeover(),
    ) {
        let world = keyed::world(ttl);
        run(&world, &keyed::logs_of(&partitions), workers, (seed, lives), takeover, "watch");
        let mut rows = keyed::emitted(&world);
        rows.sort();
        prop_assert_eq!(rows, by_hand(&partitions, ttl).rows);
    }
}

/// The module comes while a window is open, and is pinned; the window's rows before and after are in one result.
#[test]
fn a_window_that_is_open_during_the_takeover_has_all_its_rows() {
    let world = World::new(TUMBLING);
    let logs = logs_of(&[(0..40).map(|at| Event { key: 0, at: at / 2, kind: 0 }).collect()]);
    let takeover = Takeover { life: 0, turns: Some(3) };
    assert!(run(&world, &logs, 2, (5, Vec::new()), takeover, "join"));
    let (rows, _) =
        expected(&[(0..40).map(|at| Event { key: 0, at: at / 2, kind: 0 }).collect()], TUMBLING, 0);
    assert_eq!(world.results(), rows);
}

#[test]
fn a_migration_that_fails_leaves_everything_as_it_was() {
    let world = World::new(TUMBLING);
    let events: Vec<Event> = (0..40).map(|at| Event { key: 0, at: at / 2, kind: 0 }).collect();
    let logs = logs_of(std::slice::from_ref(&events));
    let (mut lane, commands) = world.open(&logs, 2, 5);
    (0..3).for_each(|_| assert!(lane.step().unwrap().is_none()));
    let (reply, answer) = oneshot::channel();
    let refuses = || Err(PluginError::Refused("a state that nobody wants".to_owned()));
    let module = relaid("join", PluginKind::Aggregate, Arc::new(refuses));
    commands.try_send(Command::Activate { stage: "join".to_owned(), module, reply }).unwrap();
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let refusal = answer.blocking_recv().unwrap().unwrap_err();
    assert!(matches!(refusal, Refusal::Migration { from: 1, .. }), "{refusal}");
    assert_eq!(
        refusal.to_string(),
        "`migrate` of module `join-2` failed on a state of version 1: a state that nobody wants; what runs goes on"
    );
    assert_eq!(world.results(), expected(&[events], TUMBLING, 0).0);
    assert!(world.chain().iter().all(|record| record.modules[2].state_version == 1));
}

/// The first row opens the window and is rejected; the watermark passes; then rows come.
#[test]
fn a_window_of_all_time_that_fired_without_a_group_fires_what_comes_later() {
    let kind = Kind::Global { trigger: 1 };
    let rejected = Event { key: 1, at: -20, kind: 7 };
    let good = |key| Event { key, at: -20, kind: 0 };
    let partitions = [vec![rejected, good(0), good(1)]];
    for seed in 0..64 {
        let world = World::with(kind, 0, None);
        let never = Takeover { life: 1, turns: None };
        run(&world, &logs_of(&partitions), 1, (seed, Vec::new()), never, "join");
        assert_eq!(world.results(), expected(&partitions, kind, 0).0, "cut into polls by {seed}");
    }
}
