//! The desk of a lane: what the outside asks of it, and what it is told. Nothing of it decides about a row.

pub(in crate::lane) mod activate;
pub(in crate::lane) mod brake;
pub(in crate::lane) mod command;
pub(in crate::lane) mod look;
mod live;
mod status;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;

use crate::counters::LaneMetrics;
use crate::lead::{Lead, Standing};
use crate::live::LiveResults;
use crate::memory::Account;
use crate::pulse::Pulse;
use crate::status::{Followed, LaneStatus, Phase, StageView};
use crate::stop::Stop;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::ChainRecord;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::Pipeline;
use sluicegate_runtime::Bell;
use sluicegate_sandbox::module::loaded::LoadedModule;

use super::error::LaneError;
use super::plan::{FittedStage, Plan};
use super::refusal::Refusal;
use super::trial::Trial;
use activate::Activation;
use command::{Command, Commands, Reply};
use live::Live;
pub use live::{Haste, InHaste};
use look::{Look, Looks, Pace};
use status::Reported;

pub(in crate::lane) use status::Shown;

/// What the lane shares with the outside. It only sends to it and takes commands from it. Each life of a lane has a
/// clone.
#[derive(Clone)]
pub struct Outside {
    /// Wakes the lane. Whoever asks it for anything, or begins to listen, rings it.
    pub bell: Bell,
    /// Commands from outside, taken one by one between two turns.
    pub commands: Commands,
    /// Questions about open groups, answered between two turns.
    pub looks: Looks,
    /// A last commit, then the end. Not the end of input: no window fires.
    pub stop: Stop,
    /// The status that the lane published last, at most ten times a second.
    pub status: Arc<ArcSwap<LaneStatus>>,
    /// What each stage runs and is given, for checking a new module before it is activated.
    pub stages: Arc<ArcSwap<Vec<StageView>>>,
    /// Changed groups, for whoever listens.
    pub live: broadcast::Sender<Arc<LiveResults>>,
    /// How soon they listen for them.
    pub haste: Haste,
    /// Added to once a turn.
    pub metrics: Arc<LaneMetrics>,
    /// Told each time the lane's thread passes its loop.
    pub pulse: Pulse,
    /// What made lives before panic.
    pub trial: Trial,
    /// What it holds in memory, beside the other lanes of the process.
    pub memory: Account,
    /// Whether this instance is the one that works.
    pub lead: Lead,
}

impl Outside {
    /// Shows that this instance stands by: why it does not know for whom if it does not, what should be known of it, and what
    /// it has read of the chain. Whatever it knew as a leader is now another instance's to say: shown beside the leader's, it
    /// would count twice or tell of a stream that stands.
    pub(crate) fn stand_by(
        &self,
        pipeline: &str,
        problem: Option<String>,
        note: Option<String>,
        followed: Option<Arc<Followed>>,
    ) {
        let (phase, blank) = (Phase::Standby, LaneStatus::nothing_yet(pipeline));
        self.status.store(Arc::new(LaneStatus { phase, problem, note, followed, ..blank }));
    }
}

/// What a lane has to do with the outside.
pub(super) struct Desk {
    config: Arc<Pipeline>,
    clock: Clock,
    pub(super) outside: Outside,
    /// Asked for, and not yet answered.
    activations: Vec<Activation>,
    live: Live,
    looks: Pace,
    reported: Reported,
    /// With records, since the lane was opened.
    pub(super) turns: u64,
    /// The end of the last turn with records.
    turn_ended: Option<Duration>,
}

impl Desk {
    /// Nothing was asked, nothing told.
    pub(super) fn new(config: &Arc<Pipeline>, clock: &Clock, outside: Outside) -> Self {
        Self {
            config: Arc::clone(config),
            clock: clock.clone(),
            outside,
            activations: Vec::new(),
            live: Live::default(),
            looks: Pace::default(),
            reported: Reported::default(),
            turns: 0,
            turn_ended: None,
        }
    }

    /// Counters.
    pub(super) fn metrics(&self) -> &Arc<LaneMetrics> {
        &self.outside.metrics
    }

    /// Whether this instance may go on as the leader. While nobody knows, it reads nothing and commits nothing.
    pub(super) fn leads(&self) -> Result<bool, LaneError> {
        match self.outside.lead.standing() {
            Standing::Leads => Ok(true),
            Standing::Doubts => Ok(false),
            Standing::Lost(why) => Err(LaneError::SteppedDown(why)),
        }
    }

