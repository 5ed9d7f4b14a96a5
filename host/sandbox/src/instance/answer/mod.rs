//! Checks everything that comes back from a guest, and makes Arrow of it by moving memory.
//!
//! A guest may lie about every length, offset, index, bit and byte. What leaves this file holds the invariants of
//! Arrow and of the contract; what breaks them is an error that names the column and the row.

pub(crate) mod keyed;

use std::sync::Arc;

use arrow::array::types::{
    Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, PrimitiveArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::contract::bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_rows, map_rows,
};
use crate::contract::bindings::sluicegate::plugin::columns::{
    self, BatchResult, ColumnResult, ValuesResult, VarlenResult,
};
use crate::plugin::answer::{EvaluateAnswer, FilterAnswer, MapAnswer, Reject, UpdateAnswer};
use sluicegate_model::schema::type_name;
use sluicegate_model::varlen::Varlen;

/// Bytes of a reject's reason that are kept; the contract promises it.
const REASON_BYTES_MAX: usize = 1_024;

/// What a filter answered for `rows` rows.
pub(crate) fn filter(raw: filter_rows::FilterAnswer, rows: usize) -> Result<FilterAnswer, String> {
    let mut keep = bits("keep", raw.keep, rows)?;
    let rejects = rejects(raw.rejects, rows)?;
    for reject in &rejects {
        let row = reject.row as usize;
        keep[row / 8] &= !(1 << (row % 8));
    }
    Ok(FilterAnswer { keep: BooleanBuffer::new(Buffer::from_vec(keep), 0, rows), rejects })
}

/// What a map answered for `rows` rows.
pub(crate) fn map(
    raw: map_rows::MapAnswer,
    rows: usize,
    outputs: &SchemaRef,
) -> Result<MapAnswer, String> {
    let batch = batch(raw.rows, outputs)?;
    ascending("source-rows", &raw.source_rows, batch.num_rows(), rows)?;
    let rejects = rejects(raw.rejects, rows)?;
    for reject in &rejects {
        if raw.source_rows.binary_search(&reject.row).is_ok() {
            return Err(format!("row {} is rejected and has new rows all the same", reject.row));
        }
    }
    Ok(MapAnswer { batch, source_rows: raw.source_rows, rejects })
}

/// What an aggregate answered to `update` for `rows` rows of `groups` groups.
pub(crate) fn update(
    raw: aggregate_rows::UpdateAnswer,
    rows: usize,
    groups: usize,
) -> Result<UpdateAnswer, String> {
    Ok(UpdateAnswer { states: states(raw.states, groups)?, rejects: rejects(raw.rejects, rows)? })
}

/// What an aggregate answered to `evaluate` for `groups` groups.
pub(crate) fn evaluate(
    raw: aggregate_rows::EvaluateAnswer,
    groups: usize,
    outputs: &SchemaRef,
) -> Result<EvaluateAnswer, String> {
    let batch = batch(raw.rows, outputs)?;
    ascending("groups", &raw.groups, batch.num_rows(), groups)?;
    Ok(EvaluateAnswer { batch, groups: raw.groups })
}

/// Accumulators, as many as were given.
pub(crate) fn states(raw: VarlenResult, groups: usize) -> Result<Varlen, String> {
    let VarlenResult { offsets, bytes } = raw;
    check_offsets("states", &offsets, bytes.len(), groups)?;
    Ok(Varlen { offsets, bytes })
}

pub(crate) fn rejects(raw: Vec<columns::Reject>, rows: usize) -> Result<Vec<Reject>, String> {
    let mut next = 0;
    raw.into_iter()
        .map(|columns::Reject { row, mut reason }| {
            if row < next {
                return Err(format!("rejects are not ascending: row {row} after row {}", next - 1));
            }
            if row as usize >= rows {
                return Err(format!("row {row} is rejected, the batch has {rows} rows"));
            }
            next = row + 1;
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            Ok(Reject { row, reason })
        })
        .collect()
}

