//! Where a text ends, and what it says if it is written with escapes.

use super::wide::Wide;
use super::word::byte;

/// The place of the first byte from `at` on that a text does not have as it is.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(wide) = Wide::at(bytes, at) {
        let count = wide.plain_text();
        at += count;
        if count < 16 {
            return at;
        }
    }
    last_plain_end(bytes, at)
}

/// The same near the last byte.
#[cold]
#[inline(never)]
fn last_plain_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// The place behind the quote that ends a text, of which the first byte stands at `at`. None: it is none, or has an
/// escape that the parser has to judge.
#[inline(always)]
pub(super) fn end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = plain_end(bytes, at);
    match byte(bytes, end) {
        b'"' => Some(end + 1),
        b'\\' => escaped_end(bytes, end),
        _ => None,
    }
}

/// The same for a text with an escape at `at`.
#[inline(never)]
fn escaped_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while byte(bytes, at) == b'\\' {
        let (_, behind) = escape(bytes, at)?;
        at = plain_end(bytes, behind);
    }
    (byte(bytes, at) == b'"').then_some(at + 1)
}

/// The character that the escape at `at` stands for, and the place behind it. None: half of a character, or no escape.
#[inline]
pub(super) fn escape(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let char = match byte(bytes, at + 1) {
        same @ (b'"' | b'\\' | b'/') => char::from(same),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let digits = bytes.get(at + 2..at + 6)?;
            let value = digits
                .iter()
                .try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))?;
            // None of a pair of surrogates is a character.
            return Some((char::from_u32(value)?, at + 6));
        }
        _ => return None,
    };
    Some((char, at + 2))
}

/// Appends what the text says that begins at `at` and has escapes. The place behind the quote that ends it; None as above.
pub(super) fn unescape(record: &[u8], mut at: usize, bytes: &mut Vec<u8>) -> Option<usize> {
    loop {
        let end = plain_end(record, at);
        bytes.extend_from_slice(record.get(at..end)?);
        match byte(record, end) {
            b'"' => return Some(end + 1),
            b'\\' => {
                let (char, behind) = escape(record, end)?;
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                at = behind;
            }
            _ => return None,
        }
    }
}
