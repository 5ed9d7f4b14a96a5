//! What answers which path, and under which limits. Every route is described for the document of the API ([`super::openapi`]).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Access;
use super::{
    JSON_BYTES_MAX, READ_TIME, Shared, auth, dead_letters, document, drain, health, history,
    late_rows, live, modules, page, pipelines, request, sign_in, windows,
};

/// For an upload: 10 MiB over a slow line, and the compiler.
const UPLOAD_TIME: Duration = Duration::from_secs(60);
/// For an activation: it answers by itself when the record is not durable in time, with what it waits for.
const RELEASE_TIME: Duration = Duration::from_secs(60);

/// Everything: the page, and behind the guard what it shows.
pub(super) fn main_router(shared: &Arc<Shared>, access: Access) -> Router {
    let access = Arc::new(access);
    let routes = api().merge(observed()).with_state(Arc::clone(shared));
    let guarded = answering(routes.into())
        .layer(DefaultBodyLimit::max(JSON_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&access), auth::guard));
    let public = Router::from(page::routes())
        .merge(sign_in::routes(&access))
        .method_not_allowed_fallback(request::method_not_allowed)
        .layer(from_fn_with_state(access, auth::guard_public));
    finish(guarded.merge(public))
}

/// What others than operators may see.
pub(super) fn observe_router(shared: &Arc<Shared>) -> Router {
    finish(answering(observed().with_state(Arc::clone(shared)).into()))
}

/// What is asked of pipelines and modules. Each route has a deadline.
pub(super) fn api() -> OpenApiRouter<Arc<Shared>> {
    let within = |limit: Duration| from_fn_with_state(limit, request::deadline);
    let read = OpenApiRouter::new()
        .routes(routes!(document::document))
        .routes(routes!(modules::list))
        .routes(routes!(modules::versions))
        .routes(routes!(pipelines::list))
        .routes(routes!(pipelines::status))
        .routes(routes!(pipelines::activations))
        .routes(routes!(live::live))
        .routes(routes!(history::history))
        .routes(routes!(pipelines::releases))
        .routes(routes!(dead_letters::dead_letters))
        .routes(routes!(late_rows::late_rows))
        .routes(routes!(windows::windows))
        .route_layer(within(READ_TIME));
    // What is not compiled yet is compiled first.
    let judged = OpenApiRouter::new()
        .routes(routes!(modules::version))
        .routes(routes!(modules::fits))
        .route_layer(within(UPLOAD_TIME));
    // It counts the bytes itself.
    let upload = OpenApiRouter::new()
        .routes(routes!(modules::upload))
        .route_layer(DefaultBodyLimit::disable())
        .route_layer(within(UPLOAD_TIME));
    let release =
        OpenApiRouter::new().routes(routes!(pipelines::release)).route_layer(within(RELEASE_TIME));
    read.merge(judged).merge(upload).merge(release)
}

/// What watches the program.
pub(super) fn observed() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::leader))
        .routes(routes!(health::metrics))
}

/// Where there is nothing, that is said as the API says it.
fn answering(routes: Router) -> Router {
    routes.fallback(request::not_found).method_not_allowed_fallback(request::method_not_allowed)
}

/// What every request gets, outermost last.
pub(super) fn finish(routes: Router) -> Router {
    routes
        .layer(CatchPanicLayer::custom(request::panicked))
        .layer(from_fn(drain::drain))
        .layer(from_fn(request::identify))
}
