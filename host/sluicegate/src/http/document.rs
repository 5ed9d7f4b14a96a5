//! Answers with the document of the API, which [`super::openapi`] makes of all routes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Shared;

/// Describes this API as an OpenAPI document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "document",
    operation_id = "show_document",
    responses((status = 200, description = "The document", body = serde_json::Value)),
)]
pub(super) async fn document(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], shared.document.clone())
}
