//! How long nobody worked when one instance took the place of another.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why another one had to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakeOverKind {
    /// The leader before has ended and said so.
    HandOver,
    /// The leader before has died, or shows no sign of life.
    FailOver,
}

impl TakeOverKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::HandOver, Self::FailOver];

    /// As a label has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::HandOver => "hand_over",
            Self::FailOver => "fail_over",
        }
    }
}

/// In words, for sentences.
impl fmt::Display for TakeOverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandOver => "hand-over",
            Self::FailOver => "fail-over",
        })
    }
}

/// A take-over that has begun: by an instance that stood by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeOver {
    /// Why.
    pub kind: TakeOverKind,
    /// When the leader before was last seen to lead, by the clock of this instance that counts suspend.
    pub since: Duration,
}

impl TakeOver {
    /// How long nobody led, as far as this instance can know: at most so long if it ends now.
    pub fn took(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }
}

/// A take-over that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TookOver {
    /// Why.
    pub kind: TakeOverKind,
    /// From the last sign of the leader before until this instance worked.
    pub took: Duration,
    /// When that was, wall time in µs since 1970.
    pub at_micros: i64,
}
