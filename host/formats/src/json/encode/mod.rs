//! Rows as JSON, for people and topics.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, FieldRef, Float64Type, SchemaRef,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::record_batch::RecordBatch;
use serde::{Serialize, Serializer};
use serde_json::Value;

use sluicegate_model::time::{EventTime, civil};

/// A column whose cells are shown as JSON. Decimals and integers are exact: a decimal is text, as JSON's numbers are not. Times are
/// RFC 3339 in UTC; a float that JSON has no word for is null.
#[derive(Debug)]
pub struct JsonColumn<'r> {
    column: &'r ArrayRef,
    nulls: Option<&'r NullBuffer>,
    values: Values<'r>,
}

/// What is found out once for all cells.
#[derive(Debug)]
enum Values<'r> {
    Text(&'r StringArray),
    Bool(&'r BooleanArray),
    Int64(&'r Int64Array),
    Float64(&'r Float64Array),
    /// With the last that was shown: most rows of results are of the window of the row before.
    Time(&'r TimestampMicrosecondArray, RefCell<Option<(i64, String)>>),
    Other,
}

/// A cell of a column.
#[derive(Clone, Copy, Debug)]
pub struct JsonCell<'c> {
    column: &'c JsonColumn<'c>,
    row: usize,
}

impl<'r> JsonColumn<'r> {
    /// The cells of this column.
    pub fn new(column: &'r ArrayRef) -> Self {
        let values = match column.data_type() {
            DataType::Utf8 => Values::Text(column.as_string()),
            DataType::Boolean => Values::Bool(column.as_boolean()),
            DataType::Int64 => Values::Int64(column.as_primitive()),
            DataType::Float64 => Values::Float64(column.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Time(column.as_primitive(), RefCell::default())
            }
            _ => Values::Other,
        };
        Self { column, nulls: column.nulls(), values }
    }

    /// That of a row.
    pub fn cell(&self, row: usize) -> JsonCell<'_> {
        JsonCell { column: self, row }
    }
}

impl Serialize for JsonCell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { column: JsonColumn { column, nulls, values }, row } = *self;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return serializer.serialize_unit();
        }
        match values {
            Values::Text(texts) => serializer.serialize_str(texts.value(row)),
            Values::Bool(values) => serializer.serialize_bool(values.value(row)),
            Values::Int64(numbers) => serializer.serialize_i64(numbers.value(row)),
            Values::Float64(numbers) => serializer.serialize_f64(numbers.value(row)),
            Values::Time(times, last) => {
                let (time, mut last) = (times.value(row), last.borrow_mut());
                if last.as_ref().is_none_or(|(shown, _)| *shown != time) {
                    *last = Some((time, EventTime(time).to_string()));
                }
                let (_, text) = last.as_ref().expect("it was just shown");
                serializer.serialize_str(text)
            }
            Values::Other => serializer.serialize_str(&text(column, row)),
        }
    }
}

/// A cell as a value.
pub fn json_value(column: &ArrayRef, row: usize) -> Value {
    let column = JsonColumn::new(column);
    serde_json::to_value(column.cell(row)).expect("a cell is plain JSON")
}

/// What JSON shows as text.
fn text(column: &dyn Array, row: usize) -> String {
    match column.data_type() {
        DataType::Decimal64(..) => column.as_primitive::<Decimal64Type>().value_as_string(row),
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Timestamp(..) => {
            EventTime(column.as_primitive::<TimestampMicrosecondType>().value(row)).to_string()
        }
        DataType::Date32 => {
            let mut text = String::new();
            let day = column.as_primitive::<Date32Type>().value(row);
            civil::write_date(day.into(), &mut text).expect("memory takes everything");
            text
        }
        _ => arrow::util::display::array_value_to_string(column, row)
            .unwrap_or_else(|error| error.to_string()),
    }
}

/// Some columns of rows as JSON objects.
#[derive(Clone, Debug)]
pub struct JsonObject {
    /// Each column with its name as JSON has it.
    columns: Vec<(usize, String)>,
    options: EncoderOptions,
}

impl JsonObject {
    /// The columns of `schema` with these indexes, in this order.
    pub fn new(schema: &SchemaRef, columns: impl IntoIterator<Item = usize>) -> Self {
        Self::with(Cells { of_key: false }, schema, columns)
    }

    /// The same as a key: rows of different keys have different objects. A float that JSON has no word for is text.
    pub fn key(schema: &SchemaRef, columns: impl IntoIterator<Item = usize>) -> Self {
        Self::with(Cells { of_key: true }, schema, columns)
    }

    fn with(cells: Cells, schema: &SchemaRef, columns: impl IntoIterator<Item = usize>) -> Self {
        let name = |column: usize| Value::from(schema.field(column).name().as_str()).to_string();
        let columns = columns.into_iter().map(|column| (column, name(column))).collect();
        Self { columns, options: EncoderOptions::default().with_encoder_factory(Arc::new(cells)) }
    }

    /// The rows of a batch.
    pub fn of<'r>(&'r self, batch: &'r RecordBatch) -> JsonRows<'r> {
        let cell = |(column, name): &'r (usize, String)| {
            let field = &batch.schema_ref().fields()[*column];
            let encoder = make_encoder(field, batch.column(*column), &self.options);
            (name.as_str(), encoder.expect("what the library does not know is ours"))
        };
        JsonRows(self.columns.iter().map(cell).collect())
    }
}

/// The rows of a batch as JSON objects.
pub struct JsonRows<'r>(Vec<(&'r str, NullableEncoder<'r>)>);

impl JsonRows<'_> {
    /// Appends the object of a row; `more` are members behind the columns.
    pub fn write(&mut self, row: usize, more: &[(&str, Value)], out: &mut Vec<u8>) {
        let mut separator = b'{';
        for (name, cell) in &mut self.0 {
            out.push(std::mem::replace(&mut separator, b','));
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            match cell.is_null(row) {
                true => out.extend_from_slice(b"null"),
                false => cell.encode(row, out),
            }
        }
        for (name, value) in more {
            out.push(std::mem::replace(&mut separator, b','));
            out.extend_from_slice(format!("\"{name}\":{value}").as_bytes());
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
    }
}

/// Writes texts, booleans and integers as the library does, and everything else as [`json_value`] does.
#[derive(Debug)]
struct Cells {
    of_key: bool,
}

impl EncoderFactory for Cells {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Utf8 | DataType::Boolean | DataType::Int64 => return Ok(None),
            DataType::Float64 if self.of_key => Box::new(Cell(|row, out: &mut Vec<u8>| {
                let number = array.as_primitive::<Float64Type>().value(row);
                match number.is_finite() {
                    true => write_json(&number, out),
                    false => write_json(&number.to_string(), out),
                }
            })),
            DataType::Float64 => Box::new(Cell(|row, out: &mut Vec<u8>| {
                write_json(&array.as_primitive::<Float64Type>().value(row), out);
            })),
            _ => Box::new(Cell(|row, out: &mut Vec<u8>| write_json(&text(array, row), out))),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

/// Writes a cell that is not null.
struct Cell<W>(W);

impl<W: FnMut(usize, &mut Vec<u8>)> Encoder for Cell<W> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        (self.0)(row, out);
    }
}

fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("memory takes everything");
}

#[cfg(test)]
mod tests;
