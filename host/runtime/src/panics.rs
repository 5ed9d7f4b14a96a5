//! Work beside a lane that may panic, which is a fault of ours: what becomes of it is said and counted, and never silence.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

/// How often work panicked. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Panics(Arc<AtomicU64>);

impl Panics {
    /// What some work comes to. What it touched may be half done if it panics.
    ///
    /// # Errors
    ///
    /// It panicked, with this text.
    pub fn catch<T, W: Future<Output = T>>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T, String>> + use<T, W> {
        let (count, mut work) = (Arc::clone(&self.0), Box::pin(work));
        poll_fn(move |context| {
            match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
                Err(panic) => {
                    count.fetch_add(1, Ordering::Relaxed);
                    Poll::Ready(Err(panicked(&*panic)))
                }
            }
        })
    }

    /// How often, so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was said with a panic.
pub fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_panics_behind_an_await_is_told_and_counted() {
        let panics = Panics::default();
        assert_eq!(panics.catch(async { 7 }).await, Ok(7));
        let panicking = async {
            tokio::task::yield_now().await;
            assert_eq!(1 + 1, 3, "a fault of ours");
        };
        let text = panics.clone().catch(panicking).await.unwrap_err();
        assert!(text.contains("a fault of ours"), "{text}");
        let formatted = panics.catch(async { panic!("word") }).await;
        assert_eq!(formatted, Err::<(), _>("word".to_owned()));
        assert_eq!(panics.count(), 2);
    }
}
