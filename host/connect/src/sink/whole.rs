//! A few rows as a whole file, for whoever asks for them. Tables are written by [`super::tables`].

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;

/// As a stream of Arrow's.
///
/// # Errors
///
/// The library's.
pub fn arrow_stream(rows: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), rows.schema_ref())?;
    writer.write(rows)?;
    writer.into_inner()
}

/// As a Parquet file, with types that every reader has.
///
/// # Errors
///
/// The library's.
pub fn parquet_file(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let schema = Arc::clone(rows.schema_ref());
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    writer.write(rows)?;
    writer.into_inner()
}
