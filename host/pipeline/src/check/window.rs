//! `[window]`: which windows, and their key. A key of the file that does not belong to the type is refused.

use std::sync::Arc;
use std::time::Duration;

use super::columns;
use crate::document::Key;
use crate::duration::DurationText;
use crate::problem::Problems;
use crate::raw::{RawWindow, RawWindowType};
use crate::{StageConfig, WindowConfig, duration};
use sluicegate_model::schema::Schema;
use sluicegate_model::window::WindowKind;

/// Windows that a row may belong to. Each is evaluated for every key; a dashboard of a day that moves every second has
/// 86,400.
const WINDOWS_PER_ROW_MAX: i64 = 100_000;
/// Longer than people and most machines are busy without a break.
const SESSION_LENGTH_DEFAULT: &str = "1d";

/// The window and its aggregate belong together: neither makes sense alone.
pub(super) fn check(
    raw: Option<RawWindow>,
    aggregate: Option<(StageConfig, Key)>,
    schema: Option<&Schema>,
    problems: &mut Problems<'_>,
) -> Option<WindowConfig> {
    let key = Key::top("window");
    match (raw, aggregate) {
        (Some(raw), Some((aggregate, _))) => check_window(raw, aggregate, schema, problems),
        (None, None) => None,
        (Some(_), None) => {
            let fix = "a window needs an aggregate: end `[[stages]]` with one of `kind = \"aggregate\"`, or remove `[window]`";
            problems.refuse(&key, fix);
            None
        }
        (None, Some((stage, key))) => {
            let fix = format!(
                "stage \"{}\" accumulates rows per window: add a section `[window]` with `type`, `size` and `key`",
                stage.id
            );
            problems.refuse(&key.child("kind"), fix);
            None
        }
    }
}

fn check_window(
    raw: RawWindow,
    aggregate: StageConfig,
    schema: Option<&Schema>,
    problems: &mut Problems<'_>,
) -> Option<WindowConfig> {
    let key = Key::top("window");
    let RawWindow { r#type, size, slide, gaps, offset, gap, max_length, trigger, .. } = raw;
    let (allowed_lateness, columns) = (raw.allowed_lateness, raw.key);
    let has_size = [("size", size.is_some()), ("offset", offset.is_some())];
    let has_slide = [("slide", slide.is_some()), ("gaps", gaps.is_some())];
    let has_gap = [("gap", gap.is_some()), ("max_length", max_length.is_some())];
    let has_trigger = [("trigger", trigger.is_some())];
    let has_lateness = [("allowed_lateness", allowed_lateness.is_some())];
    let (name, foreign) = match r#type {
        RawWindowType::Tumbling => ("tumbling", [&has_slide[..], &has_gap, &has_trigger].concat()),
        RawWindowType::Sliding => ("sliding", [&has_gap[..], &has_trigger].concat()),
        RawWindowType::Session => ("session", [&has_size[..], &has_slide, &has_trigger].concat()),
        RawWindowType::Global => {
            ("global", [&has_size[..], &has_slide, &has_gap, &has_lateness].concat())
        }
    };
    for (foreign, _) in foreign.iter().filter(|(_, is_there)| *is_there) {
        let fix = format!(
            "windows of type \"{name}\" have no `{foreign}`: remove it, or change the type"
        );
        problems.refuse(&key.child(foreign), fix);
    }
    let columns = check_key(columns, schema, &key.child("key"), problems);
    let kind = match r#type {
        RawWindowType::Tumbling => {
            let size = needed(size, "size", "30s", problems);
            let offset = check_offset(offset, "size", size, problems);
            WindowKind::Tumbling { size: size?, offset: offset? }
        }
        RawWindowType::Sliding => {
            let size = needed(size, "size", "1m", problems);
            let slide = needed(slide, "slide", "10s", problems);
            let offset = check_offset(offset, "slide", slide, problems);
            let (size, slide) = (size?, slide?);
            check_slide(size, slide, gaps.unwrap_or(false), problems);
            WindowKind::Sliding { size, slide, offset: offset? }
        }
        RawWindowType::Session => {
            let max_length = max_length.or_else(|| Some(SESSION_LENGTH_DEFAULT.into()));
            let gap = needed(gap, "gap", "30m", problems);
            let max_length = needed(max_length, "max_length", "1d", problems);
            let (gap, max_length) = (gap?, max_length?);
            check_length(gap, max_length, problems);
            WindowKind::Session { gap, max_length }
        }
        RawWindowType::Global => {
            WindowKind::Global { trigger: needed(trigger, "trigger", "30s", problems)? }
        }
    };
    let lateness_key = key.child("allowed_lateness");
    let lateness = allowed_lateness.map(|text| duration::parse(&text.0).map(duration::micros));
    let allowed_lateness = problems.take(&lateness_key, lateness.unwrap_or(Ok(0)))?;
    Some(WindowConfig { kind, allowed_lateness, key: columns?, aggregate })
}

