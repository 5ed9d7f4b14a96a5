//! Columns of what a source knows of a record beside its value: topic, partition, offset, timestamp, key, headers,
//! path.
//!
//! They stand between the decoded ones, in the order of the schema. A record that lacks what may not be null, or has a
//! key or header that is no text where text is declared, is refused as if it stood in its JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int64Array, StringArray, TimestampMicrosecondBuilder, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use serde_json::{Value as Json, json};

use sluicegate_connect::source::{Header, RecordBlock};
use sluicegate_formats::json::decode::Decoded;
use sluicegate_model::schema::{Column, ColumnType, Metadata, Schema, with_codes};

/// Bytes that a column can hold: its offsets have 31 bits.
const COLUMN_BYTES_MAX: usize = i32::MAX as usize;

/// The columns that are no part of a record's value. Made once for a plan.
pub(in crate::lane) struct MetadataColumns {
    /// By their places among the columns of `fields`, ascending.
    columns: Vec<(usize, MetadataColumn)>,
    /// All columns, those of the value too.
    fields: SchemaRef,
}

struct MetadataColumn {
    name: String,
    kind: ColumnType,
    nullable: bool,
    metadata: Metadata,
}

/// Why rows are refused, by row: of each the first column that did.
type Refused = BTreeMap<usize, String>;

impl MetadataColumns {
    /// Those of `schema` among the columns `wanted` (ascending); none if nobody wants any.
    pub(in crate::lane) fn new(schema: &Schema, wanted: &[usize]) -> Option<Self> {
        let wanted = || wanted.iter().map(|index| &schema.columns[*index]);
        let columns: Vec<_> = wanted()
            .enumerate()
            .filter_map(|(place, column)| Some((place, MetadataColumn::new(column)?)))
            .collect();
        let fields: Vec<_> = wanted().map(Column::field).collect();
        let fields = Arc::new(ArrowSchema::new(fields));
        (!columns.is_empty()).then_some(Self { columns, fields })
    }

    /// Puts the columns to those that were decoded of the records from `first` on.
    pub(in crate::lane) fn add(
        &self,
        decoded: Decoded,
        block: &RecordBlock,
        first: u32,
    ) -> Decoded {
        let rows = decoded.batch.num_rows();
        let record = |row: usize| match &decoded.records {
            Some(records) => records[row],
            None => first + row as u32,
        };
        let mut refused = Refused::new();
        let mut arrays = decoded.batch.columns().to_vec();
        for (place, column) in &self.columns {
            let records = (0..rows).map(|row| record(row) as usize);
            arrays.insert(*place, column.make(block, records, &mut refused));
        }
        if refused.is_empty() {
            return Decoded { batch: self.batch(arrays, rows), ..decoded };
        }
        let kept: Vec<u32> =
            (0..rows as u32).filter(|row| !refused.contains_key(&(*row as usize))).collect();
        let records = kept.iter().map(|row| record(*row as usize)).collect();
        let rejects = refused.into_iter().map(|(row, reason)| (record(row), reason)).collect();
        let kept = UInt32Array::from(kept);
        let gather = |array: &ArrayRef| take(array, &kept, None).expect("kept rows are rows");
        let arrays: Vec<ArrayRef> = arrays.iter().map(gather).collect();
        Decoded {
            batch: self.batch(arrays, kept.len()),
            records: Some(records),
            rejects: merged(decoded.rejects, rejects),
            reread: decoded.reread,
        }
    }

    fn batch(&self, arrays: Vec<ArrayRef>, rows: usize) -> RecordBatch {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(with_codes(&self.fields, &arrays), arrays, &options)
            .expect(
                "every column makes its field's type, and refuses the null that it may not have",
            )
    }
}

/// Both ascending by record, and no record in both.
fn merged(mut one: Vec<(u32, String)>, other: Vec<(u32, String)>) -> Vec<(u32, String)> {
    one.extend(other);
    one.sort_by_key(|(record, _)| *record);
    one
}

impl MetadataColumn {
    fn new(column: &Column) -> Option<Self> {
        let metadata = column.metadata()?.clone();
        let (name, kind, nullable) = (column.name.clone(), column.kind, column.nullable);
        Some(Self { name, kind, nullable, metadata })
    }

    /// One value for each of the records; something for those that are refused.
    fn make(
        &self,
        block: &RecordBlock,
        records: impl Iterator<Item = usize>,
        refused: &mut Refused,
    ) -> ArrayRef {
        match &self.metadata {
            Metadata::Partition => {
                let number = i64::from(block.partition.number);
                Arc::new(Int64Array::from_iter_values(records.map(|_| number)))
            }
            Metadata::Offset => {
                Arc::new(Int64Array::from_iter_values(records.map(|record| block.offsets[record])))
            }
            Metadata::Timestamp => self.timestamps(block, records, refused),
            Metadata::Topic
            | Metadata::Path
            | Metadata::Key
            | Metadata::Headers
            | Metadata::Header(_) => self.bytes(block, records, refused),
        }
    }

