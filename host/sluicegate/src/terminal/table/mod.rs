//! Live results as an aligned table for a terminal (docs/design/decisions.md#d17).
//!
//! ```text
//! sales: 2 changed groups of epoch 13, not yet committed (times in UTC)
//! store   | revenue | window_start        | window_end
//! --------+---------+---------------------+--------------------
//! store-1 |  120.50 | 2026-11-21 10:00:00 | 2026-11-21 10:00:30
//! store-2 |    9.00 | 2026-11-21 10:00:00 | 2026-11-21 10:00:30
//! ```

use std::fmt::Write;

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::columns::{self, line};
use sluicegate_engine::live::LiveResults;
use sluicegate_model::printable::printable;
use sluicegate_model::time::EventTime;

/// Longer text is cut: nobody compares the ends of long keys in a table that scrolls.
pub const CELL_WIDTH_MAX: usize = 40;

/// The columns that do not fit beside each other in this width are left out. Wide terminals have about that.
pub const LINE_WIDTH_MAX: usize = 200;

const SEPARATOR: &str = " | ";

/// When a table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The lane goes on: what is shown may change, and is not yet committed.
    Running,
    /// The lane is gone: these are the last rows.
    Ended,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Table {
    /// The pipeline's name.
    pub pipeline: String,
    /// The epoch that the rows would be part of.
    pub uncommitted_epoch: u64,
    /// The columns' names.
    pub columns: Vec<String>,
    /// The cells of each row.
    pub rows: Vec<Vec<Value>>,
    /// Rows that are not shown.
    pub left_out: u64,
}

impl Table {
    /// One without rows, as live results have it.
    pub fn headed(results: &LiveResults) -> Self {
        let LiveResults { pipeline, uncommitted_epoch, columns, .. } = results;
        Self {
            pipeline: pipeline.clone(),
            uncommitted_epoch: *uncommitted_epoch,
            columns: columns.clone(),
            rows: Vec::new(),
            left_out: 0,
        }
    }
}

/// The table, without a final line break.
pub fn render(table: &Table, moment: Moment) -> String {
    let shown = table.rows.len().min(LiveResults::ROWS_MAX);
    let rows = &table.rows[..shown];
    let left_out = table.left_out + (table.rows.len() - shown) as u64;
    let mut columns: Vec<Column> = (0..table.columns.len())
        .map(|index| Column::new(&table.columns[index], rows, index))
        .collect();
    let fitting = fitting(&columns);
    let columns_left_out = columns.len() - fitting;
    columns.truncate(fitting);

    let mut text = header(table, shown as u64 + left_out, moment);
    push_line(&mut text, &columns, SEPARATOR, |column| column.place.set(&column.name));
    push_line(&mut text, &columns, "-+-", |column| "-".repeat(column.place.width));
    for row in 0..shown {
        push_line(&mut text, &columns, SEPARATOR, |column| column.place.set(&column.cells[row]));
    }
    if left_out > 0 {
        let rows = if left_out == 1 { "row" } else { "rows" };
        write!(text, "\n… {left_out} more {rows}").expect("strings take all that is written");
    }
    if columns_left_out > 0 {
        write!(text, "\n… {columns_left_out} more columns")
            .expect("strings take all that is written");
    }
    text
}

fn header(table: &Table, rows: u64, moment: Moment) -> String {
    let Table { pipeline, uncommitted_epoch, .. } = table;
    let rows = match rows {
        1 => "1 changed row".to_owned(),
        rows => format!("{rows} changed rows"),
    };
    let pipeline = printable(pipeline);
    match moment {
        Moment::Running => format!(
            "{pipeline}: {rows} of epoch {uncommitted_epoch}, not yet committed (times in UTC)"
        ),
        Moment::Ended => format!("{pipeline}: {rows}, the last before the end (times in UTC)"),
    }
}

fn push_line(
    text: &mut String,
    columns: &[Column],
    separator: &str,
    cell: impl Fn(&Column) -> String,
) {
    text.push('\n');
    text.push_str(&line(columns.iter().map(cell), separator));
}

/// How many columns fit into a line; at least one.
fn fitting(columns: &[Column]) -> usize {
    let mut width = 0;
    let fit = columns.iter().take_while(|column| {
        width += column.place.width + SEPARATOR.len();
        width - SEPARATOR.len() <= LINE_WIDTH_MAX
    });
    fit.count().max(columns.len().min(1))
}

/// A column as text, and how to set it.
struct Column {
    name: String,
    cells: Vec<String>,
    place: columns::Column,
}

impl Column {
    fn new(name: &str, rows: &[Vec<Value>], index: usize) -> Self {
        let is_window = matches!(name, "window_start" | "window_end");
        let values = || rows.iter().map(|row| row.get(index).unwrap_or(&Value::Null));
        let is_number = !is_window && values().all(|value| value.is_null() || is_number(value));
        let cell = |value: &Value| if is_window { window_time(value) } else { plain(value) };
        let cells: Vec<String> = values().map(|value| shortened(&cell(value))).collect();
        let name = shortened(name);
        let all = cells.iter().chain([&name]).map(String::as_str);
        Self { place: columns::Column::of(all, is_number), name, cells }
    }
}

/// A JSON number, or a decimal, which travels as text because JSON's numbers are not exact.
fn is_number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let all_digits =
                |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            all_digits(whole) && all_digits(fraction)
        }
        _ => false,
    }
}

/// `2026-11-21 10:00:00` for an RFC 3339 time in UTC or for microseconds; as it is otherwise.
fn window_time(value: &Value) -> String {
    let text = match value.as_i64() {
        Some(micros) => EventTime(micros).to_string(),
        None => plain(value),
    };
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) => format!("{date} {time}"),
        None => text,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As it is, or cut to [`CELL_WIDTH_MAX`] places of a terminal; letters of some scripts take two.
fn shortened(text: &str) -> String {
    let text = printable(text);
    if text.width() <= CELL_WIDTH_MAX {
        return text.into_owned();
    }
    let mut width = 0;
    let fit = text.chars().take_while(|char| {
        width += char.width().unwrap_or(0);
        width < CELL_WIDTH_MAX
    });
    fit.chain(['…']).collect()
}

#[cfg(test)]
mod tests;
