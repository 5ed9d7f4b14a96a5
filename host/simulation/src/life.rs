//! A life of an instance: a supervisor and its lane, handed all that the machine would give them.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use object_store::memory::InMemory;
use object_store::{ObjectStore, path::Path};
use rand::Rng;
use rand_pcg::Pcg64Mcg;
use sluicegate_chain::LaneStorage;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::lane::{
    Command, Commands, Haste, LaneParts, Look, Looks, Outside, Pace, Trial,
};
use sluicegate_engine::lead::{Lead, Processes};
use sluicegate_engine::memory::Account;
use sluicegate_engine::pulse::Pulse;
use sluicegate_engine::status::LaneStatus;
use sluicegate_engine::stop::Stop;
use sluicegate_engine::supervisor::{Ended, supervise};
use sluicegate_model::time::Clock;
use sluicegate_runtime::{Bell, Names, Runtime, Thread};
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_store::{Location, Parts, StoreOptions};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::clock::DriftingClock;
use super::diary::Diary;
use super::instance::Instance;
use super::machine::{Lives, MachineOf};
use super::mutated::MutatedWay;
use super::objects::LANE;
use super::parts::{PartsWay, Uploads};
use super::plot::{Plot, STAGE};
use super::plugin;
use super::rival::{CHAINS, Reading};
use super::source::SimulatedEnds;
use super::stage::InstanceStage;
use super::store::{Network, Way};
use super::story::Mutation;
use super::topic::Topic;

/// What all lives of a story are handed.
pub(crate) struct Surroundings {
    pub(crate) diary: Diary,
    pub(crate) store: Arc<InMemory>,
    pub(crate) network: Arc<Network>,
    pub(crate) uploads: Uploads,
    pub(crate) plot: Plot,
    pub(crate) topic: Arc<Topic>,
    /// Which of two chains is read for.
    pub(crate) reading: Reading,
    pub(crate) names: Names,
    pub(crate) lives: Lives,
    /// How many there are: places share them.
    pub(crate) machines: usize,
    /// Filled by whoever sees what must not be.
    pub(crate) faults: Arc<Mutex<Vec<String>>>,
    pub(crate) mutation: Option<Mutation>,
}

pub(crate) struct Life {
    pub(crate) instance: Arc<Instance>,
    /// None when it has ended.
    thread: Option<Thread<Ended>>,
    ended: Option<Result<Ended, String>>,
    pub(crate) lead: Lead,
    pub(crate) stop: Stop,
    metrics: Arc<LaneMetrics>,
    commands: mpsc::Sender<Command>,
    _looks: mpsc::Sender<Look>,
}

impl Life {
    /// Begins one in the place of that number, for that chain.
    ///
    /// # Errors
    ///
    /// The system has no thread for it.
    pub(crate) fn begin(
        place: usize,
        chain: usize,
        around: &Surroundings,
        random: &mut Pcg64Mcg,
    ) -> Result<Self, String> {
        let name = format!("host-{}", place + 1);
        let instance = Instance::new(&name, &around.diary);
        around.diary.note(&name, "begins", "");
        let clock = Clock::Told(Arc::new(DriftingClock {
            instance: Arc::clone(&instance),
            rate: random.random_range(0.95..1.05),
            wall: random.random_range(0..2_000_000_000_000_000),
            counts_suspend: around.mutation != Some(Mutation::ClocksSleep),
        }));
        let of_lead = match around.mutation {
            // No time passes by it, so none runs out.
            Some(Mutation::NeverDoubts) => Clock::manual(0),
            _ => clock.clone(),
        };
        let (lead, stop) = (Lead::new(of_lead), Stop::new(clock.clone()));
        let (commands_tx, commands) = mpsc::channel(1);
        let (looks_tx, looks) = mpsc::channel(1);
        let tables = around.plot.config.tables().into_iter().map(|(id, _)| id);
        let metrics = Arc::new(LaneMetrics::new([], tables));
        let outside = Outside {
            bell: Bell::default(),
            commands: Commands::new(commands),
            looks: Looks::new(looks),
            stop: stop.clone(),
            status: Arc::new(ArcSwap::from_pointee(LaneStatus::nothing_yet(&name))),
            stages: Arc::default(),
            live: broadcast::channel(1).0,
            haste: Haste::default(),
            metrics: Arc::clone(&metrics),
            pulse: Pulse::new(clock.clone()),
            trial: Trial::default(),
            memory: Account::default(),
            lead: lead.clone(),
        };
        let parts = around.parts((place, chain), &instance, clock, lead.clone(), random);
        let thread = supervise(parts, outside).map_err(|error| error.to_string())?;
        let thread = Some(thread);
        let (commands, _looks) = (commands_tx, looks_tx);
        Ok(Self { instance, thread, ended: None, lead, stop, metrics, commands, _looks })
    }

