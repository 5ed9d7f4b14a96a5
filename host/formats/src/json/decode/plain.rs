//! The record as most are written, read in one pass: as those before it, or else key by key. A general parser does not know
//! what comes next; a stream of events repeats itself.
//!
//! It may give up at any byte, and does wherever it is not sure: then the record is read by the parser, which also
//! finds the reason if it is no good. So whatever this takes, the parser would have taken with the same values, and
//! that is what its tests check.

use std::ops::Range;

use super::column::ColumnBuilder;
use super::plain_number::{long, short, unsigned};
use super::shape::{FieldIndex, KeyPlace, Led, Shape, Target, Way};
use super::skip::{self, DEPTH_MAX, literal, space};
use super::template::{Followed, Left, Template};
use super::text;
use super::trace::{Home, Met, Trace, What};
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

/// Reads a plain record into its columns, which have so many `rows`. How many have a value now; None: it may be anything, and the
/// columns hold a part of it.
#[inline(always)]
pub(super) fn decode(
    sight: Sight<'_>,
    rows: usize,
    template: &mut Template,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<usize> {
    match template.follow(sight.bytes, shape, columns)? {
        Followed::Whole { end, filled } => sight.ends_at(end).then_some(filled),
        Followed::Until(left) => {
            if left.forgets {
                shape.begin_record();
                columns.iter_mut().for_each(|column| column.truncate(rows));
            }
            read_on(sight, left, template, shape, columns)
        }
    }
}

/// Reads a record key by key from where the template was left, and has it learned. As [`decode`].
#[inline(never)]
fn read_on(
    sight: Sight<'_>,
    left: Left,
    template: &mut Template,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<usize> {
    let trace = template.begin_trace(&left);
    let filled = left.within + template.filled(&left);
    let mut reader = Reader { bytes: sight.bytes, shape, columns, filled, trace };
    let end = reader.resume(&left, template).filter(|end| sight.ends_at(*end));
    let Reader { filled, trace, .. } = reader;
    match end {
        Some(end) => template.read_otherwise(sight.bytes, (left, end), trace, columns),
        None => template.give_back(trace),
    }
    end.map(|_| filled)
}

/// Puts a value that several columns have, or one its text, where it goes. Where it ends, and how many columns have it.
#[inline(never)]
pub(super) fn take_several(
    bytes: &[u8],
    at: usize,
    field: FieldIndex,
    of: Home,
    shape: &mut Shape,
    columns: &mut [ColumnBuilder],
) -> Option<(usize, usize)> {
    let target = shape.enter(of.object, field)?;
    take_other(bytes, space(bytes, at), target, columns, of.depth + 1)
}

impl Sight<'_> {
    /// Whether nothing but white space stands between `end` and its end. Whoever read it may have run beyond that.
    #[inline(always)]
    fn ends_at(self, end: usize) -> bool {
        let Self { bytes, length } = self;
        end == length
            || end + 1 == length && byte(bytes, end) == b'\n'
            || bytes.get(end..length).is_some_and(is_space)
    }
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
    /// What is read, if it is to be learned.
    trace: Option<Trace>,
}

impl Reader<'_> {
    /// Reads the record from where the template was left. Where it ends.
    fn resume(&mut self, left: &Left, template: &Template) -> Option<usize> {
        let mut last = KeyPlace::BEGIN;
        for key in template.keys(left) {
            self.shape.mark(key);
            last = key;
        }
        let next = if last == KeyPlace::BEGIN {
            self.begin(space(self.bytes, 0), Home::RECORD.object)?
        } else {
            self.behind(left.at, Home::RECORD.object, last, self.shape.next(last))?
        };
        self.take_members(next, Home::RECORD)
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
    #[inline(never)]
    fn take_members(&mut self, mut next: Next, home: Home) -> Option<usize> {
        loop {
            let (at, key) = match next {
                Next::Key(at, key) => (space(self.bytes, at), key),
                Next::End(at) => return Some(at),
            };
            self.filled += usize::from(matches!(key.way, Way::Column(_)));
            let end = self.take(at, key.way, home)?;
            if self.trace.is_some() {
                self.note(at..end, key, home);
            }
            next = self.behind(end, home.object, key.place, key.next)?;
        }
    }

    /// Notes a value that was read. Of an object those within it were noted.
    #[cold]
    fn note(&mut self, bytes: Range<usize>, key: Led, home: Home) {
        let Range { start, end } = bytes;
        let own_key = home.is_record().then_some(key.place);
        let object = home.object;
        let is_object = matches!(key.way, Way::Field(field) if self.shape.is_object(object, field));
        let what = match (is_object, own_key) {
            (true, Some(key)) => What::End(key),
            (true, None) => return,
            (false, own_key) => What::Value { way: key.way, of: home, key: own_key },
        };
        let start = if matches!(what, What::End(_)) { end } else { start };
        self.trace.iter_mut().for_each(|trace| trace.push(Met { start, end, what }));
    }

    /// Puts the value that begins at `at` where it goes, if anybody wants it. Where it ends.
    #[inline(always)]
    fn take(&mut self, at: usize, way: Way, home: Home) -> Option<usize> {
        match way {
            Way::Skip => skip::value(self.bytes, at, home.depth + 1),
            Way::Column(column) => take_value(self.bytes, at, &mut self.columns[column as usize]),
            Way::Field(field) => self.take_field(at, field, home),
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
    fn take_field(&mut self, at: usize, field: FieldIndex, home: Home) -> Option<usize> {
        match self.shape.enter(home.object, field)? {
            &Target::Object(inner) => self.take_inner(at, home.inner(inner)),
            target => {
                let depth = home.depth + 1;
                let (end, filled) = take_other(self.bytes, at, target, self.columns, depth)?;
                self.filled += filled;
                Some(end)
            }
        }
    }

    /// Reads an object within another, or the `null` in its place, which is as good as a key that is missing.
    fn take_inner(&mut self, at: usize, home: Home) -> Option<usize> {
        match byte(self.bytes, at) {
            b'{' if home.depth <= DEPTH_MAX => {
                let first = self.begin(at, home.object)?;
                self.take_members(first, home)
            }
            b'n' => literal(self.bytes, at, b"null"),
            _ => None,
        }
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

/// Puts the value that begins at `at`, or behind white space, into a column, however it is written. Where it ends.
#[inline(never)]
pub(super) fn take_any(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    take_other_value(bytes, space(bytes, at), column)
}

/// Puts the value that begins at `at` into a column. Where it ends.
#[inline(always)]
fn take_value(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let taken = match byte(bytes, at) {
        b'"' => take_short_text(bytes, at, column),
        b'0'..=b'9' => take_short_number(bytes, at, column),
        _ => None,
    };
    taken.or_else(|| take_other_value(bytes, at, column))
}

/// The same of a value that is not short, or is no text or number.
#[inline(never)]
fn take_other_value(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    match byte(bytes, at) {
        b'"' => take_text(bytes, at + 1, column),
        b'-' | b'0'..=b'9' => {
            let (number, end) = short(bytes, at).or_else(|| long(bytes, at))?;
            column.push_plain_number(number).then_some(end)
        }
        _ => take_literal(bytes, at, column),
    }
}

/// Puts the number that begins at `at` into a column, if it is as most are written. Where it ends. None: nothing was appended. It
/// is longer or has a sign, the column takes it in another way, or nothing of the kind stands there.
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
fn take_literal(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let (end, taken) = match byte(bytes, at) {
        b't' => (literal(bytes, at, b"true")?, column.push_bool(true).is_taken()),
        b'f' => (literal(bytes, at, b"false")?, column.push_bool(false).is_taken()),
        b'n' => (literal(bytes, at, b"null")?, column.push_null()),
        _ => return None,
    };
    taken.then_some(end)
}

/// Puts the text that begins at `at` into a column of texts. Where it ends. None: nothing was appended. It is long or has an
/// escape, the column has no texts, or nothing of the kind stands there.
#[inline(always)]
pub(super) fn take_short_text(
    bytes: &[u8],
    at: usize,
    column: &mut ColumnBuilder,
) -> Option<usize> {
    let (chunk, length) = skip::short_text(bytes, at)?;
    column.push_short_text(chunk, length).then_some(at + length + 2)
}

/// Puts the text whose first byte stands at `at` into a column. Where it ends.
fn take_text(bytes: &[u8], at: usize, column: &mut ColumnBuilder) -> Option<usize> {
    let end = text::plain_end(bytes, at);
    let taken = match byte(bytes, end) {
        b'"' => column.push_quoted(bytes.get(at..end)?),
        b'\\' => return column.push_escaped_text(bytes, at),
        _ => false,
    };
    taken.then_some(end + 1)
}
