//! The document of the API, OpenAPI 3.1: made from the handlers and from the types of what they take and answer.

use std::sync::LazyLock;

use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Content, Ref, ResponseBuilder};

use super::{page, routes, sign_in};

/// What stands before the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sluicegate",
        description = "What `sluicegate serve` answers. Every answer has an `x-request-id`; an answer that is no success \
                       has a body of `ErrorBody`, whose `code` stays the same. docs/http.md explains it in prose.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "pipelines", description = "How pipelines stand, and what their stages run."),
        (name = "modules", description = "The module store."),
        (name = "session", description = "Signing in with a browser."),
        (name = "health", description = "For container runtimes and Prometheus."),
        (name = "document", description = "This document."),
        (name = "console", description = "The page for browsers."),
    ),
)]
struct Head;

/// What may be answered wherever one asks: status, and the codes with what they mean.
const ANYWHERE: [(&str, &str); 3] = [
    ("400", "`no_host`: the request names no `Host`; `bad_path`: a part of the path is no text"),
    ("403", "`foreign_host`, `foreign_origin`: a page of another origin asks"),
    (
        "500",
        "`internal`: a fault of the host; the log has it under the `x-request-id` of the answer",
    ),
];
/// Where the guard stands before.
const GUARDED: (&str, &str) =
    ("401", "`token`: no token, or none of this server's; `session`: it has ended");
/// Where a request has a deadline.
const TIMED: (&str, &str) = ("408", "`deadline`: the request took too long and was given up");

/// As it is sent, and as it stands in docs/openapi.json.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let text = document().to_pretty_json().expect("names are text");
    Bytes::from(text + "\n")
});

/// The document, made once.
pub(super) fn text() -> Bytes {
    TEXT.clone()
}

/// All routes with what may be answered to any of them.
fn document() -> utoipa::openapi::OpenApi {
    let mut document = Head::openapi();
    let api = routes::api().into_openapi();
    document.merge(api.with([GUARDED, TIMED]));
    document.merge(routes::observed().into_openapi().with([GUARDED]));
    document.merge(sign_in::operations().into_openapi().with([TIMED]).without_proof());
    document.merge(page::routes::<()>().into_openapi().with([]).without_proof());
    let components = document.components.get_or_insert_default();
    components.add_ways_in();
    let proof = |way: &str| SecurityRequirement::new(way, [""; 0]);
    // On loopback none is wanted.
    let none = SecurityRequirement::default();
    document.security = Some(vec![proof("token"), proof("session"), none]);
    document
}

/// What many operations have in common.
trait Common: Sized {
    /// Adds these answers, and those of everywhere.
    fn with<const N: usize>(self, more: [(&str, &str); N]) -> Self;

    /// Neither token nor session is wanted.
    fn without_proof(self) -> Self;
}

impl Common for utoipa::openapi::OpenApi {
    fn with<const N: usize>(mut self, more: [(&str, &str); N]) -> Self {
        for operation in self.paths.paths.values_mut().flat_map(operations) {
            for (status, means) in ANYWHERE.into_iter().chain(more) {
                // What a handler says of a status says more.
                operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
                    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
                    let failure = ResponseBuilder::new().description(means);
                    failure.content("application/json", body).build().into()
                });
            }
        }
        self
    }

    fn without_proof(mut self) -> Self {
        for operation in self.paths.paths.values_mut().flat_map(operations) {
            operation.security = Some(vec![SecurityRequirement::default()]);
        }
        self
    }
}

/// What a path has, of the methods that there are.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// Of the ways to be let in.
trait WaysIn {
    fn add_ways_in(&mut self);
}

impl WaysIn for Components {
    fn add_ways_in(&mut self) {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("A line of the server's token file.".to_owned());
        let cookie = ApiKeyValue::with_description(
            "sluicegate_session_8080",
            "The cookie of a session; its name ends with the port by which the server was asked, if that is not 80 or 443. A \
             request that changes something needs the server's own `Origin` besides.",
        );
        self.add_security_scheme("token", SecurityScheme::Http(token));
        self.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}
