//! The plain record, read in one pass: keys in the order of the record before, texts without escapes, numbers of at
//! most 18 digits. A general parser does not know what comes next; a stream of events repeats itself.
//!
//! It may give up at any byte, and does wherever it is not sure: then the record is read by the parser, which also
//! finds the reason if it is no good. So whatever this takes, the parser would have taken with the same values, and
//! that is what its tests check.

use super::column::ColumnBuilder;
use super::number;
use super::shape::{Shape, Target};

/// Objects and arrays within each other that are read here. What has more is the parser's.
const DEPTH_MAX: usize = 8;

/// Reads a plain record into its columns. None: it may be anything, and the columns hold a part of it.
#[inline(always)]
pub(super) fn decode(record: &str, shape: &mut Shape, columns: &mut [ColumnBuilder]) -> Option<()> {
    let bytes = record.as_bytes();
    let mut reader = Reader { record, shape, columns };
    let end = reader.take_object(skip_space(bytes, 0), 0, 0)?;
    (skip_space(bytes, end) == bytes.len()).then_some(())
}

struct Reader<'r> {
    record: &'r str,
    shape: &'r mut Shape,
    columns: &'r mut [ColumnBuilder],
}

impl Reader<'_> {
    /// Reads the object that begins at `at`. Where it ends.
    #[inline(always)]
    fn take_object(&mut self, mut at: usize, object: usize, depth: usize) -> Option<usize> {
        let bytes = self.record.as_bytes();
        if *bytes.get(at)? != b'{' {
            return None;
        }
        let mut position = 0;
        loop {
            at = skip_space(bytes, at + 1);
            let (length, field) = self.shape.expect_key(object, position, &bytes[at..])?;
            at = skip_space(bytes, at + length);
            if *bytes.get(at)? != b':' {
                return None;
            }
            at = skip_space(bytes, at + 1);
            at = match field {
                None => skip_value(bytes, at, depth + 1)?,
                Some(field) => match self.shape.enter(object, field)? {
                    &Target::Column(column) => {
                        take_value(self.record, at, &mut self.columns[column])?
                    }
                    &Target::Object(inner) => self.take_inner(at, inner, depth + 1)?,
                    target => take_other(self.record, at, target, self.columns, depth + 1)?,
                },
            };
            at = skip_space(bytes, at);
            position += 1;
            match *bytes.get(at)? {
                b',' => {}
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// Reads an object within another.
    fn take_inner(&mut self, at: usize, object: usize, depth: usize) -> Option<usize> {
        if depth > DEPTH_MAX { None } else { self.take_object(at, object, depth) }
    }
}

/// Puts the value that begins at `at` where it goes, if that is no single column with a value of its own. Where it ends.
fn take_other(
    record: &str,
    at: usize,
    target: &Target,
    columns: &mut [ColumnBuilder],
    depth: usize,
) -> Option<usize> {
    match target {
        Target::Column(column) => take_value(record, at, &mut columns[*column]),
        Target::Raw(column) => {
            let end = skip_value(record.as_bytes(), at, depth)?;
            let raw = &record[at..end];
            columns[*column].push_json(raw).is_taken().then_some(end)
        }
        Target::Several(targets) => {
            let mut ends = targets.iter().map(|one| take_other(record, at, one, columns, depth));
            // Each reads the same value, or none does.
            ends.try_fold(at, |_, end| end)
        }
        Target::Object(_) => None,
    }
}

/// Puts the value that begins at `at` into a column. Where it ends.
#[inline(always)]
fn take_value(record: &str, at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let bytes = record.as_bytes();
    let (end, taken) = match *bytes.get(at)? {
        b'"' => {
            let end = text_end(bytes, at + 1)?;
            (end + 1, column.push_text(&record[at + 1..end]).is_taken())
        }
        b'-' | b'0'..=b'9' => {
            let (number, end) = number::leading(bytes, at)?;
            (end, column.push_plain_number(number))
        }
        b't' => (literal(bytes, at, b"true")?, column.push_bool(true).is_taken()),
        b'f' => (literal(bytes, at, b"false")?, column.push_bool(false).is_taken()),
        b'n' => (literal(bytes, at, b"null")?, column.push_null()),
        _ => return None,
    };
    taken.then_some(end)
}

/// Where a value that nobody wants ends. If it is an object or array, it is the `depth`th from the outside.
#[inline(always)]
fn skip_value(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'"' => Some(text_end(bytes, at + 1)? + 1),
        b'-' | b'0'..=b'9' => number::leading(bytes, at).map(|(_, end)| end),
        b't' => literal(bytes, at, b"true"),
        b'f' => literal(bytes, at, b"false"),
        b'n' => literal(bytes, at, b"null"),
        b'{' if depth <= DEPTH_MAX => skip_inner(bytes, at, b'}', depth),
        b'[' if depth <= DEPTH_MAX => skip_inner(bytes, at, b']', depth),
        _ => None,
    }
}

/// Where an object or array ends of which nobody wants anything.
fn skip_inner(bytes: &[u8], at: usize, close: u8, depth: usize) -> Option<usize> {
    let mut at = skip_space(bytes, at + 1);
    if *bytes.get(at)? == close {
        return Some(at + 1);
    }
    loop {
        if close == b'}' {
            if *bytes.get(at)? != b'"' {
                return None;
            }
            at = skip_space(bytes, text_end(bytes, at + 1)? + 1);
            if *bytes.get(at)? != b':' {
                return None;
            }
            at = skip_space(bytes, at + 1);
        }
        at = skip_space(bytes, skip_value(bytes, at, depth + 1)?);
        match *bytes.get(at)? {
            b',' => at = skip_space(bytes, at + 1),
            byte => return (byte == close).then_some(at + 1),
        }
    }
}

#[inline(always)]
fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes[at..].starts_with(word).then_some(at + word.len())
}

#[inline(always)]
fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The place of the quote that ends a text, if no escape and no control character stands before it.
#[inline(always)]
fn text_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // Highest bit set in every byte that is zero; beyond the first of them perhaps in others.
    let zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        let quote = zero(word ^ (LOW * u64::from(b'"')));
        let escape = zero(word ^ (LOW * u64::from(b'\\')));
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = quote | escape | control;
        if special != 0 {
            at += special.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' | 0..0x20 => return None,
            _ => at += 1,
        }
    }
}
