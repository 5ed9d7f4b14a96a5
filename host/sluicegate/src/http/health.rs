//! Health and metrics: for container runtimes and Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::api::health::Readiness;
use super::{AppState, Shared};
use crate::metrics::Metrics;
use sluicegate_engine::status::Phase;

/// `GET /health/live`: 200 if the thread of every pipeline passes its loop, or has ended; else 503, with those that do not.
/// A restart would mend nothing that this does not see.
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

/// `GET /health/ready`: 200 if every pipeline does its work or has done it, else 503, with the reasons.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Readiness>) {
    let readiness = readiness(&shared.app);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

/// `GET /metrics`
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
                (phase, None) => Some(format!("pipeline `{name}` is {phase}")),
                (phase, Some(problem)) => Some(format!("pipeline `{name}` is {phase}: {problem}")),
            }
        })
        .collect();
    Readiness { ready: reasons.is_empty(), reasons }
}
