//! The last rows of a committed file, for people who look at a table from its end. No more of the file is read than they take.

use std::ops::Range;

use arrow::array::{Array, AsArray, RecordBatch};
use futures::TryStreamExt;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;

use super::kept::Kept;
use super::ranges::Ranges;
use sluicegate_store::Location;
use sluicegate_store::failure::{explain, is_absent};

/// Rows that are decoded together: each may hold a record of megabytes.
const ROWS_AT_ONCE: usize = 16;
/// The same of columns that are looked at to find rows.
const LOOKED_AT_ONCE: usize = 8_192;

/// Which rows are wanted: those of which each of these columns of text has this value.
pub type Wanted<'w> = &'w [(&'w str, &'w str)];

/// Why rows of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The store does not answer as it should, which may pass.
    #[error("{0}")]
    Store(String),
    /// The file is not there, or is not what it was.
    #[error("{0}")]
    File(ParquetError),
}

/// A committed Parquet file, and which of its last rows are still wanted.
#[derive(Clone, Debug)]
pub struct TailOf<'f> {
    /// The folder that `path` is relative to.
    pub table: &'f Location,
    /// Relative to the table's folder, as the chain record names it.
    pub path: &'f str,
    /// The file's size as the chain record has it, so that the footer is found without asking.
    pub bytes: u64,
    /// Where parts of the file that were read lately are kept.
    pub kept: &'f Kept,
    /// Rows from this one on were taken already.
    pub before: u64,
}

/// Rows of the end of a file.
#[derive(Debug)]
pub struct Tail<T> {
    /// With their numbers in the file, the last first.
    pub rows: Vec<(u64, T)>,
    /// The first row that was looked at; 0 if all were.
    pub from: u64,
    /// Of the file, that were read.
    pub bytes_read: u64,
}

/// Where a look ends.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Rows that are taken.
    pub rows_max: usize,
    /// Bytes of row groups that are read, about, compressed.
    pub bytes_max: u64,
}

/// The last rows that are wanted, at most `rows_max`. Each is handed to `take` as a batch and its row there.
///
/// Row groups are read from the end until there are enough, or about `bytes_max` bytes were read; one is read in any case.
///
/// # Errors
///
/// See [`LookError`].
pub async fn last_rows<T>(
    file: TailOf<'_>,
    wanted: Wanted<'_>,
    bounds: Bounds,
    take: impl Fn(&RecordBatch, usize) -> T,
) -> Result<Tail<T>, LookError> {
    let table = file.table;
    last_rows_of(file, wanted, bounds, take).await.map_err(|error| match error {
        ParquetError::External(error) => match error.downcast::<object_store::Error>() {
            Ok(error) if is_absent(&error) => LookError::File(ParquetError::External(error)),
            Ok(error) => LookError::Store(explain("read a file of the table", table, &error)),
            Err(error) => LookError::File(ParquetError::External(error)),
        },
        error => LookError::File(error),
    })
}

async fn last_rows_of<T>(
    file: TailOf<'_>,
    wanted: Wanted<'_>,
    Bounds { rows_max, bytes_max }: Bounds,
    take: impl Fn(&RecordBatch, usize) -> T,
) -> Result<Tail<T>, ParquetError> {
    let path: Path = file.table.path(file.path);
    let ranges = Ranges::of(file.table, path, file.bytes).kept_in(file.kept);
    let footer = ranges.footer().await?;
    let reader = Reader { ranges, footer };
    let groups = reader.footer.metadata().row_groups();
    let all: u64 = groups.iter().map(|group| group.num_rows().unsigned_abs()).sum();
    let mut tail = Tail { rows: Vec::new(), from: all.min(file.before), bytes_read: 0 };
    let mut end = all;
    for (number, group) in groups.iter().enumerate().rev() {
        let start = end - group.num_rows().unsigned_abs();
        let bytes = group.compressed_size().unsigned_abs();
        let is_enough = tail.rows.len() >= rows_max
            || tail.bytes_read > 0 && tail.bytes_read + bytes > bytes_max;
        if start < file.before && is_enough {
            break;
        }
        if start < file.before {
            let looked_at = usize::try_from(file.before.min(end) - start).unwrap_or(usize::MAX);
            let left = rows_max - tail.rows.len();
            let mut rows = reader.find(number, wanted, looked_at).await?;
            let skipped = rows.len().saturating_sub(left);
            // Rows before the first that is taken were found and left for later.
            tail.from = if skipped > 0 { start + rows[skipped] as u64 } else { start };
            rows.drain(..skipped);
            let of_group = reader.read(number, &rows, &take).await?;
            let numbered = rows.iter().map(|row| start + *row as u64).zip(of_group);
            tail.rows.extend(numbered.rev());
            tail.bytes_read += bytes;
        }
        end = start;
    }
    Ok(tail)
}

struct Reader {
    ranges: Ranges,
    footer: ArrowReaderMetadata,
}

impl Reader {
    /// The wanted ones among the first rows of a row group, ascending.
    async fn find(
        &self,
        group: usize,
        wanted: Wanted<'_>,
        looked_at: usize,
    ) -> Result<Vec<usize>, ParquetError> {
        if wanted.is_empty() {
            return Ok((0..looked_at).collect());
        }
        let names = wanted.iter().map(|(name, _)| *name);
        let columns = ProjectionMask::columns(self.footer.parquet_schema(), names);
        let builder = self.group(group).with_projection(columns).with_batch_size(LOOKED_AT_ONCE);
        let mut batches = builder.build()?;
        let (mut found, mut first) = (Vec::new(), 0);
        while let Some(batch) = batches.try_next().await? {
            let end = batch.num_rows().min(looked_at - first);
            found.extend(
                (0..end).filter(|row| is_wanted(&batch, *row, wanted)).map(|row| first + row),
            );
            first += end;
            if first >= looked_at {
                break;
            }
        }
        Ok(found)
    }

    /// Rows of a row group.
    async fn read<T>(
        &self,
        group: usize,
        rows: &[usize],
        take: impl Fn(&RecordBatch, usize) -> T,
    ) -> Result<Vec<T>, ParquetError> {
        let Some(last) = rows.last() else { return Ok(Vec::new()) };
        let runs: Vec<Range<usize>> = rows
            .chunk_by(|row, next| row + 1 == *next)
            .map(|run| run[0]..run[run.len() - 1] + 1)
            .collect();
        let selection = RowSelection::from_consecutive_ranges(runs.into_iter(), last + 1);
        let builder = self.group(group).with_row_selection(selection).with_batch_size(ROWS_AT_ONCE);
        let mut batches = builder.build()?;
        let mut taken = Vec::with_capacity(rows.len());
        while let Some(batch) = batches.try_next().await? {
            taken.extend((0..batch.num_rows()).map(|row| take(&batch, row)));
        }
        Ok(taken)
    }

    fn group(&self, group: usize) -> ParquetRecordBatchStreamBuilder<Ranges> {
        let (ranges, footer) = (self.ranges.clone(), self.footer.clone());
        ParquetRecordBatchStreamBuilder::new_with_metadata(ranges, footer)
            .with_row_groups(vec![group])
    }
}

fn is_wanted(batch: &RecordBatch, row: usize, wanted: Wanted<'_>) -> bool {
    wanted.iter().all(|(name, value)| {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.is_some_and(|column| column.is_valid(row) && column.value(row) == *value)
    })
}
