//! Values that nobody wants: checked as JSON, and passed over.

use super::number_run;
use super::plain_number::extent;
use super::text;
use super::wide::Wide;
use super::word::{byte, digits, word};

/// Objects and arrays within each other that are read in one pass. What has more is the parser's.
pub(super) const DEPTH_MAX: usize = 16;

/// Where the white space ends that begins at `at`.
#[inline(always)]
pub(super) fn space(bytes: &[u8], at: usize) -> usize {
    // Most often there is none.
    if byte(bytes, at) > b' ' { at } else { space_end(bytes, at) }
}

#[inline(never)]
fn space_end(bytes: &[u8], mut at: usize) -> usize {
    while let b' ' | b'\n' | b'\r' | b'\t' = byte(bytes, at) {
        at += 1;
    }
    at
}

/// Where a value ends. If it is an object or array, it is the `depth`th from the outside. None: it is none, or the
/// parser has to judge it.
#[inline(always)]
pub(super) fn value(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    match byte(bytes, at) {
        b'"' => text::end(bytes, at + 1),
        b'-' | b'0'..=b'9' => number(bytes, at),
        b't' => literal(bytes, at, b"true"),
        b'f' => literal(bytes, at, b"false"),
        b'n' => literal(bytes, at, b"null"),
        b'{' if depth <= DEPTH_MAX => object(bytes, at, depth),
        b'[' if depth <= DEPTH_MAX => array(bytes, at, depth),
        _ => None,
    }
}

/// Where a value ends that begins at `at` or behind white space. As [`value`].
#[inline(never)]
pub(super) fn any(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    value(bytes, space(bytes, at), depth)
}

/// The text that begins at `at`, with some bytes behind it, and how many are its own. None: they are more than fifteen, or one of
/// them is an escape, or no text stands there.
#[inline(always)]
pub(super) fn short_text(bytes: &[u8], at: usize) -> Option<(&[u8; 16], usize)> {
    let (quote, rest) = bytes.get(at..)?.split_first()?;
    let wide = Wide::of(rest.first_chunk()?);
    let length = wide.plain_text();
    let is_short = *quote == b'"' && length < 16 && wide.byte(length) == b'"';
    is_short.then_some((wide.bytes(), length))
}

/// Where such a text ends, or a number. None: it has to be looked at closer.
#[inline(always)]
pub(super) fn short_value(bytes: &[u8], at: usize) -> Option<usize> {
    match byte(bytes, at) {
        b'"' => short_text(bytes, at).map(|(_, length)| at + length + 2),
        b'0'..=b'9' => number(bytes, at),
        _ => None,
    }
}

#[inline(never)]
fn object(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = space(bytes, at + 1);
    if byte(bytes, at) == b'}' {
        return Some(at + 1);
    }
    loop {
        if byte(bytes, at) != b'"' {
            return None;
        }
        at = space(bytes, text::end(bytes, at + 1)?);
        if byte(bytes, at) != b':' {
            return None;
        }
        at = space(bytes, at + 1);
        at = space(bytes, value(bytes, at, depth + 1)?);
        match byte(bytes, at) {
            b',' => at = space(bytes, at + 1),
            other => return (other == b'}').then_some(at + 1),
        }
    }
}

#[inline(never)]
fn array(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    let mut at = space(bytes, at + 1);
    if byte(bytes, at) == b']' {
        return Some(at + 1);
    }
    let mut in_runs = true;
    loop {
        if in_runs && matches!(byte(bytes, at), b'-' | b'0'..=b'9') {
            let end = number_run::end(bytes, at);
            in_runs = end - at >= number_run::WORTHWHILE;
            at = end;
        }
        at = space(bytes, value(bytes, at, depth + 1)?);
        match byte(bytes, at) {
            b',' => at = space(bytes, at + 1),
            other => return (other == b']').then_some(at + 1),
        }
    }
}

/// Where the number ends that begins at `at`.
#[inline(always)]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let start = at + usize::from(byte(bytes, at) == b'-');
    if let Some(end) = Wide::at(bytes, start).and_then(extent).map(|extent| start + extent.length)
        && !matches!(byte(bytes, end), b'e' | b'E')
    {
        return Some(end);
    }
    long_number(bytes, start)
}

/// The same for a number that is long, has an exponent or is none. Its sign stands before `start`.
#[inline(never)]
fn long_number(bytes: &[u8], start: usize) -> Option<usize> {
    let mut end = digits_end(bytes, start);
    // A zero before other digits is no JSON.
    if end == start || end > start + 1 && byte(bytes, start) == b'0' {
        return None;
    }
    if byte(bytes, end) == b'.' {
        let point = end;
        end = digits_end(bytes, point + 1);
        if end == point + 1 {
            return None;
        }
    }
    match byte(bytes, end) {
        b'e' | b'E' => exponent(bytes, end),
        _ => Some(end),
    }
}

#[cold]
fn exponent(bytes: &[u8], at: usize) -> Option<usize> {
    let start = at + 1 + usize::from(matches!(byte(bytes, at + 1), b'+' | b'-'));
    let end = digits_end(bytes, start);
    (end > start).then_some(end)
}

#[inline(always)]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let count = digits(word(bytes, at));
        at += count;
        if count < 8 {
            return at;
        }
    }
}

#[inline(always)]
pub(super) fn literal(bytes: &[u8], at: usize, text: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(text).then_some(at + text.len())
}
