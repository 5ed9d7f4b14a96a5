//! Opening a lane: read the chain, load the modules it pins, restore the state, seek the source.
//!
//! A first run pins its start positions and its modules before the first record is read (D5).

use std::sync::Arc;
use std::time::Duration;

use crate::chain::commit::{CommitOutcome, Committer, FrozenEpoch};
use crate::chain::record::{ChainRecord, RecordKind, SourceKind, SourceState, Writer};
use crate::chain::{self, ChainError, LaneStorage};
use crate::config::fingerprint::{StateConflict, fingerprints};
use crate::config::{Pipeline, SourceConfig, StoreOptions};
use crate::metrics::LaneMetrics;
use crate::modules::{ModuleStore, ModuleStoreError};
use crate::outbox::{Courier, OutboxError, Publisher};
use crate::plugin::PluginError;
use crate::plugin::engine::PluginEngine;
use crate::plugin::load::LoadError;
use crate::source::files::FilesSource;
use crate::source::kafka::KafkaSource;
use crate::source::{PollLimits, Positions, Source, SourceError};
use crate::status::Phase;
use crate::time::{Clock, Watermark};
use crate::watermark::LaneClock;
use crate::window::snapshot;

use super::command::Awaited;
use super::load::Loader;
use super::outbox::{Outbox, Post};
use super::outputs::Outputs;
use super::partitions::Partitions;
use super::plan::{Plan, PlanError};
use super::pool::Pool;
use super::restore::restore;
use super::{Lane, Outside, PlacedModule};

/// How often a lane that waits for its modules looks whether they were uploaded.
const MODULE_WAIT: Duration = Duration::from_secs(1);

/// What a lane is made of, from the outside.
pub struct LaneParts {
    /// What to run.
    pub config: Arc<Pipeline>,
    /// Where it is durable.
    pub storage: LaneStorage,
    /// Where modules are kept.
    pub modules: ModuleStore,
    /// What runs them.
    pub engine: PluginEngine,
    /// Credentials of stores, for files as a source.
    pub stores: StoreOptions,
    /// For the store and the files.
    pub runtime: tokio::runtime::Handle,
    /// Time.
    pub clock: Clock,
    /// Who we are, in chain records.
    pub writer: Writer,
    /// A first run whose stages name modules that nobody has uploaded yet waits for them, because they can still be
    /// uploaded to this process; without it such a run is refused.
    pub waits_for_modules: bool,
}

