//! Rows as JSON, for people and topics.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, SchemaRef,
    TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use serde_json::Value;

use crate::time::{EventTime, civil};

/// A cell of a key: as [`json_value`], but for floats that JSON has no word for. Each of them is a key of its own.
fn json_key(column: &ArrayRef, row: usize) -> Value {
    if *column.data_type() == DataType::Float64 && column.is_valid(row) {
        let number = column.as_primitive::<Float64Type>().value(row);
        if !number.is_finite() {
            return Value::from(number.to_string());
        }
    }
    json_value(column, row)
}

/// A cell as JSON. Decimals and integers are exact: a decimal is text, as JSON's numbers are not. Times are RFC 3339 in
/// UTC; a float that JSON has no word for is null.
pub fn json_value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Boolean => Value::from(column.as_boolean().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal64(..) => {
            Value::from(column.as_primitive::<Decimal64Type>().value_as_string(row))
        }
        DataType::Decimal128(..) => {
            Value::from(column.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Timestamp(..) => Value::from(
            EventTime(column.as_primitive::<TimestampMicrosecondType>().value(row)).to_string(),
        ),
        DataType::Date32 => {
            let mut text = String::new();
            let day = column.as_primitive::<Date32Type>().value(row);
            civil::write_date(day.into(), &mut text).expect("memory takes everything");
            Value::from(text)
        }
        _ => Value::from(
            arrow::util::display::array_value_to_string(column, row)
                .unwrap_or_else(|error| error.to_string()),
        ),
    }
}

/// Some columns of a row as a JSON object, again and again.
#[derive(Clone, Debug)]
pub struct JsonObject {
    /// Each column with its name as JSON has it.
    columns: Vec<(usize, String)>,
    cell: fn(&ArrayRef, usize) -> Value,
}

impl JsonObject {
    /// The columns of `schema` with these indexes, in this order.
    pub fn new(schema: &SchemaRef, columns: impl IntoIterator<Item = usize>) -> Self {
        let name = |column: usize| Value::from(schema.field(column).name().as_str()).to_string();
        let columns = columns.into_iter().map(|column| (column, name(column))).collect();
        Self { columns, cell: json_value }
    }

    /// The same as a key: rows of different keys have different objects.
    pub fn key(schema: &SchemaRef, columns: impl IntoIterator<Item = usize>) -> Self {
        Self { cell: json_key, ..Self::new(schema, columns) }
    }

    /// Appends the object of a row; `more` are members behind the columns.
    pub fn write(
        &self,
        batch: &RecordBatch,
        row: usize,
        more: &[(&str, Value)],
        out: &mut Vec<u8>,
    ) {
        out.push(b'{');
        for (place, (column, name)) in self.columns.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            let value = (self.cell)(batch.column(*column), row);
            serde_json::to_writer(&mut *out, &value).expect("memory takes everything");
        }
        for (place, (name, value)) in more.iter().enumerate() {
            let comma = if place == 0 && self.columns.is_empty() { "" } else { "," };
            out.extend_from_slice(format!("{comma}\"{name}\":{value}").as_bytes());
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal64Array, Decimal128Array};

    use super::*;

    #[test]
    fn decimals_of_any_length_are_exact_texts() {
        let long = Decimal128Array::from(vec![Some(1 - 10_i128.pow(38)), None]);
        let long: ArrayRef = Arc::new(long.with_precision_and_scale(38, 4).unwrap());
        assert_eq!(json_value(&long, 0), "-9999999999999999999999999999999999.9999");
        assert_eq!(json_key(&long, 1), Value::Null);
        let short = Decimal64Array::from(vec![1_999]).with_precision_and_scale(18, 2).unwrap();
        assert_eq!(json_value(&(Arc::new(short) as ArrayRef), 0), "19.99");
    }
}
