//! Opening a lane: read the chain, load the modules it pins, restore the state, reach source and topics; then lead, and take it.
//!
//! Everything that can be refused comes before the lane is taken, so a start that cannot work
//! leaves alone whoever runs it. A first run pins its start positions and its modules before the
//! first record is read (docs/design/decisions.md#d5).

mod ends;
mod error;
mod fallen;
mod following;
mod found;
mod genesis;
mod load;
mod logs;
mod restore;
mod standing;
mod steps;
mod wait;
mod warm;
mod win;

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join;

use crate::counters::Commit;
use crate::lead::Processes;
use sluicegate_chain::beat::LED_BEAT_EVERY;
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_chain::modules::ModuleStore;
use sluicegate_chain::record::ChainRecord;
use sluicegate_chain::{Committer, Keep, LaneStorage, Opener, Survey};
use sluicegate_connect::source::Source;
use sluicegate_delta::TableLog;
use sluicegate_model::position::Positions;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;
use sluicegate_pipeline::fingerprint::columns::check_tables;
use sluicegate_runtime::{Names, Runtime};
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_store::StoreOptions;

use super::desk::Desk;
use super::intake::{Intake, positions};
use super::ledger::{Bases, Ledger};
use super::logic::Logic;
use super::outputs::Outputs;
use super::outputs::logs::TableLogs;
use super::outputs::outbox::{Outbox, Post};
use super::plan::Plan;
use super::pool::Pool;
use super::{Lane, Outside, PlacedModule};
use genesis::{reach, resolve_start};
use load::{Brought, get_modules, keep};
use logs::{compactions, find_missing, mark, none_is_ahead, none_is_copied, none_is_taken};
use standing::still_leads;
use steps::Steps;
use wait::request;
use warm::Warm;
use win::win;

pub use ends::{Ends, RealEnds};
pub use error::OpenError;
pub use found::{FoundError, check_files};
pub(in crate::lane) use genesis::genesis;
pub use load::module_name;
pub(in crate::lane) use restore::restore;
pub(crate) use wait::wait;

/// What a lane is made of, from the outside.
#[derive(Clone)]
pub struct LaneParts {
    /// The checked pipeline that the lane runs.
    pub config: Arc<Pipeline>,
    /// The stores and folders of its chain and of its tables.
    pub storage: LaneStorage,
    /// Credentials and endpoints: a table may name the place of a chain elsewhere.
    pub stores: StoreOptions,
    /// Where the modules are that its stages name or its chain pins.
    pub modules: ModuleStore,
    /// Compiles and limits them; one for all lanes of a program.
    pub engine: PluginEngine,
    /// What it reads from, and where its messages go.
    pub ends: Arc<dyn Ends>,
    /// Its threads and tasks, which ask the store.
    pub runtime: Runtime,
    /// Wall and monotonic time. Tests move it by hand.
    pub clock: Clock,
    /// Who we are in chain records, for people: every opening is another writer.
    pub instance: String,
    /// For what nobody else may be called: writers, chains, claims of leadership.
    pub names: Names,
    /// Which of the processes that led are gone.
    pub processes: Processes,
    /// A first run whose stages name modules that nobody has uploaded yet waits for them, because they can still be
    /// uploaded to this program; without it such a run is refused.
    pub waits_for_modules: bool,
    /// Where others reach the HTTP of this instance, if somebody has said so.
    pub advertise: Option<String>,
    /// How it shows itself to others, and looks for them.
    pub pace: Pace,
    /// When a checkpoint writes all of the state.
    pub bases: Bases,
}

/// How instances that run the same lane show themselves to each other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often an owner without news says that it lives, to instances of earlier versions.
    pub beat: Duration,
    /// How often one that stands by looks.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        // One that ends says so, and the other is to work within two seconds. Two small reads a look.
        Self { beat: LED_BEAT_EVERY, look: Duration::from_millis(500) }
    }
}

/// Opens a lane where the chain says it stands, or at its genesis.
pub fn open(parts: &LaneParts, outside: &Outside) -> Result<Lane, OpenError> {
    let ready = Ready::make(parts, outside)?;
    Ok(ready.into_lane(&parts.config, &parts.clock, outside.clone(), parts.bases))
}

/// Everything that can fail, done.
pub(in crate::lane) struct Ready {
    pub(in crate::lane) record: Arc<ChainRecord>,
    pub(in crate::lane) modules: Vec<PlacedModule>,
    pub(in crate::lane) plan: Plan,
    pub(in crate::lane) pool: Pool,
    pub(in crate::lane) logic: Logic,
    pub(in crate::lane) source: Box<dyn Source>,
    pub(in crate::lane) committer: Committer,
    pub(in crate::lane) outbox: Outbox,
    pub(in crate::lane) logs: TableLogs,
}