/// A length that windows of this type must have, more than zero.
fn needed(
    text: Option<DurationText>,
    name: &str,
    example: &str,
    problems: &mut Problems<'_>,
) -> Option<i64> {
    let key = Key::top("window").child(name);
    let Some(DurationText(text)) = text else {
        problems.refuse(&key, format!("missing; write how long, for example \"{example}\""));
        return None;
    };
    let length = duration::parse(&text).map(duration::micros).and_then(|micros| match micros {
        0 => Err(format!(
            "\"{text}\" cannot be the {name} of a window: write more than zero, for example \"{example}\""
        )),
        micros => Ok(micros),
    });
    problems.take(&key, length)
}

/// The offset, which is less than the distance of the windows, the length called `name`.
fn check_offset(
    text: Option<DurationText>,
    name: &str,
    distance: Option<i64>,
    problems: &mut Problems<'_>,
) -> Option<i64> {
    let key = Key::top("window").child("offset");
    let Some(DurationText(text)) = text else { return Some(0) };
    let offset = problems.take(&key, duration::parse(&text).map(duration::micros))?;
    if let Some(distance) = distance.filter(|distance| offset >= *distance) {
        let message = format!(
            "the offset must be less than the {name}, {}: windows repeat after that",
            show(distance)
        );
        problems.refuse(&key, message);
    }
    Some(offset)
}

fn check_slide(size: i64, slide: i64, gaps: bool, problems: &mut Problems<'_>) {
    let key = Key::top("window").child("slide");
    if slide > size && !gaps {
        let message = format!(
            "windows of {} that begin every {} leave out rows between them: write a slide of at most the size, or `gaps = true` if that is meant",
            show(size),
            show(slide)
        );
        problems.refuse(&key, message);
    }
    if size / slide > WINDOWS_PER_ROW_MAX {
        let message = format!(
            "a row would belong to {} windows; at most {WINDOWS_PER_ROW_MAX}: write a slide of {} or more",
            size / slide,
            show(size / WINDOWS_PER_ROW_MAX + 1)
        );
        problems.refuse(&key, message);
    }
}

fn check_length(gap: i64, max_length: i64, problems: &mut Problems<'_>) {
    if max_length < gap {
        let message = format!(
            "a session of a single row is as long as the gap, {}: write that or more",
            show(gap)
        );
        problems.refuse(&Key::top("window").child("max_length"), message);
    }
}

fn show(micros: i64) -> String {
    duration::show(Duration::from_micros(micros.unsigned_abs()))
}

pub(super) fn check_key(
    names: Vec<String>,
    schema: Option<&Schema>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Vec<String>> {
    let mut seen: Vec<Arc<str>> = Vec::new();
    let mut fits = true;
    for (index, name) in names.iter().enumerate() {
        let key = key.element(index);
        let checked = columns::column_name(name).and_then(|name| {
            if seen.iter().any(|other| **other == *name) {
                return Err(format!("column `{name}` is named twice: remove one"));
            }
            schema.map_or(Ok(()), |schema| columns::find(&name, schema).map(|_| ()))
        });
        fits &= problems.take(&key, checked).is_some();
        seen.push(Arc::from(name.as_str()));
    }
    fits.then_some(names)
}
