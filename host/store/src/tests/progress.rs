//! Limits by progress: what is slow goes on, what stands still ends. What moved is looked at before how long it took, so a
//! machine that is slow makes nothing stand still.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::super::progress::{Moves, Received, Stalled};
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

const PATIENCE: Duration = Duration::from_millis(100);

/// Well within it; a few of them are longer.
const STEP: Duration = Duration::from_millis(30);

#[tokio::test]
async fn work_that_takes_long_and_moves_is_waited_for() {
    let moves = Moves::begin();
    let work = async {
        for _ in 0..8 {
            tokio::time::sleep(STEP).await;
            moves.note();
        }
        "done"
    };
    assert_eq!(moves.bound(PATIENCE, work).await, Ok("done"));
}

#[tokio::test]
async fn work_that_stands_still_is_given_up() {
    let begun = tokio::time::Instant::now();
    let moves = Moves::begin();
    let work = async {
        tokio::time::sleep(STEP).await;
        moves.note();
        std::future::pending::<()>().await;
    };
    assert_eq!(moves.bound(PATIENCE, work).await, Err(Stalled(PATIENCE)));
    assert!(begun.elapsed() >= STEP + PATIENCE);
}

/// A body of what a stream gives.
struct Streamed(Pin<Box<dyn Stream<Item = Bytes> + Send + Sync>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        self.0.poll_next_unpin(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

/// An answer of `chunks` chunks, one each so often, which then stands still.
fn answer(chunks: usize, every: Duration) -> Received<Streamed> {
    let chunks = futures::stream::unfold(0, move |sent| async move {
        if sent == chunks {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(every).await;
        Some((Bytes::from_static(b"x"), sent + 1))
    });
    Received::new(Streamed(Box::pin(chunks)), PATIENCE)
}

async fn next(answer: &mut Received<Streamed>) -> Option<Result<Bytes, String>> {
    let frame = std::future::poll_fn(|context| Pin::new(&mut *answer).poll_frame(context)).await;
    frame.map(|frame| match frame {
        Ok(frame) => Ok(frame.into_data().unwrap()),
        Err(error) => Err(std::error::Error::source(&error).unwrap().to_string()),
    })
}

#[tokio::test]
async fn an_answer_that_drips_is_read_and_one_that_stops_is_an_error() {
    let mut answer = answer(8, STEP);
    for _ in 0..8 {
        assert_eq!(next(&mut answer).await, Some(Ok(Bytes::from_static(b"x"))));
    }
    let error = next(&mut answer).await.unwrap().unwrap_err();
    assert_eq!(error, "no byte came or went for 100ms");
}

#[tokio::test]
async fn a_reader_that_takes_its_time_is_not_the_answers_fault() {
    let mut answer = answer(2, STEP);
    assert!(next(&mut answer).await.unwrap().is_ok());
    tokio::time::sleep(PATIENCE * 3).await;
    assert!(next(&mut answer).await.unwrap().is_ok());
}