/// Everything that could be refused, and was not. Nothing was touched: if another instance runs the lane, it goes on.
struct Prepared {
    survey: Survey,
    modules: Vec<PlacedModule>,
    /// Of them those that the store does not have yet.
    brought: Vec<Brought>,
    plan: Plan,
    pool: Pool,
    logic: Logic,
    post: Option<Post>,
    /// The logs of its tables, read.
    logs: Vec<TableLog>,
    source: Box<dyn Source>,
    /// Where a first run begins.
    start: Option<Positions>,
}

/// What became of an attempt to take a lane.
enum Taken {
    Ready(Box<Ready>),
    /// The chain has moved since it was read.
    Moved(Warm),
}

impl Prepared {
    /// Read, check, load, restore, reach. What an attempt before has loaded and reached is `warm`.
    fn make(
        parts: &LaneParts,
        opener: &mut Opener<'_>,
        outside: &Outside,
        warm: Option<Warm>,
        steps: &mut Steps,
    ) -> Result<Self, OpenError> {
        let LaneParts { config, storage, runtime, .. } = parts;
        let (mut survey, warm) = request(outside, runtime, async {
            let survey = async { opener.survey().await.map_err(OpenError::from) };
            try_join(survey, Warm::freshened(warm)).await
        })??;
        steps.done("chain");
        let known = warm.as_ref().map_or(&[][..], |warm| &warm.modules);
        let (modules, brought) = get_modules(parts, survey.head(), known, outside)?;
        steps.done("modules");
        let plan = Plan::new(config, &modules)?;
        if let Some(head) = survey.head() {
            check_tables(&plan.plain_tables(config), &head.config)?;
        }
        let Warm { pool, post, logs, mut source, .. } = match warm {
            Some(warm) => warm,
            None => {
                let known = survey.head().map(|head| head.config.clone()).unwrap_or_default();
                let tables = plan.plain_tables(config);
                request(outside, runtime, check_files(&tables, storage, &known))??;
                Warm::up(parts, &plan, outside)?
            }
        };
        steps.done("surroundings");
        let mut logic = Logic::new(&plan, &pool);
        let pieces = std::mem::take(&mut survey.state);
        restore(&mut logic, &pool, &plan, survey.head(), &pieces)?;
        steps.done("state");
        let logs = request(outside, runtime, find_missing(logs, storage, survey.head()))??;
        request(outside, runtime, none_is_taken(&logs, storage))??;
        request(outside, runtime, none_is_copied(&logs, parts))??;
        request(outside, runtime, none_is_ahead(&logs, storage, survey.head()))??;
        steps.done("logs");
        let start = match survey.head() {
            None => Some(resolve_start(source.as_mut(), runtime, outside)?),
            Some(head) => {
                if !head.source.ended {
                    reach(source.as_mut(), runtime, outside)?;
                }
                None
            }
        };
        steps.done("source");
        Ok(Self { survey, modules, brought, plan, pool, logic, post, logs, source, start })
    }

    /// What stays good when the chain moves.
    fn into_warm(self) -> Warm {
        let Self { modules, pool, post, logs, source, .. } = self;
        Warm { modules, pool, post, logs, source }
    }

    /// Takes the lane, and pins where a first run begins.
    fn take(
        self,
        parts: &LaneParts,
        opener: &mut Opener<'_>,
        outside: &Outside,
    ) -> Result<Taken, OpenError> {
        let Self { survey, modules, brought, plan, pool, logic, post, logs, mut source, start } =
            self;
        keep(brought, parts, outside)?;
        let LaneParts { config, storage, runtime, clock, pace, .. } = parts;
        if let Some(head) = survey.head().filter(|head| !head.source.ended) {
            source.expect(&head.source.identity);
            if let Some(finished) = &head.source.finished {
                source.know_finished(FinishedFiles::thaw(finished)?);
            }
            source.assign(&positions(head))?;
        }
        still_leads(parts, outside)?;
        let taken = request(outside, runtime, opener.take(survey))??;
        let Some(mut opened) = taken else {
            return Ok(Taken::Moved(Warm { modules, pool, post, logs, source }));
        };
        let outbox = Outbox::open(config, &plan, &mut opened, post);
        let mut logs: Vec<TableLog> =
            logs.into_iter().map(|log| log.of_chain(opened.chain.id())).collect();
        let keep = Keep { published: mark(&logs), ..storage.keep.clone() };
        let storage = &LaneStorage { keep, ..storage.clone() };
        let (shapes, compactions) = (plan.shapes(config)?, compactions(config));
        let mut committer = Committer::spawn_beating(
            runtime.clone(),
            opened.chain,
            storage.clone(),
            clock.clone(),
            Arc::clone(&outside.metrics.commit_failures),
            Some(pace.beat),
        );
        let found = opened.head.is_some();
        let record = match (opened.head, start) {
            (Some(record), _) => Arc::new(record),
            (None, start) => {
                let start = start.expect("without a chain the source was asked");
                let identity = source.identity();
                let record = genesis(config, &modules, start, identity, &mut committer, outside)?;
                outside.metrics.commit.observe(committer.took());
                let (took, now) = (committer.took(), clock.wall_micros());
                outside.metrics.commits.push(Commit::of(&record, took, now, &[]));
                source.assign(&positions(&record))?;
                record
            }
        };
        still_leads(parts, outside)?;
        request(outside, runtime, logs::take(&mut logs, storage))??;
        // Of a chain that was copied the original may have added until now.
        request(outside, runtime, none_is_ahead(&logs, storage, Some(&record)))??;
        let memory = &outside.memory;
        let logs = TableLogs::start(logs, shapes, &compactions, storage, memory, runtime);
        logs.committed(&record);
        say_where_it_begins(&record, &storage.chain.url, found);
        let ready = Ready { record, modules, plan, pool, logic, source, committer, outbox, logs };
        Ok(Taken::Ready(Box::new(ready)))
    }
}

