//! Tables read back as text, one line a row, so that a difference can be read.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::place::Place;

/// The rows of a table, those columns of them, sorted. Of a plain folder what lies there is read, not what the chain names: a
/// file too many is a row too many.
pub fn rows(place: &Place, table: &str, columns: &[&str]) -> Vec<String> {
    let paths = files(place, table);
    let mut rows = rows_of(place, &paths, columns);
    rows.sort();
    rows
}

/// The files of a table, sorted: those that the log of a Delta table names, all of a plain folder. A log that begins in its
/// middle is not read.
pub fn files(place: &Place, table: &str) -> Vec<String> {
    let (log, mut paths): (Vec<_>, Vec<_>) =
        place.list(table).into_iter().partition(|path| path.contains("/_delta_log/"));
    let mut commits = log.iter().filter(|path| path.ends_with(".json")).peekable();
    if commits.peek().is_none() {
        return paths;
    }
    paths.clear();
    for commit in commits {
        for line in place.read(commit).split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
        {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            let path = |action: &str| Some(format!("{table}/{}", line[action]["path"].as_str()?));
            paths.extend(path("add"));
            if let Some(removed) = path("remove") {
                paths.retain(|path| *path != removed);
            }
        }
    }
    paths.sort();
    paths
}

/// The rows of some files of a place, unsorted.
pub fn rows_of(place: &Place, paths: &[String], columns: &[&str]) -> Vec<String> {
    let mut rows = Vec::new();
    for path in paths {
        let reader = ParquetRecordBatchReaderBuilder::try_new(place.read(path)).unwrap();
        for batch in reader.build().unwrap() {
            lines(&batch.unwrap(), columns, &mut rows);
        }
    }
    rows
}

fn lines(batch: &RecordBatch, columns: &[&str], rows: &mut Vec<String>) {
    let options = FormatOptions::default().with_null("null");
    let columns: Vec<ArrayRef> = columns
        .iter()
        .map(|name| {
            let column = batch
                .column_by_name(name)
                .unwrap_or_else(|| panic!("no column `{name}` in {:?}", batch.schema()));
            displayable(column)
        })
        .collect();
    let formatters: Vec<_> =
        columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    for row in 0..batch.num_rows() {
        let cells: Vec<_> = formatters.iter().map(|column| column.value(row).to_string()).collect();
        rows.push(cells.join(" | "));
    }
}

/// Arrow's display knows offsets from UTC and not the name.
fn displayable(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if **zone == *"UTC" => {
            cast(column, &DataType::Timestamp(*unit, Some("+00:00".into()))).unwrap()
        }
        _ => ArrayRef::clone(column),
    }
}

/// How two multisets of rows differ.
pub struct Differences<'a>(BTreeMap<&'a str, i64>);

impl<'a> Differences<'a> {
    /// What was found against what should be.
    pub fn between(found: &'a [String], expected: &'a [String]) -> Self {
        let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
        for row in expected {
            *balance.entry(row).or_default() -= 1;
        }
        for row in found {
            *balance.entry(row).or_default() += 1;
        }
        balance.retain(|_, count| *count != 0);
        Self(balance)
    }

    /// Rows that should be there and are not.
    pub fn missing(&self) -> u64 {
        self.0.values().filter(|count| **count < 0).map(|count| count.unsigned_abs()).sum()
    }

    /// Rows that are there and should not: twice, or never.
    pub fn too_many(&self) -> u64 {
        self.0.values().filter(|count| **count > 0).map(|count| count.unsigned_abs()).sum()
    }

    /// The first of them, a line each.
    pub fn lines(&self) -> Vec<String> {
        /// More lines than this nobody reads.
        const SHOWN: usize = 20;
        let lines = self.0.iter().take(SHOWN).map(|(row, count)| match count {
            ..0 => format!("  missing {} × {row}", -count),
            _ => format!("  too many {count} × {row}"),
        });
        lines.collect()
    }
}

/// Compares two multisets of rows; panics with the rows that one has and the other lacks.
#[track_caller]
pub fn assert_same_rows(what: &str, found: &[String], expected: &[String]) {
    let differences = Differences::between(found, expected);
    if differences.0.is_empty() {
        return;
    }
    panic!(
        "{what}: {} rows found, {} expected, {} differ:\n{}",
        found.len(),
        expected.len(),
        differences.0.len(),
        differences.lines().join("\n")
    );
}
