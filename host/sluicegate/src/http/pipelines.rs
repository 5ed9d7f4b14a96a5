//! Pipelines: how they stand, as last published, and what their stages run.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;

use super::error::{ApiError, NotLeader};
use super::limits::limits;
use super::request::json;
use super::shape::shape;
use super::{AppState, Shared};
use crate::api::commits::Commit;
use crate::api::error::ErrorBody;
use crate::api::history::{Rates, StageRates};
use crate::api::pipelines::{
    FetchStatus, Host, Leadership, MemoryStatus, PartitionStatus, PipelineLine, PipelineStatus,
    Pipelines, StageStatus, TableLogStatus,
};
use crate::api::releases::{
    Activations, ReleaseAnswer, ReleaseRequest, Releases, StageActivation, StageRelease,
    VersionWanted,
};
use crate::handle::PipelineHandle;
use crate::history::History;
use sluicegate_chain::modules::{ModuleStoreError, VersionChoice};
use sluicegate_chain::record::{Activation, PinnedModule};
use sluicegate_engine::counters::{self, Counter, ModuleMetrics, StageMetrics};
use sluicegate_engine::lead::Role;
use sluicegate_engine::status::{LaneStatus, PartitionView};
use sluicegate_model::time::{EventTime, Watermark};

/// What a release looks like.
const RELEASE: &str = r#"{"stage": "valid", "module": "valid-sale", "version": 2}; without a version the newest is taken"#;

/// Lists all pipelines of this host in short.
#[utoipa::path(
    get,
    path = "/v1/pipelines",
    tag = "pipelines",
    operation_id = "list_pipelines",
    responses(
        (status = 200, description = "All pipelines, by name", body = Pipelines),
    ),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Json<Pipelines> {
    let line = |pipeline: &Arc<PipelineHandle>| shared.line(pipeline, &pipeline.status());
    let pipelines = shared.app.pipelines.values().map(line).collect();
    Json(Pipelines { pipelines, host: shared.host() })
}

/// Shows a pipeline in full: positions, watermark, lag, and what each stage runs and has done.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}",
    tag = "pipelines",
    operation_id = "show_pipeline",
    responses(
        (status = 200, description = "As last published by the lane", body = PipelineStatus),
    ),
)]
pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
) -> Result<Json<PipelineStatus>, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    let status = pipeline.status();
    let partitions = status.partitions.iter().take(PipelineStatus::PARTITIONS_MAX);
    let partitions: Vec<_> = partitions.map(PartitionStatus::from).collect();
    Ok(Json(PipelineStatus {
        line: shared.line(pipeline, &status),
        open_groups: status.groups,
        state_bytes: status.state_bytes,
        memory: status.memory.map(MemoryStatus::from),
        fetch: status.fetched.as_ref().map(FetchStatus::from),
        turns: status.turns,
        dead_letters: status.dead_letters.clone(),
        table_logs: status.table_logs.iter().map(TableLogStatus::from).collect(),
        shape: shape(&pipeline.config, status.partitions.len()),
        stages: status.modules.iter().map(|pinned| shared.stage(pipeline, pinned)).collect(),
        partitions_left_out: status.partitions.len() - partitions.len(),
        partitions,
        commits: pipeline
            .metrics()
            .commits
            .all()
            .iter()
            .rev()
            .map(|it| Commit::from(&**it))
            .collect(),
        limits: limits(pipeline, &status),
        host: shared.host(),
    }))
}

/// Shows what each stage runs.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/releases",
    tag = "pipelines",
    operation_id = "show_releases",
    responses(
        (status = 200, description = "A module for each stage", body = Releases),
    ),
)]
pub(super) async fn releases(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
) -> Result<Json<Releases>, ApiError> {
    let status = shared.app.pipeline(&pipeline?)?.status();
    Ok(Json(Releases {
        epoch: status.committed().map(|epoch| epoch.0),
        releases: status.running().iter().map(StageRelease::from).collect(),
    }))
}

/// Lists which modules took the place of others, the newest first.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/activations",
    tag = "pipelines",
    operation_id = "list_activations",
    responses(
        (status = 200, description = "The last 16", body = Activations),
    ),
)]
pub(super) async fn activations(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
) -> Result<Json<Activations>, ApiError> {
    let status = shared.app.pipeline(&pipeline?)?.status();
    let newest_first = status.activated().iter().rev();
    Ok(Json(Activations { activations: newest_first.map(|it| shared.activation(it)).collect() }))
}

