//! Modules: upload, list, and what an activation would come to. An upload changes nothing that runs; it is loaded and
//! checked before it is stored.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::OnceCell;
use utoipa::ToSchema;

use super::error::ApiError;
use super::{AppState, Shared};
use crate::api::error::ErrorBody;
use crate::api::modules::{
    ColumnFacts, FitVerdict, Fits, Module, ModuleDetails, ModuleLine, Modules, PluginFacts,
    StageFit, StageName, Uploaded,
};
use crate::handle::{Fitness, PipelineHandle};
use sluicegate_chain::modules::{ModuleStoreError, ModuleVersion, VersionChoice};
use sluicegate_chain::record::PinnedModule;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::schema::type_name;
use sluicegate_sandbox::module::compile::Patience;
use sluicegate_sandbox::module::loaded::LoadedModule;
use sluicegate_sandbox::module::problem::MODULE_BYTES_MAX;
use sluicegate_sandbox::plugin::description::{Description, PluginColumn};

/// The bytes of a module.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes a body, and is never made")]
struct Wasm(Vec<u8>);

/// Uploads at a time: each may hold [`MODULE_BYTES_MAX`] bytes and then waits for the one compiler.
pub(super) const UPLOADS_MAX: usize = 4;
/// Modules at a time that are fetched to be judged or described. Those beyond wait.
pub(super) const JUDGED_AT_A_TIME: usize = 2;
/// Descriptions that are remembered: a few kilobytes each at most.
const DESCRIBED_MAX: usize = 1_024;

/// Lists the newest version of each module.
#[utoipa::path(
    get,
    path = "/v1/modules",
    tag = "modules",
    operation_id = "list_modules",
    responses(
        (status = 200, description = "The newest version of each, by name", body = Modules),
        (status = 503, description = "`store_failed`: the module store does not answer as it should", body = ErrorBody),
    ),
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Modules>, ApiError> {
    let mut newest = BTreeMap::new();
    for version in shared.app.modules.list().await? {
        let best = newest.entry(version.name.clone()).or_insert_with(|| version.clone());
        if version.number > best.number {
            *best = version;
        }
    }
    Ok(Json(Modules { modules: newest.into_values().map(|it| shared.app.line(it)).collect() }))
}

/// Lists all versions of a module, the newest first.
#[utoipa::path(
    get,
    path = "/v1/modules/{name}",
    tag = "modules",
    operation_id = "list_versions",
    params(("name" = String, Path, description = "The label of a module: a-z, 0-9 and `-`, at most 63 characters")),
    responses(
        (status = 200, description = "All its versions, the newest first", body = Modules),
        (status = 400, description = "`module_name`: that is no name of a module; `bad_path`", body = ErrorBody),
        (status = 404, description = "`unknown_module`: there is no such module", body = ErrorBody),
        (status = 503, description = "`store_failed`: the module store does not answer as it should", body = ErrorBody),
    ),
)]
pub(super) async fn versions(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Modules>, ApiError> {
    let Path(name) = name?;
    // Says what is wrong with a name that is not there.
    shared.app.modules.resolve(&name, None).await?;
    let mut versions = shared.app.modules.list().await?;
    versions.retain(|version| version.name == name);
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.number));
    Ok(Json(Modules { modules: versions.into_iter().map(|it| shared.app.line(it)).collect() }))
}

