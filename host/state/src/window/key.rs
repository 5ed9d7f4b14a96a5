//! The encoding of keys: ours, because it is stored. Arrow's row format may change between releases
//! and is neither stored nor hashed (docs/design/decisions.md#d8).
//!
//! A key is the concatenation of its columns: one byte 0 for null; else one byte 1 and the value. Integers,
//! times, dates and decimals are eight bytes little endian, decimals of more than 18 digits sixteen, booleans one,
//! strings and binaries a length of four bytes little endian and their bytes, floats eight bytes with one NaN and one zero: NaN keys are one key, as are 0 and -0.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal64Type, Decimal128Type, Field, Float64Type,
    Int64Type, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use std::sync::Arc;

use sluicegate_model::varlen::Varlen;

/// Encodes rows `rows` (all if none) of the key columns, one value a row.
///
/// Panics on a type that no column can have; the pipeline's check admits only types of [`sluicegate_model::schema`].
pub fn encode(columns: &[ArrayRef], rows: RowSelection<'_>, keys: &mut Varlen) {
    let encoders: Vec<_> = columns.iter().map(ColumnEncoder::new).collect();
    keys.clear();
    match encoders.as_slice() {
        // The common key: one column of text without nulls.
        [ColumnEncoder::Utf8(strings)] if strings.null_count() == 0 => {
            rows.for_each(|row| {
                push_text(&mut keys.bytes, strings.value(row).as_bytes());
                keys.end_value();
            });
        }
        encoders => rows.for_each(|row| {
            for encoder in encoders {
                encoder.encode(row, &mut keys.bytes);
            }
            keys.end_value();
        }),
    }
}

/// Which rows of a batch.
#[derive(Clone, Copy, Debug)]
pub enum RowSelection<'a> {
    /// Rows 0 to n − 1.
    All(usize),
    /// The rows with these indexes, ascending and each once.
    Picked(&'a [u32]),
}

impl RowSelection<'_> {
    /// Rows selected, not rows of the batch.
    pub fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Picked(rows) => rows.len(),
        }
    }

    /// True if no row is selected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `f` with each row's index in the batch, in order.
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(usize)) {
        match self {
            Self::All(rows) => (0..*rows).for_each(f),
            Self::Picked(rows) => rows.iter().for_each(|row| f(*row as usize)),
        }
    }
}

