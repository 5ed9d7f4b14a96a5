//! Signing in: a browser brings a token once, and gets a cookie that no script can read.
//!
//! A page that kept the token would have to keep it where every script of the page can read it, or in its address. So
//! the token is traded for a session ([`super::session`]). Its cookie is sent by requests of this server's own pages only
//! (`SameSite=Strict`), and what changes something must say besides that it comes from there ([`super::auth`]).

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accept::Peer;
use super::auth::{Access, Proof, host};
use super::error::ApiError;
use super::request::{self, json};
use super::session::attempts::{Caller, TooMany};
use super::session::cookie::{cookie, ids};
use super::session::kept::SESSION_TIME;
use super::{JSON_BYTES_MAX, READ_TIME};
use crate::api::error::ErrorBody;
use crate::api::session::{SessionStatus, SignIn};

/// What signing in looks like.
const SIGN_IN: &str = r#"{"token": "0123…"}, a line of the server's token file"#;

/// `/v1/session`.
pub(super) fn operations() -> OpenApiRouter<Arc<Access>> {
    OpenApiRouter::new().routes(routes!(status, sign_in, sign_out))
}

/// The same as it is served. Whoever signs in has no session yet, so the guard is not asked.
pub(super) fn routes(access: &Arc<Access>) -> Router {
    operations()
        .route_layer(from_fn_with_state(READ_TIME, request::deadline))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .with_state(Arc::clone(access))
        .into()
}

/// Tells whether a token is wanted, and whether this request brings one, or a session.
#[utoipa::path(
    get,
    path = "/v1/session",
    tag = "session",
    operation_id = "show_session",
    responses(
        (status = 200, description = "How it stands", body = SessionStatus),
    ),
)]
async fn status(
    State(access): State<Arc<Access>>,
    uri: Uri,
    headers: HeaderMap,
) -> Json<SessionStatus> {
    let signed_in = matches!(access.proof(&uri, &headers), Ok(Proof::Token | Proof::Session(_)));
    Json(SessionStatus { token_needed: access.wants_token(), signed_in })
}

/// Begins a session: trades a token for a cookie that no script can read.
#[utoipa::path(
    post,
    path = "/v1/session",
    tag = "session",
    operation_id = "sign_in",
    request_body = SignIn,
    responses(
        (status = 200, description = "Signed in, with the cookie; or no token is wanted, and there is none", body = SessionStatus),
        (status = 401, description = "`token`: it is not one of this server's", body = ErrorBody),
        (status = 413, description = "`too_large`: the body has at most 16 KiB", body = ErrorBody),
        (status = 415, description = "`content_type`: it is not `application/json`", body = ErrorBody),
        (status = 422, description = "`bad_body`: the body has another shape", body = ErrorBody),
        (status = 429, description = "`too_many_attempts`: too many wrong tokens within a minute", body = ErrorBody),
    ),
)]
async fn sign_in(
    State(access): State<Arc<Access>>,
    peer: Option<Extension<Peer>>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let SignIn { token } = json(&headers, &body?, SIGN_IN)?;
    if !access.wants_token() {
        return Ok(answer(&access, false, None));
    }
    let caller = Caller::of(peer.map(|Extension(Peer(address))| address));
    match access.sessions.attempt(caller, || access.accepts(token.as_bytes())) {
        Err(TooMany { wait }) => return Err(too_many(wait.as_secs_f64().ceil() as u64)),
        Ok(false) => return Err(ApiError::wrong_token()),
        Ok(true) => {}
    }
    let host = host(&uri, &headers)?;
    // The browser forgets its old one now, so nobody could end it.
    ids(&host, &headers).for_each(|id| access.sessions.end(id));
    let cookie = cookie(&host, &headers, &access.sessions.begin(), SESSION_TIME.as_secs());
    Ok(answer(&access, true, Some(cookie)))
}

/// Ends the session, here and in the browser.
#[utoipa::path(
    delete,
    path = "/v1/session",
    tag = "session",
    operation_id = "sign_out",
    responses(
        (status = 200, description = "Ended; also if there was none", body = SessionStatus),
    ),
)]
async fn sign_out(
    State(access): State<Arc<Access>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let host = host(&uri, &headers)?;
    if ids(&host, &headers).next().is_some() {
        access.check_own_page(&host, &headers)?;
    }
    ids(&host, &headers).for_each(|id| access.sessions.end(id));
    Ok(answer(&access, false, Some(cookie(&host, &headers, "", 0))))
}

fn answer(access: &Access, signed_in: bool, cookie: Option<HeaderValue>) -> Response {
    let status = SessionStatus { token_needed: access.wants_token(), signed_in };
    let mut response = Json(status).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn too_many(seconds: u64) -> ApiError {
    let message = format!("too many attempts with a wrong token: try again in {seconds} s");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message).retry_in(seconds)
}
