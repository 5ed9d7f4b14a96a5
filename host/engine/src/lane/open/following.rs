//! What goes on beside standing by: what an opening would read first is read ahead.
//!
//! That may take long, where a state is large or a store slow. Meanwhile whoever stands by looks at the lead as often as ever.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join;

use super::wait::heard;
use super::warm::follow;
use super::{LaneParts, OpenError};
use crate::lane::{Awaited, Outside};
use crate::status::Followed;
use sluicegate_chain::Opener;
use sluicegate_delta::TableLog;

/// What the chain says as last read, for whoever asks this instance.
pub(super) type Head = RefCell<Option<Arc<Followed>>>;

/// Keeps at hand what an opening would read first, for ever. It may be dropped at any await: what was read by then stays. A
/// failure shows in the opening.
pub(super) async fn follow_on(
    opener: &mut Opener<'_>,
    logs: &mut [TableLog],
    every: Duration,
    head: &Head,
) -> Infallible {
    loop {
        let (chain, logs) = join(opener.follow(), follow(logs)).await;
        head.replace(opener.head().map(Followed::of));
        if let Err(error) = chain {
            tracing::debug!("{error}");
        }
        if let Err(error) = logs {
            tracing::debug!("{error}");
        }
        tokio::time::sleep(every).await;
    }
}

/// Waits for requests while something else is followed.
pub(super) struct Following<'f> {
    pub(super) parts: &'f LaneParts,
    pub(super) outside: &'f Outside,
    pub(super) reads: Pin<&'f mut (dyn Future<Output = Infallible> + 'f)>,
    pub(super) head: &'f Head,
    /// Whoever need not stand by reads nothing ahead.
    pub(super) has_begun: bool,
}

impl Following<'_> {
    /// What a request answers.
    ///
    /// # Errors
    ///
    /// [`OpenError::Stopped`].
    pub(super) fn ask<T>(&mut self, request: impl Future<Output = T>) -> Result<T, OpenError> {
        let Self { parts, outside, reads, has_begun, .. } = self;
        let beside = async {
            tokio::select! {
                biased;
                answer = request => answer,
                never = reads.as_mut(), if *has_begun => match never {},
            }
        };
        heard(outside, &parts.runtime, beside, Awaited::Standby).ok_or(OpenError::Stopped)
    }

    /// What the chain says, as last read.
    pub(super) fn head(&self) -> Option<Arc<Followed>> {
        self.head.borrow().clone()
    }

    /// Stands by for so long, and follows from now on.
    ///
    /// # Errors
    ///
    /// [`OpenError::Stopped`].
    pub(super) fn wait(&mut self, wait: Duration) -> Result<(), OpenError> {
        self.has_begun = true;
        self.ask(async { tokio::time::sleep(wait).await })
    }
}
