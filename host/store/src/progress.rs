//! Requests end when nothing moves any more, not when they take long: a state of a gigabyte over a thin line is slow and well,
//! a server that takes no byte is not.
//!
//! [`Moves`] is told of each piece that goes or comes. [`ByProgress`] makes the HTTP client of the cloud stores tell it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use tokio::time::{Instant, Sleep};

/// What goes at a time: a line of 300 bytes/s moves one within [`super::NOTHING_MOVES`].
const PIECE_BYTES: usize = 16 << 10;

/// What this machine, or a proxy on the way, has taken of a request and not passed on shows no progress. It may pass on so
/// little a second before an answer counts as late.
const UNSEEN_BYTES_PER_SECOND: u64 = 64 << 10;

/// As whom the client introduces itself.
const AGENT: &str = concat!("sluicegate/", env!("CARGO_PKG_VERSION"));

/// Nothing has moved for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no byte came or went for {0:?}")]
pub struct Stalled(pub Duration);

/// When something moved last. Clones are the same.
#[derive(Clone, Debug)]
pub struct Moves {
    last: Arc<Mutex<Instant>>,
}

impl Moves {
    /// Begins to count silence from this moment.
    pub fn begin() -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Ends the silence: it is counted from this moment again.
    pub fn note(&self) {
        self.note_with(Duration::ZERO);
    }

    /// Something moved, and what moved may take `more` until it shows.
    pub fn note_with(&self, more: Duration) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + more;
    }

    /// Waits for `work` as long as something moves.
    ///
    /// # Errors
    ///
    /// [`Stalled`]: nothing did for as long as `patience`.
    pub async fn bound<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Stalled> {
        let stalled = async {
            loop {
                let end = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + patience;
                if end <= Instant::now() {
                    return;
                }
                tokio::time::sleep_until(end).await;
            }
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = stalled => Err(Stalled(patience)),
        }
    }
}

/// Makes HTTP clients whose requests have no limit but this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByProgress {
    /// How long nothing may move.
    pub(super) patience: Duration,
}

impl HttpConnector for ByProgress {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = client(options).map_err(|source| object_store::Error::Generic {
            store: "HTTP client",
            source: source.into(),
        })?;
        Ok(HttpClient::new(Watched { client, patience: self.patience }))
    }
}

/// A client as `object_store` would make it of these options, without its limit for a whole request.
fn client(options: &ClientOptions) -> anyhow::Result<reqwest::Client> {
    use ClientConfigKey as Key;
    let get = |key: Key| options.get_config_value(&key);
    let yes = ["1", "true", "on", "yes", "y"];
    let is = |key: Key| get(key).is_some_and(|value| yes.contains(&&*value.to_ascii_lowercase()));
    // Compressed answers have another length than their objects.
    let mut builder = reqwest::ClientBuilder::new().no_gzip().no_brotli().no_zstd().no_deflate();
    builder = builder.https_only(!is(Key::AllowHttp));
    builder = builder.danger_accept_invalid_certs(is(Key::AllowInvalidCertificates));
    if is(Key::Http1Only) {
        builder = builder.http1_only();
    }
    if is(Key::Http2Only) {
        builder = builder.http2_prior_knowledge();
    }
    if let Some(time) = get(Key::ConnectTimeout) {
        builder = builder.connect_timeout(humantime::parse_duration(&time)?);
    }
    if let Some(time) = get(Key::PoolIdleTimeout) {
        builder = builder.pool_idle_timeout(humantime::parse_duration(&time)?);
    }
    if let Some(connections) = get(Key::PoolMaxIdlePerHost) {
        builder = builder.pool_max_idle_per_host(connections.parse()?);
    }
    let agent = get(Key::UserAgent);
    builder = builder.user_agent(agent.as_deref().unwrap_or(AGENT));
    if let Some(url) = get(Key::ProxyUrl) {
        let excluded = get(Key::ProxyExcludes).as_deref().and_then(reqwest::NoProxy::from_string);
        builder = builder.proxy(reqwest::Proxy::all(url)?.no_proxy(excluded));
    }
    if let Some(certificate) = get(Key::ProxyCaCertificate) {
        let certificate = reqwest::Certificate::from_pem(certificate.as_bytes())?;
        builder = builder.add_root_certificate(certificate);
    }
    Ok(builder.build()?)
}

#[derive(Debug)]
struct Watched {
    client: reqwest::Client,
    patience: Duration,
}

#[async_trait]
impl HttpService for Watched {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let moves = Moves::begin();
        let request = request.map(|body| match body.content_length() {
            0 => reqwest::Body::from(Bytes::new()),
            bytes => reqwest::Body::wrap(Sent {
                unseen: Duration::from_secs(bytes as u64 / UNSEEN_BYTES_PER_SECOND),
                body,
                rest: Bytes::new(),
                moves: moves.clone(),
            }),
        });
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let answer = moves.bound(self.patience, self.client.execute(request)).await;
        // The client repeats by itself what timed out; whoever waited so long wants to be told.
        let answer = answer.map_err(|stalled| HttpError::new(HttpErrorKind::Unknown, stalled))?;
        let answer: Response<reqwest::Body> = answer.map_err(failed)?.into();
        Ok(answer.map(|body| HttpResponseBody::new(Received::new(body, self.patience))))
    }
}

/// The body of a request, piece by piece. A piece is asked for when the connection has room.
struct Sent {
    body: HttpRequestBody,
    /// Of the frame that was taken from it last.
    rest: Bytes,
    moves: Moves,
    /// How long all of it may take to pass where nobody sees it.
    unseen: Duration,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                end => return Poll::Ready(end),
            }
        }
        let bytes = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(bytes);
        match self.is_end_stream() {
            true => self.moves.note_with(self.unseen),
            false => self.moves.note(),
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        self.body
            .size_hint()
            .exact()
            .map_or_else(SizeHint::new, |body| SizeHint::with_exact(rest + body))
    }
}

/// The body of an answer, which fails if it is waited for and nothing comes.
pub(super) struct Received<B> {
    body: B,
    patience: Duration,
    /// Since it was asked for and had nothing. Who takes long to ask is not its fault.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<B> Received<B> {
    /// Fails if nothing comes for as long as `patience`.
    pub(super) fn new(body: B, patience: Duration) -> Self {
        Self { body, patience, waits: None }
    }
}

impl<B> Body for Received<B>
where
    B: Body<Data = Bytes, Error = reqwest::Error> + Unpin,
{
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waits = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(failed)));
        }
        let patience = self.patience;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waits.as_mut().poll(context));
        Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Unknown, Stalled(patience)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// As `object_store` sorts errors of its own client: what was not sent for certain, or may be repeated, it repeats.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        kind_of_cause(&error)
    };
    // The URL may hold a signature.
    HttpError::new(kind, error.without_url())
}

fn kind_of_cause(error: &reqwest::Error) -> HttpErrorKind {
    use std::io::ErrorKind;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
                return HttpErrorKind::Request;
            } else if error.is_timeout() {
                return HttpErrorKind::Timeout;
            }
        }
        match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(ErrorKind::TimedOut) => return HttpErrorKind::Timeout,
            Some(
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof,
            ) => return HttpErrorKind::Interrupted,
            _ => {}
        }
        cause = error.source();
    }
    HttpErrorKind::Unknown
}
