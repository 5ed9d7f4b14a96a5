//! One open group as a checkpoint stores it, and the window or pane in which it lies.

use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

/// Where rows lie: a window, or a pane of several windows, of which the first `skipped` must not see them.
///
/// A row that is late for one window and on time for the next lies in the same pane as rows that are on time for both,
/// and the first window may not have fired yet, because another partition is behind. Such rows are kept apart, so
/// that what a window shows does not depend on when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// `[start, end)` of the window or pane.
    pub bounds: WindowBounds,
    /// Windows, from the first on, that must not see the rows; 0 unless a row was late for some.
    pub skipped: u32,
}

impl Place {
    /// All of time: the window of those that have none.
    pub const EVER: Self =
        Self { bounds: WindowBounds { start: EventTime::MIN, end: EventTime::MAX }, skipped: 0 };

    /// No two places of a lane have the same.
    pub(super) fn id(&self) -> PlaceId {
        (self.bounds.start, self.skipped)
    }
}

/// Start and skipped windows of a place: ascending as the places lie.
pub(super) type PlaceId = (EventTime, u32);

/// A window that was dropped, or a sliding one that had fired.
#[derive(Clone, Copy, Debug)]
pub(super) struct GonePlace {
    pub(super) place: Place,
    pub(super) is_fired: bool,
}

/// One open group, session or key, as its row in a checkpoint says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRow<'a> {
    /// Generation of the module whose accumulator it is.
    pub generation: u32,
    /// `[start, end)` of the window, pane or session, and how many windows it leaves out.
    pub place: Place,
    /// How often it has fired.
    pub revision: u64,
    /// All rows of the session were refused.
    pub is_empty: bool,
    /// The session has not changed since it fired.
    pub is_settled: bool,
    /// The group has changed since it fired. Not of sessions.
    pub is_pending: bool,
    /// It is a key of a sliding window that has fired; its accumulators are those of panes.
    pub is_fired: bool,
    /// It is a key with sessions that are gone, the last of which began where its place begins.
    pub is_closed: bool,
    /// What older blobs have of it is gone.
    pub is_gone: bool,
    /// Below [`KEY_SHARDS`](super::KEY_SHARDS); decides which worker restores the row.
    pub shard: u8,
    /// The encoded key ([`super::key`]).
    pub key: &'a [u8],
    /// Accumulator as the plugin wrote it.
    pub state: &'a [u8],
}
