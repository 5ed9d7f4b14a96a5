//! What the rest of the program holds of a running pipeline: its last published status, its live
//! results, and a way to ask for another module. The lane's own state is out of reach.

mod prepare;
mod windows;
mod fitness;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::sync::{self, Arc};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, OwnedMutexGuard, broadcast, mpsc, oneshot};

use crate::committed::Committed;
use sluicegate_chain::modules::{ModuleStore, ModuleStoreError, VersionChoice};
use sluicegate_chain::record::Epoch;
use sluicegate_engine::counters::LaneMetrics;
use sluicegate_engine::lane::{Awaited, Command, Haste, InHaste, Look, Refusal};
use sluicegate_engine::lead::{Lead, LeadView};
use sluicegate_engine::live::LiveResults;
use sluicegate_engine::pulse::Pulse;
use sluicegate_engine::status::{LaneStatus, Phase, StageView};
use sluicegate_model::module::ModuleDigest;
use sluicegate_pipeline::{Pipeline, StageConfig};
use sluicegate_runtime::Bell;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_sandbox::module::loaded::LoadedModule;

pub use fitness::Fitness;
use fitness::Judged;

pub use windows::WindowsError;

/// How long an activation is waited for. A checkpoint takes well under a second; when the store is away it takes
/// as long as that lasts, and whoever asked is told so instead of being kept.
const ACTIVATION_WAIT: Duration = Duration::from_secs(30);

/// The lane's ends of what it shares, kept over restarts of the lane by its supervisor.
#[derive(Clone, Debug)]
pub struct LanePorts {
    /// Wakes the lane. Rung behind whatever is asked of it, and when somebody begins to listen.
    pub bell: Bell,
    /// The status that the lane published last.
    pub status: Arc<ArcSwap<LaneStatus>>,
    /// What each stage runs and is given; empty until the lane has opened for the first time.
    pub stages: Arc<ArcSwap<Vec<StageView>>>,
    /// To the lane, which takes commands between two turns.
    pub commands: mpsc::Sender<Command>,
    /// To the lane, which answers questions between two turns.
    pub looks: mpsc::Sender<Look>,
    /// Changed groups, for whoever listens.
    pub live: broadcast::Sender<Arc<LiveResults>>,
    /// How soon they listen for them.
    pub haste: Haste,
    /// Added to once a turn.
    pub metrics: Arc<LaneMetrics>,
    /// When the lane's thread has last passed its loop.
    pub pulse: Pulse,
    /// Whether this instance leads, and who does.
    pub lead: Lead,
}

/// A running pipeline, seen from outside. Shared by HTTP and the command that started it.
pub struct PipelineHandle {
    /// The checked pipeline file, as the pipeline was started with it.
    pub config: Arc<Pipeline>,
    ports: LanePorts,
    modules: ModuleStore,
    engine: PluginEngine,
    committed: Arc<Committed>,
    /// Held from the first look at what runs until the record that replaces it is durable: a module is compared
    /// with the one it really follows.
    activating: Arc<Mutex<()>>,
    activation_wait: Duration,
    judged: sync::Mutex<Judged>,
}

/// A module runs in a stage, and a record says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activated {
    /// The epoch whose record pins it. Rows after that epoch go through it.
    pub epoch: Epoch,
    /// SHA-256 of the module that runs.
    pub digest: ModuleDigest,
    /// What the stage ran before; the same digest if the module ran already and nothing was done.
    pub previous: ModuleDigest,
}