/// Activates a module in a stage. The answer comes when the record that pins it is durable.
#[utoipa::path(
    post,
    path = "/v1/pipelines/{pipeline}/releases",
    tag = "pipelines",
    operation_id = "activate_module",
    request_body = ReleaseRequest,
    responses(
        (status = 307, description = "`not_leader`: another host leads, and `Location` says where", body = ErrorBody),
        (status = 200, description = "It runs; `changed` is false if it ran already", body = ReleaseAnswer),
        (status = 400, description = "`module_name`: that is no name of a module; `bad_path`", body = ErrorBody),
        (status = 404, description = "`unknown_pipeline`, `unknown_stage`, `unknown_module`: the message lists what there is", body = ErrorBody),
        (status = 409, description = "`incompatible`: not with what runs; `activation_under_way`: one at a time; `not_running`", body = ErrorBody),
        (status = 413, description = "`too_large`: the body has at most 16 KiB", body = ErrorBody),
        (status = 415, description = "`content_type`: it is not `application/json`", body = ErrorBody),
        (status = 422, description = "`bad_body`: the body has another shape; `module_version`; `module_refused`: the module does not fit the stage", body = ErrorBody),
        (status = 503, description = "`not_leader`: another host leads, and does not say where; `not_ready`, `lane_ended`, `store_failed`, `busy`: ask again later", body = ErrorBody),
        (status = 504, description = "`not_durable_yet`: the module was taken, and its record is not durable yet", body = ErrorBody),
    ),
)]
pub(super) async fn release(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ReleaseAnswer>, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    refuse_on_standby(pipeline)?;
    let ReleaseRequest { stage, module, version } = json(&headers, &body?, RELEASE)?;
    let version = version.map(VersionChoice::try_from).transpose()?;
    let activated = pipeline.activate(&stage, &module, version.as_ref()).await?;
    let (epoch, digest, previous) = (activated.epoch.0, activated.digest, activated.previous);
    Ok(Json(ReleaseAnswer { epoch, stage, module, digest, previous, changed: digest != previous }))
}

/// What changes a pipeline is for its leader.
fn refuse_on_standby(pipeline: &PipelineHandle) -> Result<(), ApiError> {
    let lead = pipeline.lead();
    if lead.role != Role::Standby {
        return Ok(());
    }
    let name = pipeline.name();
    let leader = lead.leader.as_deref().unwrap_or("another host");
    Err(ApiError::not_leader(match &lead.url {
        Some(url) => {
            let url = url.trim_end_matches('/');
            NotLeader {
                message: format!("`{leader}` leads pipeline `{name}`: ask it at {url}"),
                location: Some(format!("{url}/v1/pipelines/{name}/releases")),
            }
        }
        None => NotLeader {
            message: format!(
                "`{leader}` leads pipeline `{name}`, and does not say where it can be reached: ask it, and start it with \
                 `--advertise URL` to be sent there"
            ),
            location: None,
        },
    }))
}

impl Shared {
    fn activation(&self, activation: &Activation) -> StageActivation {
        let Activation { epoch, at, stage, name, digest, previous_name, previous } = activation;
        StageActivation {
            epoch: epoch.0,
            at: at.to_string(),
            stage: stage.clone(),
            module: name.clone(),
            version: self.versions.number(name, *digest),
            digest: *digest,
            previous_module: previous_name.clone(),
            previous_version: self.versions.number(previous_name, *previous),
            previous: *previous,
        }
    }
}

impl AppState {
    /// The pipeline of that name.
    pub(super) fn pipeline(&self, name: &str) -> Result<&Arc<PipelineHandle>, ApiError> {
        self.pipelines.get(name).ok_or_else(|| {
            let known: Vec<_> = self.pipelines.keys().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("there is no pipeline `{name}`: this host runs {known}");
            ApiError::not_found("unknown_pipeline", message)
        })
    }
}

impl Shared {
    fn host(&self) -> Host {
        Host {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: EventTime(self.started_micros).to_string(),
            now: EventTime(self.app.clock.wall_micros()).to_string(),
        }
    }

