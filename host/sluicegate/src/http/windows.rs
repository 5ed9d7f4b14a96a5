//! What stands in the open windows of a pipeline: asked of the lane, and written as JSON, Arrow or Parquet.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Shared;
use super::error::ApiError;
use super::look::{RowLimits, bad_query};
use super::pipelines::moment;
use crate::api::error::ErrorBody;
use crate::api::windows::{WindowColumn, Windows};
use crate::handle::WindowsError;
use sluicegate_connect::sink::whole::{arrow_stream, parquet_file};
use sluicegate_engine::lane::{OpenWindows, WindowsAsked};
use sluicegate_engine::live::json_rows;
use sluicegate_model::schema::type_name;

/// Rows if nobody says how many, and at most.
const ROWS: RowLimits = RowLimits { default: 200, max: 2_000 };
/// Bytes of the text that keys are searched for.
const KEY_BYTES_MAX: usize = 256;

const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";
const JSON: &str = "application/json";

/// What may be asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many rows; 200 if absent.
    #[param(minimum = 1, maximum = 2_000)]
    limit: Option<usize>,
    /// Only groups whose key has this text in it, which has at most 256 bytes.
    key: Option<String>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Arrow,
    Parquet,
}

/// Shows what stands in the open windows, or keys, as the running module sees it now.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/windows",
    tag = "pipelines",
    operation_id = "show_windows",
    params(Wanted),
    responses(
        (status = 200, description = "Open groups by window and key, in the form that `Accept` asks for; of Arrow and Parquet the counts stand in headers", headers(
            ("x-sluicegate-groups" = Option<u64>, description = "Groups that there are"),
            ("x-sluicegate-rows-left-out" = Option<u64>, description = "Those that were not looked at"),
            ("x-sluicegate-uncommitted-epoch" = Option<u64>, description = "The epoch that the rows would be part of"),
        ), content(
            (Windows = "application/json"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
            (Vec<u8> = "application/vnd.apache.parquet"),
        )),
        (status = 406, description = "`not_acceptable`: `Accept` names none of the three forms", body = ErrorBody),
        (status = 409, description = "`no_windows`: a pipeline of raw rows has none; `not_running`: the pipeline has finished, stopped or halted", body = ErrorBody),
        (status = 429, description = "`busy`: others ask this pipeline already", body = ErrorBody),
        (status = 503, description = "`not_ready`: the lane is not open", body = ErrorBody),
    ),
)]
pub(super) async fn windows(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    let Query(Wanted { limit, key }) = wanted?;
    let (rows, key) = (ROWS.limit(limit)?, key.filter(|key| !key.is_empty()));
    if key.as_ref().is_some_and(|key| key.len() > KEY_BYTES_MAX) {
        return Err(bad_query(format!("`key` is longer than {KEY_BYTES_MAX} bytes")));
    }
    let form = form(&headers)?;
    let open = pipeline.open_windows(WindowsAsked { rows, key }).await?;
    let name = pipeline.name().to_string();
    // Some megabytes of text: not on the threads that answer.
    let written = tokio::task::spawn_blocking(move || write(&name, &open, form));
    written.await.map_err(|error| ApiError::internal("writing open windows panicked", error))?
}

/// The first form that the client takes.
fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let names = accept.flat_map(|value| value.split(','));
    let mut names = names.map(|name| name.split(';').next().unwrap_or_default().trim()).peekable();
    if names.peek().is_none() {
        return Ok(Form::Json);
    }
    let known = |name: &str| match name.to_ascii_lowercase().as_str() {
        JSON | "application/*" | "*/*" => Some(Form::Json),
        ARROW => Some(Form::Arrow),
        PARQUET => Some(Form::Parquet),
        _ => None,
    };
    names.find_map(known).ok_or_else(|| {
        let message = format!("open windows come as `{JSON}`, `{ARROW}` or `{PARQUET}`: ask for one of them in `Accept`");
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    })
}

fn write(name: &str, open: &OpenWindows, form: Form) -> Result<Response, ApiError> {
    let failed =
        |error: &dyn std::fmt::Display| ApiError::internal("open windows cannot be written", error);
    let counts = [
        ("x-sluicegate-groups", open.groups),
        ("x-sluicegate-rows-left-out", open.left_out),
        ("x-sluicegate-uncommitted-epoch", open.uncommitted_epoch.0),
    ];
    let counts = counts.map(|(name, count)| (name, count.to_string()));
    match form {
        Form::Json => Ok(Json(shown(name, open)).into_response()),
        Form::Arrow => {
            let bytes = arrow_stream(&open.rows).map_err(|error| failed(&error))?;
            Ok((counts, [(header::CONTENT_TYPE, ARROW)], bytes).into_response())
        }
        Form::Parquet => {
            let bytes = parquet_file(&open.rows).map_err(|error| failed(&error))?;
            Ok((counts, [(header::CONTENT_TYPE, PARQUET)], bytes).into_response())
        }
    }
}

fn shown(name: &str, open: &OpenWindows) -> Windows {
    let column = |field: &Arc<arrow::datatypes::Field>| WindowColumn {
        name: field.name().clone(),
        data_type: type_name(field.data_type()),
    };
    Windows {
        pipeline: name.to_owned(),
        uncommitted_epoch: open.uncommitted_epoch.0,
        watermark: moment(open.watermark),
        columns: open.rows.schema_ref().fields().iter().map(column).collect(),
        key_columns: open.key_columns,
        rows: json_rows(&open.rows).collect(),
        groups: open.groups,
        rows_left_out: open.left_out,
    }
}

impl From<WindowsError> for ApiError {
    fn from(error: WindowsError) -> Self {
        let (status, code) = match error {
            WindowsError::NoWindows { .. } => (StatusCode::CONFLICT, "no_windows"),
            WindowsError::NotRunning { .. } => (StatusCode::CONFLICT, "not_running"),
            WindowsError::NotOpen { .. } | WindowsError::Lost { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
            }
            WindowsError::Busy { .. } => (StatusCode::TOO_MANY_REQUESTS, "busy"),
        };
        Self::new(status, code, error.to_string())
    }
}
