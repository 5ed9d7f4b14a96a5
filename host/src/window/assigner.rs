//! An event time → the window it belongs to.

use crate::config::WindowKind;
use crate::plugin::WindowBounds;

/// Assigns event times to windows. Pure.
#[derive(Clone, Copy, Debug)]
pub enum WindowAssigner {
    /// Windows of one size, one behind the other.
    Tumbling {
        /// Microseconds, more than 0.
        size: i64,
        /// Microseconds, `0 <= offset < size`.
        offset: i64,
    },
}

impl WindowAssigner {
    /// The assigner of a checked configuration.
    pub fn new(kind: WindowKind) -> Self {
        match kind {
            WindowKind::Tumbling { size, offset } => {
                Self::Tumbling { size, offset: offset.rem_euclid(size) }
            }
        }
    }

    /// Start of the window that `time` belongs to, by floor modulo (SEMANTICS.md rule 4): times before 1970 are
    /// ordinary times. Saturates at the beginning of time, where the first window is shorter.
    ///
    /// ```
    /// use sluicegate::{config::WindowKind, window::WindowAssigner};
    /// let windows = WindowAssigner::new(WindowKind::Tumbling { size: 30, offset: 0 });
    /// assert_eq!(windows.start(30), 30);
    /// assert_eq!(windows.start(-1), -30);
    /// ```
    #[inline]
    pub fn start(&self, time: i64) -> i64 {
        let Self::Tumbling { size, offset } = *self;
        // `time - offset` could leave the range of i64; the remainder does not.
        let into = (time.rem_euclid(size) - offset).rem_euclid(size);
        time.saturating_sub(into)
    }

    /// End of the window that begins at `start`. Saturates at the end of time, where it includes its last moment.
    #[inline]
    pub fn end(&self, start: i64) -> i64 {
        let Self::Tumbling { size, offset } = *self;
        if start == i64::MIN {
            // The first window was cut off: its end is where the next one begins.
            let into = (start.rem_euclid(size) - offset).rem_euclid(size);
            return start.saturating_add(size - into);
        }
        start.saturating_add(size)
    }

    /// `[start, end)` of the window of `time`.
    #[inline]
    pub fn bounds(&self, time: i64) -> WindowBounds {
        let start = self.start(time);
        WindowBounds { start, end: self.end(start) }
    }
}
