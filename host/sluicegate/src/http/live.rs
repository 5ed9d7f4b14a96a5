//! Live results as server-sent events: changed groups, not yet committed
//! (docs/design/decisions.md#d17).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::Shared;
use super::error::ApiError;
use crate::api::error::ErrorBody;
use sluicegate_engine::status::LiveResults;

/// Live views at a time. Each keeps a connection for as long as it lasts.
pub(super) const VIEWERS_MAX: usize = 64;
/// A comment is sent at least this often, so that proxies do not take the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How one wants to be told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Two events a second are enough, which costs the host a fifth. False if absent: up to ten come.
    #[serde(default)]
    #[param(default = false)]
    calm: bool,
}

/// Sends changed groups as server-sent events, before they are committed.
///
/// Events are `results`, and `missed` when the client was too slow for some. The stream ends when the pipeline or the server does.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/live",
    tag = "pipelines",
    operation_id = "watch_results",
    params(("pipeline" = String, Path, description = "The name of a pipeline of this host"), Wanted),
    responses(
        (
            status = 200,
            description = "A stream of events; the data of each is JSON",
            body = String,
            content_type = "text/event-stream"
        ),
        (status = 400, description = "`bad_query`: a parameter is unknown, or has no sense; `bad_path`", body = ErrorBody),
        (status = 404, description = "`unknown_pipeline`: this host runs no such pipeline", body = ErrorBody),
        (status = 429, description = "`busy`: 64 live views are open already", body = ErrorBody),
    ),
)]
pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
    pipeline: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let pipeline = shared.app.pipeline(&pipeline?)?;
    let Query(Wanted { calm }) = wanted?;
    let slot = Arc::clone(&shared.viewers).try_acquire_owned().map_err(|_| {
        ApiError::busy(format!("{VIEWERS_MAX} live views are open already: close one"))
    })?;
    let haste = (!calm).then(|| pipeline.in_haste());
    let results = BroadcastStream::new(pipeline.live());
    let shutdown = shared.shutdown.clone();
    let events = results.take_until(async move { shutdown.cancelled().await }).map(move |result| {
        let _open = (&slot, &haste);
        Ok(event(&result))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn event(result: &Result<Arc<LiveResults>, BroadcastStreamRecvError>) -> Event {
    match result {
        Ok(results) => Event::default()
            .event("results")
            .json_data(&**results)
            .expect("live results are plain JSON"),
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            Event::default().event("missed").data(format!("{{\"events\":{missed}}}"))
        }
    }
}
