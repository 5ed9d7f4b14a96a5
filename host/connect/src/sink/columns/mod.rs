//! The columns of a Parquet file, encoded side by side.
//!
//! ```text
//!  rows ─► levels of each column ─► encode, compress (by column) ─► row group ─► file
//! ```
//!
//! Until a row group is closed its columns know nothing of each other. So whoever hands rows over says who encodes them, and the
//! bytes are the same whoever did.

use std::fmt;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions,
    compute_leaves,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::writer::SerializedFileWriter;

/// Who does work that is independent of each other.
pub trait Spread: fmt::Debug + Send + Sync {
    /// Does all of it, in any order, and returns when it is done.
    fn each(&self, work: Vec<Box<dyn FnOnce() + Send + '_>>);
}

/// All of it by whoever asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone;

impl Spread for Alone {
    fn each(&self, work: Vec<Box<dyn FnOnce() + Send + '_>>) {
        work.into_iter().for_each(|work| work());
    }
}

/// Fewer rows are encoded by whoever has them: to wake others costs as much.
const ROWS_SPREAD: usize = 4_096;

/// A file that takes rows.
pub(super) struct ColumnFile {
    schema: SchemaRef,
    file: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    group: Option<RowGroup>,
    group_rows_max: usize,
    group_bytes_max: usize,
}

impl fmt::Debug for ColumnFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnFile").finish_non_exhaustive()
    }
}

/// A row group that takes rows.
struct RowGroup {
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl RowGroup {
    /// What it would have if it were closed now, about.
    fn bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    fn memory_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }

    /// How many rows more it may have, by the bytes of those that it has; at least one if it has none.
    fn room(&self, rows_max: usize, bytes_max: usize) -> usize {
        let rows = rows_max.saturating_sub(self.rows);
        match self.bytes().checked_div(self.rows).filter(|row| *row > 0) {
            None => rows,
            Some(row) => rows.min(bytes_max.saturating_sub(self.bytes()) / row),
        }
    }

    fn write(
        &mut self,
        schema: &Schema,
        rows: &RecordBatch,
        spread: &dyn Spread,
    ) -> Result<(), ParquetError> {
        let mut leaves = Vec::with_capacity(self.columns.len());
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            leaves.extend(compute_leaves(field, column)?);
        }
        self.rows += rows.num_rows();
        let columns = self.columns.iter_mut().zip(leaves).collect();
        each(columns, rows.num_rows(), spread, |(column, leaf)| column.write(&leaf))?;
        Ok(())
    }

    fn close(self, spread: &dyn Spread) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
        each(self.columns, self.rows, spread, ArrowColumnWriter::close)
    }
}

/// What comes of each, in their order.
fn each<W: Send, T: Send>(
    columns: Vec<W>,
    rows: usize,
    spread: &dyn Spread,
    work: impl Fn(W) -> Result<T, ParquetError> + Sync,
) -> Result<Vec<T>, ParquetError> {
    if rows < ROWS_SPREAD {
        return columns.into_iter().map(work).collect();
    }
    let mut done: Vec<Option<Result<T, ParquetError>>> = Vec::new();
    done.resize_with(columns.len(), || None);
    let work = &work;
    let tasks = columns.into_iter().zip(&mut done).map(|(column, done)| {
        let task = move || *done = Some(work(column));
        Box::new(task) as Box<dyn FnOnce() + Send + '_>
    });
    spread.each(tasks.collect());
    done.into_iter().map(|done| done.expect("all of the work was done")).collect()
}

impl ColumnFile {
    /// Without rows.
    pub(super) fn new(
        schema: &SchemaRef,
        options: ArrowWriterOptions,
    ) -> Result<Self, ParquetError> {
        let writer =
            ArrowWriter::try_new_with_options(Vec::new(), SchemaRef::clone(schema), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        let properties = file.properties();
        let group_rows_max = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let group_bytes_max = properties.max_row_group_bytes().unwrap_or(usize::MAX);
        let schema = SchemaRef::clone(schema);
        Ok(Self { schema, file, factory, group: None, group_rows_max, group_bytes_max })
    }

    /// Appends rows that have its columns.
    pub(super) fn write(
        &mut self,
        rows: &RecordBatch,
        spread: &dyn Spread,
    ) -> Result<(), ParquetError> {
        if rows.num_columns() != self.schema.fields().len() {
            let problem = "the rows have other columns than the file";
            return Err(ParquetError::General(problem.to_owned()));
        }
        let mut left = rows.clone();
        while left.num_rows() > 0 {
            let group = match &mut self.group {
                Some(group) => group,
                none => {
                    let number = self.file.flushed_row_groups().len();
                    let columns = self.factory.create_column_writers(number)?;
                    none.insert(RowGroup { columns, rows: 0 })
                }
            };
            let fit = group.room(self.group_rows_max, self.group_bytes_max).min(left.num_rows());
            if fit > 0 {
                group.write(&self.schema, &left.slice(0, fit), spread)?;
                left = left.slice(fit, left.num_rows() - fit);
            }
            let is_full =
                group.rows >= self.group_rows_max || group.bytes() >= self.group_bytes_max;
            if fit == 0 || is_full {
                self.end_group(spread)?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self, spread: &dyn Spread) -> Result<(), ParquetError> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut to = self.file.next_row_group()?;
        for column in group.close(spread)? {
            column.append_to_row_group(&mut to)?;
        }
        to.close()?;
        Ok(())
    }

    /// What it has and what it would have if it were closed now, bytes, about.
    pub(super) fn bytes(&self) -> usize {
        self.file.bytes_written() + self.group.as_ref().map_or(0, RowGroup::bytes)
    }

    /// Bytes that it holds in memory, about: more, because rows are encoded late.
    pub(super) fn held_bytes(&self) -> usize {
        self.file.bytes_written() + self.group.as_ref().map_or(0, RowGroup::memory_bytes)
    }

    /// The whole file, and what its footer says.
    pub(super) fn finish(
        mut self,
        spread: &dyn Spread,
    ) -> Result<(Vec<u8>, ParquetMetaData), ParquetError> {
        self.end_group(spread)?;
        let metadata = self.file.finish()?;
        Ok((std::mem::take(self.file.inner_mut()), metadata))
    }
}

#[cfg(test)]
mod tests;
