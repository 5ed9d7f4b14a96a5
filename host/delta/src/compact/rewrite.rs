//! Rows of several files of a table in one.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;

use crate::bounds::{statistics_of, writer_properties};
use crate::schema::{Field, arrow_of};
use sluicegate_chain::shape::FileStatistics;

/// Rows at a time: some milliseconds of work, between which others of the runtime have their turn.
const BATCH_ROWS: usize = 8_192;

/// A file that is to take the place of others.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) bytes: Bytes,
    pub(super) rows: u64,
    pub(super) statistics: FileStatistics,
}

/// Writes the rows of some files, in their order, as one with these columns. A file without a column has nothing there.
///
/// # Errors
///
/// What is wrong with which of them, as the end of a sentence.
pub(super) async fn rewrite(
    files: &[(String, Bytes)],
    columns: &[Field],
) -> Result<Rewritten, String> {
    let open = |(path, bytes): &(String, Bytes)| {
        // What readers of the log believe, and not what its writer remembers of Arrow.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options);
        reader.map_err(|error| unreadable(path, &error))
    };
    let readers = files.iter().map(open).collect::<Result<Vec<_>, String>>()?;
    let schemas = readers.iter().map(|reader| Arc::clone(reader.schema()));
    let schema = schema(columns, &schemas.collect::<Vec<_>>())?;
    let unwritten = |error: parquet::errors::ParquetError| format!("cannot be written: {error}");
    let properties = writer_properties().map_err(unwritten)?;
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options);
    let mut writer = writer.map_err(unwritten)?;
    let mut rows = 0;
    for (reader, (path, _)) in readers.into_iter().zip(files) {
        let batches = reader.with_batch_size(BATCH_ROWS).build();
        for batch in batches.map_err(|error| unreadable(path, &error))? {
            let batch = batch.map_err(|error| unreadable(path, &error))?;
            let batch = fitted(&batch, &schema).map_err(|error| unreadable(path, &error))?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(unwritten)?;
            tokio::task::yield_now().await;
        }
    }
    let footer = writer.finish().map_err(unwritten)?;
    let statistics = statistics_of(&schema, footer.row_groups());
    let bytes = std::mem::take(writer.inner_mut()).into();
    Ok(Rewritten { bytes, rows, statistics })
}

fn unreadable(path: &str, error: &dyn std::fmt::Display) -> String {
    format!("has a file `{path}` that cannot be rewritten: {error}")
}

/// The columns of the new file. How lists and structs are called inside is as in the first file that has them.
fn schema(columns: &[Field], files: &[SchemaRef]) -> Result<SchemaRef, String> {
    let field = |column: &Field| {
        let in_file = |schema: &SchemaRef| {
            schema.field_with_name(&column.name).ok().map(|field| field.data_type().clone())
        };
        let kind = match column.kind.as_str() {
            Some(kind) => arrow_of(kind),
            // None has it: whatever has only nulls will do.
            None => Some(files.iter().find_map(in_file).unwrap_or(DataType::Null)),
        };
        let (name, written) = (&column.name, &column.kind);
        let unknown =
            || format!("has a column `{name}` of the type {written}, which is not known here");
        Ok(ArrowField::new(name, kind.ok_or_else(unknown)?, column.nullable))
    };
    let mut fields = columns.iter().map(field).collect::<Result<Vec<_>, String>>()?;
    // A column that no file has need not be written: its readers find nothing all the same.
    fields.retain(|field| *field.data_type() != DataType::Null);
    Ok(Arc::new(Schema::new(fields)))
}

fn fitted(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let column = |field: &Arc<ArrowField>| -> Result<ArrayRef, arrow::error::ArrowError> {
        match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) => cast_with_options(column, field.data_type(), &options),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
