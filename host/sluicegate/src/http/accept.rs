//! The accept loop: connections with limits.
//!
//! `axum::serve` gives hyper no timer, so a client that never ends its headers is kept for ever,
//! and it takes as many connections as come (docs/design/sandbox.md#s14). Here a connection has a
//! time for its headers, which is also how long it may stay silent between two requests, a time in
//! which it takes some of an answer, and there is a number of connections, in all and per address.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::moving::Moving;

/// How a connection may behave.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// For the head of a request, from the moment the connection is ready for one.
    pub(super) headers: Duration,
    /// For some of an answer to leave: a client that reads none of it is cut off.
    pub(super) write: Duration,
    /// Connections at a time. Those beyond wait in the kernel's queue.
    pub(super) connections: usize,
    /// Of one address. Those beyond are closed at once: one client must not take them all.
    pub(super) per_address: usize,
    /// For requests under way after the server was asked to stop.
    pub(super) drain: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            // A stalled line recovers within this, or seldom.
            write: Duration::from_secs(20),
            // A few operators, a scraper and some live views; each costs little more than a buffer.
            connections: 256,
            per_address: 128,
            drain: Duration::from_secs(5),
        }
    }
}

/// A request's head beyond this is refused by hyper: tokens and paths are far shorter. hyper's own default
/// is 400 KB.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// When accepting fails, it is for want of file descriptors, and closing connections mends it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves connections until `shutdown`, then lets requests under way end.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::default();
    let connections = TaskTracker::new();
    let mut failing = Failing::default();
    while let Some(Ok(slot)) =
        shutdown.run_until_cancelled(Arc::clone(&slots).acquire_owned()).await
    {
        let (stream, peer) = match shutdown.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok(accepted)) => {
                failing.end();
                accepted
            }
            Some(Err(error)) if is_of_one(&error) => continue,
            Some(Err(error)) => {
                failing.again(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(admitted) = addresses.admit(peer.ip(), limits.per_address) else {
            continue;
        };
        let serving =
            serve_connection(stream, Peer(peer), router.clone(), limits, shutdown.clone());
        connections.spawn(async move {
            serving.await;
            drop((slot, admitted));
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The client has gone away meanwhile: the next may be accepted at once.
fn is_of_one(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Attempts to accept that have failed one after the other, ten a second: the log says when it begins and when it is over.
#[derive(Default)]
struct Failing {
    attempts: u64,
}

impl Failing {
    /// Another one. Whether it is the first.
    fn again(&mut self, error: &io::Error) -> bool {
        self.attempts += 1;
        let is_first = self.attempts == 1;
        if is_first {
            tracing::warn!(%error, "connections cannot be accepted; trying on");
        }
        is_first
    }

    /// One was accepted. How many had failed.
    fn end(&mut self) -> u64 {
        let attempts = std::mem::take(&mut self.attempts);
        if attempts > 0 {
            tracing::info!(attempts, "connections are accepted again");
        }
        attempts
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(BUFFER_BYTES_MAX);
    let io = TokioIo::new(Moving::new(stream, limits.write));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits.drain, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        // The client went away or was too slow: its own affair.
        tracing::debug!(%error, peer = %peer.0, "connection ended");
    }
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection counted; given back when dropped.
struct Admitted {
    address: IpAddr,
    addresses: Addresses,
}

impl Addresses {
    /// None if the address has `max` already.
    fn admit(&self, address: IpAddr, max: usize) -> Option<Admitted> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Admitted { address, addresses: self.clone() })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get_mut(&self.address).expect("it was counted when it was admitted");
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_fail_are_said_once_and_counted() {
        let (mut failing, error) = (Failing::default(), io::Error::from_raw_os_error(24));
        assert!(!is_of_one(&error));
        assert_eq!([failing.again(&error), failing.again(&error)], [true, false]);
        assert_eq!([failing.end(), failing.end()], [2, 0]);
        assert!(failing.again(&error), "it has begun anew");
    }
}
