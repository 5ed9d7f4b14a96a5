//! The document of the API, OpenAPI 3.1: made from the handlers and from the types of what they take and answer.

use std::sync::LazyLock;

use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Content, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder};

use super::{page, routes, sign_in};

/// What stands before the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sluicegate",
        description = "What `sluicegate serve` answers. Every answer has an `x-request-id`; an answer that is no success \
                       has a body of `ErrorBody`, whose `code` stays the same. A method that a path does not take is \
                       answered with 405, as `MethodNotAllowed` says. docs/http.md explains it in prose.",
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
/// Where a query may stand: more of 400.
const QUERIED: &str = "`bad_query`: a parameter is unknown, or has no sense";
/// Where the path names a pipeline.
const OF_PIPELINE: (&str, &str) = (
    "404",
    "`unknown_pipeline`: this host runs no such pipeline; the message lists those there are",
);
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
    components.add_shared();
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
                let means = match status {
                    "400" if operation.is_queried() => format!("{QUERIED}; {means}"),
                    _ => means.to_owned(),
                };
                operation.may_fail(status, &means);
            }
        }
        for (path, item) in &mut self.paths.paths {
            let is_of_pipeline = path.contains("{pipeline}");
            for operation in operations(item) {
                if is_of_pipeline {
                    operation.may_fail(OF_PIPELINE.0, OF_PIPELINE.1);
                    let pipeline = Ref::new("#/components/parameters/pipeline");
                    operation.parameters.get_or_insert_default().insert(0, RefOr::Ref(pipeline));
                }
                operation.add_headers();
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

/// What is added to an operation.
trait Added {
    /// Whether it has parameters behind `?`.
    fn is_queried(&self) -> bool;

    /// Adds a failure, unless the handler says itself what that status means: that says more.
    fn may_fail(&mut self, status: &str, means: &str);

    /// Adds the headers that its answers have.
    fn add_headers(&mut self);
}

impl Added for Operation {
    fn is_queried(&self) -> bool {
        let is_query = |parameter: &RefOr<Parameter>| match parameter {
            RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
            RefOr::Ref(_) => false,
        };
        self.parameters.iter().flatten().any(is_query)
    }

    fn may_fail(&mut self, status: &str, means: &str) {
        self.responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| failure(means).build().into());
    }

    fn add_headers(&mut self) {
        for (status, response) in &mut self.responses.responses {
            let RefOr::T(response) = response else { continue };
            let mut add = |name: &str| {
                let header = Ref::new(format!("#/components/headers/{name}"));
                response.headers.entry(name.to_owned()).or_insert(RefOr::Ref(header));
            };
            add("x-request-id");
            let is_failure = matches!(status.as_str(), "401" | "429" | "503");
            if is_failure && response.content.contains_key("application/json") {
                add(if status == "401" { "www-authenticate" } else { "retry-after" });
            }
        }
    }
}

/// An answer that is no success.
fn failure(means: &str) -> ResponseBuilder {
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    ResponseBuilder::new().description(means).content("application/json", body)
}

/// What a path has, of the methods that there are.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// What operations name instead of repeating it.
trait Shared {
    /// The ways to be let in.
    fn add_ways_in(&mut self);

    /// Parameters, headers, and the answer to a method that a path does not take.
    fn add_shared(&mut self);
}

impl Shared for Components {
    fn add_shared(&mut self) {
        let text = || Some(ObjectBuilder::new().schema_type(Type::String));
        let pipeline = ParameterBuilder::new().name("pipeline").parameter_in(ParameterIn::Path);
        let pipeline = pipeline.required(Required::True).schema(text());
        let pipeline = pipeline.description(Some("The name of a pipeline of this host"));
        self.parameters.insert("pipeline".to_owned(), pipeline.build().into());

        let number = || Some(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)));
        let header = |means: &str| HeaderBuilder::new().description(Some(means));
        let request_id = "The id of the request, which the log has. It is the caller's own `x-request-id` if that has 1 to 64 \
                          letters, digits, `-`, `_` or `.`";
        for (name, header) in [
            ("x-request-id", header(request_id).schema(text())),
            (
                "retry-after",
                header("After so many seconds it is worth asking again").schema(number()),
            ),
            (
                "www-authenticate",
                header("`Bearer`: a token is one way to be let in").schema(text()),
            ),
            ("allow", header("The methods that the path takes").schema(text())),
        ] {
            self.headers.insert(name.to_owned(), header.build().into());
        }
        let mut not_taken = failure("`method`: the path does not take this method").build();
        for name in ["allow", "x-request-id"] {
            let header = Ref::new(format!("#/components/headers/{name}"));
            not_taken.headers.insert(name.to_owned(), RefOr::Ref(header));
        }
        self.responses.insert("MethodNotAllowed".to_owned(), not_taken.into());
    }

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
