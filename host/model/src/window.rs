//! Which windows there are.

use crate::time::EventTime;

/// Which windows an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// `[offset + n·size, offset + (n + 1)·size)`, microseconds.
    Tumbling {
        /// Microseconds, more than 0.
        size: i64,
        /// Microseconds, less than the size.
        offset: i64,
    },
    /// `[offset + n·slide, offset + n·slide + size)`, microseconds.
    Sliding {
        /// Microseconds, more than 0.
        size: i64,
        /// Microseconds, more than 0. More than the size: rows between windows belong to none.
        slide: i64,
        /// Microseconds, less than the slide.
        offset: i64,
    },
    /// `[first, last + gap)` of the rows of a key.
    Session {
        /// Microseconds, more than 0.
        gap: i64,
        /// Microseconds, not less than the gap. No session is longer.
        max_length: i64,
    },
    /// One window for all of time; its results have no bounds.
    Global {
        /// Changed groups are emitted when the watermark crosses a multiple of this. Microseconds, more than 0.
        trigger: i64,
    },
}

/// Bounds of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBounds {
    /// First moment that belongs to it.
    pub start: EventTime,
    /// First moment that does not.
    pub end: EventTime,
}
