//! A dead letter for people who look: in short, whether it was just written or read back from its table.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::dead_letters::DeadLetter;
use sluicegate_model::printable::printable;
use sluicegate_model::time::EventTime;

/// Bytes of a value that are kept.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// Bytes that are kept of a record's or group's key.
pub const KEY_BYTES_MAX: usize = 1 << 10;
/// Bytes that are kept of a reason.
pub const REASON_BYTES_MAX: usize = 2 << 10;
/// Headers that are kept of one record; [`Letter::headers_left_out`] counts the rest.
pub const HEADERS_MAX: usize = 32;
/// Bytes of the name of a header or of anything else that has one, and of the value of a header.
pub const NAME_BYTES_MAX: usize = 256;

/// The beginning of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// At most as many as whoever took it allows.
    pub begin: Vec<u8>,
    /// How many there are in all.
    pub bytes: u64,
}

/// A header of the record, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterHeader {
    /// Bytes that are no UTF-8 are replaced.
    pub name: String,
    /// None is not the same as empty.
    pub value: Option<Excerpt>,
}

/// A dead letter in short: see [`DeadLetter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The stage, `sluicegate`, or a sink.
    pub stage: String,
    /// As the table has it.
    pub kind: String,
    /// For a person, without control characters.
    pub reason: String,
    /// Whether the reason is what the sandbox said of a plugin that failed.
    pub is_trap: bool,
    /// The topic or the file's path; none for a group.
    pub stream: Option<String>,
    /// Number within the topic; none for a group.
    pub partition: Option<i32>,
    /// Kafka's offset, or the byte where the line begins; none for a group.
    pub offset: Option<i64>,
    /// As Kafka had it; none for files and groups.
    pub record_timestamp: Option<EventTime>,
    /// The record's, or the group's.
    pub key: Option<Excerpt>,
    /// The record's value, or the group's accumulator.
    pub value: Option<Excerpt>,
    /// The first [`HEADERS_MAX`]; none where there are no such things.
    pub headers: Option<Vec<LetterHeader>>,
    /// Headers beyond the first [`HEADERS_MAX`], which are not in `headers`.
    pub headers_left_out: usize,
    /// Digest of the plugin, if one was at fault.
    pub module: Option<String>,
    /// How many rows of the record the stage refused.
    pub rows: Option<i64>,
    /// When the verdict was passed: see [`DeadLetter::at`].
    pub at: EventTime,
}

impl Excerpt {
    /// Copies at most `max` bytes from the beginning, and notes how many there were.
    pub fn of(bytes: &[u8], max: usize) -> Self {
        Self { begin: bytes[..bytes.len().min(max)].to_vec(), bytes: bytes.len() as u64 }
    }
}

