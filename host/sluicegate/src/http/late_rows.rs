//! Late rows, newest first: those that are not committed, then those of their table.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::error::ApiError;
use super::look::{Asked, FoundRow, Known, Rows, look, note};
use crate::api::error::ErrorBody;
use crate::api::late_rows::{LateRow as Shown, LateRows};
use crate::committed::LATE;
use sluicegate_engine::lately::LateRow;
use sluicegate_model::time::EventTime;

/// What a pipeline without a table says.
const NO_TABLE: &str = "this pipeline keeps no late rows (it has no `[late]`): these are the last since its lane was opened, and \
                        they are gone when it ends";

/// What may be asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many rows; 100 if absent.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The value of `older` of the answer before; goes on there.
    before: Option<String>,
}

/// Shows what came after its windows, the newest first.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/late-rows",
    tag = "pipelines",
    operation_id = "list_late_rows",
    params(Wanted),
    responses(
        (status = 200, description = "Those that are not committed, then those of the table", body = LateRows),
        (status = 429, description = "`busy`: four requests read tables already", body = ErrorBody),
        (status = 503, description = "`store_failed`: what is committed cannot be read", body = ErrorBody),
    ),
)]
pub(super) async fn late_rows(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<LateRows>, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    let Query(Wanted { limit, before }) = wanted?;
    let asked = Asked::new(LATE, limit, before.as_deref())?;
    let status = pipeline.status();
    let lately = &status.lately;
    let read = |rows: &arrow::record_batch::RecordBatch, row: usize| {
        let row = LateRow::read(rows, row);
        let bytes = row.bytes();
        (row, bytes)
    };
    let known = Known { head: status.epoch, lately: &lately.late };
    let Rows { rows, older, unread } =
        look(&shared, pipeline, asked, known, |_: &LateRow| true, read).await?;
    let table = pipeline.committed().folder(LATE);
    // Those of the newest row: a file of an earlier version may have others.
    let columns: Vec<Arc<str>> = rows.first().map_or_else(Vec::new, |found| {
        found.row.cells.iter().map(|(name, _)| Arc::clone(name)).collect()
    });
    let text = |time: Option<EventTime>| time.map(|time| time.to_string());
    let shown = |FoundRow { epoch, is_committed, row }: FoundRow<LateRow>| Shown {
        values: columns.iter().map(|name| cell(&row, name)).collect(),
        window_start: text(row.window_start),
        window_end: text(row.window_end),
        watermark: text(row.watermark),
        late_reason: row.reason,
        epoch: epoch.0,
        committed: is_committed,
    };
    Ok(Json(LateRows {
        pipeline: pipeline.name().to_string(),
        note: note(table.is_some(), NO_TABLE, &unread),
        table: table.map(str::to_owned),
        rows: rows.into_iter().map(shown).collect(),
        columns: columns.iter().map(ToString::to_string).collect(),
        older: older.map(|older| older.to_string()),
        left_out: lately.late_left_out,
    }))
}

fn cell(row: &LateRow, name: &str) -> Value {
    let cell = row.cells.iter().find(|(column, _)| **column == *name);
    cell.map_or(Value::Null, |(_, value)| value.clone())
}
