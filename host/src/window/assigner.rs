//! An event time → the windows it belongs to.

use crate::config::WindowKind;
use crate::plugin::WindowBounds;

use super::slides::Slides;

/// Assigns event times to windows. Pure.
#[derive(Clone, Copy, Debug)]
pub enum WindowAssigner {
    /// Tumbling and sliding windows.
    Slides(Slides),
}

impl WindowAssigner {
    /// The assigner of a checked configuration.
    pub fn new(kind: WindowKind) -> Self {
        match kind {
            WindowKind::Tumbling { size, offset } => Self::Slides(Slides::new(size, size, offset)),
            WindowKind::Sliding { size, slide, offset } => {
                Self::Slides(Slides::new(size, slide, offset))
            }
        }
    }

    /// The windows that `time` belongs to, ascending, by floor modulo (SEMANTICS.md rule 4): times before 1970 are
    /// ordinary times. Cut off at the ends of time; a window that is cut off at the end includes its last moment.
    ///
    /// ```
    /// use sluicegate::{config::WindowKind, window::WindowAssigner};
    /// let windows = WindowAssigner::new(WindowKind::Sliding { size: 10, slide: 3, offset: 0 });
    /// let starts = |time| windows.windows(time).map(|window| window.start).collect::<Vec<_>>();
    /// assert_eq!(starts(27), [18, 21, 24, 27]);
    /// assert_eq!(starts(34), [27, 30, 33]);
    /// ```
    pub fn windows(&self, time: i64) -> impl Iterator<Item = WindowBounds> {
        let Self::Slides(slides) = *self;
        slides.windows_of(slides.pane_at(time)).map(move |window| slides.bounds(window))
    }
}
