//! Rows of tables as texts that tell them apart, whatever table they are of, and which of those of a window counts.

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const SECOND: i64 = 1_000_000;

/// A row, as far as stories tell rows apart.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) text: String,
    /// Of a result of a window.
    pub(crate) result: Option<Of>,
}

/// Which result a row is.
#[derive(Clone, Debug)]
pub(crate) struct Of {
    key: String,
    /// Seconds.
    start: i64,
    end: i64,
    revision: i64,
}

impl Row {
    /// No two rows have the same.
    pub(crate) fn identity(&self) -> String {
        match &self.result {
            None => self.text.clone(),
            Some(Of { key, start, end, revision }) => {
                format!("revision {revision} of {key} {start}..{end}")
            }
        }
    }

    /// Whether it stands in the place of another one (docs/windows.md#late-rows-and-corrections).
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        let (Some(own), Some(other)) = (&self.result, &other.result) else { return false };
        let is_inside = own.start <= other.start && other.end <= own.end;
        own.revision > other.revision && own.key == other.key && is_inside
    }
}

/// The rows of a file.
///
/// # Errors
///
/// It is no file of a table of a story.
pub(crate) fn rows(bytes: Bytes) -> Result<Vec<Row>, String> {
    let open = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|file| file.build());
    let mut rows = Vec::new();
    for batch in open.map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        for at in 0..batch.num_rows() {
            let row = row(&batch, at);
            rows.push(row.ok_or_else(|| format!("a row of no table that is known: {batch:?}"))?);
        }
    }
    Ok(rows)
}

fn row(batch: &RecordBatch, at: usize) -> Option<Row> {
    let column = |name: &str| batch.column_by_name(name);
    let string = |name: &str| Some(column(name)?.as_string_opt::<i32>()?.value(at));
    let seconds = |name: &str| {
        let times = column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(times.value(at).div_euclid(SECOND))
    };
    let offset = || {
        let partition = column("partition")?.as_primitive_opt::<Int32Type>()?.value(at);
        Some((partition, column("offset")?.as_primitive_opt::<Int64Type>()?.value(at)))
    };
    if let Some(ids) = string("ids") {
        let key = string("key")?;
        if let Some(at) = seconds("event_time") {
            return Some(Row { text: format!("{key} {ids} @{at}"), result: None });
        }
        let (start, end) = (seconds("window_start")?, seconds("window_end")?);
        let revisions =
            column("revision").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let revision = revisions.map_or(0, |revisions| revisions.value(at));
        let result = Some(Of { key: key.to_owned(), start, end, revision });
        return Some(Row { text: format!("{key} {ids} {start}..{end}"), result });
    }
    let text = match (string("id"), column("late_reason")) {
        (Some(id), Some(_)) => format!("late {id}"),
        (Some(id), None) => format!("row {id}"),
        _ => offset().map(|(partition, offset)| format!("dead {partition}-{offset}"))?,
    };
    Some(Row { text, result: None })
}