/// Nothing was activated, except perhaps with [`ActivateError::Pending`] and [`ActivateError::Lost`].
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The pipeline has no such stage.
    #[error("pipeline `{pipeline}` has no stage `{stage}`: it has {known}")]
    UnknownStage {
        /// The pipeline.
        pipeline: String,
        /// As asked for.
        stage: String,
        /// Those there are, for a sentence.
        known: String,
    },
    /// The module is no plugin, or none for this stage.
    #[error("{0}")]
    Unfit(String),
    /// The module fits the stage, but not the state of its open windows.
    #[error("module `{module}` cannot take over stage `{stage}`: {reason}")]
    Incompatible {
        /// Its name.
        module: String,
        /// The stage.
        stage: String,
        /// A sentence, with what to do.
        reason: String,
    },
    /// Another activation is under way.
    #[error(
        "another activation of pipeline `{pipeline}` is under way: try again when it has been answered"
    )]
    Busy {
        /// The pipeline.
        pipeline: String,
    },
    /// The pipeline does not run, and will not without a restart.
    #[error("pipeline `{pipeline}` is {phase}: there is nothing to activate a module in")]
    NotRunning {
        /// The pipeline.
        pipeline: String,
        /// Its phase, for a sentence.
        phase: Phase,
    },
    /// The pipeline does not run yet, or not at the moment.
    #[error("pipeline `{pipeline}` is {phase}{}: try again when it runs",
        problem.as_ref().map_or_else(String::new, |problem| format!(" ({problem})")))]
    NotReady {
        /// The pipeline.
        pipeline: String,
        /// Its phase, for a sentence.
        phase: Phase,
        /// Why.
        problem: Option<String>,
    },
    /// The lane was asked, and is not open.
    #[error("pipeline `{pipeline}` {awaited}; try again when it runs")]
    NotOpen {
        /// The pipeline.
        pipeline: String,
        /// What it waits for.
        awaited: Awaited,
    },
    /// The lane came to its end before it took the module.
    #[error("pipeline `{pipeline}` has come to its end: there is nothing to activate a module in")]
    Ended {
        /// The pipeline.
        pipeline: String,
    },
    /// The lane ended before the epoch was durable. Whether it became so, the status shows when it runs again.
    #[error(
        "the lane of pipeline `{pipeline}` ended before the activation was durable{}: \
         look at its status when it runs again, and activate again if the module is not there",
        problem.as_ref().map_or_else(String::new, |problem| format!(" ({problem})"))
    )]
    Lost {
        /// The pipeline.
        pipeline: String,
        /// Why it ended, if it has said so.
        problem: Option<String>,
    },
    /// Handed to the lane, and not durable in time. It may yet become so.
    #[error(
        "pipeline `{pipeline}` has taken the activation, but its record is not durable after {} s{}: \
         it takes effect when the store takes the record; the status of the pipeline shows it",
        waited.as_secs(),
        problem.as_ref().map_or_else(String::new, |problem| format!(" ({problem})"))
    )]
    Pending {
        /// The pipeline.
        pipeline: String,
        /// How long it was waited for.
        waited: Duration,
        /// What keeps the lane.
        problem: Option<String>,
    },
    /// The store has no such module or version, or failed.
    #[error(transparent)]
    Modules(#[from] ModuleStoreError),
}

impl PipelineHandle {
    /// The outside of a pipeline whose lane has the other ends of `ports`. Modules are taken from `modules`, in
    /// which the lane finds them again after a restart.
    pub fn new(
        config: Arc<Pipeline>,
        ports: LanePorts,
        modules: ModuleStore,
        engine: PluginEngine,
        committed: Committed,
    ) -> Self {
        Self {
            config,
            ports,
            modules,
            engine,
            committed: Arc::new(committed),
            activating: Arc::new(Mutex::new(())),
            activation_wait: ACTIVATION_WAIT,
            judged: sync::Mutex::default(),
        }
    }

    /// `name` of the pipeline file.
    pub fn name(&self) -> &Arc<str> {
        &self.config.name
    }

    /// The tables that it has committed, to be read beside the lane.
    pub fn committed(&self) -> &Arc<Committed> {
        &self.committed
    }

    /// The status that the lane published last.
    pub fn status(&self) -> Arc<LaneStatus> {
        self.ports.status.load_full()
    }

    /// How long the lane's thread has not passed its loop; zero if it has ended.
    pub fn silence(&self) -> Duration {
        self.ports.pulse.silence()
    }

    /// Who leads, as far as this instance knows.
    pub fn lead(&self) -> Arc<LeadView> {
        self.ports.lead.view()
    }

    /// Changed groups from now on. A receiver that falls behind loses the oldest.
    pub fn live(&self) -> broadcast::Receiver<Arc<LiveResults>> {
        let live = self.ports.live.subscribe();
        self.ports.bell.ring();
        live
    }

    /// For a listener that wants them ten times a second rather than twice.
    pub fn in_haste(&self) -> InHaste {
        let in_haste = self.ports.haste.claim();
        self.ports.bell.ring();
        in_haste
    }

    /// The counters that the lane adds to.
    pub fn metrics(&self) -> &Arc<LaneMetrics> {
        &self.ports.metrics
    }

    /// The stages of the pipeline file, the one with state last.
    pub fn stages(&self) -> impl Iterator<Item = &StageConfig> {
        self.config.all_stages()
    }

