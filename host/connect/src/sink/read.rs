//! Rows of a Parquet file as Arrow batches, for people who look at a table. The stream itself reads no table.

use std::fs::File;

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::Result;

/// The first `limit` rows of a file.
pub fn first_rows(file: File, limit: usize) -> Result<Vec<RecordBatch>> {
    let rows = ParquetRecordBatchReaderBuilder::try_new(file)?.with_limit(limit).build()?;
    Ok(rows.collect::<std::result::Result<Vec<_>, _>>()?)
}
