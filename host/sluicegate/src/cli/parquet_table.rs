//! `sluicegate table`: the first rows of a table in a folder, as aligned text: of a Delta table the files that its log names,
//! else all Parquet files. For a look, not for queries.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;

use sluicegate_connect::sink::read;
use sluicegate_delta::contents::contents;
use sluicegate_model::printable::printable;
use sluicegate_store::{StoreOptions, look};

/// Prints the first rows in the order of file names, and how many files there are.
pub(super) fn print_rows(path: &Path, rows: usize) -> Result<()> {
    let mut files = match logged_files(path)? {
        Some(files) => files,
        None => {
            let mut files = Vec::new();
            parquet_files(path, &mut files)?;
            files
        }
    };
    files.sort();
    if files.is_empty() {
        bail!("`{}` holds no file that ends in `.parquet`", path.display());
    }
    let batches = first_rows(&files, rows)?;
    let table = shown(&united(&batches)?)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{table}").context("write to standard output")?;
    let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let path = path.display().to_string();
    writeln!(out, "{shown} rows shown; {} files in `{}`", files.len(), printable(&path))
        .context("write to standard output")
}

/// The files that the log of a Delta table names; none if there is no log.
fn logged_files(path: &Path) -> Result<Option<Vec<PathBuf>>> {
    if !path.join("_delta_log").is_dir() {
        return Ok(None);
    }
    let url = path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    let table = look(url, &StoreOptions::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime that reads the log")?;
    let found = runtime.block_on(contents(&table))?;
    let files = found.lying().map_err(|reason| anyhow!("the table {reason}"))?;
    Ok(Some(files.iter().map(|below| path.join(below)).collect()))
}

fn parquet_files(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let about = fs::metadata(path).with_context(|| format!("look at `{}`", path.display()))?;
    if !about.is_dir() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("list `{}`", path.display()))? {
        let below = entry.with_context(|| format!("list `{}`", path.display()))?.path();
        if below.is_dir() || below.extension().is_some_and(|extension| extension == "parquet") {
            parquet_files(&below, found)?;
        }
    }
    Ok(())
}

fn first_rows(files: &[PathBuf], limit: usize) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    let mut left = limit;
    for path in files {
        if left == 0 {
            break;
        }
        let file = File::open(path).with_context(|| format!("open `{}`", path.display()))?;
        for batch in read::first_rows(file, left)
            .with_context(|| format!("read `{}` as Parquet", path.display()))?
        {
            left -= batch.num_rows();
            batches.push(batch);
        }
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
