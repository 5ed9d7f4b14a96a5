//! The record as most are written, read in one pass: as those before it, or else key by key. A general parser does not know
//! what comes next; a stream of events repeats itself.
//!
//! It may give up at any byte, and does wherever it is not sure: then the record is read by the parser, which also
//! finds the reason if it is no good. So whatever this takes, the parser would have taken with the same values, and
//! that is what its tests check.

use super::column::ColumnBuilder;
use super::plain_number::{long, short, unsigned};
use super::shape::{FieldIndex, KeyPlace, Led, Shape, Target, Way};
use super::skip::{self, DEPTH_MAX, literal, space};
use super::template::{Followed, Left, Template};
use super::text;
use super::word::byte;

/// A record, with some bytes that follow it. They are UTF-8 but for a character that begins before them, or is cut at their end.
#[derive(Clone, Copy)]
pub(super) struct Sight<'r> {
    /// The record, and what may be looked at behind it: so most of it is read in whole words.
    pub(super) bytes: &'r [u8],
    /// How many of them are the record.
    pub(super) length: usize,
}

/// How many bytes behind a record may be looked at.
pub(super) const BYTES_BEHIND: usize = 16;

/// Reads a plain record into its columns. How many have a value now; None: it may be anything, and the columns hold a
/// part of it.
#[inline(always)]
pub(super) fn decode(
    sight: Sight<'_>,
    template: &mut Template,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<usize> {
    let Sight { bytes, length } = sight;
    let (end, filled) = match template.follow(bytes, shape, columns)? {
        Followed::Whole { end, filled } => (end, filled),
        Followed::Part(left) => leave(bytes, left, template, shape, columns)?,
    };
    // It may have run beyond the record's end, which is found out here.
    let is_line = || end + 1 == length && byte(bytes, end) == b'\n';
    let is_over = end == length || is_line() || is_space(bytes.get(end..length)?);
    is_over.then_some(filled)
}

/// Reads a record from where the template does not lead on, and has the template learn it. Where it ends, and how many columns have a
/// value.
#[inline(never)]
fn leave(
    bytes: &[u8],
    left: Left,
    template: &mut Template,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<(usize, usize)> {
    let mut reader = Reader { bytes, shape, columns, filled: left.within, keys: Vec::new() };
    let end = reader.resume(&left, template)?;
    let Reader { filled, keys, .. } = reader;
    template.learn(&left, &keys, shape, columns);
    Some((end, filled))
}

/// Puts the value of one key of a record where it goes, however it is written. Where it ends, and how many columns have a value
/// that lie within it.
#[inline(never)]
pub(super) fn take(
    bytes: &[u8],
    at: usize,
    way: Way,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<(usize, usize)> {
    let mut reader = Reader { bytes, shape, columns, filled: 0, keys: Vec::new() };
    let end = reader.take(at, way, 0, 0)?;
    Some((end, reader.filled))
}

#[inline(never)]
fn is_space(rest: &[u8]) -> bool {
    space(rest, 0) == rest.len()
}

/// What follows a value.
enum Next {
    /// A key, with its colon: where its value begins.
    Key(usize, Led),
    /// The end of the object.
    End(usize),
}

/// Reads key by key.
struct Reader<'r> {
    bytes: &'r [u8],
    shape: &'r mut Shape,
    columns: &'r mut [ColumnBuilder],
    /// Columns that have a value.
    filled: usize,
    /// The record's own keys that were read so, in order.
    keys: Vec<KeyPlace>,
}

impl Reader<'_> {
    /// Reads the record from where the template was left. Where it ends.
    fn resume(&mut self, left: &Left, template: &Template) -> Option<usize> {
        let mut last = KeyPlace::BEGIN;
        for (place, way) in template.keys(left) {
            self.shape.mark(place);
            self.filled += usize::from(matches!(way, Way::Column(_)));
            last = place;
        }
        let next = if last == KeyPlace::BEGIN {
            self.begin(space(self.bytes, 0), 0)?
        } else {
            self.behind(left.at, 0, last, self.shape.next(last))?
        };
        self.take_members(next, 0, 0)
    }

    /// The first key of the object that begins at `at`.
    #[inline(always)]
    fn begin(&mut self, at: usize, object: usize) -> Option<Next> {
        match self.shape.first(object, self.bytes, at) {
            Some((length, key)) => Some(Next::Key(at + length, key)),
            None => self.take_lead(at, object, KeyPlace::BEGIN),
        }
    }

    /// What follows the value of `last` at `at`, and most often is `expected`.
    #[inline(always)]
    fn behind(
        &mut self,
        at: usize,
        object: usize,
        last: KeyPlace,
        expected: KeyPlace,
    ) -> Option<Next> {
        if byte(self.bytes, at) == b'}' {
            return Some(Next::End(at + 1));
        }
        match self.shape.expected(object, expected, self.bytes, at) {
            Some((length, key)) => Some(Next::Key(at + length, key)),
            None => self.take_lead(at, object, last),
        }
    }

    /// Reads what there is of an object from `next` on. Where it ends.
    fn take_members(&mut self, mut next: Next, object: usize, depth: usize) -> Option<usize> {
        loop {
            let (at, key) = match next {
                Next::Key(at, key) => (at, key),
                Next::End(at) => return Some(at),
            };
            if object == 0 {
                self.keys.push(key.place);
            }
            self.filled += usize::from(matches!(key.way, Way::Column(_)));
            let end = self.take(at, key.way, object, depth)?;
            next = self.behind(end, object, key.place, key.next)?;
        }
    }

    /// Puts the value that begins at `at` where it goes, if anybody wants it. Where it ends.
    #[inline(never)]
    fn take(&mut self, at: usize, way: Way, object: usize, depth: usize) -> Option<usize> {
        let at = space(self.bytes, at);
        match way {
            Way::Skip => skip::value(self.bytes, at, depth + 1),
            Way::Column(column) => take_value(self.bytes, at, &mut self.columns[column as usize]),
            Way::Field(field) => self.take_field(at, object, field, depth + 1),
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
        let key = str::from_utf8(bytes.get(at + 1..end)?).ok()?;
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
                let (end, filled) = take_other(self.bytes, at, target, self.columns, depth)?;
                self.filled += filled;
                Some(end)
            }
        }
    }

    /// Reads an object within another.
    #[inline(never)]
    fn take_inner(&mut self, at: usize, object: usize, depth: usize) -> Option<usize> {
        let is_object = byte(self.bytes, at) == b'{' && depth <= DEPTH_MAX;
        if !is_object {
            return None;
        }
        let first = self.begin(at, object)?;
        self.take_members(first, object, depth)
    }
}