/// Indexes into what was given: one for each row made, never descending, all below `limit`.
pub(crate) fn ascending(
    what: &str,
    indexes: &[u32],
    rows: usize,
    limit: usize,
) -> Result<(), String> {
    if indexes.len() != rows {
        return Err(format!("`{what}` has {} values for {rows} rows", indexes.len()));
    }
    if let Some(at) = indexes.windows(2).position(|pair| pair[1] < pair[0]) {
        let (before, after) = (indexes[at], indexes[at + 1]);
        return Err(format!("`{what}` descends from {before} to {after} at row {}", at + 1));
    }
    match indexes.last() {
        Some(last) if *last as usize >= limit => {
            Err(format!("`{what}` names {last}, there are {limit}"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn batch(raw: BatchResult, outputs: &SchemaRef) -> Result<RecordBatch, String> {
    if raw.columns.len() != outputs.fields().len() {
        return Err(format!(
            "{} columns came back, `describe` declares {}",
            raw.columns.len(),
            outputs.fields().len()
        ));
    }
    let rows = raw.rows as usize;
    let arrays = raw
        .columns
        .into_iter()
        .zip(outputs.fields())
        .map(|(column, field)| {
            array(column, field, rows)
                .map_err(|problem| format!("column `{}`: {problem}", field.name()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(outputs), arrays, &options)
        .map_err(|error| error.to_string())
}

fn array(column: ColumnResult, field: &Field, rows: usize) -> Result<ArrayRef, String> {
    let nulls = validity(column.validity, rows)?;
    if let (false, Some(nulls)) = (field.is_nullable(), &nulls) {
        let row = nulls.iter().position(|valid| !valid).unwrap_or_default();
        return Err(format!("row {row} is null, the column is declared not nullable"));
    }
    Ok(match (field.data_type(), column.values) {
        (DataType::Boolean, ValuesResult::Boolean(values)) => {
            let values = Buffer::from_vec(bits("values", values, rows)?);
            Arc::new(BooleanArray::new(BooleanBuffer::new(values, 0, rows), nulls))
        }
        (DataType::Int64, ValuesResult::Int64(values)) => {
            Arc::new(primitive::<Int64Type>(values, nulls, rows)?)
        }
        (DataType::Float64, ValuesResult::Float64(values)) => {
            Arc::new(primitive::<Float64Type>(values, nulls, rows)?)
        }
        (DataType::Timestamp(..), ValuesResult::TimestampUs(values)) => {
            let array = primitive::<TimestampMicrosecondType>(values, nulls, rows)?;
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        (DataType::Date32, ValuesResult::Date(values)) => {
            Arc::new(primitive::<Date32Type>(values, nulls, rows)?)
        }
        (DataType::Decimal64(precision, _), ValuesResult::Decimal(values)) => {
            let array = primitive::<Decimal64Type>(values, nulls, rows)?;
            check_digits(&array, *precision)?;
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        (DataType::Decimal128(precision, _), ValuesResult::Decimal(words)) => {
            let array = PrimitiveArray::new(long_decimals(&words, rows)?.into(), nulls);
            check_long_digits(&array, *precision)?;
            Arc::new(array.with_data_type(field.data_type().clone()))
        }
        (DataType::Utf8, ValuesResult::Utf8(values)) => Arc::new(text(values, nulls, rows)?),
        (DataType::Binary, ValuesResult::Binary(values)) => {
            let (offsets, bytes) = arena(values, rows)?;
            Arc::new(BinaryArray::new(offsets, bytes.into(), nulls))
        }
        (declared, values) => {
            let (found, declared) = (kind_of(&values), type_name(declared));
            return Err(format!("{found} values came back, {declared} is declared"));
        }
    })
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<PrimitiveArray<T>, String> {
    if values.len() != rows {
        return Err(format!("{} values came back for {rows} rows", values.len()));
    }
    Ok(PrimitiveArray::new(ScalarBuffer::from(values), nulls))
}

/// None if every row has a value.
fn validity(raw: Option<Vec<u8>>, rows: usize) -> Result<Option<NullBuffer>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let valid = Buffer::from_vec(bits("validity", raw, rows)?);
    let nulls = NullBuffer::new(BooleanBuffer::new(valid, 0, rows));
    Ok((nulls.null_count() > 0).then_some(nulls))
}

/// A bitmap of exactly `rows` rows.
fn bits(what: &str, bitmap: Vec<u8>, rows: usize) -> Result<Vec<u8>, String> {
    if bitmap.len() != rows.div_ceil(8) {
        return Err(format!(
            "bitmap `{what}` has {} bytes, {rows} rows have {}",
            bitmap.len(),
            rows.div_ceil(8)
        ));
    }
    match bitmap.last() {
        Some(last) if !rows.is_multiple_of(8) && last >> (rows % 8) != 0 => {
            Err(format!("bitmap `{what}` has bits beyond its {rows} rows"))
        }
        _ => Ok(bitmap),
    }
}

/// Every value that is not null has at most `precision` digits.
fn check_digits(array: &PrimitiveArray<Decimal64Type>, precision: u8) -> Result<(), String> {
    let bound = 10_u64.pow(u32::from(precision));
    let too_long = |value: i64| value.unsigned_abs() >= bound;
    // Without branches over the values first: it vectorises, and nearly always answers the question.
    if !array.values().iter().fold(false, |any, value| any | too_long(*value)) {
        return Ok(());
    }
    match array.iter().position(|value| value.is_some_and(too_long)) {
        Some(row) => Err(format!(
            "row {row}: the unscaled value {} has more than {precision} digits",
            array.value(row)
        )),
        None => Ok(()),
    }
}

/// Values of two words each.
fn long_decimals(words: &[i64], rows: usize) -> Result<Vec<i128>, String> {
    let (values, rest) = words.as_chunks::<2>();
    if values.len() != rows || !rest.is_empty() {
        let found = words.len();
        return Err(format!(
            "{found} words came back for {rows} rows, decimals of more than 18 digits have two a row"
        ));
    }
    let value =
        |[low, high]: &[i64; 2]| i128::from(*high) << i64::BITS | i128::from(low.cast_unsigned());
    Ok(values.iter().map(value).collect())
}

/// Every value that is not null has at most `precision` digits.
fn check_long_digits(array: &PrimitiveArray<Decimal128Type>, precision: u8) -> Result<(), String> {
    let bound = 10_u128.pow(u32::from(precision));
    let too_long = |value: i128| value.unsigned_abs() >= bound;
    match array.iter().position(|value| value.is_some_and(too_long)) {
        Some(row) => Err(format!(
            "row {row}: the unscaled value {} has more than {precision} digits",
            array.value(row)
        )),
        None => Ok(()),
    }
}

fn text(raw: VarlenResult, nulls: Option<NullBuffer>, rows: usize) -> Result<StringArray, String> {
    let (offsets, bytes) = arena(raw, rows)?;
    let bytes = Buffer::from_vec(bytes);
    // It checks that each value by itself is UTF-8.
    StringArray::try_new(offsets.clone(), bytes.clone(), nulls).map_err(|_| {
        let broken = |pair: &[i32]| {
            let value = |end: i32| usize::try_from(end).unwrap_or_default();
            std::str::from_utf8(&bytes[value(pair[0])..value(pair[1])]).is_err()
        };
        let row = offsets.windows(2).position(broken).unwrap_or_default();
        format!("row {row} is not UTF-8")
    })
}

/// Offsets as Arrow has them, and the bytes that they divide.
fn arena(raw: VarlenResult, rows: usize) -> Result<(OffsetBuffer<i32>, Vec<u8>), String> {
    let VarlenResult { offsets, bytes } = raw;
    check_offsets("offsets", &offsets, bytes.len(), rows)?;
    if i32::try_from(bytes.len()).is_err() {
        return Err(format!("{} bytes of text in one column", bytes.len()));
    }
    // The same 32 bits, all below 2³¹ as just checked.
    let offsets = ScalarBuffer::<i32>::new(Buffer::from_vec(offsets), 0, rows + 1);
    Ok((OffsetBuffer::new(offsets), bytes))
}

/// One offset more than values; the first 0, none smaller than the one before, the last the number of bytes.
pub(crate) fn check_offsets(
    what: &str,
    offsets: &[u32],
    bytes: usize,
    values: usize,
) -> Result<(), String> {
    if offsets.len() != values + 1 {
        return Err(format!(
            "`{what}` has {} offsets, {values} values have one more",
            offsets.len()
        ));
    }
    if offsets[0] != 0 {
        return Err(format!("`{what}` begins at {} and not at 0", offsets[0]));
    }
    if !offsets.windows(2).fold(true, |ascends, pair| ascends & (pair[0] <= pair[1])) {
        let at = offsets.windows(2).position(|pair| pair[1] < pair[0]).unwrap_or_default();
        return Err(format!("`{what}` goes back from {} to {}", offsets[at], offsets[at + 1]));
    }
    if offsets[values] as usize != bytes {
        return Err(format!("`{what}` ends at {}, there are {bytes} bytes", offsets[values]));
    }
    Ok(())
}

fn kind_of(values: &ValuesResult) -> &'static str {
    match values {
        ValuesResult::Boolean(_) => "bool",
        ValuesResult::Int64(_) => "int64",
        ValuesResult::Float64(_) => "float64",
        ValuesResult::TimestampUs(_) => "timestamp",
        ValuesResult::Date(_) => "date",
        ValuesResult::Decimal(_) => "decimal",
        ValuesResult::Utf8(_) => "string",
        ValuesResult::Binary(_) => "binary",
    }
}
