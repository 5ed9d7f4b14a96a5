//! What every request gets, whichever it is: an id, a deadline, a limit of its body, and an answer in JSON also when it fails.

use std::any::Any;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tracing::Instrument;

use super::accept::Peer;
use super::error::ApiError;

/// In requests and answers, and in every log line between.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A caller's own id, if it is not longer than this.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Middleware: gives the request an id, and logs it if it may change something.
pub(super) async fn identify(request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let span = tracing::info_span!("http", request = id.to_str().unwrap_or_default());
    async {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        if !method.is_safe() {
            tracing::info!(%method, path, status, peer = peer.map(tracing::field::display), "request");
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID.clone(), id.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // The console's files may be kept; what the API says may not.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }
    .instrument(span)
    .await
}

/// The caller's id if it has a decent one: it goes to the log.
fn request_id(request: &Request) -> HeaderValue {
    let decent = |id: &&HeaderValue| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(allowed)
    };
    request.headers().get(&REQUEST_ID).filter(decent).cloned().unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().simple().to_string();
        HeaderValue::from_str(&id).expect("hex digits are a header's value")
    })
}

/// Middleware: gives the request up after `limit`. Streams end when they end: only their head counts.
pub(super) async fn deadline(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::deadline(limit.as_secs()).into_response(),
    }
}

/// A handler panicked: a bug of ours. The connection and the program go on.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    ApiError::internal("a handler panicked", sluicegate_runtime::panicked(&*payload))
        .into_response()
}

/// A body of JSON. `like` is a sentence's end that shows what it should have been.
pub(super) fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    like: &str,
) -> Result<T, ApiError> {
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content = content.and_then(|value| value.split(';').next()).map(str::trim);
    if !content.is_some_and(|value| value.eq_ignore_ascii_case("application/json")) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            "this wants a body of JSON, with `Content-Type: application/json`",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body is not what it should be: {error}; it looks like {like}");
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", message)
    })
}

/// Nothing is there.
pub(super) async fn not_found(request: Request) -> ApiError {
    nothing_at(request.uri().path())
}

/// The same, for a handler that looks further than the routes.
pub(super) fn nothing_at(path: &str) -> ApiError {
    ApiError::not_found("no_such_path", format!("there is nothing at `{path}`: see docs/http.md"))
}

/// Something is there, for other methods. The `Allow` header of the answer names them.
pub(super) async fn method_not_allowed(request: Request) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        format!("`{path}` does not take {method}: the `Allow` header says what it takes"),
    )
}