enum ColumnEncoder<'a> {
    Utf8(&'a arrow::array::StringArray),
    Binary(&'a arrow::array::BinaryArray),
    Boolean(&'a arrow::array::BooleanArray),
    Float64(&'a arrow::array::Float64Array),
    Long(&'a [i64], &'a ArrayRef),
    Decimal128(&'a arrow::array::Decimal128Array),
    Date(&'a arrow::array::Date32Array),
    /// Texts by code.
    Coded(&'a [u32], &'a arrow::array::StringArray, &'a ArrayRef),
}

impl<'a> ColumnEncoder<'a> {
    fn new(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Utf8(column.as_string()),
            DataType::Binary => Self::Binary(column.as_binary()),
            DataType::Boolean => Self::Boolean(column.as_boolean()),
            DataType::Float64 => Self::Float64(column.as_primitive()),
            DataType::Int64 => Self::Long(column.as_primitive::<Int64Type>().values(), column),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Long(column.as_primitive::<TimestampMicrosecondType>().values(), column)
            }
            DataType::Decimal64(..) => {
                Self::Long(column.as_primitive::<Decimal64Type>().values(), column)
            }
            DataType::Decimal128(..) => Self::Decimal128(column.as_primitive()),
            DataType::Date32 => Self::Date(column.as_primitive::<Date32Type>()),
            DataType::Dictionary(..) => {
                let dictionary = column.as_dictionary::<UInt32Type>();
                Self::Coded(dictionary.keys().values(), dictionary.values().as_string(), column)
            }
            other => {
                panic!("no key of type {other}: the pipeline's check admits only declared types")
            }
        }
    }

    fn encode(&self, row: usize, bytes: &mut Vec<u8>) {
        let null = match self {
            Self::Utf8(column) => column.is_null(row),
            Self::Binary(column) => column.is_null(row),
            Self::Boolean(column) => column.is_null(row),
            Self::Float64(column) => column.is_null(row),
            Self::Long(_, column) => column.is_null(row),
            Self::Decimal128(column) => column.is_null(row),
            Self::Date(column) => column.is_null(row),
            Self::Coded(.., column) => column.is_null(row),
        };
        if null {
            return bytes.push(0);
        }
        match self {
            Self::Utf8(column) => push_text(bytes, column.value(row).as_bytes()),
            Self::Binary(column) => push_text(bytes, column.value(row)),
            Self::Boolean(column) => bytes.extend([1, u8::from(column.value(row))]),
            Self::Float64(column) => {
                push_long(bytes, canonical_bits(column.value(row)).to_le_bytes())
            }
            Self::Long(values, _) => push_long(bytes, values[row].to_le_bytes()),
            Self::Decimal128(column) => {
                bytes.push(1);
                bytes.extend_from_slice(&column.value(row).to_le_bytes());
            }
            Self::Date(column) => push_long(bytes, i64::from(column.value(row)).to_le_bytes()),
            Self::Coded(codes, values, _) => {
                push_text(bytes, values.value(codes[row] as usize).as_bytes());
            }
        }
    }
}

#[inline]
fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("a record is bounded far below 4 GiB");
    let [a, b, c, d] = length.to_le_bytes();
    bytes.reserve(5 + text.len());
    bytes.extend_from_slice(&[1, a, b, c, d]);
    bytes.extend_from_slice(text);
}

fn push_long(bytes: &mut Vec<u8>, value: [u8; 8]) {
    bytes.push(1);
    bytes.extend_from_slice(&value);
}

/// The bits of a number: NaN keys are one key, as are 0 and -0.
pub(super) fn canonical_bits(value: f64) -> u64 {
    let canonical = if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    };
    canonical.to_bits()
}

/// Whether these bytes are a key of such columns as [`encode`] makes them: each value is there, whole and of its type,
/// and nothing follows. What is loaded from a checkpoint is asked before it is kept.
pub fn is_key(fields: &[Arc<Field>], key: &[u8]) -> bool {
    let mut cursor = key;
    fields.iter().all(|field| is_value(field.data_type(), &mut cursor)) && cursor.is_empty()
}

/// Whether a value of the type stands at the cursor; moves the cursor behind it.
fn is_value(data_type: &DataType, cursor: &mut &[u8]) -> bool {
    let Some((tag, rest)) = cursor.split_first() else { return false };
    *cursor = rest;
    let mut take = |length: usize| {
        let (value, rest) = cursor.split_at_checked(length)?;
        *cursor = rest;
        Some(value)
    };
    let mut text = || {
        let length = u32::from_le_bytes(*take(4)?.first_chunk()?);
        take(length as usize)
    };
    match (tag, data_type) {
        (0, _) => true,
        (1, DataType::Utf8) => text().is_some_and(|text| str::from_utf8(text).is_ok()),
        (1, DataType::Binary) => text().is_some(),
        (1, DataType::Boolean) => take(1).is_some(),
        (1, DataType::Date32) => take(8)
            .and_then(|day| day.first_chunk())
            .is_some_and(|day| i32::try_from(i64::from_le_bytes(*day)).is_ok()),
        (1, DataType::Decimal128(..)) => take(16).is_some(),
        (1, _) => take(8).is_some(),
        _ => false,
    }
}

/// Decodes keys back into one array per field of `fields`. Panics on bytes that are no key ([`is_key`]): the lane has made
/// them, or has asked when it loaded them.
pub fn decode<'k>(
    fields: &[Arc<Field>],
    keys: impl Iterator<Item = &'k [u8]> + Clone,
) -> Vec<ArrayRef> {
    let mut cursors: Vec<&[u8]> = keys.collect();
    fields.iter().map(|field| decode_column(field.data_type(), &mut cursors)).collect()
}

fn decode_column(data_type: &DataType, cursors: &mut [&[u8]]) -> ArrayRef {
    match data_type {
        DataType::Utf8 => {
            let mut column = StringBuilder::with_capacity(cursors.len(), cursors.len() * 16);
            for cursor in cursors {
                column.append_option(
                    take_text(cursor).map(|text| {
                        std::str::from_utf8(text).expect("text was encoded from UTF-8")
                    }),
                );
            }
            Arc::new(column.finish())
        }
        DataType::Binary => {
            let mut column = BinaryBuilder::with_capacity(cursors.len(), cursors.len() * 16);
            for cursor in cursors {
                column.append_option(take_text(cursor));
            }
            Arc::new(column.finish())
        }
        DataType::Boolean => {
            let mut column = BooleanBuilder::with_capacity(cursors.len());
            for cursor in cursors {
                column.append_option(take(cursor, 1).map(|byte| byte[0] == 1));
            }
            Arc::new(column.finish())
        }
        DataType::Int64 => decode_longs::<Int64Type>(data_type, cursors, |long| long),
        DataType::Timestamp(..) => {
            decode_longs::<TimestampMicrosecondType>(data_type, cursors, |long| long)
        }
        DataType::Decimal64(..) => decode_longs::<Decimal64Type>(data_type, cursors, |long| long),
        DataType::Decimal128(..) => {
            let mut column = PrimitiveBuilder::<Decimal128Type>::with_capacity(cursors.len())
                .with_data_type(data_type.clone());
            for cursor in cursors {
                let bytes = take(cursor, 16).map(|bytes| bytes.try_into());
                column.append_option(
                    bytes.map(|it| i128::from_le_bytes(it.expect("sixteen bytes were taken"))),
                );
            }
            Arc::new(column.finish())
        }
        DataType::Float64 => decode_longs::<Float64Type>(data_type, cursors, |long| {
            f64::from_bits(long.cast_unsigned())
        }),
        DataType::Date32 => decode_longs::<Date32Type>(data_type, cursors, |long| {
            i32::try_from(long).expect("a date was encoded from 32 bits")
        }),
        other => panic!("no key of type {other}: the pipeline's check admits only declared types"),
    }
}

fn decode_longs<T: ArrowPrimitiveType>(
    data_type: &DataType,
    cursors: &mut [&[u8]],
    convert: impl Fn(i64) -> T::Native,
) -> ArrayRef {
    let mut column =
        PrimitiveBuilder::<T>::with_capacity(cursors.len()).with_data_type(data_type.clone());
    for cursor in cursors {
        column.append_option(take(cursor, 8).map(|bytes| {
            convert(i64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
        }));
    }
    Arc::new(column.finish())
}

/// The value of `length` bytes at the cursor, or none if it is null; moves the cursor behind it.
fn take<'k>(cursor: &mut &'k [u8], length: usize) -> Option<&'k [u8]> {
    let (tag, rest) = cursor.split_first().expect("a key has all its columns");
    if *tag == 0 {
        *cursor = rest;
        return None;
    }
    let (value, rest) = rest.split_at(length);
    *cursor = rest;
    Some(value)
}

fn take_text<'k>(cursor: &mut &'k [u8]) -> Option<&'k [u8]> {
    let length = take(cursor, 4)?;
    let length = u32::from_le_bytes(length.try_into().expect("four bytes were taken"));
    let (text, rest) = cursor.split_at(length as usize);
    *cursor = rest;
    Some(text)
}