impl Ready {
    /// Nothing that can be refused comes behind leading and the fence (docs/design/decisions.md#d23). If
    /// another instance commits while the lane is prepared, everything but that was found to be
    /// good, and the next attempt holds the chain first.
    fn make(parts: &LaneParts, outside: &Outside) -> Result<Self, OpenError> {
        let mut opener = Opener::named_by(&parts.storage, &parts.instance, parts.names.clone());
        let (mut warm, mut steps) = (None, Steps::begin(&parts.clock));
        let mut take_over = None;
        for attempt in 0..=Opener::LOOKS_MAX {
            if attempt > 0 {
                still_leads(parts, outside)?;
                request(outside, &parts.runtime, opener.hold())??;
            }
            let mut prepared =
                Prepared::make(parts, &mut opener, outside, warm.take(), &mut steps)?;
            if let Some(won) = win(parts, outside, &mut opener, &mut prepared.logs)? {
                // The leader before has written on meanwhile.
                (steps, take_over) = (Steps::begin(&parts.clock), won.take_over);
                let warm = Some(prepared.into_warm());
                prepared = Prepared::make(parts, &mut opener, outside, warm, &mut steps)?;
            }
            match prepared.take(parts, &mut opener, outside)? {
                Taken::Ready(ready) => {
                    steps.done("taken");
                    steps.tell(&parts.config.name, take_over, &outside.lead);
                    return Ok(*ready);
                }
                Taken::Moved(reached) => warm = Some(reached),
            }
            steps.done("moved");
        }
        Err(opener.contended().into())
    }

    pub(in crate::lane) fn into_lane(
        self,
        config: &Arc<Pipeline>,
        clock: &Clock,
        outside: Outside,
        bases: Bases,
    ) -> Lane {
        let Self { record, modules, plan, pool, logic, source, committer, outbox, logs } = self;
        let plan = Arc::new(plan);
        let metrics = Arc::clone(&outside.metrics);
        committer.rings(&outside.bell);
        let desk = Desk::new(config, clock, outside);
        desk.publish_stages(&plan);
        metrics.opened(record.epoch, clock.wall_micros());
        Lane {
            intake: Intake::open(config, clock, &desk.outside, &plan, &pool, source, &record),
            outputs: Outputs::new(config, &plan, clock, &metrics, &pool, (outbox, logs)),
            ledger: Ledger::open(
                (config, &plan),
                clock,
                &desk.outside,
                committer,
                &record,
                modules,
                bases,
            ),
            config: Arc::clone(config),
            clock: clock.clone(),
            pool,
            logic,
            desk,
        }
    }
}

/// One line at every start: where the chain lies, and whether it was found there or begun.
fn say_where_it_begins(record: &ChainRecord, chain: &str, found: bool) {
    let (pipeline, epoch) = (&record.job, record.epoch);
    if record.source.ended {
        tracing::warn!(
            pipeline,
            chain,
            %epoch,
            "the chain says that the input was read to its end: nothing is read now, not even what was added since, and `watch` \
             or another `end` changes nothing. `sluicegate reset` begins the pipeline again"
        );
    } else if found {
        tracing::info!(pipeline, chain, %epoch, "goes on where the chain stands");
    } else {
        tracing::info!(pipeline, chain, %epoch, "begins from scratch: there was no chain");
    }
}
