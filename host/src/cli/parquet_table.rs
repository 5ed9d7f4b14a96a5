//! `sluicegate table`: the first rows of a Parquet table in a folder, as aligned text. For a look, not for queries.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use clap::Args;

use crate::sink::read;

/// What `sluicegate table` is told.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// A Parquet file, or a folder with Parquet files at any depth.
    pub path: PathBuf,
    /// At most this many rows.
    #[arg(long, default_value_t = 20)]
    pub rows: usize,
}

/// Prints the first rows in the order of file names, and how many files there are.
pub fn run(args: &TableArgs) -> Result<()> {
    let mut files = Vec::new();
    parquet_files(&args.path, &mut files)?;
    files.sort();
    if files.is_empty() {
        bail!("`{}` holds no file that ends in `.parquet`", args.path.display());
    }
    let batches = first_rows(&files, args.rows)?;
    let table = pretty_format_batches(&batches).context("lay out the rows")?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{table}").context("write to standard output")?;
    let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
    writeln!(out, "{shown} rows shown; {} files in `{}`", files.len(), args.path.display())
        .context("write to standard output")
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
            batches.push(displayable(&batch)?);
        }
    }
    Ok(batches)
}

/// Times as Arrow's display takes them: it knows offsets, and would have to carry all the world's zones to know `UTC`.
fn displayable(batch: &RecordBatch) -> Result<RecordBatch> {
    let offset: Arc<str> = Arc::from("+00:00");
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let shown = match field.data_type() {
            DataType::Timestamp(unit, Some(zone)) if **zone == *"UTC" => {
                DataType::Timestamp(*unit, Some(Arc::clone(&offset)))
            }
            other => other.clone(),
        };
        columns.push(cast(column, &shown).context("lay out times")?);
        fields.push(Field::new(field.name(), shown, field.is_nullable()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).context("lay out the rows")
}
