//! A sink of type `console`.

use std::time::Duration;

use crate::SinkKind;
use crate::check::limits::within;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::RawConsoleSink;

/// About as fast as a person reads a screen.
const EVERY_DEFAULT: Duration = Duration::from_secs(5);
/// A screen that changes faster cannot be read.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// Fits a terminal.
const ROWS_DEFAULT: u64 = 20;

pub(super) fn check(
    raw: RawConsoleSink,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<SinkKind> {
    let RawConsoleSink { id: _, every, rows } = raw;
    let every = match every {
        None => Some(EVERY_DEFAULT),
        Some(text) => within(&text, EVERY_MIN, Duration::MAX, &key.child("every"), problems),
    };
    let rows = rows.unwrap_or(ROWS_DEFAULT);
    if rows == 0 {
        problems
            .refuse(&key.child("rows"), "0 rows show nothing: write 1 or more, or remove the sink");
    }
    Some(SinkKind::Console { every: every?, rows: usize::try_from(rows).unwrap_or(usize::MAX) })
}
