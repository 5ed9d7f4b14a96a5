//! Arrow columns as the contract's columns, borrowed wherever the memory already has the right form.

use std::borrow::Cow;

use arrow::array::cast::AsArray;
use arrow::array::types::ByteArrayType;
use arrow::array::types::{
    Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
    UInt32Type,
};
use arrow::array::{Array, ArrayRef, GenericByteArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;

use crate::contract::bindings::exports::sluicegate::plugin::filter_coded_rows::CodedTexts;
use crate::contract::bindings::exports::sluicegate::plugin::process_rows::TimerSetsParam;
use crate::contract::bindings::sluicegate::plugin::columns::{
    ColumnParam, ValuesParam, VarlenParam,
};
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::TimerSets;
use sluicegate_model::varlen::Varlen;

/// A batch in the form of the contract, on its way to a guest.
pub(crate) struct LoweredBatch<'a> {
    columns: Vec<LoweredColumn<'a>>,
}

struct LoweredColumn<'a> {
    values: LoweredValues<'a>,
    validity: Option<Cow<'a, [u8]>>,
}

enum LoweredValues<'a> {
    Boolean(Cow<'a, [u8]>),
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    Timestamp(&'a [i64]),
    Date(&'a [i32]),
    Decimal(&'a [i64]),
    Utf8(Cow<'a, [u32]>, &'a [u8]),
    Binary(Cow<'a, [u32]>, &'a [u8]),
    /// Codes, and the values that they stand for.
    Coded(&'a [u32], Cow<'a, [u32]>, &'a [u8]),
}

impl<'a> LoweredBatch<'a> {
    /// The columns of a batch. Their types are those of the contract: fitting the plugin to its stage checked that.
    pub(crate) fn new(rows: &'a RecordBatch) -> Self {
        Self { columns: rows.columns().iter().map(lower).collect() }
    }

    /// What the call is given.
    pub(crate) fn columns(&self) -> Vec<ColumnParam<'_>> {
        self.columns
            .iter()
            .map(|column| ColumnParam {
                values: column.values.as_param(),
                validity: column.validity.as_deref(),
            })
            .collect()
    }
}

impl LoweredBatch<'_> {
    /// The columns that come by code, which are dictionaries. What [`LoweredBatch::columns`] has in their places are no
    /// values.
    pub(crate) fn coded(&self) -> Vec<CodedTexts<'_>> {
        let columns = (0..).zip(&self.columns);
        let coded = columns.filter_map(|(input, column)| match &column.values {
            LoweredValues::Coded(codes, offsets, bytes) => {
                Some(CodedTexts { input, codes, values: VarlenParam { offsets, bytes } })
            }
            _ => None,
        });
        coded.collect()
    }
}

impl LoweredValues<'_> {
    fn as_param(&self) -> ValuesParam<'_> {
        match self {
            Self::Boolean(bits) => ValuesParam::Boolean(bits),
            Self::Int64(values) => ValuesParam::Int64(values),
            Self::Float64(values) => ValuesParam::Float64(values),
            Self::Timestamp(values) => ValuesParam::TimestampUs(values),
            Self::Date(values) => ValuesParam::Date(values),
            Self::Decimal(values) => ValuesParam::Decimal(values),
            Self::Utf8(offsets, bytes) => ValuesParam::Utf8(VarlenParam { offsets, bytes }),
            Self::Binary(offsets, bytes) => ValuesParam::Binary(VarlenParam { offsets, bytes }),
            Self::Coded(..) => ValuesParam::Utf8(VarlenParam { offsets: &[0], bytes: &[] }),
        }
    }
}

/// Accumulators as the contract has them.
pub(crate) fn varlen(values: &Varlen) -> VarlenParam<'_> {
    VarlenParam { offsets: &values.offsets, bytes: &values.bytes }
}

/// Times as the contract has them: numbers. The one copy of them that a call makes.
pub(crate) fn micros(times: &[EventTime]) -> Vec<i64> {
    times.iter().map(|time| time.micros()).collect()
}

/// Timers as the contract has them, with the [`micros`] of their times.
pub(crate) fn timer_sets<'a>(timers: &'a TimerSets, times: &'a [i64]) -> TimerSetsParam<'a> {
    TimerSetsParam { offsets: &timers.offsets, times, ids: &timers.ids }
}

fn lower(array: &ArrayRef) -> LoweredColumn<'_> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let values = match array.data_type() {
        DataType::Boolean => LoweredValues::Boolean(bitmap(array.as_boolean().values())),
        DataType::Int64 => LoweredValues::Int64(array.as_primitive::<Int64Type>().values()),
        DataType::Float64 => LoweredValues::Float64(array.as_primitive::<Float64Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            LoweredValues::Timestamp(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        DataType::Date32 => LoweredValues::Date(array.as_primitive::<Date32Type>().values()),
        DataType::Decimal64(..) => {
            LoweredValues::Decimal(array.as_primitive::<Decimal64Type>().values())
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            // The same 128 bits, and the contract has the low half first, as this machine has.
            const { assert!(cfg!(target_endian = "little")) };
            LoweredValues::Decimal(values.inner().typed_data::<i64>())
        }
        DataType::Utf8 => {
            let (offsets, bytes) = arena(array.as_string::<i32>());
            LoweredValues::Utf8(offsets, bytes)
        }
        DataType::Binary => {
            let (offsets, bytes) = arena(array.as_binary::<i32>());
            LoweredValues::Binary(offsets, bytes)
        }
        DataType::Dictionary(..) => {
            let array = array.as_dictionary::<UInt32Type>();
            let (offsets, bytes) = arena(array.values().as_string::<i32>());
            LoweredValues::Coded(array.keys().values(), offsets, bytes)
        }
        other => panic!("`fit` lets no column of type {other} pass"),
    };
    LoweredColumn { values, validity: nulls.map(|nulls| bitmap(nulls.inner())) }
}

/// Offsets that begin at 0, and just the bytes between the first and the last of them.
fn arena<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>) -> (Cow<'_, [u32]>, &[u8]) {
    let ends = array.value_offsets();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    let bytes = &array.values()[as_index(first)..as_index(last)];
    let offsets = if first == 0 {
        // The same 32 bits: Arrow's offsets are never negative.
        let whole = array.offsets().inner().inner().typed_data::<u32>();
        Cow::Borrowed(&whole[..ends.len()])
    } else {
        Cow::Owned(ends.iter().map(|end| (end - first).cast_unsigned()).collect())
    };
    (offsets, bytes)
}

fn as_index(offset: i32) -> usize {
    usize::try_from(offset).expect("Arrow's offsets are never negative")
}

/// Bits that begin at a byte, with zeros beyond the last row.
pub(crate) fn bitmap(bits: &BooleanBuffer) -> Cow<'_, [u8]> {
    let (rows, size) = (bits.len(), bits.len().div_ceil(8));
    let beyond = |last: u8| !rows.is_multiple_of(8) && last >> (rows % 8) != 0;
    if bits.offset().is_multiple_of(8) {
        let whole = &bits.values()[bits.offset() / 8..][..size];
        if !whole.last().copied().is_some_and(beyond) {
            return Cow::Borrowed(whole);
        }
    }
    let mut moved = bits.inner().bit_slice(bits.offset(), rows).as_slice()[..size].to_vec();
    if let Some(last) = moved.last_mut().filter(|last| beyond(**last)) {
        *last &= (1 << (rows % 8)) - 1;
    }
    Cow::Owned(moved)
}