    /// How it has ended by itself; none if it goes on.
    pub(crate) fn ended(&mut self) -> Option<&Result<Ended, String>> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            let panicked = |_| format!("{} panicked", self.instance.name);
            self.ended = Some(thread.join().map_err(panicked));
        }
        self.ended.as_ref()
    }

    /// How often it has merged pieces of its state beside the lane.
    pub(crate) fn merges(&self) -> u64 {
        self.metrics.merges.get()
    }

    /// Asks for another module, if nobody else does.
    pub(crate) fn activate(&self, name: &str) {
        let (stage, module) = (STAGE.to_owned(), plugin::module(name));
        // Whoever asked has gone away: what becomes of it shows in the chain.
        let (reply, _) = oneshot::channel();
        if self.commands.try_send(Command::Activate { stage, module, reply }).is_ok() {
            self.instance.diary.note(&self.instance.name, format!("is to run `{name}`"), "");
        }
    }
}

impl Surroundings {
    fn parts(
        &self,
        (place, chain): (usize, usize),
        instance: &Arc<Instance>,
        clock: Clock,
        lead: Lead,
        random: &mut Pcg64Mcg,
    ) -> LaneParts {
        let runtime = Runtime::staged(Arc::new(InstanceStage(Arc::clone(instance))));
        let way = Way {
            store: Arc::clone(&self.store),
            network: Arc::clone(&self.network),
            instance: Arc::clone(instance),
        };
        let uploads = PartsWay {
            way: way.clone_way(),
            uploads: self.uploads.clone(),
            mutation: self.mutation,
        };
        // What goes up in parts, `MutatedWay` does not see.
        let has_parts = self.mutation != Some(Mutation::UnknownPieceGoes);
        let part = |bytes| Parts { store: Arc::new(uploads), bytes };
        let parts = self.plot.part_bytes.filter(|_| has_parts).map(part);
        let store: Arc<dyn ObjectStore> = match self.mutation {
            Some(mutation) => Arc::new(MutatedWay::new(way, mutation, self.plot.keep.look_back)),
            None => Arc::new(way),
        };
        let machine = place % self.machines;
        let machine = MachineOf::begin(&self.lives, machine, instance, self.mutation);
        let ends = SimulatedEnds {
            logs: Arc::clone(&self.plot.logs),
            topic: Arc::clone(&self.topic),
            network: Arc::clone(&self.network),
            instance: Arc::clone(instance),
            runtime: runtime.clone(),
            lead,
            chain,
            reading: self.reading.clone(),
            seed: random.random(),
            faults: Arc::clone(&self.faults),
        };
        LaneParts {
            config: Arc::clone(&self.plot.config),
            storage: self.storage_by(&store, parts, chain),
            stores: StoreOptions::default(),
            modules: ModuleStore::new(location(&store, "modules")),
            engine: engine(),
            ends: Arc::new(ends),
            runtime,
            clock,
            instance: instance.name.clone(),
            names: self.names.clone(),
            processes: Processes::told(Arc::new(machine)),
            waits_for_modules: false,
            advertise: None,
            // Fewer looks, so that a story has fewer turns.
            pace: Pace { look: Duration::from_millis(800), ..Pace::default() },
            bases: self.plot.bases,
        }
    }

    /// The same by a way to the store, which may take objects in parts.
    fn storage_by(
        &self,
        store: &Arc<dyn ObjectStore>,
        parts: Option<Parts>,
        chain: usize,
    ) -> LaneStorage {
        let mut storage = storage(&self.plot, store, chain);
        storage.chain.parts.clone_from(&parts);
        storage.tables.values_mut().for_each(|table| table.parts.clone_from(&parts));
        storage
    }
}

/// One for all stories: it has a thread that ticks.
fn engine() -> PluginEngine {
    static ENGINE: OnceLock<PluginEngine> = OnceLock::new();
    let make = || {
        let engine = PluginEngine::new(None, Compiler::Here).expect("an engine");
        plugin::NAMES.into_iter().fold(engine, |engine, name| engine.stand_in(plugin::module(name)))
    };
    ENGINE.get_or_init(make).clone()
}

/// A folder in `store`.
pub(crate) fn location(store: &Arc<dyn ObjectStore>, prefix: &str) -> Location {
    let (store, url) = (Arc::clone(store), format!("memory:///{prefix}"));
    Location { store, prefix: Path::from(prefix), url, ..Location::in_memory() }
}

/// A chain of [`CHAINS`] and the tables of the story in `store`.
pub(crate) fn storage(plot: &Plot, store: &Arc<dyn ObjectStore>, chain: usize) -> LaneStorage {
    let table = |(id, _): (Arc<str>, _)| {
        let folder = location(store, &format!("tables/{id}"));
        (id, folder)
    };
    LaneStorage {
        chain: location(store, CHAINS[chain]),
        tables: plot.config.tables().into_iter().map(table).collect(),
        job: plot.config.name.to_string(),
        lane: LANE.to_owned(),
        keep: plot.keep.clone(),
    }
}
