//! `[source.files]`: which files, and how they are read.

use std::time::Duration;

use crate::check::Context;
use crate::check::location::location;
use crate::document::Key;
use crate::place::WrittenPlace;
use crate::problem::Problems;
use crate::raw::{RawFiles, RawOrder};
use crate::{FileOrder, FilesConfig, duration};

/// Longer than pauses within a file that somebody writes, short enough that not too many are looked after.
const FINISH_AFTER_DEFAULT: Duration = Duration::from_secs(3_600);

pub(super) fn check(
    raw: RawFiles,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<FilesConfig> {
    let RawFiles { path, watch, order, finish_after } = raw;
    let place = problems.take(&key.child("path"), location(&path, context.folder));
    let watch = match watch {
        None => Some(None),
        Some(text) => {
            let interval = duration::parse(&text.0).and_then(|interval| {
                if interval.is_zero() {
                    Err("looking for files all the time leaves no time to read them: write an interval such as \"10s\"".to_owned())
                } else {
                    Ok(Some(interval))
                }
            });
            problems.take(&key.child("watch"), interval)
        }
    };
    let finish_key = key.child("finish_after");
    let finish_after = match finish_after {
        None => Some(FINISH_AFTER_DEFAULT),
        Some(text) => problems.take(&finish_key, duration::parse(&text.0)),
    };
    let WrittenPlace { written, url } = place?;
    let order = match order {
        RawOrder::Parallel => FileOrder::Parallel,
        RawOrder::Unordered => FileOrder::Unordered,
        RawOrder::Sequential => FileOrder::Sequential,
    };
    let finish_after = finish_after?;
    Some(FilesConfig { path: url, name: written, watch: watch?, order, finish_after })
}