    /// Runs another module in a stage, the newest of that name if no version is chosen, from the next epoch on.
    /// Answers when the record of that epoch is durable.
    ///
    /// Dropping the future does not take the activation back once the lane has it.
    pub async fn activate(
        &self,
        stage: &str,
        module: &str,
        version: Option<&VersionChoice>,
    ) -> Result<Activated, ActivateError> {
        let config = self.stage(stage)?;
        self.check_runs()?;
        let busy = || ActivateError::Busy { pipeline: self.name().to_string() };
        let alone = Arc::clone(&self.activating).try_lock_owned().map_err(|_| busy())?;
        let running = self.running(stage)?;
        let previous = running.plugin.digest;
        let loaded = self.prepare(config.clone(), running, module, version).await?;
        let digest = loaded.digest;
        if let (true, Some(epoch)) = (digest == previous, self.status().epoch) {
            return Ok(Activated { epoch, digest, previous });
        }
        let epoch = self.submit(stage, loaded, alone).await?;
        Ok(Activated { epoch, digest, previous })
    }

    /// Hands a module that was found to fit to the lane, and waits for its record.
    async fn submit(
        &self,
        stage: &str,
        module: LoadedModule,
        alone: OwnedMutexGuard<()>,
    ) -> Result<Epoch, ActivateError> {
        let name = module.name.to_string();
        let (reply, answer) = oneshot::channel();
        let command = Command::Activate { stage: stage.to_owned(), module, reply };
        let (commands, bell) = (self.ports.commands.clone(), self.ports.bell.clone());
        // A task of its own, so that nobody's impatience lets a second activation in before the first is decided.
        let decided = tokio::spawn(async move {
            let _alone = alone;
            commands.send(command).await.ok()?;
            bell.ring();
            answer.await.ok()
        });
        let Ok(decided) = tokio::time::timeout(self.activation_wait, decided).await else {
            let (waited, problem) = (self.activation_wait, self.status().problem.clone());
            return Err(ActivateError::Pending {
                pipeline: self.name().to_string(),
                waited,
                problem,
            });
        };
        match decided.expect("the task neither panics nor is aborted") {
            Some(Ok(epoch)) => Ok(epoch),
            Some(Err(refusal)) => Err(self.refused(stage, name, refusal)),
            // The lane dropped the command.
            None => Err(ActivateError::Lost {
                pipeline: self.name().to_string(),
                problem: self.status().problem.clone(),
            }),
        }
    }

    /// What the lane's refusal means to whoever asked.
    fn refused(&self, stage: &str, module: String, refusal: Refusal) -> ActivateError {
        let pipeline = self.name().to_string();
        match refusal {
            Refusal::NoStage(stage) => self.unknown_stage(&stage),
            Refusal::NotOpen(awaited) => ActivateError::NotOpen { pipeline, awaited },
            Refusal::Ended => ActivateError::Ended { pipeline },
            unfit @ (Refusal::Unfit(_) | Refusal::Migration { .. }) => {
                let (stage, reason) = (stage.to_owned(), unfit.to_string());
                ActivateError::Incompatible { module, stage, reason }
            }
        }
    }

    fn stage(&self, stage: &str) -> Result<&StageConfig, ActivateError> {
        let mut stages = self.stages();
        stages.find(|config| *config.id == *stage).ok_or_else(|| self.unknown_stage(stage))
    }

    fn unknown_stage(&self, stage: &str) -> ActivateError {
        let known: Vec<_> = self.stages().map(|stage| format!("`{}`", stage.id)).collect();
        ActivateError::UnknownStage {
            pipeline: self.name().to_string(),
            stage: stage.to_owned(),
            known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
        }
    }

    fn running(&self, stage: &str) -> Result<StageView, ActivateError> {
        let stages = self.ports.stages.load();
        let running = stages.iter().find(|view| *view.id == *stage);
        running.cloned().ok_or_else(|| self.not_ready())
    }

    fn check_runs(&self) -> Result<(), ActivateError> {
        let phase = self.status().phase;
        match phase {
            // A paused lane takes commands; whether the store takes the record is seen in time.
            Phase::Running | Phase::Isolating | Phase::Paused => Ok(()),
            Phase::Opening | Phase::Standby | Phase::BackingOff => Err(self.not_ready()),
            Phase::Finished | Phase::Stopped | Phase::Halted => {
                Err(ActivateError::NotRunning { pipeline: self.name().to_string(), phase })
            }
        }
    }

    fn not_ready(&self) -> ActivateError {
        let status = self.status();
        ActivateError::NotReady {
            pipeline: self.name().to_string(),
            phase: status.phase,
            problem: status.problem.clone(),
        }
    }
}
