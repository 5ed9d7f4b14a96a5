//! The open files of a lane's tables: rows go in, closed files come out at the barrier.
//!
//! No file spans an epoch: [`Tables::freeze`] closes them all. Files are encoded in memory and leave it as frozen bytes,
//! because an upload that failed half-way must be repeated with the same ones.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use parquet::errors::ParquetError;

use super::Table;
use super::columns::{Alone, Spread};
use super::encode::OpenFile;
use super::partitions::{partition, split_by_values};
use super::periods::{Period, Unit, split_by_period};
use sluicegate_chain::frozen::EncodedFile;

/// Folders of partition values that a table writes to at a time. More at once are a replay of old
/// data in random order, or a column with too many values; each open file holds some 100 KB a column, so 32 of them stay below the memory of one lane's
/// turn. Beyond it the folder that was not written to for longest gets its file early: more files, same rows.
pub const OPEN_FOLDERS_MAX: usize = 32;

/// Rows that cannot be written: they do not have the table's columns. The wiring is wrong, not the data.
#[derive(Debug, thiserror::Error)]
#[error("encode rows of table `{table}`")]
pub struct SinkError {
    pub(crate) table: Arc<str>,
    #[source]
    pub(crate) source: ParquetError,
}

/// The tables of a lane, by the order in which they were given.
#[derive(Debug)]
pub struct Tables {
    tables: Vec<OpenTable>,
    /// Closed in this epoch, in the order of closing.
    full: Vec<EncodedFile>,
    spread: Arc<dyn Spread>,
}

impl Tables {
    /// `tables` are addressed by their index here; files are opened with the first row.
    pub fn new(tables: Vec<Table>) -> Self {
        let tables = tables.into_iter().map(|table| OpenTable { table, files: Vec::new() });
        Self { tables: tables.collect(), full: Vec::new(), spread: Arc::new(Alone) }
    }

    /// The same, whose columns others encode.
    pub fn encoded_by(self, spread: Arc<dyn Spread>) -> Self {
        Self { spread, ..self }
    }

    /// Appends rows to a table, in their order within each folder. `event_times` (µs, one a row) are those of
    /// rows that do not carry them in the table's [`Table::event_time_column`].
    ///
    /// # Errors
    ///
    /// [`SinkError`] if the rows do not have the table's columns.
    pub fn write(
        &mut self,
        table: usize,
        rows: &RecordBatch,
        event_times: Option<&[i64]>,
    ) -> Result<(), SinkError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let Self { tables, full, spread } = self;
        let to = &mut To { full, spread: &**spread };
        let table = &mut tables[table];
        let of_column = table.event_time_column(rows)?;
        let times = event_times.or(of_column.as_deref());
        let by = &table.table.partition_by;
        let written = match by.iter().any(|by| by.column().is_some()) {
            false => table.append_by_period(&[], rows, times, to),
            true => {
                split_by_values(rows, by, times).map_err(ParquetError::from).and_then(|split| {
                    split.into_iter().try_for_each(|of| {
                        table.append_by_period(&of.values, &of.rows, of.times.as_deref(), to)
                    })
                })
            }
        };
        written.map_err(|source| SinkError { table: Arc::clone(&table.table.id), source })
    }

    /// Closes all files of the epoch and hands them over: table by table, those that were full first.
    ///
    /// # Errors
    ///
    /// [`SinkError`]; the files of the epoch are lost then, and the lane must be opened again.
    pub fn freeze(&mut self) -> Result<Vec<EncodedFile>, SinkError> {
        let Self { tables, full, spread } = self;
        let mut files = std::mem::take(full);
        for table in tables {
            for file in table.files.drain(..) {
                let closed = file.close(&table.table, &**spread);
                let failed = |source| SinkError { table: Arc::clone(&table.table.id), source };
                files.push(closed.map_err(failed)?);
            }
        }
        Ok(files)
    }

    /// Hands over the files that are full already. They belong to the epoch of the next [`Tables::freeze`].
    pub fn take_full(&mut self) -> Vec<EncodedFile> {
        std::mem::take(&mut self.full)
    }

    /// Bytes that wait for the barrier: closed files, and what the encoders of the open ones hold.
    pub fn buffered_bytes(&self) -> u64 {
        let full: usize = self.full.iter().map(|file| file.bytes.len()).sum();
        let files = self.tables.iter().flat_map(|table| &table.files);
        full as u64 + files.map(OpenFile::held_bytes).sum::<u64>()
    }
}

/// Where full files go, and who encodes them.
struct To<'t> {
    full: &'t mut Vec<EncodedFile>,
    spread: &'t dyn Spread,
}

#[derive(Debug)]
struct OpenTable {
    table: Table,
    /// At most [`OPEN_FOLDERS_MAX`], the one that was written to last at the end. One for each folder.
    files: Vec<OpenFile>,
}

impl OpenTable {
    /// The event times that the rows carry themselves.
    fn event_time_column(&self, rows: &RecordBatch) -> Result<Option<Vec<i64>>, SinkError> {
        let Some(name) = &self.table.event_time_column else { return Ok(None) };
        let column = rows.column_by_name(name);
        let times = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let Some(times) = times else {
            let source = ParquetError::General(format!("the rows have no µs timestamps `{name}`"));
            return Err(SinkError { table: Arc::clone(&self.table.id), source });
        };
        Ok(Some(times.values().to_vec()))
    }

    /// `values`: those that all rows have in the columns of their own by which the table is parted.
    fn append_by_period(
        &mut self,
        values: &[Option<String>],
        rows: &RecordBatch,
        times: Option<&[i64]>,
        to: &mut To<'_>,
    ) -> Result<(), ParquetError> {
        match times.zip(Unit::of(&self.table.partition_by)) {
            None => self.append(None, values, rows, times, to),
            Some((by, unit)) => split_by_period(rows, by, unit).into_iter().try_for_each(|of| {
                self.append(Some(of.period), values, &of.rows, Some(&of.times), to)
            }),
        }
    }

    fn append(
        &mut self,
        period: Option<Period>,
        values: &[Option<String>],
        rows: &RecordBatch,
        times: Option<&[i64]>,
        to: &mut To<'_>,
    ) -> Result<(), ParquetError> {
        let partition = partition(&self.table.partition_by, values, period);
        let is_it = |file: &OpenFile| file.partition == partition;
        let mut file = match self.files.iter().position(is_it) {
            Some(open) => self.files.remove(open),
            None => OpenFile::new(&self.table, partition)?,
        };
        file.append(rows, times, to.spread)?;
        if file.bytes() >= self.table.file_bytes_max {
            to.full.push(file.close(&self.table, to.spread)?);
            return Ok(());
        }
        self.files.push(file);
        if self.files.len() > OPEN_FOLDERS_MAX {
            to.full.push(self.files.remove(0).close(&self.table, to.spread)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
