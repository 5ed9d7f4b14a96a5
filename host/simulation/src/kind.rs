//! What a story does with its records.

/// What becomes of rows. Lengths are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They are written as they are.
    Raw,
    /// Windows of ten seconds, which are corrected for so long.
    Tumbling { lateness: i64 },
    /// Sessions, which are corrected for so long.
    Sessions { lateness: i64 },
    /// A key keeps state and timers, and is forgotten after so long, if ever.
    Process { ttl: Option<i64> },
}

/// Of tumbling windows, seconds.
pub(crate) const WINDOW: i64 = 10;
/// Between two rows of a session at most, seconds.
pub(crate) const GAP: i64 = 4;
/// Of a session at most, seconds.
pub(crate) const LENGTH_MAX: i64 = 15;

/// A record, as it was meant.
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) key: String,
    /// Seconds.
    pub(crate) at: i64,
    pub(crate) is_broken: bool,
}
