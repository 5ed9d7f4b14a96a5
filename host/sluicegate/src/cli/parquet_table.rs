//! `sluicegate table`: the first rows of a table, as aligned text: of a Delta table the files that its log names, else all
//! Parquet files. For a look, not for queries.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;

use sluicegate_connect::sink::read;
use sluicegate_delta::contents::{contents, has_log};
use sluicegate_model::printable::printable;
use sluicegate_store::{Location, failure};

/// A file of a table: where it lies below the table's place, and its bytes.
type Found = (String, u64);

/// The first rows in the order of file names, and how many files there are. None if there is no file.
pub(super) async fn first_rows(table: &Location, rows: usize) -> Result<Option<String>> {
    let mut files = files_of(table).await?;
    files.sort();
    if files.is_empty() {
        return Ok(None);
    }
    let batches = read_rows(table, &files, rows).await?;
    let text = shown(&united(&batches)?)?;
    let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let (count, url) = (files.len(), printable(&table.url));
    Ok(Some(format!("{text}\n{shown} rows shown; {count} files in `{url}`\n")))
}

/// The one that the place names, or those of the table.
async fn files_of(table: &Location) -> Result<Vec<Found>> {
    let failed = |error: &_| anyhow!(failure::explain("look for the table's files", table, error));
    if let Some(bytes) = read::file_size(table).await.map_err(|error| failed(&error))? {
        return Ok(vec![(String::new(), bytes)]);
    }
    match has_log(table).await? {
        true => logged_files(table).await,
        false => read::parquet_files(table).await.map_err(|error| failed(&error)),
    }
}

/// The files that the log of a Delta table names.
async fn logged_files(table: &Location) -> Result<Vec<Found>> {
    let found = contents(table).await?;
    let below = found.lying().map_err(|reason| anyhow!("the table {reason}"))?;
    let sizes = found.files.values().map(|file| u64::try_from(file.size).unwrap_or(0));
    Ok(below.into_iter().zip(sizes).collect())
}

async fn read_rows(table: &Location, files: &[Found], limit: usize) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    let mut left = limit;
    for (path, size) in files {
        if left == 0 {
            break;
        }
        let read = read::first_rows(table, path, *size, left).await;
        let of_file = read.with_context(|| format!("read `{path}` of {} as Parquet", table.url))?;
        left -= of_file.iter().map(RecordBatch::num_rows).sum::<usize>();
        batches.extend(of_file);
    }
    Ok(batches)
}

/// Rows as an aligned table. Nothing is told from empty text.
fn shown(rows: &[RecordBatch]) -> Result<String> {
    let options = FormatOptions::new().with_null("–");
    let table = pretty_format_batches_with_options(rows, &options).context("lay out the rows")?;
    Ok(table.to_string())
}

/// The rows of files whose columns may differ, as text: by the names of columns, in the order in which they appear. A file
/// without a column has nothing there. Text of the data is escaped: it comes from outside, and a terminal would obey it.
fn united(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let mut names: Vec<String> = Vec::new();
    for field in batches.iter().flat_map(|batch| batch.schema_ref().fields()) {
        if !names.contains(field.name()) {
            names.push(field.name().clone());
        }
    }
    let field = |name: &String| Field::new(printable(name), DataType::Utf8, true);
    let schema = Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()));
    let rows = |batch: &RecordBatch| -> Result<RecordBatch> {
        let column = |name: &String| -> Result<ArrayRef> {
            let Some(column) = batch.column_by_name(name) else {
                return Ok(new_null_array(&DataType::Utf8, batch.num_rows()));
            };
            let texts = texts(column).with_context(|| format!("lay out the column `{name}`"))?;
            Ok(Arc::new(texts))
        };
        let columns = names.iter().map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&schema), columns).context("lay out the rows")
    };
    batches.iter().map(rows).collect()
}

/// The cells of a column as text; none for null.
fn texts(column: &ArrayRef) -> Result<StringArray> {
    // Arrow's display knows offsets, and would have to carry all the world's zones to know `UTC`.
    let column = match column.data_type() {
        DataType::Timestamp(unit, Some(zone)) if **zone == *"UTC" => {
            cast(column, &DataType::Timestamp(*unit, Some(Arc::from("+00:00"))))?
        }
        _ => Arc::clone(column),
    };
    let options = FormatOptions::default();
    let cells = ArrayFormatter::try_new(&column, &options)?;
    let text = |row: usize| {
        let text = column.is_valid(row).then(|| cells.value(row).try_to_string()).transpose()?;
        Ok(text.map(|text| printable(&text).into_owned()))
    };
    (0..column.len()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn files_of_one_table_are_united_by_name_and_what_a_terminal_obeys_is_escaped() {
        let old = batch(vec![("store", Arc::new(StringArray::from(vec!["a\u{1b}[2Jb"])))]);
        let n = Int64Array::from(vec![None, Some(7)]);
        let store = StringArray::from(vec!["c", "d"]);
        let new = batch(vec![("n", Arc::new(n)), ("store", Arc::new(store))]);
        let united = united(&[old, new]).unwrap();
        let shown = shown(&united).unwrap();
        let rows: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
        let cells = |row: &str| -> Vec<String> {
            row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let rows: Vec<Vec<String>> = rows.into_iter().map(cells).collect();
        assert_eq!(rows[0], ["store", "n"]);
        assert_eq!(rows[1], ["a\\u{1b}[2Jb", "–"]);
        assert_eq!(rows[2], ["c", "–"]);
        assert_eq!(rows[3], ["d", "7"]);
    }
}