    fn line(&self, pipeline: &PipelineHandle, status: &LaneStatus) -> PipelineLine {
        let now = self.app.clock.wall_micros();
        let history = self.histories.get(&**pipeline.name());
        let lost = history.and_then(History::lost_in_a_minute);
        PipelineLine {
            name: pipeline.name().to_string(),
            phase: status.phase,
            problem: status.problem.clone(),
            note: status.note.clone(),
            leadership: Leadership::from(&*pipeline.lead()),
            epoch: status.epoch.map(|epoch| epoch.0),
            watermark: moment(status.watermark),
            watermark_delay_seconds: match status.watermark {
                Watermark::At(time) => Some(now.saturating_sub(time.micros()) as f64 / 1e6),
                Watermark::None | Watermark::End => None,
            },
            input_ended: status.watermark == Watermark::End,
            lag: status.partitions.iter().filter_map(|view| view.lag).reduce(i64::saturating_add),
            records: status.fates.into(),
            rates: history.map_or_else(Rates::default, History::rates),
            late_a_minute: lost.map(|lost| lost.late),
            dead_letters_a_minute: lost.map(|lost| lost.dead_letters),
        }
    }

    /// A stage as it runs what is pinned.
    fn stage(&self, pipeline: &PipelineHandle, pinned: &PinnedModule) -> StageStatus {
        let config = pipeline.stages().find(|stage| *stage.id == *pinned.stage);
        let metrics = pipeline.metrics().stage(&pinned.stage);
        let activated = metrics.and_then(|stage| stage.activated_micros.time());
        // Between the barrier and the next status the two may be different modules.
        let running = metrics.and_then(StageMetrics::running);
        let running = running.filter(|module| module.plugin.digest == pinned.digest);
        let count =
            |of: fn(&ModuleMetrics) -> &Counter| running.as_ref().map_or(0, |it| of(it).get());
        StageStatus {
            release: StageRelease::from(pinned),
            kind: config.map(|stage| stage.kind),
            version: self.versions.number(&pinned.name, pinned.digest),
            rows: count(|module| &module.given),
            dropped: count(|module| &module.dropped),
            rates: self
                .histories
                .get(&**pipeline.name())
                .map_or_else(StageRates::default, |history| history.stage_rates(&pinned.stage)),
            calls: count(|module| &module.calls),
            cpu_seconds: running.as_ref().map_or(0.0, |module| module.cpu.seconds()),
            traps: count(|module| &module.traps),
            deadlines: count(|module| &module.deadlines),
            rejects: count(|module| &module.rejects),
            memory_bytes: running.as_ref().map_or(0, |module| module.memory_bytes.get()),
            activated: activated.map(|time| time.to_string()),
        }
    }
}

/// RFC 3339; nothing if it is no moment.
pub(super) fn moment(watermark: Watermark) -> Option<String> {
    match watermark {
        Watermark::At(time) => Some(time.to_string()),
        Watermark::None | Watermark::End => None,
    }
}

impl From<&counters::Commit> for Commit {
    fn from(commit: &counters::Commit) -> Self {
        Self {
            epoch: commit.epoch.0,
            at: EventTime(commit.at_micros).to_string(),
            seconds: commit.took.as_secs_f64(),
            bytes: commit.bytes,
            files: commit.files,
            rows: commit.rows,
            messages: commit.messages,
            state_bytes: commit.state_bytes,
            activates: commit.activated.iter().map(|it| it.stage.clone()).collect(),
        }
    }
}

impl From<&PinnedModule> for StageRelease {
    fn from(pinned: &PinnedModule) -> Self {
        Self {
            stage: pinned.stage.clone(),
            module: pinned.name.clone(),
            digest: pinned.digest,
            generation: pinned.generation,
            state_version: pinned.state_version,
        }
    }
}

impl From<&PartitionView> for PartitionStatus {
    fn from(view: &PartitionView) -> Self {
        Self {
            stream: view.stream.to_string(),
            partition: view.partition,
            next_offset: view.next_offset,
            end_offset: view.end_offset,
            lag: view.lag,
            watermark: moment(view.watermark),
            max_event_time: view.max_event_time.map(|time| time.to_string()),
            idle: view.idle,
            holds_watermark: view.holds_watermark,
            paused: view.paused,
            jumps: view.jumps,
            records: view.fates.into(),
        }
    }
}

impl TryFrom<VersionWanted> for VersionChoice {
    type Error = ModuleStoreError;

    fn try_from(wanted: VersionWanted) -> Result<Self, ModuleStoreError> {
        match wanted {
            VersionWanted::Number(number) => Ok(Self::Number(number)),
            VersionWanted::Text(text) => text.parse(),
        }
    }
}
