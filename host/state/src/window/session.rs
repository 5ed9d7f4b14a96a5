//! One session of a key, and which sessions a row joins.

use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

use super::firing::OpenGroup;
use super::hash::TableHash;
use super::looks;

/// What makes sessions. Microseconds, more than 0, `gap <= max_length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRule {
    /// Silence that ends a session.
    pub gap: i64,
    /// Microseconds from the first moment to the end; a row that would make it longer begins another session.
    pub max_length: i64,
    /// Results are corrected: readers drop what lies in the window of a higher revision of its key. A row that is late by
    /// itself then stretches no session over a closed one, which is not in it.
    pub corrected: bool,
}

/// A row that is to find its session.
#[derive(Clone, Copy, Debug)]
pub struct SessionRow<'k> {
    /// When it happened.
    pub time: EventTime,
    /// Sessions that end by then are closed for it: the watermark that judges it, less the lateness.
    pub closed_until: EventTime,
    /// Of its key.
    pub hash: TableHash,
    /// Encoded ([`super::key`]).
    pub key: &'k [u8],
}

/// A row that came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateForSession {
    /// The session that it makes by itself, which was closed for it.
    pub own: WindowBounds,
    /// It touches an open session, which would have covered a closed one with it.
    pub covers: bool,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) bounds: WindowBounds,
    pub(super) state: Box<[u8]>,
    /// Its node in the present call, or [`Session::UNTOUCHED`].
    pub(super) node: u32,
    /// Whether rows were accumulated: all may have been refused.
    pub(super) has_rows: bool,
    /// How often it, or a session that it is made of, has fired.
    pub(super) revision: u64,
    /// It has changed since it fired, or has not fired.
    pub(super) pending: bool,
}

impl Session {
    pub(super) const UNTOUCHED: u32 = u32::MAX;

    pub(super) fn new(bounds: WindowBounds) -> Self {
        Self {
            bounds,
            state: Box::default(),
            node: Self::UNTOUCHED,
            has_rows: false,
            revision: 0,
            pending: true,
        }
    }

    /// It as a group of its key.
    pub(super) fn group<'s>(&'s self, key: &'s [u8]) -> OpenGroup<'s> {
        OpenGroup { bounds: self.bounds, key, state: &self.state, revision: self.revision }
    }

    /// When it has something to do: to fire, or to be forgotten.
    pub(super) fn due(&self, lateness: i64) -> EventTime {
        if self.pending { self.bounds.end } else { self.bounds.end.plus(lateness) }
    }
}

/// What becomes of a row's own bounds when it joins every open session that it touches, in the order of their ends, again
/// and again until nothing changes; and which those are. `open` ascends by end, and by start as well unless some are `nested`.
///
/// Looks at the sessions about the row, however many there are beside them.
pub(super) fn join(
    rule: SessionRule,
    own: WindowBounds,
    open: &[Session],
    nested: bool,
) -> (WindowBounds, Vec<usize>) {
    let (mut bounds, mut joined) = (own, Vec::new());
    while let Some((index, whole)) = first_touched(rule, bounds, open, nested, &joined) {
        joined.push(index);
        bounds = whole;
    }
    (bounds, joined)
}

/// The first session that touches `bounds` and may be one with it, and the bounds of both.
fn first_touched(
    rule: SessionRule,
    bounds: WindowBounds,
    open: &[Session],
    nested: bool,
    joined: &[usize],
) -> Option<(usize, WindowBounds)> {
    let first = open.partition_point(|session| session.bounds.end < bounds.start);
    for (index, session) in open.iter().enumerate().skip(first) {
        looks::count();
        let other = session.bounds;
        if other.start > bounds.end {
            if nested {
                continue;
            }
            return None;
        }
        let whole =
            WindowBounds { start: bounds.start.min(other.start), end: bounds.end.max(other.end) };
        let fits = whole.end.0.abs_diff(whole.start.0) <= rule.max_length.unsigned_abs();
        if fits && !joined.contains(&index) {
            return Some((index, whole));
        }
    }
    None
}
