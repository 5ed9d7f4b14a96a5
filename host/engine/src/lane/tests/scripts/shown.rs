//! Rows of tables as scripts show them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::statement::show_time;
use crate::live::LiveResults;

/// The value of a cell as scripts show it.
fn cell(column: &ArrayRef, row: usize) -> String {
    match column.data_type() {
        _ if column.is_null(row) => "null".to_owned(),
        DataType::Timestamp(..) => {
            show_time(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        _ => {
            let options = FormatOptions::default();
            ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
        }
    }
}

/// `12:00:00..12:00:10 key: texts (revision 1)`, or `12:00:31 key: column value, …` of a keyed plugin.
pub(super) fn result(batch: &RecordBatch, row: usize) -> String {
    let get = |name: &str| batch.column_by_name(name).map(|column| cell(column, row));
    let window = get("window_start").zip(get("window_end"));
    let time = window
        .map(|(start, end)| format!("{start}..{end} "))
        .or(get("event_time").map(|at| at + " "));
    let schema = batch.schema();
    let outputs = schema.fields().iter().map(|field| field.name().as_str());
    let outputs = outputs.filter(|name| {
        !["key", "window_start", "window_end", "revision", "event_time"].contains(name)
    });
    let values: Vec<String> = outputs
        .map(|name| match (name, get(name).unwrap()) {
            ("texts", texts) => show_texts(&texts),
            (name, value) => format!("{name} {value}"),
        })
        .collect();
    let revision =
        get("revision").map_or_else(String::new, |revision| format!(" (revision {revision})"));
    format!("{}{}: {}{revision}", time.unwrap_or_default(), get("key").unwrap(), values.join(", "))
}

/// `12:00:05 key text, missed 12:00:00..12:00:10: at 12:00:11 the watermark was …`
pub(super) fn late(batch: &RecordBatch, row: usize) -> String {
    let get = |name: &str| cell(batch.column_by_name(name).unwrap(), row);
    let (at, key, text, reason) = (get("at"), get("key"), get("text"), get("late_reason"));
    let (start, end, watermark) = (get("window_start"), get("window_end"), get("watermark"));
    format!("{at} {key} {text}, missed {start}..{end}: at {watermark} {reason}")
}

/// `p0 record 3, decode: why`
pub(super) fn dead(batch: &RecordBatch, row: usize) -> String {
    let get = |name: &str| batch.column_by_name(name).unwrap();
    let (kind, reason) = (cell(get("kind"), row), cell(get("reason"), row));
    let offset = get("offset").as_primitive::<Int64Type>();
    if offset.is_null(row) {
        return format!("{kind}: {reason}");
    }
    let partition = get("partition").as_primitive::<Int32Type>().value(row);
    format!("p{partition} record {}, {kind}: {reason}", offset.value(row))
}

/// As [`result`], for each row of a live update.
pub(super) fn live(update: &LiveResults) -> Vec<String> {
    let line = |row: Vec<serde_json::Value>| {
        let get = |name: &str| {
            let column = update.columns.iter().position(|column| column == name).unwrap();
            row[column].as_str().map_or_else(|| row[column].to_string(), str::to_owned)
        };
        let time = |name: &str| get(name)["2024-05-01T".len()..].trim_end_matches('Z').to_owned();
        let (start, end) = (time("window_start"), time("window_end"));
        let (key, texts) = (get("key"), show_texts(&get("texts")));
        format!("{start}..{end} {key}: {texts} (revision {})", get("revision"))
    };
    update.rows.values().map(line).collect()
}

/// `join` and `diary` end each text with a semicolon.
fn show_texts(texts: &str) -> String {
    texts.trim_end_matches(';').replace(';', " ")
}