    /// Takes note of an activation. It forces a barrier after this turn.
    pub(super) fn ask(&mut self, stage: String, module: LoadedModule, reply: Reply) {
        self.activations.push(Activation::new(stage, module, reply));
    }

    /// Whether an activation waits for its barrier.
    pub(super) fn awaits_barrier(&self) -> bool {
        self.activations.iter().any(Activation::is_asked)
    }

    /// The activations, to have those that wait put in their places at a barrier.
    pub(super) fn take_activations(&mut self) -> Vec<Activation> {
        std::mem::take(&mut self.activations)
    }

    /// Takes one back that is not answered yet.
    pub(super) fn keep(&mut self, activation: Option<Activation>) {
        self.activations.extend(activation);
    }

    /// Answers those who asked for the modules that this record pins.
    pub(super) fn answer(&mut self, record: &ChainRecord) {
        let activations = std::mem::take(&mut self.activations).into_iter();
        self.activations = activations.filter_map(|it| it.answer(record.epoch)).collect();
    }

    /// Refuses what is asked of a lane that has come to its end.
    pub(super) fn refuse_all(&self) {
        while let Some(command) = self.outside.commands.try_take() {
            command.refuse(Refusal::Ended);
        }
        while let Some(look) = self.outside.looks.try_take() {
            look.answer(Err(Refusal::Ended));
        }
    }

    /// The next command, if there is one.
    pub(super) fn next_command(&self) -> Option<Command> {
        self.outside.commands.try_take()
    }

    /// The next question about open groups, if there is one and it is time for another answer.
    pub(super) fn next_look(&self) -> Option<Look> {
        if self.looks.is_due(self.clock.monotonic()) { self.outside.looks.try_take() } else { None }
    }

    /// A question was answered.
    pub(super) fn end_look(&mut self, began: Duration) {
        self.looks.took(began, self.clock.monotonic());
    }

    /// When the lane is to go round again, if nothing wakes it before: something is to be told that waits for its time.
    pub(super) fn due(&self) -> Option<Duration> {
        let look = self.outside.looks.is_waiting().then(|| self.looks.next());
        let listeners = self.outside.live.receiver_count();
        let live = self.live.due(listeners, &self.outside.haste);
        [look, live, self.reported.due()].into_iter().flatten().min()
    }

    /// When somebody is to be shown what a turn would make now. The status may come later than that: it is for a glance.
    pub(super) fn unseen_until(&self) -> Duration {
        let look = self.outside.looks.is_waiting().then(|| self.looks.next());
        let live = self.live.next(self.outside.live.receiver_count(), &self.outside.haste);
        look.into_iter().chain(live).min().unwrap_or(Duration::MAX)
    }

    /// What is shown has changed.
    pub(super) fn has_news(&mut self) {
        self.reported.is_behind = true;
        self.live.is_behind = true;
    }

    /// Notes how long no turn ran before this one, which has records.
    pub(super) fn begin_turn(&self, now: Duration) {
        if let Some(ended) = self.turn_ended {
            self.metrics().longest_pause.observe(now.saturating_sub(ended));
        }
    }

    /// Adds a turn with records to the counters. What its steps took, ns of all workers together.
    pub(super) fn end_turn(&mut self, fates: &Fates, started: Duration) -> u64 {
        self.turns += 1;
        let now = self.clock.monotonic();
        self.metrics().records.add(fates);
        self.metrics().turn.observe(now.saturating_sub(started));
        self.turn_ended = Some(now);
        self.has_news();
        self.metrics().steps.end_turn()
    }

    /// A stage runs another module from now on.
    pub(super) fn exchanged(&self, stage: &str, plan: &Plan) {
        self.publish_stages(plan);
        if let Some(metrics) = self.metrics().stage(stage) {
            metrics.activated(self.clock.wall_micros());
        }
    }

    /// Publishes what each stage runs and is given.
    pub(super) fn publish_stages(&self, plan: &Plan) {
        for stage in plan.all_stages() {
            if let Some(metrics) = self.metrics().stage(&stage.id) {
                metrics.runs(&stage.plugin);
            }
        }
        let view = |stage: &FittedStage| StageView {
            id: Arc::clone(&stage.id),
            input: Arc::clone(&stage.declared),
            plugin: stage.plugin.clone(),
        };
        self.outside.stages.store(Arc::new(plan.all_stages().map(view).collect()));
    }
}