    fn timestamps(
        &self,
        block: &RecordBlock,
        records: impl Iterator<Item = usize>,
        refused: &mut Refused,
    ) -> ArrayRef {
        let mut times = TimestampMicrosecondBuilder::new().with_data_type(self.kind.data_type());
        for (row, record) in records.enumerate() {
            match block.timestamp(record) {
                Some(time) => times.append_value(time),
                None if self.nullable => times.append_null(),
                None => {
                    refused.entry(row).or_insert_with(|| self.missing("timestamp"));
                    times.append_value(0);
                }
            }
        }
        Arc::new(times.finish())
    }

    fn bytes(
        &self,
        block: &RecordBlock,
        records: impl Iterator<Item = usize>,
        refused: &mut Refused,
    ) -> ArrayRef {
        let mut values = BinaryBuilder::new();
        for (row, record) in records.enumerate() {
            let value = self.value(block, record);
            let room = COLUMN_BYTES_MAX - values.values_slice().len();
            match value.and_then(|value| self.checked(value, room)) {
                Ok(Some(value)) => values.append_value(value),
                Ok(None) => values.append_null(),
                Err(reason) => {
                    refused.entry(row).or_insert(reason);
                    values.append_value([]);
                }
            }
        }
        let values = values.finish();
        match self.kind {
            ColumnType::Binary => Arc::new(values),
            _ => {
                let texts = StringArray::try_from_binary(values);
                Arc::new(texts.expect("every value was looked at"))
            }
        }
    }

    /// What the record has, as it came.
    fn value<'b>(
        &self,
        block: &'b RecordBlock,
        record: usize,
    ) -> Result<Option<Cow<'b, [u8]>>, String> {
        let value = match &self.metadata {
            Metadata::Key => block.key(record),
            Metadata::Header(name) => {
                let of_name = |header: &Header<'_>| header.name == name.as_bytes();
                let headers = block.headers.as_ref().map(|headers| headers.of(record).iter());
                match headers.and_then(|headers| headers.filter(of_name).last()) {
                    Some(Header { value: None, .. }) if !self.nullable => {
                        return Err(format!(
                            "column `{}` is missing: header `{name}` of the record has no value",
                            self.name
                        ));
                    }
                    header => header.and_then(|header| header.value),
                }
            }
            Metadata::Headers => return Ok(Some(Cow::Owned(headers_text(block, record)))),
            _ => Some(block.partition.stream.as_bytes()),
        };
        Ok(value.map(Cow::Borrowed))
    }

    /// The value, if the column takes it and has room for so many bytes.
    fn checked<'b>(
        &self,
        value: Option<Cow<'b, [u8]>>,
        room: usize,
    ) -> Result<Option<Cow<'b, [u8]>>, String> {
        let Some(value) = value else {
            return if self.nullable { Ok(None) } else { Err(self.missing(&self.what())) };
        };
        let (name, what) = (&self.name, self.what());
        if value.len() > room {
            return Err(format!(
                "column `{name}`: the {what} of the records of one turn have more than 2 GiB: lower `limits.turn_bytes`"
            ));
        }
        if self.kind != ColumnType::Binary
            && let Err(error) = std::str::from_utf8(&value)
        {
            return Err(format!(
                "column `{name}`: the {what} of the record is not UTF-8 from byte {} on; the type \"binary\" takes any bytes",
                error.valid_up_to()
            ));
        }
        Ok(Some(value))
    }

    fn what(&self) -> String {
        match &self.metadata {
            Metadata::Header(name) => format!("header `{name}`"),
            other => other.to_string(),
        }
    }

    fn missing(&self, what: &str) -> String {
        format!("column `{}` is missing: the record has no {what}", self.name)
    }
}

/// All headers of a record as JSON: `[{"name":"trace-id","value":"4f2a"}]`. A value that is no text is written by its
/// bytes.
fn headers_text(block: &RecordBlock, record: usize) -> Vec<u8> {
    let header = |header: Header<'_>| {
        let name = String::from_utf8_lossy(header.name);
        match header.value.map(|value| (value, std::str::from_utf8(value))) {
            None => json!({ "name": name, "value": Json::Null }),
            Some((_, Ok(text))) => json!({ "name": name, "value": text }),
            Some((value, Err(_))) => json!({ "name": name, "hex": hex(value) }),
        }
    };
    let headers = block.headers.iter().flat_map(|headers| headers.of(record).iter());
    Json::from_iter(headers.map(header)).to_string().into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
