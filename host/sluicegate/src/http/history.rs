//! The last fifteen minutes of a pipeline.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Shared;
use super::error::ApiError;
use crate::api::history::History;
use sluicegate_model::time_text::rfc3339;

/// What may stand behind `?`.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// RFC 3339: only samples after that time, and the marks that they saw.
    #[param(format = DateTime)]
    since: Option<String>,
}

/// Shows rates and marks of the last fifteen minutes.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/history",
    tag = "pipelines",
    operation_id = "show_history",
    params(Wanted),
    responses(
        (status = 200, description = "Samples, and what happened between them", body = History),
    ),
)]
pub(super) async fn history(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<History>, ApiError> {
    let Path(name) = pipeline?;
    shared.app.pipeline(&name)?;
    let Query(wanted) = wanted.map_err(|error| bad_query(error.body_text()))?;
    let since = wanted.since.as_deref().map(millis).transpose()?;
    let mut shown = shared.histories[&name].show(since);
    for mark in &mut shown.marks {
        if let (Some(module), Some(digest)) = (&mark.module, mark.digest) {
            mark.version = shared.versions.number(module, digest);
        }
    }
    Ok(Json(shown))
}

/// Milliseconds since 1970.
fn millis(since: &str) -> Result<i64, ApiError> {
    let micros = rfc3339(since).ok_or_else(|| {
        bad_query(format!("`since` is `{since}`, and is a time such as 2026-11-26T10:00:00Z"))
    })?;
    Ok(micros.div_euclid(1_000))
}

fn bad_query(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message)
}
