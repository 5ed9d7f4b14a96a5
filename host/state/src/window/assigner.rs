//! Which windows a pipeline has.

use sluicegate_model::window::WindowKind;

use super::session::SessionRule;
use super::slides::Slides;

/// Assigns event times to windows, by what was configured.
#[derive(Clone, Copy, Debug)]
pub enum WindowAssigner {
    /// Tumbling and sliding windows: they follow from the time alone.
    Slides(Slides),
    /// Sessions: they follow from the other rows of the key as well.
    Sessions(SessionRule),
    /// One window for all of time.
    Global {
        /// Changed groups are emitted when the watermark crosses a multiple of this. Microseconds, more than 0.
        trigger: i64,
    },
}

impl WindowAssigner {
    /// The assigner of a checked configuration. `corrected`: a group may have several results.
    pub fn new(kind: WindowKind, corrected: bool) -> Self {
        match kind {
            WindowKind::Tumbling { size, offset } => Self::Slides(Slides::new(size, size, offset)),
            WindowKind::Sliding { size, slide, offset } => {
                Self::Slides(Slides::new(size, slide, offset))
            }
            WindowKind::Session { gap, max_length } => {
                Self::Sessions(SessionRule { gap, max_length, corrected })
            }
            WindowKind::Global { trigger } => Self::Global { trigger },
        }
    }
}
