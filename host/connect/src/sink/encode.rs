//! One Parquet file on its way from rows to frozen bytes.
//!
//! # What readers get
//!
//! zstd at level 1, dictionaries, statistics per page and column chunk. Decimals are Parquet's DECIMAL over INT32,
//! INT64 or, with more than 18 digits, FIXED_LEN_BYTE_ARRAY, timestamps TIMESTAMP(µs, adjusted to UTC): types that every reader has. The Arrow schema is not embedded:
//! it would say `Decimal64`, which readers built on another Arrow than ours may not know, and would then be asked to
//! believe instead of the types that they do know.

use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

use super::Table;
use super::columns::{ColumnFile, Spread};
use super::partitions::without;
use sluicegate_chain::frozen::EncodedFile;
use sluicegate_chain::shape::FileStatistics;
use sluicegate_delta::bounds::{statistics_of, writer_properties};
use sluicegate_model::partition::PartitionValues;

/// A file that takes rows.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// Of all its rows.
    pub(super) partition: PartitionValues,
    file: ColumnFile,
    rows: u64,
    event_time_range: Option<(i64, i64)>,
}

impl OpenFile {
    pub(super) fn new(table: &Table, partition: PartitionValues) -> Result<Self, ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(writer_properties()?)
            .with_skip_arrow_metadata(true);
        let schema = without(&table.schema, &table.partition_by);
        let file = ColumnFile::new(&schema, options)?;
        Ok(Self { partition, file, rows: 0, event_time_range: None })
    }

    /// Appends rows; at least one.
    pub(super) fn append(
        &mut self,
        rows: &RecordBatch,
        times: Option<&[i64]>,
        spread: &dyn Spread,
    ) -> Result<(), ParquetError> {
        self.file.write(rows, spread)?;
        self.rows += rows.num_rows() as u64;
        let of_rows = times.and_then(|times| Some((*times.iter().min()?, *times.iter().max()?)));
        if let Some((min, max)) = of_rows {
            let (before_min, before_max) = self.event_time_range.unwrap_or((min, max));
            self.event_time_range = Some((min.min(before_min), max.max(before_max)));
        }
        Ok(())
    }

    /// What it holds and what it would have if it were closed now, about.
    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes() as u64
    }

    /// What it holds in memory, about: more than [`OpenFile::bytes`], because rows are encoded late.
    pub(super) fn held_bytes(&self) -> u64 {
        self.file.held_bytes() as u64
    }

    pub(super) fn close(
        self,
        table: &Table,
        spread: &dyn Spread,
    ) -> Result<EncodedFile, ParquetError> {
        let (bytes, metadata) = self.file.finish(spread)?;
        let statistics = match &table.shape {
            Some(_) => {
                let schema = without(&table.schema, &table.partition_by);
                statistics_of(&schema, metadata.row_groups())
            }
            None => FileStatistics::new(),
        };
        Ok(EncodedFile {
            table: std::sync::Arc::clone(&table.id),
            partition: self.partition,
            bytes: bytes.into(),
            rows: self.rows,
            event_time_range: self.event_time_range,
            shape: table.shape.clone(),
            statistics,
        })
    }
}
