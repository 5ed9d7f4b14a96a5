//! Windows of one size that begin at equal distances, and the panes into which they cut time. Pure.
//!
//! ```text
//!  size 10, slide 4          0   4   8   12  16  20
//!  window 0                  ├─────────┤
//!  window 1                      ├─────────┤
//!  window 2                          ├─────────┤
//!  panes, cut at every       ├─┼─┼─┼─┼─┼─┼─┼─┼─┼─┤
//!  start and every end       0 1 2 3 4 5 6 7 8 9
//! ```
//!
//! All times of a pane lie in the same windows, so a row is added to its pane and to nothing else. Per slide there is
//! one pane if the size is a multiple of the slide, else there are two. Tumbling windows are those whose slide is
//! their size: each is one pane.
//!
//! Windows and panes are numbered from the offset on, in `i128`: what begins before the first moment of `i64` or ends
//! after the last has a number like any other, and only its bounds are cut off.

use std::ops::Range;

use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowBounds;

/// Size, slide and offset of windows.
#[derive(Clone, Copy, Debug)]
pub struct Slides {
    /// Microseconds, more than 0.
    size: i64,
    /// Microseconds, more than 0. More than the size: there are times between the windows.
    slide: i64,
    /// Microseconds, `0 <= offset < slide`.
    offset: i64,
}

/// A pane with the windows that it is part of.
#[derive(Clone, Copy, Debug)]
pub struct Pane {
    /// `[start, end)` of the pane.
    bounds: WindowBounds,
    /// The first of its windows.
    first: WindowBounds,
    /// End of the last of its windows.
    last_end: EventTime,
    /// How many windows it is part of; 0 between windows.
    windows: u32,
}

/// Which windows take a row, by the watermark that judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Into its pane, for all its windows but the first `skipped`, for which it is late.
    OnTime {
        /// Windows of the pane, from the first on, for which the row is late.
        skipped: u32,
    },
    /// It is late for all its windows.
    Late,
    /// It lies between two windows.
    Outside,
}

/// A time by the slide in which it lies.
struct InSlide {
    number: i64,
    /// From the beginning of the slide, µs.
    into: i64,
}

impl Slides {
    /// Microseconds; `size` and `slide` must be more than 0, `offset` is taken modulo `slide`.
    pub fn new(size: i64, slide: i64, offset: i64) -> Self {
        Self { size, slide, offset: offset.rem_euclid(slide) }
    }

    /// The windows that `time` belongs to, ascending, by floor modulo (docs/design/time.md#rule-4):
    /// times before 1970 are ordinary times. Cut off at the ends of time; a window that is cut off
    /// at the end includes its last moment.
    ///
    /// ```
    /// use sluicegate_state::window::Slides;
    /// use sluicegate_model::time::EventTime;
    /// let slides = Slides::new(10, 3, 0);
    /// let windows = |time| slides.windows(EventTime(time));
    /// let starts = |time| windows(time).map(|it| it.start.micros()).collect::<Vec<_>>();
    /// assert_eq!(starts(27), [18, 21, 24, 27]);
    /// assert_eq!(starts(34), [27, 30, 33]);
    /// ```
    pub fn windows(&self, time: EventTime) -> impl Iterator<Item = WindowBounds> {
        let slides = *self;
        slides.windows_of(slides.pane_at(time)).map(move |window| slides.bounds(window))
    }

    /// Whether a time can lie in several windows.
    pub fn overlap(&self) -> bool {
        self.size > self.slide
    }

    pub(crate) fn panes_per_window(&self) -> i128 {
        let whole = i128::from(self.size / self.slide);
        if self.rest() == 0 { whole } else { 2 * whole + 1 }
    }

    /// How much longer a window is than a number of slides.
    fn rest(&self) -> i64 {
        self.size % self.slide
    }

    /// The slide in which `time` lies.
    #[inline]
    fn slide_at(&self, time: EventTime) -> InSlide {
        let (number, into) = (time.0.div_euclid(self.slide), time.0.rem_euclid(self.slide));
        if into >= self.offset {
            InSlide { number, into: into - self.offset }
        } else {
            // The offset is more than 0, so the slide is at least 2 and the number far from the ends of i64.
            InSlide { number: number - 1, into: into - self.offset + self.slide }
        }
    }

    /// Number of the pane in which `time` lies.
    #[inline]
    pub fn pane_at(&self, time: EventTime) -> i128 {
        let InSlide { number, into } = self.slide_at(time);
        match self.rest() {
            0 => i128::from(number),
            rest => 2 * i128::from(number) + i128::from(into >= rest),
        }
    }

