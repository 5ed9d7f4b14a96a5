//! Who may ask: whoever has a token, or a session that was begun with one; and protection of a host on loopback against web pages in the operator's browser.
//!
//! Without a token only programs on this machine reach the server. A browser on it is such a program, so a page
//! from anywhere could post to it (CSRF), or read from it under a name of its own that resolves to 127.0.0.1 (DNS
//! rebinding). Therefore, without a token, every request must name this server in `Host`; and in any case a
//! request that changes something and carries an `Origin` must come from this server itself. With a token `Host`
//! says nothing: no page has the token, and the server may be known under any name.
//!
//! A browser that has signed in has a cookie instead ([`super::session`]), which it sends by itself. So a request
//! that changes something by a cookie must say that it comes from a page of this server.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::ServeError;
use super::error::ApiError;
use super::session::cookie::ids;
use super::session::kept::{SessionEnd, Sessions};
use sluicegate_model::time::Clock;

/// A token has at least 256 bits: 43 characters of base64, or 64 hex digits. Shorter ones were typed by a person.
const TOKEN_BYTES_MIN: usize = 32;
/// Two are enough for a rotation; more than a few are a mistake.
const TOKENS_MAX: usize = 8;

/// The code of a session that is over, in answers and at the end of streams.
pub(super) const SESSION_OVER: &str = "session";
/// Its sentence.
pub(super) const SESSION_OVER_MESSAGE: &str = "the session has ended: sign in again";

/// What a request must have.
#[derive(Debug)]
pub(super) struct Access {
    tokens: Option<Tokens>,
    /// Names and addresses of this server, lower case, without port.
    hosts: Vec<String>,
    /// Of browsers.
    pub(super) sessions: Sessions,
}

/// What a request has shown.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// Nothing: none is wanted.
    Unasked,
    /// A token.
    Token,
    /// The cookie of a session, which ends.
    Session(SessionEnd),
}

/// The accepted tokens, as hashes: the tokens themselves are not kept.
#[derive(Debug)]
struct Tokens(Vec<[u8; 32]>);

impl Access {
    /// The rules for a listener at `address`. Refuses an address that others reach without a token.
    pub(super) fn new(
        address: IpAddr,
        token_file: Option<&Path>,
        hosts: &[String],
    ) -> Result<Self, ServeError> {
        let tokens = token_file.map(Tokens::read).transpose()?;
        if tokens.is_none() && !address.is_loopback() {
            return Err(ServeError::NoToken { address });
        }
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let address = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let given = hosts.iter().map(|host| host.to_lowercase());
        let mut hosts: Vec<String> = own.into_iter().chain([address]).chain(given).collect();
        let mut seen = BTreeSet::new();
        hosts.retain(|host| seen.insert(host.clone()));
        Ok(Self { tokens, hosts, sessions: Sessions::new(Clock::system()) })
    }

    /// Whether there is a token that requests must have.
    pub(super) fn wants_token(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether it is one of this server's.
    pub(super) fn accepts(&self, token: &[u8]) -> bool {
        self.tokens.as_ref().is_some_and(|tokens| tokens.accepts(token))
    }

    /// What the request has shown; fails if it is not enough.
    pub(super) fn proof(&self, uri: &Uri, headers: &HeaderMap) -> Result<Proof, ApiError> {
        let Some(tokens) = &self.tokens else { return Ok(Proof::Unasked) };
        if headers.contains_key(header::AUTHORIZATION) {
            return tokens.check(headers).map(|()| Proof::Token);
        }
        let host = host(uri, headers).ok();
        let mut brought = host.iter().flat_map(|host| ids(host, headers)).peekable();
        if brought.peek().is_none() {
            // Says that one is wanted.
            return tokens.check(headers).map(|()| Proof::Token);
        }
        let end = brought.find_map(|id| self.sessions.end_of(id));
        end.map(Proof::Session).ok_or_else(|| {
            ApiError::new(StatusCode::UNAUTHORIZED, SESSION_OVER, SESSION_OVER_MESSAGE)
        })
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Proof, ApiError> {
        let proof = self.proof(uri, headers)?;
        self.check_place(method, uri, headers)?;
        if matches!(proof, Proof::Session(_)) && !method.is_safe() {
            self.check_own_page(&host(uri, headers)?, headers)?;
        }
        Ok(proof)
    }

    /// What a cookie is not enough for: the request must say that it comes from a page of this server.
    pub(super) fn check_own_page(
        &self,
        host: &Authority,
        headers: &HeaderMap,
    ) -> Result<(), ApiError> {
        if headers.contains_key(header::ORIGIN) {
            return same_origin(host, headers);
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "with a session, a request that changes something needs the `Origin` that browsers send; programs send a \
             token instead",
        ))
    }

    /// What is wanted of requests for what anybody may have, too.
    fn check_place(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = host(uri, headers)?;
        if self.tokens.is_none() && !self.hosts.iter().any(|own| own == host.host()) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "foreign_host",
                format!(
                    "this server does not know itself as `{}`: use one of {}, or name it with --allow-host",
                    host.host(),
                    self.hosts.join(", ")
                ),
            ));
        }
        if method.is_safe() { Ok(()) } else { same_origin(&host, headers) }
    }
}

/// Middleware: lets in who may, and hands on what they have shown.
pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    mut request: Request,
    next: Next,
) -> Response {
    match access.check(request.method(), request.uri(), request.headers()) {
        Ok(proof) => {
            request.extensions_mut().insert(proof);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Middleware for what holds no data: no token is wanted.
pub(super) async fn guard_public(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    match access.check_place(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Whom the request is meant for: `Host`, lower case.
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Result<Authority, ApiError> {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = uri.authority().map(Authority::as_str).or(named);
    named.and_then(|host| host.to_lowercase().parse().ok()).ok_or_else(|| {
        ApiError::new(StatusCode::BAD_REQUEST, "no_host", "the request names no `Host`")
    })
}

/// Browsers say where a request that is no GET comes from. Programs do not.
fn same_origin(host: &Authority, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default().to_lowercase();
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    if authority == Some(host.as_str()) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "requests of web pages of another origin are refused; use the command line or curl",
    ))
}

impl Tokens {
    fn read(path: &Path) -> Result<Self, ServeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ServeError::TokenFile { path: path.to_owned(), source })?;
        let lines = text.lines().map(str::trim);
        let tokens: Vec<_> =
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let wrong = |what: String| ServeError::Token { path: path.to_owned(), what };
        if tokens.is_empty() || tokens.len() > TOKENS_MAX {
            let n = tokens.len();
            return Err(wrong(format!("holds {n} tokens, one a line, at most {TOKENS_MAX}")));
        }
        if let Some(short) = tokens.iter().find(|token| token.len() < TOKEN_BYTES_MIN) {
            let n = short.len();
            return Err(wrong(format!(
                "holds a token of {n} characters, at least {TOKEN_BYTES_MIN} are wanted: `openssl rand -hex 32` makes one"
            )));
        }
        Ok(Self(tokens.iter().map(|token| Sha256::digest(token).into()).collect()))
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let presented = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let token = presented.and_then(|value| {
            let (scheme, token) = value.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        });
        match token {
            None => Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "token",
                "this server wants a token: `Authorization: Bearer …`",
            )),
            Some(token) if self.accepts(token) => Ok(()),
            Some(_) => Err(ApiError::wrong_token()),
        }
    }

    /// Takes the same time whichever byte differs: hashes are compared, all of each, with all of them.
    fn accepts(&self, token: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(token).into();
        let none = Choice::from(0);
        self.0.iter().fold(none, |any, known| any | known.ct_eq(&presented)).into()
    }
}
