//! The record as most are written, read in one pass that remembers which key followed which. A general parser does not
//! know what comes next; a stream of events repeats itself.
//!
//! It may give up at any byte, and does wherever it is not sure: then the record is read by the parser, which also
//! finds the reason if it is no good. So whatever this takes, the parser would have taken with the same values, and
//! that is what its tests check.

use super::column::ColumnBuilder;
use super::plain_number::{long, short};
use super::shape::{FieldIndex, KeyPlace, Led, Shape, Target, Way};
use super::skip::{self, DEPTH_MAX, literal, space};
use super::text;
use super::wide::Wide;
use super::word::byte;

/// A record, with some bytes that follow it.
#[derive(Clone, Copy)]
pub(super) struct Sight<'r> {
    pub(super) record: &'r str,
    /// The record, and what may be looked at behind it: so most of it is read in whole words.
    pub(super) bytes: &'r [u8],
}

/// How many bytes behind a record may be looked at.
pub(super) const BYTES_BEHIND: usize = 16;

/// Reads a plain record into its columns. How many have a value now; None: it may be anything, and the columns hold a
/// part of it.
#[inline(always)]
pub(super) fn decode(
    sight: Sight<'_>,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<usize> {
    let Sight { record, bytes } = sight;
    let mut reader = Reader { record, bytes, shape, columns, filled: 0 };
    let begin = space(bytes, 0);
    if byte(bytes, begin) != b'{' {
        return None;
    }
    let end = reader.take_object(begin, 0, 0)?;
    // It may have run beyond the record's end, which is found out here.
    let rest = record.as_bytes().get(end..)?;
    let is_over = matches!(rest, [] | [b'\n']) || space(rest, 0) == rest.len();
    is_over.then_some(reader.filled)
}

/// What follows a value.
enum Next {
    /// A key, with its colon: where its value begins.
    Key(usize, Led),
    /// The end of the object.
    End(usize),
}

struct Reader<'r> {
    record: &'r str,
    bytes: &'r [u8],
    shape: &'r mut Shape,
    columns: &'r mut [ColumnBuilder],
    /// Columns that have a value.
    filled: usize,
}

impl Reader<'_> {
    /// Reads the object that begins at `at`. Where it ends.
    #[inline(always)]
    fn take_object(&mut self, mut at: usize, object: usize, depth: usize) -> Option<usize> {
        let bytes = self.bytes;
        let mut key;
        (at, key) = match self.shape.first(object, bytes, at) {
            Some((length, key)) => (at + length, key),
            None => match self.take_lead(at, object, KeyPlace::BEGIN)? {
                Next::Key(at, key) => (at, key),
                Next::End(at) => return Some(at),
            },
        };
        loop {
            at = space(bytes, at);
            at = match key.way {
                Way::Skip => skip::value(bytes, at, depth + 1)?,
                Way::Column(column) => {
                    self.filled += 1;
                    take_value(self.record, bytes, at, &mut self.columns[column as usize])?
                }
                Way::Field(field) => self.take_field(at, object, field, depth + 1)?,
            };
            if byte(bytes, at) == b'}' {
                return Some(at + 1);
            }
            (at, key) = match self.shape.expected(object, key.next, bytes, at) {
                Some((length, key)) => (at + length, key),
                None => match self.take_lead(at, object, key.place)? {
                    Next::Key(at, key) => (at, key),
                    Next::End(at) => return Some(at),
                },
            };
        }
    }

    /// Reads what stands before a value or behind the last one, where it is not what was expected. It begins at `lead`.
    #[inline(never)]
    fn take_lead(&mut self, lead: usize, object: usize, last: KeyPlace) -> Option<Next> {
        let bytes = self.bytes;
        if let Some((length, key)) = self.shape.led_to(object, last, bytes, lead) {
            return Some(Next::Key(lead + length, key));
        }
        let begin = space(bytes, lead);
        let at = space(bytes, begin + 1);
        match (byte(bytes, begin), last == KeyPlace::BEGIN) {
            (b'{', true) if byte(bytes, at) == b'}' => return Some(Next::End(at + 1)),
            (b'}', false) => return Some(Next::End(begin + 1)),
            (b'{', true) | (b',', false) => {}
            _ => return None,
        }
        if byte(bytes, at) != b'"' {
            return None;
        }
        let end = text::plain_end(bytes, at + 1);
        let colon = space(bytes, end + 1);
        if byte(bytes, end) != b'"' || byte(bytes, colon) != b':' {
            return None;
        }
        let value = space(bytes, colon + 1);
        let key = self.record.get(at + 1..end)?;
        let lead = bytes.get(lead..value)?;
        Some(Next::Key(value, self.shape.meet(object, last, key, lead)?))
    }

    /// Puts the value that begins at `at` where its field says. Where it ends.
    #[inline(never)]
    fn take_field(
        &mut self,
        at: usize,
        object: usize,
        field: FieldIndex,
        depth: usize,
    ) -> Option<usize> {
        match self.shape.enter(object, field)? {
            &Target::Object(inner) => self.take_inner(at, inner, depth),
            target => {
                let (end, filled) =
                    take_other(self.record, self.bytes, at, target, self.columns, depth)?;
                self.filled += filled;
                Some(end)
            }
        }
    }

    /// Reads an object within another.
    #[inline(never)]
    fn take_inner(&mut self, at: usize, object: usize, depth: usize) -> Option<usize> {
        let is_object = byte(self.bytes, at) == b'{' && depth <= DEPTH_MAX;
        if is_object { self.take_object(at, object, depth) } else { None }
    }
}

