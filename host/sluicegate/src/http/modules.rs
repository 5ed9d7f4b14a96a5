//! Modules: upload, list. An upload changes nothing that runs; it is loaded and checked before it is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::Shared;
use super::api::modules::{ColumnFacts, Module, Modules, PluginFacts, Uploaded};
use super::error::ApiError;
use sluicegate_chain::modules::{ModuleStoreError, ModuleVersion};
use sluicegate_model::schema::type_name;
use sluicegate_sandbox::module::compile::Patience;
use sluicegate_sandbox::module::load::LoadedModule;
use sluicegate_sandbox::module::problem::MODULE_BYTES_MAX;
use sluicegate_sandbox::plugin::description::{Description, PluginColumn};

/// Uploads at a time: each may hold [`MODULE_BYTES_MAX`] bytes and then waits for the one compiler.
pub(super) const UPLOADS_MAX: usize = 4;

/// `GET /v1/modules`: the newest version of each.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Modules>, ApiError> {
    let mut newest = BTreeMap::new();
    for version in shared.app.modules.list().await? {
        let best = newest.entry(version.name.clone()).or_insert_with(|| version.clone());
        if version.number > best.number {
            *best = version;
        }
    }
    Ok(Json(Modules { modules: newest.into_values().map(Module::from).collect() }))
}

/// `GET /v1/modules/{name}`: all its versions, newest first.
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
    Ok(Json(Modules { modules: versions.into_iter().map(Module::from).collect() }))
}

/// `PUT /v1/modules/{name}`: a new version, if the bytes are a plugin. The same bytes again are the same version.
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
    let plugin = PluginFacts::from(&*loaded.description);
    Ok((status, Json(Uploaded { module: stored.into(), plugin })))
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
        let ModuleVersion { name, digest, bytes, number } = stored;
        Self { name, version: number, digest, bytes }
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
