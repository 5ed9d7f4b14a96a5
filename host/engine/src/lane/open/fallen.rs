//! Standing by a while longer when the last leaders have died in a row: the next one would most likely die as well.

use std::time::Duration;

use sluicegate_chain::lead::claim::{Claim, LeadTerm};
use sluicegate_chain::lead::fallen::back_off;

/// The leaders that have fallen when a term ended, and how long that is waited for.
pub(super) struct Fallen {
    /// The last one's.
    pub(super) term: LeadTerm,
    /// The instances, each process once, the last one first.
    instances: Vec<String>,
    /// By the clock that counts suspend; none if they are too few to mean anything.
    until: Option<Duration>,
}

impl Fallen {
    /// Of leaders up to this term, newest first, as it is seen now.
    pub(super) fn new(term: LeadTerm, leaders: &[Claim], now: Duration) -> Self {
        let instances = leaders.iter().map(|claim| claim.instance.clone()).collect();
        Self { term, instances, until: back_off(leaders.len()).map(|wait| now + wait) }
    }

    /// Why the next term is not claimed yet, if it is not to be.
    pub(super) fn holds_back(&self, now: Duration) -> Option<String> {
        let left = self.until?.checked_sub(now).filter(|left| !left.is_zero())?;
        let dead: Vec<String> = self.instances.iter().map(|it| format!("`{it}`")).collect();
        Some(format!(
            "the last {} leaders died one after the other and showed no commit: {}; what they read or hold most likely kills \
             the process, so the next attempt is in {} s; find in their logs how they ended: without memory give them more, after an \
             abort or a stack overflow tell us, and `sluicegate positions` moves behind a record",
            dead.len(),
            dead.join(", "),
            left.as_secs() + 1,
        ))
    }
}