/// Puts the value that begins at `at` where it goes, if that is no single column with a value of its own. Where it
/// ends, and how many columns have it.
fn take_other(
    record: &str,
    bytes: &[u8],
    at: usize,
    target: &Target,
    columns: &mut [ColumnBuilder],
    depth: usize,
) -> Option<(usize, usize)> {
    match target {
        Target::Column(column) => Some((take_value(record, bytes, at, &mut columns[*column])?, 1)),
        Target::Raw(column) => {
            let end = skip::value(bytes, at, depth)?;
            let taken = columns[*column].push_json(record.get(at..end)?).is_taken();
            taken.then_some((end, 1))
        }
        Target::Several(targets) => {
            let mut taken: Option<(usize, usize)> = None;
            for one in targets {
                let (end, more) = take_other(record, bytes, at, one, columns, depth)?;
                // Who takes a number stops before its exponent; who skips it, behind it.
                if taken.is_some_and(|(other, _)| other != end) {
                    return None;
                }
                taken = Some((end, taken.map_or(0, |(_, filled)| filled) + more));
            }
            taken
        }
        Target::Object(_) => None,
    }
}

/// Puts the value that begins at `at` into a column. Where it ends.
#[inline(always)]
fn take_value(record: &str, bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    match byte(bytes, at) {
        b'"' => take_text(record, bytes, at + 1, column),
        b'-' | b'0'..=b'9' => take_number(bytes, at, column),
        _ => take_literal(bytes, at, column),
    }
}

/// Puts the number that begins at `at` into a column. Where it ends.
#[inline(always)]
fn take_number(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    match short(bytes, at) {
        Some((number, end)) => column.push_plain_number(number).then_some(end),
        None => take_long_number(bytes, at, column),
    }
}

/// The same for a number of more digits than most have, or none that this pass takes.
#[inline(never)]
fn take_long_number(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let (number, end) = long(bytes, at)?;
    column.push_plain_number(number).then_some(end)
}

/// Puts `true`, `false` or `null` into a column. Where it ends.
#[inline(never)]
fn take_literal(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let (end, taken) = match byte(bytes, at) {
        b't' => (literal(bytes, at, b"true")?, column.push_bool(true).is_taken()),
        b'f' => (literal(bytes, at, b"false")?, column.push_bool(false).is_taken()),
        b'n' => (literal(bytes, at, b"null")?, column.push_null()),
        _ => return None,
    };
    taken.then_some(end)
}

/// Puts the text whose first byte stands at `at` into a column. Where it ends.
#[inline(always)]
fn take_text(record: &str, bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    if let Some(wide) = Wide::at(bytes, at) {
        let length = wide.plain_text();
        if length < 16 && wide.byte(length) == b'"' && column.push_short_text(wide.bytes(), length)
        {
            return Some(at + length + 1);
        }
    }
    take_long_text(record, bytes, at, column)
}

/// The same for a text that is long, is no value by itself, or has escapes.
#[inline(never)]
fn take_long_text(
    record: &str,
    bytes: &[u8],
    at: usize,
    column: &mut ColumnBuilder,
) -> Option<usize> {
    let end = text::plain_end(bytes, at);
    let taken = match byte(bytes, end) {
        b'"' => column.push_text(record.get(at..end)?).is_taken(),
        b'\\' => return column.push_escaped_text(record, at),
        _ => false,
    };
    taken.then_some(end + 1)
}