/// Shows what a version of a module says of itself, and where it runs.
#[utoipa::path(
    get,
    path = "/v1/modules/{name}/{version}",
    tag = "modules",
    operation_id = "show_version",
    params(("name" = String, Path, description = "The label of a module: a-z, 0-9 and `-`, at most 63 characters"), ("version" = String, Path, description = "Its number, or six or more first digits of its digest")),
    responses(
        (status = 200, description = "The version", body = ModuleDetails),
        (status = 400, description = "`module_name`: that is no name of a module; `bad_path`", body = ErrorBody),
        (status = 404, description = "`unknown_module`: there is no such module or version", body = ErrorBody),
        (status = 422, description = "`module_version`: that is no version, or several versions begin so; `module_refused`: it can no longer be loaded", body = ErrorBody),
        (status = 503, description = "`store_failed`: the module store does not answer as it should", body = ErrorBody),
    ),
)]
pub(super) async fn version(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<ModuleDetails>, ApiError> {
    let chosen = shared.version(path).await?;
    let plugin = match shared.described(chosen.digest) {
        Some(known) => known,
        None => {
            let _turn = shared.judging.acquire().await.expect("nobody closes it");
            let bytes = shared.app.modules.get(&chosen.digest).await?;
            let loaded = load(&shared, &chosen.name, bytes).await?;
            shared.describe(&loaded)
        }
    };
    Ok(Json(ModuleDetails { line: shared.app.line(chosen), plugin }))
}

/// Tells what an activation of a version would come to, for every stage of every pipeline.
///
/// Nothing that runs is touched.
#[utoipa::path(
    get,
    path = "/v1/modules/{name}/{version}/fit",
    tag = "modules",
    operation_id = "show_fit",
    params(("name" = String, Path, description = "The label of a module: a-z, 0-9 and `-`, at most 63 characters"), ("version" = String, Path, description = "Its number, or six or more first digits of its digest")),
    responses(
        (status = 200, description = "A verdict for each stage", body = Fits),
        (status = 400, description = "`module_name`: that is no name of a module; `bad_path`", body = ErrorBody),
        (status = 404, description = "`unknown_module`: there is no such module or version", body = ErrorBody),
        (status = 422, description = "`module_version`: that is no version, or several versions begin so; `module_refused`: it can no longer be loaded", body = ErrorBody),
        (status = 503, description = "`store_failed`: the module store does not answer as it should", body = ErrorBody),
    ),
)]
pub(super) async fn fits(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Fits>, ApiError> {
    let chosen = shared.version(path).await?;
    let _turn = shared.judging.acquire().await.expect("nobody closes it");
    let bytes = OnceCell::new();
    let mut fits = Vec::new();
    for (name, pipeline) in &shared.app.pipelines {
        for stage in pipeline.stages() {
            let fitness = pipeline.fitness(stage, &chosen, shared.fetch(&chosen, &bytes)).await?;
            fits.push(StageFit::of(name, &stage.id, fitness));
        }
    }
    Ok(Json(Fits { fits }))
}

/// Uploads a module as a new version. Nothing that runs changes.
///
/// The bytes are checked, compiled and asked what they are before they are stored. The same bytes again are the same version.
#[utoipa::path(
    put,
    path = "/v1/modules/{name}",
    tag = "modules",
    operation_id = "upload_module",
    params(("name" = String, Path, description = "The label of a module: a-z, 0-9 and `-`, at most 63 characters")),
    request_body(
        content = Wasm,
        content_type = "application/wasm",
        description = "A core module for `wasm32-unknown-unknown`, or a component; at most 10 MiB, without `Content-Encoding`"
    ),
    responses(
        (status = 200, description = "The newest version of that name has these bytes already", body = Uploaded),
        (status = 201, description = "Stored as a new version", body = Uploaded),
        (status = 400, description = "`module_name`: that is no name of a module; `bad_body`: the body broke off; `bad_path`", body = ErrorBody),
        (status = 413, description = "`too_large`: a module has at most 10 MiB", body = ErrorBody),
        (status = 415, description = "`content_type`: it is not `application/wasm`, or is encoded", body = ErrorBody),
        (status = 422, description = "`module_refused`: the bytes are no plugin; the message says why", body = ErrorBody),
        (status = 429, description = "`busy`: four uploads are under way already", body = ErrorBody),
        (status = 503, description = "`store_failed`: the module store does not answer as it should; `busy`: others upload under that name", body = ErrorBody),
    ),
)]
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Uploaded>), ApiError> {
    let Path(name) = name?;
    check_content(&headers)?;
    let before = newest(&shared, &name).await?;
    let _slot = shared.uploads.try_acquire().map_err(|_| {
        ApiError::busy(format!(
            "{UPLOADS_MAX} uploads are under way already: try again in a moment"
        ))
    })?;
    let bytes = read(&headers, body).await?;
    let loaded = load(&shared, &name, bytes.clone()).await?;
    let stored = shared.app.modules.put(&name, bytes).await?;
    let known = before.as_ref() == Some(&stored);
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    tracing::info!(name, version = stored.number, digest = %stored.digest.short(), "module stored");
    let plugin = shared.describe(&loaded);
    Ok((status, Json(Uploaded { module: stored.into(), plugin })))
}

impl AppState {
    /// A version with the stages that run its bytes, under whatever name.
    fn line(&self, stored: ModuleVersion) -> ModuleLine {
        let digest = stored.digest;
        let of_pipeline = |(name, pipeline): (&String, &Arc<PipelineHandle>)| {
            let status = pipeline.status();
            let running = status.running().iter().filter(|pinned| pinned.digest == digest);
            let stage = |pinned: &PinnedModule| StageName {
                pipeline: name.clone(),
                stage: pinned.stage.clone(),
            };
            running.map(stage).collect::<Vec<_>>()
        };
        let runs = self.pipelines.iter().flat_map(of_pipeline).collect();
        ModuleLine { module: stored.into(), runs }
    }
}

