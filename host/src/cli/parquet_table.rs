//! `sluicegate table`: the first rows of a Parquet table in a folder, as aligned text. For a look, not for queries.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use arrow::array::RecordBatch;
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
            batches.push(batch);
        }
    }
    Ok(batches)
}
