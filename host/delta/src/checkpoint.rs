//! A checkpoint: all actions that count at a version, as a Parquet file. Rows go to JSON and back on the way: both
//! sides of it are the same few structs ([`super::actions`]).

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::actions::{self, Line};

/// Rows that are turned into columns at a time.
const BATCH_ROWS: usize = 8_192;

/// The kinds of actions that a checkpoint is read for.
const KINDS: [&str; 5] = ["txn", "add", "remove", "metaData", "protocol"];

/// The actions of a checkpoint, ours or another writer's.
///
/// # Errors
///
/// The library's words.
pub(super) fn read(file: Bytes) -> Result<Vec<Line>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|it| it.to_string())?;
    let columns = reader.parquet_schema().root_schema().get_fields().iter().enumerate();
    let known = columns.filter(|(_, column)| KINDS.contains(&column.name()));
    let known: Vec<usize> = known.map(|(index, _)| index).collect();
    let mask = ProjectionMask::roots(reader.parquet_schema(), known);
    let batches = reader.with_projection(mask).build().map_err(|it| it.to_string())?;
    let mut lines = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|it| it.to_string())?;
        let mut text = Vec::new();
        let mut writer = LineDelimitedWriter::new(&mut text);
        writer.write(&batch).and_then(|()| writer.finish()).map_err(|it| it.to_string())?;
        lines.extend(actions::parse(&text)?);
    }
    Ok(lines)
}

/// A checkpoint of these actions.
///
/// # Errors
///
/// The library's words.
pub(super) fn write(lines: &[Line]) -> Result<Bytes, String> {
    let schema = schema();
    let properties = WriterProperties::builder()
        .set_created_by(concat!("sluicegate ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options);
    let mut writer = writer.map_err(|it| it.to_string())?;
    for lines in lines.chunks(BATCH_ROWS) {
        let batch = columns(&schema, lines).map_err(|it| it.to_string())?;
        writer.write(&batch).map_err(|it| it.to_string())?;
    }
    writer.into_inner().map(Bytes::from).map_err(|it| it.to_string())
}

fn columns(schema: &SchemaRef, lines: &[Line]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let builder = ReaderBuilder::new(Arc::clone(schema)).with_batch_size(lines.len());
    let mut decoder = builder.build_decoder()?;
    decoder.serialize(lines)?;
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))))
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let long = |name: &str| Field::new(name, DataType::Int64, true);
    let whole = |name: &str| Field::new(name, DataType::Int32, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let texts = |name: &str| {
        let element = Field::new("element", DataType::Utf8, true);
        Field::new(name, DataType::List(Arc::new(element)), true)
    };
    let map = |name: &str| {
        let key = Field::new("key", DataType::Utf8, false);
        let entry = Fields::from(vec![key, Field::new("value", DataType::Utf8, true)]);
        let entries = Field::new("key_value", DataType::Struct(entry), false);
        Field::new(name, DataType::Map(Arc::new(entries), false), true)
    };
    let of = |name: &str, fields: Vec<Field>| {
        Field::new(name, DataType::Struct(Fields::from(fields)), true)
    };
    let format = of("format", vec![text("provider"), map("options")]);
    Arc::new(Schema::new(vec![
        of("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        of(
            "add",
            vec![
                text("path"),
                map("partitionValues"),
                long("size"),
                long("modificationTime"),
                flag("dataChange"),
                text("stats"),
                map("tags"),
            ],
        ),
        of(
            "remove",
            vec![
                text("path"),
                long("deletionTimestamp"),
                flag("dataChange"),
                flag("extendedFileMetadata"),
                map("partitionValues"),
                long("size"),
            ],
        ),
        of(
            "metaData",
            vec![
                text("id"),
                text("name"),
                text("description"),
                format,
                text("schemaString"),
                texts("partitionColumns"),
                map("configuration"),
                long("createdTime"),
            ],
        ),
        of(
            "protocol",
            vec![
                whole("minReaderVersion"),
                whole("minWriterVersion"),
                texts("readerFeatures"),
                texts("writerFeatures"),
            ],
        ),
    ]))
}
