//! Live results as server-sent events: changed groups, not yet committed
//! (docs/design/decisions.md#d17).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::Shared;
use super::auth::{Proof, SESSION_OVER, SESSION_OVER_MESSAGE};
use super::error::ApiError;
use super::session::kept::SessionEnd;
use crate::api::error::{ErrorBody, Failure};
use crate::api::live::{LiveEvent, MissedResults};
use sluicegate_engine::live::LiveResults;

/// Live views at a time. Each keeps a connection for as long as it lasts.
pub(super) const VIEWERS_MAX: usize = 64;
/// A comment is sent at least this often, so that proxies do not take the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How one wants to be told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Two events a second are enough, which costs the host less. False if absent: up to ten come.
    #[serde(default)]
    #[param(default = false)]
    calm: bool,
}

/// Sends changed groups as server-sent events, before they are committed.
///
/// Events are `results`, and `missed` when the client was too slow for some. The stream ends with the server. When the session
/// ends by which the client was let in, the stream ends with an event `ended`.
#[utoipa::path(
    get,
    path = "/v1/pipelines/{pipeline}/live",
    tag = "pipelines",
    operation_id = "watch_results",
    params(Wanted),
    responses(
        (
            status = 200,
            description = "A stream of events; the data of each is JSON",
            body = LiveEvent,
            content_type = "text/event-stream"
        ),
        (status = 429, description = "`busy`: 64 live views are open already", body = ErrorBody),
    ),
)]
pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
    proof: Option<Extension<Proof>>,
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
    let session = match proof {
        Some(Extension(Proof::Session(end))) => Some(end),
        _ => None,
    };
    let end = session.clone();
    let is_over = async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wait_for(end) => {}
        }
    };
    let last = stream::once(async move { session.filter(SessionEnd::has_come).map(|_| ended()) });
    let events = results.take_until(is_over).map(|result| event(&result));
    let events = events.chain(last.filter_map(std::future::ready)).map(move |event| {
        let _open = (&slot, &haste);
        Ok(event)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Waits for the end of a session; forever where there is none.
async fn wait_for(session: Option<SessionEnd>) {
    match session {
        Some(end) => end.wait().await,
        None => std::future::pending().await,
    }
}

/// The last event of a stream whose session has ended.
fn ended() -> Event {
    let (code, message) = (SESSION_OVER.to_owned(), SESSION_OVER_MESSAGE.to_owned());
    let failure = Failure { code, message };
    Event::default().event("ended").json_data(failure).expect("two texts are plain JSON")
}

fn event(result: &Result<Arc<LiveResults>, BroadcastStreamRecvError>) -> Event {
    match result {
        Ok(results) => {
            // As one text: the event would look for line ends at every comma.
            let text = serde_json::to_string(&**results).expect("live results are plain JSON");
            Event::default().event("results").data(text)
        }
        Err(BroadcastStreamRecvError::Lagged(missed)) => {
            let missed = MissedResults { events: *missed };
            Event::default().event("missed").json_data(missed).expect("a number is plain JSON")
        }
    }
}