/// Puts the value that begins at `at` where it goes, if that is no single column with a value of its own. Where it
/// ends, and how many columns have it.
fn take_other(
    bytes: &[u8],
    at: usize,
    target: &Target,
    columns: &mut [ColumnBuilder],
    depth: usize,
) -> Option<(usize, usize)> {
    match target {
        Target::Column(column) => Some((take_value(bytes, at, &mut columns[*column])?, 1)),
        Target::Raw(column) => {
            let end = skip::value(bytes, at, depth)?;
            let taken = columns[*column].push_json(bytes.get(at..end)?).is_taken();
            taken.then_some((end, 1))
        }
        Target::Several(targets) => {
            let mut taken: Option<(usize, usize)> = None;
            for one in targets {
                let (end, more) = take_other(bytes, at, one, columns, depth)?;
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
fn take_value(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    match byte(bytes, at) {
        b'"' => take_text(bytes, at + 1, column),
        b'-' | b'0'..=b'9' => take_number(bytes, at, column),
        _ => take_literal(bytes, at, column),
    }
}

/// Puts the number that begins at `at` into a column. Where it ends.
#[inline(never)]
fn take_number(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let (number, end) = short(bytes, at).or_else(|| long(bytes, at))?;
    column.push_plain_number(number).then_some(end)
}

/// The same of a number as most are written. None: it is longer, or has a sign, or nothing of the kind stands there.
#[inline(always)]
pub(super) fn take_short_number(
    bytes: &[u8],
    at: usize,
    column: &mut ColumnBuilder,
) -> Option<usize> {
    let (number, end) = unsigned(bytes, at)?;
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

/// Puts the text that begins at `at` into a column of texts. Where it ends. None: it is long, or has an escape, or nothing of
/// the kind stands there.
#[inline(always)]
pub(super) fn take_short_text(
    bytes: &[u8],
    at: usize,
    column: &mut ColumnBuilder,
) -> Option<usize> {
    let (chunk, length) = skip::short(bytes, at)?;
    column.push_short_text(chunk, length).then_some(at + length + 2)
}

/// Puts the text whose first byte stands at `at` into a column. Where it ends.
#[inline(never)]
fn take_text(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let end = text::plain_end(bytes, at);
    let taken = match byte(bytes, end) {
        b'"' => column.push_quoted(bytes.get(at..end)?),
        b'\\' => return column.push_escaped_text(bytes, at),
        _ => false,
    };
    taken.then_some(end + 1)
}