    /// The pane in which `time` lies.
    #[inline]
    pub fn pane(&self, time: EventTime) -> Pane {
        let number = self.pane_at(time);
        let windows = self.windows_of(number);
        let count = windows.end - windows.start;
        Pane {
            bounds: self.pane_bounds(number),
            first: self.bounds(windows.start),
            last_end: self.bounds(windows.end - 1).end,
            windows: u32::try_from(count).unwrap_or(u32::MAX),
        }
    }

    /// Where a row goes: a window is closed for it if `watermark` has passed its end
    /// (docs/design/time.md#rule-2).
    #[inline]
    pub fn place(&self, pane: &Pane, watermark: EventTime) -> Placement {
        if pane.windows == 0 {
            Placement::Outside
        } else if watermark < pane.first.end {
            Placement::OnTime { skipped: 0 }
        } else if watermark >= pane.last_end {
            Placement::Late
        } else {
            let behind = i128::from(watermark.0) - i128::from(pane.first.end.0);
            let skipped = behind / i128::from(self.slide) + 1;
            Placement::OnTime { skipped: u32::try_from(skipped).unwrap_or(u32::MAX) }
        }
    }

    /// The windows that a pane is part of; none between windows.
    pub fn windows_of(&self, pane: i128) -> Range<i128> {
        let first = self.slide_of(pane - self.panes_per_window()) + 1;
        first..self.slide_of(pane) + 1
    }

    /// The panes of a window.
    pub fn panes_of(&self, window: i128) -> Range<i128> {
        let first = if self.rest() == 0 { window } else { 2 * window };
        first..first + self.panes_per_window()
    }

    /// Number of the slide that a pane is part of.
    fn slide_of(&self, pane: i128) -> i128 {
        // Shifting rounds down, also below zero.
        if self.rest() == 0 { pane } else { pane >> 1 }
    }

    /// Bounds of a window, cut off at the ends of time.
    pub fn bounds(&self, window: i128) -> WindowBounds {
        let start = self.start(window);
        WindowBounds { start: cut(start), end: cut(start + i128::from(self.size)) }
    }

    fn start(&self, window: i128) -> i128 {
        i128::from(self.offset) + window * i128::from(self.slide)
    }

    /// Bounds of a pane, cut off at the ends of time.
    fn pane_bounds(&self, pane: i128) -> WindowBounds {
        WindowBounds { start: cut(self.pane_start(pane)), end: cut(self.pane_start(pane + 1)) }
    }

    /// Where a pane begins, not cut off.
    pub fn pane_start(&self, pane: i128) -> i128 {
        let rest = self.rest();
        let start = self.start(self.slide_of(pane));
        if rest > 0 && pane & 1 == 1 { start + i128::from(rest) } else { start }
    }

    /// Of the windows that see a row at `time`, all but the first `skipped`, the first that `watermark` has not passed; the
    /// last of them if it has passed them all.
    pub fn next_window(&self, time: EventTime, skipped: u32, watermark: Watermark) -> i128 {
        let windows = self.windows_of(self.pane_at(time));
        let first = windows.start + i128::from(skipped);
        let open = match watermark {
            Watermark::None => first,
            Watermark::At(passed) => first.max(self.first_ending_after(passed)),
            Watermark::End => windows.end,
        };
        open.min(windows.end - 1)
    }

    /// Of the windows that see a row at `time`, all but the first `skipped`, those that `closed` has not passed, the watermark
    /// less the lateness.
    pub fn open_windows(&self, time: EventTime, skipped: u32, closed: Watermark) -> Range<i128> {
        let windows = self.windows_of(self.pane_at(time));
        let first = windows.start + i128::from(skipped);
        match closed {
            Watermark::None => first..windows.end,
            Watermark::At(closed) => first.max(self.first_ending_after(closed))..windows.end,
            Watermark::End => windows.end..windows.end,
        }
    }

    /// The first window that ends after `time`.
    pub fn first_ending_after(&self, time: EventTime) -> i128 {
        let behind = i128::from(time.0) - i128::from(self.offset) - i128::from(self.size);
        behind.div_euclid(i128::from(self.slide)) + 1
    }
}

impl Pane {
    /// First moment, and first that does not belong to it.
    pub fn bounds(&self) -> WindowBounds {
        self.bounds
    }

    /// The first of its windows.
    pub fn first_window(&self) -> WindowBounds {
        self.first
    }

    /// End of the last of its windows.
    pub fn last_end(&self) -> EventTime {
        self.last_end
    }

    /// How many windows it is part of.
    pub fn windows(&self) -> u32 {
        self.windows
    }

    /// Whether `time` lies in it. The last moment of time belongs to the pane that is cut off there.
    #[inline]
    pub fn contains(&self, time: EventTime) -> bool {
        let WindowBounds { start, end } = self.bounds;
        start <= time && (time < end || end == EventTime::MAX)
    }
}

fn cut(time: i128) -> EventTime {
    EventTime(time.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}