/// A lane that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The chain cannot be read, or is damaged.
    #[error("open chain")]
    Chain(#[from] ChainError),
    /// A module is not in the store, or not what it was.
    #[error("get module of stage `{stage}`")]
    Module {
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: Box<ModuleStoreError>,
    },
    /// A module's file cannot be read.
    #[error("read module of stage `{stage}` from `{path}`")]
    ModuleFile {
        /// The stage.
        stage: String,
        /// As resolved.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A module is refused.
    #[error("load module of stage `{stage}`")]
    Load {
        /// The stage.
        stage: String,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The modules do not fit the pipeline.
    #[error("fit plugins")]
    Plan(#[from] PlanError),
    /// The pipeline was changed in a way that its state does not survive.
    #[error(transparent)]
    Changed(#[from] StateConflict),
    /// A stage names another module than its open windows were made with.
    #[error("{0}")]
    OtherModule(String),
    /// The source cannot be opened.
    #[error("open source")]
    Source(#[from] SourceError),
    /// Another writer has taken the first slot of the chain.
    #[error("epoch {0} of the chain was taken by another instance while we opened it")]
    Fenced(u64),
    /// The state blob is not what the chain says.
    #[error("restore state")]
    State(#[from] snapshot::SnapshotError),
    /// A topic that results go to cannot be reached.
    #[error("open outbox")]
    Outbox(#[from] OutboxError),
    /// The pipeline file names a module that cannot go on with the state of the one before.
    #[error(
        "take the open state from version {from} to that of the module that the pipeline file names"
    )]
    Migrate {
        /// Version of the state that there is.
        from: u32,
        /// Why.
        #[source]
        source: PluginError,
    },
    /// The workers' threads could not be started.
    #[error("start workers")]
    Workers(#[from] rayon::ThreadPoolBuildError),
    /// Asked to stop while it waited for its modules or its source.
    #[error("stopped while waiting to be opened")]
    Stopped,
}

impl OpenError {
    /// Whether trying again could help: what lies outside may come back, what is written in files will not change.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Chain(error) => error.may_pass(),
            Self::Outbox(error) => error.may_pass(),
            Self::Source(_) | Self::Workers(_) | Self::Fenced(_) => true,
            Self::Module { source, .. } => {
                matches!(
                    **source,
                    ModuleStoreError::Store { .. } | ModuleStoreError::Contended { .. }
                )
            }
            Self::ModuleFile { .. }
            | Self::Load { .. }
            | Self::Plan(_)
            | Self::Changed(_)
            | Self::OtherModule(_)
            | Self::State(_)
            | Self::Migrate { .. }
            | Self::Stopped => false,
        }
    }
}

/// An open that failed, with what it was lent.
pub struct FailedOpen {
    /// Why.
    pub error: OpenError,
    /// For the next attempt.
    pub outside: Outside,
}

/// Opens a lane where the chain says it stands, or at its genesis.
pub fn open(parts: &LaneParts, mut outside: Outside) -> Result<Lane, Box<FailedOpen>> {
    match Ready::make(parts, &mut outside) {
        Ok(ready) => Ok(ready.into_lane(&parts.config, &parts.clock, outside)),
        Err(error) => Err(Box::new(FailedOpen { error, outside })),
    }
}

/// Everything that can fail, done.
pub(super) struct Ready {
    pub(super) record: Arc<ChainRecord>,
    pub(super) modules: Vec<PlacedModule>,
    pub(super) plan: Plan,
    pub(super) pool: Pool,
    pub(super) source: Box<dyn Source>,
    pub(super) committer: Committer,
    pub(super) outbox: Outbox,
}

impl Ready {
    fn make(parts: &LaneParts, outside: &mut Outside) -> Result<Self, OpenError> {
        let LaneParts { config, storage, stores, runtime, clock, writer, .. } = parts;
        let metrics = Arc::clone(&outside.metrics);
        // First: while a topic is away this fails again and again, and costs little here.
        let post = open_post(config, clock, &metrics)?;
        let mut opened = runtime.block_on(chain::open(storage, writer))?;
        let modules = get_modules(parts, opened.head.as_ref(), outside)?;
        let plan = Plan::new(config, &modules)?;
        let mut pool = Pool::new(&plan, worker_count(config))?;
        restore(&mut pool, &plan, &opened)?;
        let mut source = open_source(config, stores, runtime, clock)?;
        let outbox = Outbox::open(config, &plan, &mut opened, post);
        let mut committer = Committer::spawn(
            runtime.clone(),
            opened.chain,
            storage.clone(),
            clock.clone(),
            metrics,
        );
        let record = match opened.head {
            Some(record) => Arc::new(record),
            None => {
                let positions = resolve_start(source.as_mut(), runtime, outside)?;
                genesis(config, &modules, positions, &mut committer)?
            }
        };
        if !record.source.ended {
            let states = record.source.partitions.iter();
            let positions =
                states.map(|state| (state.partition.clone(), state.position.clone())).collect();
            source.assign(&positions)?;
        }
        Ok(Self { record, modules, plan, pool, source, committer, outbox })
    }

    pub(super) fn into_lane(self, config: &Arc<Pipeline>, clock: &Clock, outside: Outside) -> Lane {
        let Self { record, modules, plan, pool, source, committer, outbox } = self;
        let lane = Lane {
            limits: poll_limits(config),
            partitions: partitions(config, &record, clock),
            outputs: Outputs::new(config, &plan, outbox),
            epoch: record.epoch,
            phase: Phase::Running,
            checkpoint_at: clock.monotonic() + config.checkpoint.interval,
            dirty: modules.iter().any(|placed| !record.modules.contains(&placed.pinned)),
            ended: record.source.ended,
            activations: Vec::new(),
            turns: 0,
            live: super::live::Live::default(),
            reported: super::report::Reported::default(),
            config: Arc::clone(config),
            clock: clock.clone(),
            modules,
            source,
            plan,
            pool,
            committer,
            outside,
        };
        lane.publish_stages();
        tracing::info!(pipeline = %lane.config.name, epoch = %lane.epoch, ended = lane.ended, "lane opened");
        lane
    }
}

/// The module of every stage. Waits for those that are named and not yet uploaded, if it may.
fn get_modules(
    parts: &LaneParts,
    head: Option<&ChainRecord>,
    outside: &mut Outside,
) -> Result<Vec<PlacedModule>, OpenError> {
    let LaneParts { config, modules, engine, runtime, .. } = parts;
    let loader = Loader { config, modules, engine, runtime };
    loop {
        match loader.modules(head) {
            Err(OpenError::Module { stage, source })
                if parts.waits_for_modules && source.is_not_uploaded() =>
            {
                let problem = format!(
                    "stage `{stage}` waits for its module: {source}; `sluicegate plugin push` does, and the \
                     pipeline begins"
                );
                super::report::publish_problem(outside, Some(problem));
                if super::wait(outside, runtime, MODULE_WAIT, Awaited::Modules) {
                    return Err(OpenError::Stopped);
                }
            }
            modules => {
                super::report::publish_problem(outside, None);
                return modules;
            }
        }
    }
}

/// Waits until the source can say where a first run begins. Shows why it cannot, and hears when it is to stop.
fn resolve_start(
    source: &mut dyn Source,
    runtime: &tokio::runtime::Handle,
    outside: &mut Outside,
) -> Result<Positions, OpenError> {
    loop {
        if let Some(positions) = source.genesis()? {
            super::report::publish_problem(outside, None);
            return Ok(positions);
        }
        super::report::publish_problem(outside, source.problem());
        // The source itself has waited.
        if super::wait(outside, runtime, Duration::ZERO, Awaited::Source) {
            return Err(OpenError::Stopped);
        }
    }
}

fn worker_count(config: &Pipeline) -> usize {
    match config.limits.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    }
}

fn poll_limits(config: &Pipeline) -> PollLimits {
    PollLimits {
        records: config.limits.turn_records,
        bytes: config.limits.turn_bytes,
        wait: super::POLL_WAIT,
        linger: config.limits.turn_linger,
    }
}

fn partitions(config: &Pipeline, record: &ChainRecord, clock: &Clock) -> Partitions {
    let bound =
        i64::try_from(config.event_time.max_out_of_orderness.as_micros()).unwrap_or(i64::MAX);
    let micros = |ahead: Duration| i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX);
    let lane_clock = LaneClock::new(bound, config.event_time.idle_after, record.watermark)
        .with_max_ahead(config.event_time.max_ahead.map(micros));
    let mut partitions = Partitions::new(lane_clock);
    for state in &record.source.partitions {
        partitions.restore(state, clock.monotonic());
    }
    partitions
}

fn open_source(
    config: &Pipeline,
    stores: &StoreOptions,
    runtime: &tokio::runtime::Handle,
    clock: &Clock,
) -> Result<Box<dyn Source>, SourceError> {
    Ok(match &config.source {
        SourceConfig::Kafka(kafka) => {
            let source = KafkaSource::connect(kafka, &config.name, clock.clone())?;
            Box::new(source.with_headers(config.dead_letters.is_some()))
        }
        SourceConfig::Files(files) => {
            Box::new(FilesSource::open(files, stores, runtime.clone(), clock.clone())?)
        }
    })
}

/// Reaches the topics that results go to, if there are any.
fn open_post(
    config: &Pipeline,
    clock: &Clock,
    metrics: &Arc<LaneMetrics>,
) -> Result<Option<Post>, OutboxError> {
    let opened = Publisher::open(config, clock.clone(), Arc::clone(metrics))?;
    Ok(opened.map(|(publisher, counts)| (Box::new(publisher) as Box<dyn Courier>, counts)))
}

/// Commits the record that pins where a first run begins, before any record is read.
pub(super) fn genesis(
    config: &Pipeline,
    modules: &[PlacedModule],
    positions: Positions,
    committer: &mut Committer,
) -> Result<Arc<ChainRecord>, OpenError> {
    let kind = match config.source {
        SourceConfig::Kafka(_) => SourceKind::Kafka,
        SourceConfig::Files(_) => SourceKind::Files,
    };
    let partitions =
        positions.into_iter().map(|(partition, position)| chain::record::PartitionState {
            partition,
            position,
            max_event_time: None,
            fates: chain::record::Fates::default(),
        });
    committer.submit(FrozenEpoch {
        kind: RecordKind::Genesis,
        source: SourceState { kind, ended: false, partitions: partitions.collect() },
        watermark: Watermark::NONE,
        state: None,
        files: Vec::new(),
        outbox: None,
        modules: modules.iter().map(|placed| placed.pinned.clone()).collect(),
        config: fingerprints(config),
    });
    loop {
        match committer.wait(Duration::from_millis(100)) {
            Some(CommitOutcome::Committed(record)) => return Ok(record),
            Some(CommitOutcome::Lost(record)) => return Err(OpenError::Fenced(record.epoch.0)),
            Some(CommitOutcome::Failed(error)) => return Err(error.into()),
            None => {}
        }
    }
}
