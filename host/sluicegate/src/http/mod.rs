//! The HTTP API: modules, pipelines, releases, live results, health and metrics, and the console's page
//! (docs/http.md).
//!
//! It never touches the state of a pipeline: it reads what the lane published last, or asks through the
//! [`PipelineHandle`]. It accepts code, so it listens on loopback only, or wants a token ([`auth`]); everything a
//! client can make it spend has a limit: connections, time, bytes, uploads and live views at once.

mod accept;
mod moving;
mod auth;
mod session;
mod sign_in;
mod error;
mod request;
mod drain;
mod health;
mod page;
mod document;
mod openapi;
mod routes;
mod modules;
mod pipelines;
mod live;
mod history;
mod shape;
mod limits;
mod versions;
mod look;
mod dead_letters;
mod late_rows;
mod windows;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api::modules::PluginFacts;
use crate::handle::PipelineHandle;
use crate::history::{History, sample_all};
use crate::metrics::Metrics;
use accept::{ConnectionLimits, accept};
use auth::Access;
use routes::{main_router, observe_router};
use sluicegate_chain::modules::ModuleStore;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::Clock;
use sluicegate_sandbox::module::engine::PluginEngine;
use versions::Versions;

/// For requests that only read what is in memory or in the module store.
const READ_TIME: Duration = Duration::from_secs(10);
/// Bytes of a body of JSON. The only one has three short strings.
const JSON_BYTES_MAX: usize = 16 << 10;

/// Where to listen, and who may ask.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Everything. Loopback, unless there is a token.
    pub listen: SocketAddr,
    /// Health and metrics on an address of their own, without a token; they are then on both.
    pub observe: Option<SocketAddr>,
    /// Tokens, one a line, of which each request must present one. None: only this machine may ask.
    pub token_file: Option<PathBuf>,
    /// Further names of this server, for requests without a token.
    pub allow_hosts: Vec<String>,
}

/// What the server shows and acts upon.
pub struct AppState {
    /// The pipelines that this program runs, by `name`.
    pub pipelines: BTreeMap<String, Arc<PipelineHandle>>,
    /// Where uploads go.
    pub modules: ModuleStore,
    /// Checks uploads.
    pub engine: PluginEngine,
    /// Under which an uploaded module is asked what it is. A stage has limits of its own.
    pub upload_limits: CallLimits,
    /// The metrics of all pipelines, for the page that is scraped.
    pub metrics: Arc<Metrics>,
    /// A pipeline whose thread does not pass its loop for so long is not alive.
    pub stuck_after: Duration,
    /// Tells how far watermarks are behind.
    pub clock: Clock,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Anybody could upload code.
    #[error(
        "the server refuses to listen on `{address}` without a token: others than this machine could upload code; \
         give --token-file, or listen on 127.0.0.1"
    )]
    NoToken {
        /// Where it was to listen.
        address: IpAddr,
    },
    /// The file of tokens cannot be read.
    #[error("cannot read the token file `{}`", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of tokens holds something else.
    #[error("the token file `{}` {what}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// A sentence's end.
        what: String,
    },
    /// The address cannot be had.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A server that has its addresses and does not serve yet.
#[derive(Debug)]
pub struct Server {
    main: TcpListener,
    observe: Option<TcpListener>,
    access: Access,
}

/// What handlers share.
struct Shared {
    app: AppState,
    /// Wall time, µs since 1970.
    started_micros: i64,
    versions: Arc<Versions>,
    /// By the pipeline's name.
    histories: BTreeMap<String, History>,
    shutdown: CancellationToken,
    uploads: Semaphore,
    judging: Semaphore,
    /// What modules say of themselves, by digest.
    described: Mutex<BTreeMap<ModuleDigest, PluginFacts>>,
    viewers: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    /// Of this API.
    document: Bytes,
}

impl Server {
    /// Takes the addresses, so that what is wrong with them is known before any pipeline is started.
    pub async fn bind(config: &ServerConfig) -> Result<Self, ServeError> {
        let ServerConfig { listen, observe, token_file, allow_hosts } = config;
        let access = Access::new(listen.ip(), token_file.as_deref(), allow_hosts)?;
        let main = bind(*listen).await?;
        let observe = match observe {
            Some(address) => Some(bind(*address).await?),
            None => None,
        };
        Ok(Self { main, observe, access })
    }

    /// Where it listens: the port that was taken if 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.main.local_addr()
    }

    /// Where health and metrics have an address of their own.
    pub fn observe_addr(&self) -> Option<io::Result<SocketAddr>> {
        self.observe.as_ref().map(TcpListener::local_addr)
    }

    /// Serves until `shutdown`, then lets requests under way end (a few seconds at most).
    pub async fn run(self, app: AppState, shutdown: CancellationToken) {
        let Self { main, observe, access } = self;
        let shared = Shared::new(app, shutdown.clone());
        let limits = ConnectionLimits::default();
        let observing = async {
            if let Some(listener) = observe {
                accept(listener, observe_router(&shared), limits, shutdown.clone()).await;
            }
        };
        let serving = accept(main, main_router(&shared, access), limits, shutdown.clone());
        let sampling = shutdown.run_until_cancelled(sample_all(|| shared.sample()));
        tokio::join!(serving, observing, sampling);
    }
}

impl Shared {
    /// Takes a sample of every pipeline.
    fn sample(&self) {
        for (name, pipeline) in &self.app.pipelines {
            if let Some(history) = self.histories.get(name) {
                history.sample(&pipeline.status(), pipeline.metrics(), &self.app.clock);
            }
        }
    }

    fn new(app: AppState, shutdown: CancellationToken) -> Arc<Self> {
        let uploads = Semaphore::new(modules::UPLOADS_MAX);
        let judging = Semaphore::new(modules::JUDGED_AT_A_TIME);
        let described = Mutex::default();
        let viewers = Arc::new(Semaphore::new(live::VIEWERS_MAX));
        let started_micros = app.clock.wall_micros();
        let versions = Arc::new(Versions::new(app.modules.clone(), app.clock.clone()));
        let history = |(name, pipeline): (&String, &Arc<PipelineHandle>)| {
            (name.clone(), History::new(&pipeline.config, pipeline.metrics()))
        };
        let histories = app.pipelines.iter().map(history).collect();
        let looks = Arc::new(Semaphore::new(look::LOOKS_MAX));
        Arc::new(Self {
            app,
            started_micros,
            versions,
            histories,
            shutdown,
            uploads,
            judging,
            described,
            viewers,
            looks,
            document: openapi::text(),
        })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })
}