impl Letter {
    /// Copies the beginning of everything.
    pub fn of(letter: &DeadLetter<'_>) -> Self {
        let mut headers_left_out = 0;
        let headers = letter.headers.map(|headers| {
            let headers = headers.iter();
            headers_left_out = headers.len().saturating_sub(HEADERS_MAX);
            let short = |name: &[u8], value: Option<&[u8]>| LetterHeader {
                name: name_of(&String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES_MAX)])),
                value: value.map(|value| Excerpt::of(value, NAME_BYTES_MAX)),
            };
            headers.take(HEADERS_MAX).map(|header| short(header.name, header.value)).collect()
        });
        Self {
            stage: name_of(letter.stage),
            kind: letter.kind.to_string(),
            reason: reason_of(letter.reason),
            is_trap: letter.kind.is_of_the_sandbox(),
            stream: letter.topic.map(name_of),
            partition: letter.partition,
            offset: letter.offset,
            record_timestamp: letter.record_timestamp,
            key: letter.key.map(|key| Excerpt::of(key, KEY_BYTES_MAX)),
            value: letter.value.map(|value| Excerpt::of(value, VALUE_BYTES_MAX)),
            headers,
            headers_left_out,
            module: letter.module.map(|digest| digest.to_string()),
            rows: letter.rows,
            at: letter.at,
        }
    }

    /// A row of the table. Columns that an earlier version did not write yet are taken for null.
    pub fn read(rows: &RecordBatch, row: usize) -> Self {
        let column = |name: &str| {
            rows.column_by_name(name).filter(|column| !column.is_null(row)).map(AsRef::as_ref)
        };
        let text = |name: &str| Some(column(name)?.as_string_opt::<i32>()?.value(row).to_owned());
        let excerpt = |name: &str, max| {
            Some(Excerpt::of(column(name)?.as_binary_opt::<i32>()?.value(row), max))
        };
        let number = |name: &str| Some(column(name)?.as_primitive_opt::<Int64Type>()?.value(row));
        let time = |name: &str| {
            let times = column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
            Some(EventTime(times.value(row)))
        };
        let (headers, headers_left_out) = column("headers").and_then(|it| headers(it, row)).unzip();
        Self {
            stage: name_of(&text("stage").unwrap_or_default()),
            kind: name_of(&text("kind").unwrap_or_default()),
            reason: reason_of(&text("reason").unwrap_or_default()),
            is_trap: column("trap").is_some(),
            stream: text("topic").as_deref().map(name_of),
            partition: column("partition")
                .and_then(|column| column.as_primitive_opt::<Int32Type>())
                .map(|partitions| partitions.value(row)),
            offset: number("offset"),
            record_timestamp: time("record_timestamp"),
            key: excerpt("key", KEY_BYTES_MAX),
            value: excerpt("value", VALUE_BYTES_MAX),
            headers,
            headers_left_out: headers_left_out.unwrap_or(0),
            module: text("module").as_deref().map(name_of),
            rows: number("rows"),
            at: time("at").unwrap_or(EventTime(0)),
        }
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> usize {
        let excerpt = |excerpt: &Option<Excerpt>| excerpt.as_ref().map_or(0, |it| it.begin.len());
        let header = |header: &LetterHeader| {
            size_of::<LetterHeader>() + header.name.len() + excerpt(&header.value)
        };
        let headers: usize = self.headers.iter().flatten().map(header).sum();
        let texts = self.stage.len() + self.kind.len() + self.reason.len();
        let stream = self.stream.as_ref().map_or(0, String::len);
        size_of::<Self>() + texts + stream + headers + excerpt(&self.key) + excerpt(&self.value)
    }
}

/// The headers of a row, and how many are left out.
fn headers(column: &dyn Array, row: usize) -> Option<(Vec<LetterHeader>, usize)> {
    let list = column.as_list_opt::<i32>()?.value(row);
    let fields = list.as_struct_opt()?;
    let names = fields.column_by_name("name")?.as_string_opt::<i32>()?;
    let values = fields.column_by_name("value")?.as_binary_opt::<i32>()?;
    let header = |(name, value): (Option<&str>, Option<&[u8]>)| LetterHeader {
        name: name_of(name.unwrap_or_default()),
        value: value.map(|value| Excerpt::of(value, NAME_BYTES_MAX)),
    };
    let short = names.iter().zip(values).take(HEADERS_MAX).map(header).collect();
    Some((short, names.len().saturating_sub(HEADERS_MAX)))
}

fn name_of(text: &str) -> String {
    short(text, NAME_BYTES_MAX)
}

fn reason_of(text: &str) -> String {
    short(text, REASON_BYTES_MAX)
}

/// The beginning of a text without control characters, and a mark if that is not all.
pub fn short(text: &str, bytes_max: usize) -> String {
    let beginning = &text[..text.floor_char_boundary(bytes_max)];
    let shown = printable(beginning);
    let kept = &shown[..shown.floor_char_boundary(bytes_max)];
    let is_all = beginning.len() == text.len() && kept.len() == shown.len();
    if is_all { kept.to_owned() } else { format!("{kept}…") }
}
