//! The table of dead letters: records and groups that could not be processed, with all that is
//! needed to see why and to process them again (docs/design/decisions.md#d14).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, ListArray, StringBuilder, StructArray,
    TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::source::RecordHeaders;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::printable::printable;
use sluicegate_model::schema::timestamp_type;
use sluicegate_model::time::EventTime;

/// One row of the dead-letter table: a record, row or group that a stage did not take, and the verdict.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The stage's id; `sluicegate` for what happens before the stages, a sink's id for what it cannot take.
    pub stage: &'a str,
    /// Decides the table's column `kind`.
    pub kind: DeadLetterKind,
    /// One sentence for a person: the plugin's words, the trap, or what the decoder found.
    pub reason: &'a str,
    /// Topic or file; none for a group.
    pub topic: Option<&'a str>,
    /// Number within the topic; none for a group.
    pub partition: Option<i32>,
    /// Kafka's offset, or the byte where the line begins in its file; none for a group.
    pub offset: Option<i64>,
    /// Kafka's; none for files and groups.
    pub record_timestamp: Option<EventTime>,
    /// The record's key, or the group's.
    pub key: Option<&'a [u8]>,
    /// The record's value, or the group's accumulator. Byte for byte as it came.
    pub value: Option<&'a [u8]>,
    /// The record's; none where there are no such things: files and groups.
    pub headers: Option<RecordHeaders<'a>>,
    /// The plugin's, if one was at fault.
    pub module: Option<ModuleDigest>,
    /// How many rows of the record the stage refused; none if the record itself was.
    pub rows: Option<i64>,
    /// When the verdict was passed: by the time of the record, window or timer, not by the clock, so that a replay writes
    /// the same row. 1970 where there is none.
    pub at: EventTime,
}

impl<'a> DeadLetter<'a> {
    /// What is known of a group, a timer or a message, which lies in no topic; the rest is filled in.
    pub fn of(stage: &'a str, kind: DeadLetterKind, reason: &'a str) -> Self {
        Self {
            stage,
            kind,
            reason,
            topic: None,
            partition: None,
            offset: None,
            record_timestamp: None,
            key: None,
            value: None,
            headers: None,
            module: None,
            rows: None,
            at: EventTime(0),
        }
    }
}

/// A larger value is left out: a column of bytes holds 2 GiB at most. No record is that large, only the state of a
/// group could be.
const VALUE_BYTES_MAX: usize = 1 << 30;

/// Of the table, in the order of the Parquet files.
pub fn schema() -> SchemaRef {
    let required = |name: &str, data_type| Field::new(name, data_type, false);
    let nullable = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        required("stage", DataType::Utf8),
        required("kind", DataType::Utf8),
        required("reason", DataType::Utf8),
        nullable("topic", DataType::Utf8),
        nullable("partition", DataType::Int32),
        nullable("offset", DataType::Int64),
        nullable("record_timestamp", timestamp_type()),
        nullable("key", DataType::Binary),
        nullable("value", DataType::Binary),
        nullable("headers", DataType::List(header_field())),
        nullable("module", DataType::Utf8),
        nullable("trap", DataType::Utf8),
        required("at", timestamp_type()),
        nullable("rows", DataType::Int64),
    ]))
}

/// One of Kafka's headers. Names may repeat and their order counts, so the column is a list of these and no map.
fn header_field() -> FieldRef {
    Arc::new(Field::new("element", DataType::Struct(header_fields()), false))
}

fn header_fields() -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("value", DataType::Binary, true),
    ])
}

#[derive(Debug, Default)]
struct HeaderLists {
    names: StringBuilder,
    values: BinaryBuilder,
    lengths: Vec<usize>,
    is_known: Vec<bool>,
}

impl HeaderLists {
    fn push(&mut self, headers: Option<RecordHeaders<'_>>) {
        let headers = headers.map(RecordHeaders::iter);
        self.is_known.push(headers.is_some());
        self.lengths.push(headers.as_ref().map_or(0, ExactSizeIterator::len));
        for header in headers.into_iter().flatten() {
            self.names.append_value(String::from_utf8_lossy(header.name));
            self.values.append_option(header.value);
        }
    }

    fn finish(&mut self) -> ListArray {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.names.finish()), Arc::new(self.values.finish())];
        let headers = StructArray::new(header_fields(), columns, None);
        let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths));
        let is_known = NullBuffer::from(std::mem::take(&mut self.is_known));
        ListArray::new(header_field(), offsets, Arc::new(headers), Some(is_known))
    }
}

/// Collects dead letters into rows of [`schema`].
#[derive(Debug, Default)]
pub struct DeadLetters {
    rows: usize,
    /// Of what data decides the size of: reasons, keys, values and headers.
    bytes: usize,
    stage: StringBuilder,
    kind: StringBuilder,
    reason: StringBuilder,
    topic: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    record_timestamp: TimestampMicrosecondBuilder,
    key: BinaryBuilder,
    value: BinaryBuilder,
    headers: HeaderLists,
    module: StringBuilder,
    trap: StringBuilder,
    at: TimestampMicrosecondBuilder,
    rows_refused: Int64Builder,
}

impl DeadLetters {
    /// Copies the letter behind those before it; a value above 1 GiB is left out, and the reason says so.
    pub fn push(&mut self, letter: &DeadLetter<'_>) {
        let DeadLetter { stage, kind, reason, topic, partition, offset, .. } = *letter;
        let DeadLetter { record_timestamp, key, value, headers, module, rows, at, .. } = *letter;
        self.rows += 1;
        let left_out = value.filter(|value| value.len() > VALUE_BYTES_MAX).map(<[u8]>::len);
        let value = value.filter(|_| left_out.is_none());
        let sizes = [reason.len(), key.map_or(0, <[u8]>::len), value.map_or(0, <[u8]>::len)];
        self.bytes += sizes.iter().sum::<usize>() + headers.map_or(0, RecordHeaders::bytes);
        self.stage.append_value(stage);
        self.kind.append_value(kind.as_str());
        let mut reason = printable(reason);
        if let Some(bytes) = left_out {
            reason.to_mut().push_str(&format!(" (the value has {bytes} bytes and is left out)"));
        }
        self.reason.append_value(&reason);
        self.topic.append_option(topic);
        self.partition.append_option(partition);
        self.offset.append_option(offset);
        self.record_timestamp.append_option(record_timestamp.map(EventTime::micros));
        self.key.append_option(key);
        self.value.append_option(value);
        self.headers.push(headers);
        self.module.append_option(module.map(|digest| digest.to_string()));
        self.trap.append_option(kind.is_of_the_sandbox().then_some(&*reason));
        self.at.append_value(at.micros());
        self.rows_refused.append_option(rows);
    }

    /// Bytes of reasons, keys, values and headers of those pushed since the last [`DeadLetters::finish`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if no letter was pushed since [`DeadLetters::finish`].
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows in the order of pushing. Leaves it empty.
    pub fn finish(&mut self) -> RecordBatch {
        self.rows = 0;
        self.bytes = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.stage.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.record_timestamp.finish().with_timezone("UTC")),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.headers.finish()),
            Arc::new(self.module.finish()),
            Arc::new(self.trap.finish()),
            Arc::new(self.at.finish().with_timezone("UTC")),
            Arc::new(self.rows_refused.finish()),
        ];
        RecordBatch::try_new(schema(), columns).expect("the columns are those of the schema")
    }
}
