//! Why a record could not be decoded, in words of bounded length for the dead-letter table.

use std::fmt::Write;

use sluicegate_model::schema::ColumnType;

/// Characters of a found value that are shown: enough to recognise it, never a whole record.
const FOUND_CHARS_MAX: usize = 40;

/// Characters of the parser's words that are shown.
const SYNTAX_CHARS_MAX: usize = 120;

/// What is wrong with a record, as the visitors note it.
pub(super) enum Fault {
    /// The record is JSON, and no object.
    NotAnObject(String),
    /// A value of the wrong kind for its column.
    Mismatch { column: usize, found: String },
    /// The right kind, but beyond what the type holds, or not in its form; says why.
    Unfit { column: usize, found: String, why: &'static str },
    /// A column lies within this value, which is no object.
    NoObject { column: usize, found: String },
    /// The key of this column, or one on the way to it, occurs twice.
    Twice { column: usize },
}

impl Fault {
    /// Shows a number as it stands in the record: the parser hands on its value, and 5.0 would be shown as 5.
    #[cold]
    pub(super) fn show_as_written<'p>(
        mut self,
        record: &str,
        path: impl Fn(usize) -> &'p [String],
    ) -> Self {
        let (found, written) = match &mut self {
            Self::NotAnObject(found) => (found, Some(short(record.trim()))),
            Self::Mismatch { column, found } | Self::NoObject { column, found } => {
                let written = written(record, path(*column));
                (found, written)
            }
            Self::Unfit { .. } | Self::Twice { .. } => return self,
        };
        let is_number = found.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if let Some(written) = written.filter(|_| is_number) {
            *found = written;
        }
        self
    }
}

/// The value on the way of `path` that is neither object nor array, as it stands in the record.
fn written(record: &str, path: &[String]) -> Option<String> {
    (1..=path.len()).find_map(|length| {
        let value = sonic_rs::get(record, path[..length].iter().map(String::as_str)).ok()?;
        let raw = value.as_raw_str();
        (!raw.starts_with(['{', '['])).then(|| short(raw))
    })
}

/// The sentence of a fault. `column` gives a column's name and type.
pub(super) fn describe<'a>(
    fault: &Fault,
    column: impl Fn(usize) -> (&'a str, ColumnType),
) -> String {
    match fault {
        Fault::NotAnObject(found) if found == "an array" => {
            "expected a JSON object, found an array: write each of its elements as a record, or a line, of its own"
                .to_owned()
        }
        Fault::NotAnObject(found) => format!("expected a JSON object, found {found}"),
        Fault::Mismatch { column: index, found } => {
            let (name, kind) = column(*index);
            format!("column `{name}`: expected {kind}, found {found}")
        }
        Fault::Unfit { column: index, found, why } => {
            let (name, kind) = column(*index);
            format!("column `{name}`: expected {kind}, found {found}, {why}")
        }
        Fault::NoObject { column: index, found } => {
            let (name, _) = column(*index);
            format!("column `{name}`: expected an object around it, found {found}")
        }
        Fault::Twice { column: index } => {
            let (name, _) = column(*index);
            format!("column `{name}`: its key occurs twice")
        }
    }
}

/// What a record begins with that is no JSON, but something that people send: the sentence for it.
#[cold]
pub(super) fn foreign_beginning(record: &[u8]) -> Option<String> {
    match record {
        [0xef, 0xbb, 0xbf, ..] => Some(
            "begins with a byte-order mark (U+FEFF), which JSON does not have: let the sender leave it out"
                .to_owned(),
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(
            "begins with a byte-order mark of UTF-16: records are UTF-8, let the sender write that"
                .to_owned(),
        ),
        // No registry counts so far.
        [0, 1..=255, 0, 1..=255, 0, ..] | [1..=255, 0, 1..=255, 0, ..] => {
            Some("looks like UTF-16: records are UTF-8, let the sender write that".to_owned())
        }
        [0, a, b, c, d, ..] => {
            let schema = u32::from_be_bytes([*a, *b, *c, *d]);
            Some(format!(
                "begins with the prefix of a schema registry (schema {schema}): records are plain JSON, let the sender \
                 use a serializer without the registry"
            ))
        }
        _ => None,
    }
}

/// The sentence for a line of a value that was written over several lines: of a printed object, or of an array with an element
/// a line.
#[cold]
pub(super) fn part_of_a_value(record: &str) -> Option<String> {
    let line = record.trim();
    let is_bracket = matches!(line.trim_end_matches(','), "[" | "]" | "{" | "}");
    let is_element = line.starts_with('{') && line.ends_with("},");
    let is_field = line.starts_with('"') && line.contains("\":");
    (is_bracket || is_element || is_field).then(|| {
        let line = short(line);
        format!("not JSON by itself: `{line}` is a part of a value over several lines: write each object on one line")
    })
}

/// A record that is no text.
#[cold]
pub(super) fn not_utf8(record: &[u8], error: std::str::Utf8Error) -> String {
    foreign_beginning(record)
        .unwrap_or_else(|| format!("not UTF-8 from byte {} on", error.valid_up_to()))
}

/// A column that may not be null and is not there.
#[cold]
pub(super) fn missing(name: &str) -> String {
    format!("column `{name}` is missing")
}

/// The parser's complaint, without the excerpt of the record that it appends on further lines.
#[cold]
pub(super) fn syntax(error: &sonic_rs::Error) -> String {
    let words = error.to_string();
    let line = words.lines().next().unwrap_or("syntax error");
    let mut reason = String::from("not JSON: ");
    push_short(&mut reason, line, SYNTAX_CHARS_MAX);
    reason
}

/// A string as it is shown: quoted, escaped, short.
#[cold]
pub(super) fn text(value: &str) -> String {
    let mut short = String::new();
    push_short(&mut short, value, FOUND_CHARS_MAX);
    format!("{short:?}")
}

/// Anything else as it is shown.
#[cold]
pub(super) fn short(value: &str) -> String {
    let mut short = String::new();
    push_short(&mut short, value, FOUND_CHARS_MAX);
    short
}

fn push_short(into: &mut String, text: &str, chars_max: usize) {
    match text.char_indices().nth(chars_max) {
        None => into.push_str(text),
        Some((end, _)) => {
            // Writing to a string cannot fail.
            let _ = write!(into, "{}…", &text[..end]);
        }
    }
}
