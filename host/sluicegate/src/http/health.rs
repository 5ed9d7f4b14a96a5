//! Health and metrics: for container runtimes and Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::{AppState, Shared};
use crate::api::health::Readiness;
use crate::metrics::Metrics;
use sluicegate_engine::lead::Role;
use sluicegate_engine::status::Phase;

/// Tells whether the thread of every pipeline passes its loop, or has ended.
///
/// A restart would mend nothing that this does not see.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    operation_id = "show_liveness",
    responses(
        (status = 200, description = "All do", body = String, content_type = "text/plain"),
        (status = 503, description = "A sentence for each that does not", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn live(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let limit = shared.app.stuck_after;
    let stuck = shared.app.pipelines.values().filter(|pipeline| pipeline.silence() >= limit);
    let sentences: String = stuck
        .map(|pipeline| {
            let (name, phase) = (pipeline.name(), pipeline.status().phase);
            let seconds = pipeline.silence().as_secs();
            format!("pipeline `{name}` is {phase} and has not passed its loop for {seconds} s\n")
        })
        .collect();
    match sentences.is_empty() {
        true => (StatusCode::OK, "live\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, sentences),
    }
}

/// Tells whether every pipeline does its work or has done it.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    operation_id = "show_readiness",
    responses(
        (status = 200, description = "All do", body = Readiness),
        (status = 503, description = "A reason for each that does not", body = Readiness),
    ),
)]
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Readiness>) {
    let readiness = readiness(&shared.app);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// Tells a load balancer whether this host leads every pipeline that it was started with.
#[utoipa::path(
    get,
    path = "/health/leader",
    tag = "health",
    operation_id = "show_leader",
    responses(
        (status = 200, description = "It does", body = Readiness),
        (status = 503, description = "A sentence for each pipeline that it does not lead, with who does", body = Readiness),
    ),
)]
pub(super) async fn leader(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Readiness>) {
    let reasons: Vec<_> = shared
        .app
        .pipelines
        .values()
        .filter(|pipeline| pipeline.lead().role != Role::Leader)
        .map(|pipeline| {
            let (name, lead) = (pipeline.name(), pipeline.lead());
            match &lead.leader {
                Some(leader) => format!("`{leader}` leads pipeline `{name}`"),
                None => format!("nobody is known to lead pipeline `{name}`"),
            }
        })
        .collect();
    let leads = Readiness { ready: reasons.is_empty(), reasons };
    let status = if leads.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(leads))
}

/// Gives the metrics of all pipelines to Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    operation_id = "show_metrics",
    responses(
        (status = 200, description = "OpenMetrics text; docs/metrics.md lists what there is", body = String, content_type = "application/openmetrics-text"),
    ),
)]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], shared.app.metrics.render())
}

fn readiness(app: &AppState) -> Readiness {
    let reasons: Vec<_> = app
        .pipelines
        .values()
        .filter_map(|pipeline| {
            let (name, status) = (pipeline.name(), pipeline.status());
            match (status.phase, &status.problem) {
                (Phase::Running | Phase::Isolating | Phase::Finished, None) => None,
                // It is there, and works when it is its turn.
                (Phase::Standby, None) => None,
                (phase, None) => Some(format!("pipeline `{name}` is {phase}")),
                (phase, Some(problem)) => Some(format!("pipeline `{name}` is {phase}: {problem}")),
            }
        })
        .collect();
    Readiness { ready: reasons.is_empty(), reasons }
}
