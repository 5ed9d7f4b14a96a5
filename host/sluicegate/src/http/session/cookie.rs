//! The cookie that carries a session's id: its name, how it is set, and how it is read.

use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::uri::Authority;

/// A browser has one of this name, unless somebody has set more by other means.
const COOKIES_MAX: usize = 4;

/// The ids of sessions that a request brings.
pub(in crate::http) fn ids<'h>(
    host: &Authority,
    headers: &'h HeaderMap,
) -> impl Iterator<Item = &'h str> {
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
pub(in crate::http) fn cookie(
    host: &Authority,
    headers: &HeaderMap,
    id: &str,
    seconds: u64,
) -> HeaderValue {
    let origin = headers.get(header::ORIGIN).map_or(&b""[..], HeaderValue::as_bytes);
    let secure = if origin.starts_with(b"https://") { "; Secure" } else { "" };
    let name = cookie_name(host);
    let text = format!("{name}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("digits and letters are a header's value")
}
