//! The API as a client sees it: requests into the router, and a few on a real socket.

mod access;
mod connections;
mod history;
mod modules;
mod odd;
mod openapi;
mod page;
mod pipelines;
mod requests;
mod sessions;
mod rows;
mod standby;
mod windows;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;

use super::*;
use crate::handle::fixture::{self, Fixture};

/// A server over pipeline `sales`, and the lane's ends of it.
struct Api {
    router: Router,
    observe: Router,
    fixture: Fixture,
    /// The server's.
    clock: Clock,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

/// What a server over the fixture has.
pub(crate) fn app(fixture: &Fixture) -> AppState {
    let clock = Clock::manual(1_004_000_000);
    let metrics = Metrics::new(clock.clone());
    let handle = Arc::clone(&fixture.handle);
    metrics.add(
        Arc::clone(handle.name()),
        Arc::clone(handle.metrics()),
        Arc::clone(&fixture.status),
        fixture.lead.clone(),
    );
    AppState {
        pipelines: BTreeMap::from([("sales".to_owned(), handle)]),
        modules: fixture.modules.clone(),
        engine: fixture.engine.clone(),
        upload_limits: fixture::limits(),
        metrics: Arc::new(metrics),
        stuck_after: Duration::from_secs(300),
        clock,
    }
}

fn api_with(access: Access) -> Api {
    let fixture = fixture::sales();
    let shutdown = CancellationToken::new();
    let app = app(&fixture);
    let clock = app.clock.clone();
    let shared = Shared::new(app, shutdown.clone());
    let (router, observe) = (main_router(&shared, access), observe_router(&shared));
    Api { router, observe, fixture, clock, shared, shutdown }
}

fn api() -> Api {
    api_with(Access::new([127, 0, 0, 1].into(), None, &[]).unwrap())
}

/// A request of a program on this machine.
fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:8080")
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let Ok(response) = TowerToHyperService::new(router.clone()).call(request).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, text }
}

async fn get_path(router: &Router, path: &str) -> Answer {
    send(router, request(Method::GET, path).body(Body::empty()).unwrap()).await
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and code of a failure, and its sentence.
    fn failure(&self) -> String {
        let json = self.json();
        let part = |part: &str| json["error"][part].as_str().unwrap().to_owned();
        format!("{} {}: {}", self.status.as_u16(), part("code"), part("message"))
    }
}