impl Shared {
    /// The version that a path names.
    async fn version(
        &self,
        path: Result<Path<(String, String)>, PathRejection>,
    ) -> Result<ModuleVersion, ApiError> {
        let Path((name, version)) = path?;
        let version: VersionChoice = version.parse()?;
        Ok(self.app.modules.resolve(&name, Some(&version)).await?)
    }

    /// The bytes of a version, fetched once for all that wait for them.
    async fn fetch(
        &self,
        chosen: &ModuleVersion,
        fetched: &OnceCell<Bytes>,
    ) -> Result<Bytes, ModuleStoreError> {
        fetched.get_or_try_init(|| self.app.modules.get(&chosen.digest)).await.cloned()
    }

    /// What a module said of itself when it was loaded last.
    fn described(&self, digest: ModuleDigest) -> Option<PluginFacts> {
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        described.get(&digest).cloned()
    }

    /// Remembers what a module says of itself: it says the same each time, and costs a compiler if it is not known.
    fn describe(&self, loaded: &LoadedModule) -> PluginFacts {
        let facts = PluginFacts::from(&*loaded.description);
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        if described.len() >= DESCRIBED_MAX {
            described.clear();
        }
        described.insert(loaded.digest, facts.clone());
        facts
    }
}

impl StageFit {
    fn of(pipeline: &str, stage: &str, fitness: Fitness) -> Self {
        let (verdict, reason) = match fitness {
            Fitness::Runs => (FitVerdict::Runs, None),
            Fitness::Fits => (FitVerdict::Fits, None),
            Fitness::Migrates { from } => {
                let reason = format!("its `migrate` takes over the state of version {from}");
                (FitVerdict::Migrates, Some(reason))
            }
            Fitness::Refused { reason } => (FitVerdict::Refused, Some(reason)),
        };
        Self { pipeline: pipeline.to_owned(), stage: stage.to_owned(), verdict, reason }
    }
}

/// What an upload under that name follows. Fails for what is no name.
async fn newest(shared: &Shared, name: &str) -> Result<Option<ModuleVersion>, ApiError> {
    match shared.app.modules.resolve(name, None).await {
        Ok(newest) => Ok(Some(newest)),
        Err(ModuleStoreError::UnknownModule { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn check_content(headers: &HeaderMap) -> Result<(), ApiError> {
    let wrong = |message: &str| {
        Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message))
    };
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content.is_some_and(|value| value.eq_ignore_ascii_case("application/wasm")) {
        return wrong("a module is uploaded with `Content-Type: application/wasm`");
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return wrong("a module is uploaded as it is, without `Content-Encoding`");
    }
    Ok(())
}

/// The body, as long as it is not too long: refused by its announced length before any of it is read.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a module has at most {MODULE_BYTES_MAX} bytes: build it with --release"),
        )
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MODULE_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            let message = format!("the body ended before its end: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "bad_body", message)
        })?;
        if bytes.len() + chunk.len() > MODULE_BYTES_MAX {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Checks, compiles and describes the module, off the async threads.
async fn load(shared: &Arc<Shared>, name: &str, bytes: Bytes) -> Result<LoadedModule, ApiError> {
    let engine = shared.app.engine.clone();
    let limits = shared.app.upload_limits;
    let name = name.to_owned();
    // Dropped with the request, when its client goes away or its time is over: then the compiler ends too.
    let (patience, _waiting) = Patience::of_request();
    let load = move || engine.load_while(&name, &bytes, &limits, &patience);
    let loaded = tokio::task::spawn_blocking(load).await;
    let loaded = loaded.map_err(|error| ApiError::internal("loading a module panicked", error))?;
    loaded.map_err(|error| {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "module_refused", error.to_string())
    })
}

impl From<ModuleVersion> for Module {
    fn from(stored: ModuleVersion) -> Self {
        let ModuleVersion { name, digest, bytes, number, uploaded } = stored;
        Self { name, version: number, digest, bytes, uploaded: uploaded.to_string() }
    }
}

impl From<&Description> for PluginFacts {
    fn from(description: &Description) -> Self {
        let facts = |column: &PluginColumn| ColumnFacts {
            name: column.name.clone(),
            data_type: type_name(&column.data_type),
            nullable: column.nullable,
        };
        Self {
            kind: description.kind,
            sdk: description.sdk.clone(),
            inputs: description.inputs.iter().map(facts).collect(),
            outputs: description.outputs.iter().map(facts).collect(),
            state_version: description.state_version,
        }
    }
}
