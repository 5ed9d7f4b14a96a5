//! `[limits]`, and values that have bounds.

use std::time::Duration;

use crate::Limits;
use crate::document::Key;
use crate::duration::{self, DurationText};
use crate::problem::Problems;
use crate::raw::RawLimits;
use crate::size::{self, SizeText};

pub(super) fn check(raw: RawLimits, problems: &mut Problems<'_>) -> Option<Limits> {
    let RawLimits {
        workers,
        turn_records,
        turn_bytes,
        turn_linger,
        call_rows,
        call_bytes,
        call_deadline,
        plugin_memory,
        plugin_output,
        key_timers,
        key_state,
        state_bytes,
    } = raw;
    const MILLISECOND: Duration = Duration::from_millis(1);
    let key = |name: &str| Key::top("limits").child(name);
    let workers = number(workers, 0, 1_024, &key("workers"), problems);
    let turn_records = number(turn_records, 1, 4 << 20, &key("turn_records"), problems);
    // Offsets into a turn's bytes are 32 bits wide.
    let turn_bytes = bounded(&turn_bytes, 64 << 10, 1 << 30, &key("turn_bytes"), problems);
    let turn_linger = within(
        &turn_linger,
        Duration::ZERO,
        Duration::from_secs(10),
        &key("turn_linger"),
        problems,
    );
    let call_rows = number(call_rows, 1, 1 << 20, &key("call_rows"), problems);
    let call_bytes = bounded(&call_bytes, 4 << 10, 1 << 30, &key("call_bytes"), problems);
    let call_deadline = within(
        &call_deadline,
        MILLISECOND,
        Duration::from_secs(600),
        &key("call_deadline"),
        problems,
    );
    // A wasm32 guest cannot address more than 4 GiB, and starts with one page of 64 KiB at least.
    let plugin_memory = bounded(&plugin_memory, 1 << 20, 4 << 30, &key("plugin_memory"), problems);
    let plugin_output = bounded(&plugin_output, 4 << 10, 4 << 30, &key("plugin_output"), problems);
    // Both travel with a call, beside its rows: see `call_bytes`.
    let key_timers = number(key_timers, 1, 64 << 10, &key("key_timers"), problems);
    let key_state = bounded(&key_state, 64, 64 << 20, &key("key_state"), problems);
    let state_bytes = bounded(&state_bytes, 1 << 20, u64::MAX, &key("state_bytes"), problems);
    Some(Limits {
        workers: workers?,
        turn_records: turn_records?,
        turn_bytes: usize::try_from(turn_bytes?).unwrap_or(usize::MAX),
        turn_linger: turn_linger?,
        call_rows: call_rows?,
        call_bytes: usize::try_from(call_bytes?).unwrap_or(usize::MAX),
        call_deadline: call_deadline?,
        plugin_memory: plugin_memory?,
        plugin_output: plugin_output?,
        key_timers: key_timers?,
        key_state: usize::try_from(key_state?).unwrap_or(usize::MAX),
        state_bytes: state_bytes?,
    })
}

fn number(value: u64, min: u64, max: u64, key: &Key, problems: &mut Problems<'_>) -> Option<usize> {
    if (min..=max).contains(&value) {
        return usize::try_from(value).ok();
    }
    problems.refuse(key, format!("{value} is out of bounds: write {min} to {max}"));
    None
}

/// The size, if it lies within its bounds.
pub(super) fn bounded(
    text: &SizeText,
    min: u64,
    max: u64,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<u64> {
    let bytes = problems.take(key, text.parse())?;
    if (min..=max).contains(&bytes) {
        return Some(bytes);
    }
    let (min, max, bytes) = (size::show(min), size::show(max), size::show(bytes));
    problems.refuse(key, format!("{bytes} is out of bounds: write {min} to {max}"));
    None
}

/// The duration, if it lies within its bounds.
pub(super) fn within(
    text: &DurationText,
    min: Duration,
    max: Duration,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    let duration = problems.take(key, duration::parse(&text.0))?;
    if (min..=max).contains(&duration) {
        return Some(duration);
    }
    let bounds = if max == Duration::MAX {
        format!("{} or more", duration::show(min))
    } else {
        format!("{} to {}", duration::show(min), duration::show(max))
    };
    problems.refuse(key, format!("\"{}\" is out of bounds: write {bounds}", text.0));
    None
}
