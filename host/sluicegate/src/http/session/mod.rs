//! Signing in: a browser brings a token once, and gets a cookie that no script can read.
//!
//! A page that kept the token would have to keep it where every script of the page can read it, or in its address. So
//! the token is traded for a session ([`kept`]). Its cookie is sent by requests of this server's own pages only
//! (`SameSite=Strict`), and what changes something must say besides that it comes from there ([`super::auth`]).

mod attempts;
pub(super) mod kept;

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use bytes::Bytes;

use super::accept::Peer;
use super::api::session::{SessionStatus, SignIn};
use super::auth::{Access, Proof, host};
use super::error::ApiError;
use super::request::{self, json};
use super::{JSON_BYTES_MAX, READ_TIME};
use attempts::{Caller, TooMany};
use kept::SESSION_TIME;

/// What signing in looks like.
const SIGN_IN: &str = r#"{"token": "0123…"}, a line of the server's token file"#;

/// `/v1/session`. Whoever signs in has no session yet, so the guard is not asked.
pub(super) fn routes(access: &Arc<Access>) -> Router {
    let methods = get(status).post(sign_in).delete(sign_out);
    Router::new()
        .route("/v1/session", methods)
        .route_layer(from_fn_with_state(READ_TIME, request::deadline))
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .with_state(Arc::clone(access))
}

/// `GET /v1/session`
async fn status(
    State(access): State<Arc<Access>>,
    uri: Uri,
    headers: HeaderMap,
) -> Json<SessionStatus> {
    let signed_in = matches!(access.proof(&uri, &headers), Ok(Proof::Token | Proof::Session));
    Json(SessionStatus { token_needed: access.wants_token(), signed_in })
}

/// `POST /v1/session`: a token for a cookie.
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

/// `DELETE /v1/session`: ends it, here and in the browser.
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

/// A browser has one of this name, unless somebody has set more by other means.
const COOKIES_MAX: usize = 4;

/// The ids of sessions that a request brings.
pub(super) fn ids<'h>(host: &Authority, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
    let name = cookie_name(host);
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|it| it.to_str().ok());
    let ids = values.flat_map(|value| value.split(';')).filter_map(move |pair| {
        let (named, id) = pair.trim().split_once('=')?;
        (named == name && !id.is_empty()).then_some(id)
    });
    ids.take(COOKIES_MAX)
}

/// A browser keeps cookies by host and not by port, so two servers of one machine need two names.
fn cookie_name(host: &Authority) -> String {
    match host.port_u16() {
        Some(port) => format!("sluicegate_session_{port}"),
        None => "sluicegate_session".to_owned(),
    }
}

/// Not for scripts, not for other sites; where the page came over TLS, through a proxy, it goes back over TLS only.
fn cookie(host: &Authority, headers: &HeaderMap, id: &str, seconds: u64) -> HeaderValue {
    let origin = headers.get(header::ORIGIN).map_or(&b""[..], HeaderValue::as_bytes);
    let secure = if origin.starts_with(b"https://") { "; Secure" } else { "" };
    let name = cookie_name(host);
    let text = format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("digits and letters are a header's value")
}
