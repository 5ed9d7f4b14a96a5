//! Refusals that arrive: what a handler leaves unread of a body is read and thrown away for a while.
//!
//! A handler may answer before it has read the body: wrong token, wrong type, too large. If the connection were
//! then closed with bytes still unread, the system would reset it, and the client, busy sending, would see the reset
//! and not the sentence.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// What is thrown away at most: a few times the largest module.
const BYTES_MAX: usize = 64 << 20;
/// For how long.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Middleware. A client that waits for leave to send its body (`Expect`) gets the refusal instead of leave.
pub(super) async fn drain(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let draining = |body: Body| Body::from_stream(Draining(Some(body.into_data_stream())));
    next.run(request.map(draining)).await
}

/// A body that reads its own rest when it is dropped.
struct Draining(Option<BodyDataStream>);

impl Stream for Draining {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Option<Self::Item>> {
        let Some(chunks) = &mut self.0 else { return Poll::Ready(None) };
        let chunk = std::task::ready!(chunks.poll_next_unpin(context));
        if !matches!(chunk, Some(Ok(_))) {
            // Its end, or the connection's.
            self.0 = None;
        }
        Poll::Ready(chunk)
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let Some(mut chunks) = self.0.take() else { return };
        tokio::spawn(tokio::time::timeout(TIME_MAX, async move {
            let mut bytes = 0;
            while let Some(Ok(chunk)) = chunks.next().await {
                bytes += chunk.len();
                if bytes > BYTES_MAX {
                    break;
                }
            }
        }));
    }
}
