//! Leadership: which of several instances of a pipeline works, and which stand by (docs/design/leadership.md).
//!
//! A **term** of leadership is won by creating its object, and kept by repeating a **sign** of life beside it. Whoever waits
//! measures the silence of the leader by its own clock. Nobody compares a stored time with a clock.
//!
//! ```text
//! <root>/<job>/terms/<term:020>.json     create-only: who leads this term (Claim)
//! <root>/<job>/beats/<term:020>.json     overwritten by the leader of that term only (Sign)
//! ```
//!
//! Leadership saves work and decides nothing: the chain is safe with any number of leaders. What is decided here is pure
//! ([`follow`], [`hold`]) and searched (`tests/search/lead.rs`); what asks the store is in [`store`].
//!
//! These terms are counted for themselves. A [`record::Term`](crate::record::Term) numbers the writers of a chain, and a
//! leader may open its chain more than once.

pub mod claim;
pub mod fallen;
pub mod follow;
pub mod hold;
pub mod store;

use std::time::Duration;

/// How long leadership lasts, and how sure everybody wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A leader that shows no sign for so long, and a margin more, is taken for dead.
    pub ttl: Duration,
    /// How often the leader shows a sign.
    pub beat: Duration,
    /// What the leader leaves of its time, and what a follower adds. Two clocks may differ by both together within a ttl.
    pub margin: Duration,
}

impl Timing {
    /// How long a leader believes to lead, from the beginning of the last request that said so.
    pub fn valid_for(&self) -> Duration {
        self.ttl.saturating_sub(self.margin)
    }
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { ttl: seconds(15), beat: seconds(5), margin: seconds(2) }
    }
}
