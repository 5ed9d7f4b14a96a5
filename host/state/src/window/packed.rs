//! The columns whose values can be packed, to be given codes.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, GenericByteArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ByteArrayType, DataType, Date32Type, Decimal64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt32Type,
};

use sluicegate_model::codes::Packed;

use super::key::canonical_bits;

/// A column whose values can be packed.
pub(super) struct PackedColumn<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

enum Values<'a> {
    Texts(Texts<'a>),
    Long(&'a [i64]),
    Date(&'a [i32]),
    Float64(&'a Float64Array),
    Boolean(&'a BooleanArray),
    /// Of a dictionary.
    Codes(&'a [u32]),
}

/// Texts or binaries.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    /// Where each begins, and the end of the last.
    offsets: &'a [i32],
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    fn new<T: ByteArrayType<Offset = i32>>(array: &'a GenericByteArray<T>) -> Self {
        Self { offsets: array.value_offsets(), bytes: array.value_data() }
    }

    #[inline(always)]
    pub(super) fn packed(self, row: usize) -> Packed {
        let (at, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        Packed::text(self.bytes, at, end - at)
    }

    fn text(self, row: usize) -> &'a [u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

impl<'a> PackedColumn<'a> {
    /// None: values of this type have more bits.
    pub(super) fn new(column: &'a ArrayRef) -> Option<Self> {
        let values = match column.data_type() {
            DataType::Utf8 => Values::Texts(Texts::new(column.as_string::<i32>())),
            DataType::Binary => Values::Texts(Texts::new(column.as_binary::<i32>())),
            DataType::Int64 => Values::Long(column.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Long(column.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Decimal64(..) => {
                Values::Long(column.as_primitive::<Decimal64Type>().values())
            }
            DataType::Date32 => Values::Date(column.as_primitive::<Date32Type>().values()),
            DataType::Float64 => Values::Float64(column.as_primitive()),
            DataType::Boolean => Values::Boolean(column.as_boolean()),
            DataType::Dictionary(..) => {
                Values::Codes(column.as_dictionary::<UInt32Type>().keys().values())
            }
            _ => return None,
        };
        Some(Self { values, nulls: column.nulls().filter(|nulls| nulls.null_count() > 0) })
    }

    #[inline]
    pub(super) fn packed(&self, row: usize) -> Packed {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Packed::NULL;
        }
        match self.values {
            Values::Texts(texts) => texts.packed(row),
            Values::Long(values) => Packed::long(values[row].cast_unsigned()),
            Values::Date(values) => Packed::long(u64::from(values[row].cast_unsigned())),
            Values::Float64(values) => Packed::long(canonical_bits(values.value(row))),
            Values::Boolean(values) => Packed::long(u64::from(values.value(row))),
            Values::Codes(codes) => Packed::long(u64::from(codes[row])),
        }
    }

    /// Its texts, if it has nothing else.
    pub(super) fn texts(&self) -> Option<Texts<'a>> {
        match self.values {
            Values::Texts(texts) if self.nulls.is_none() => Some(texts),
            _ => None,
        }
    }

    /// Whether two rows that are packed alike have the same value.
    pub(super) fn same(&self, row: usize, other: usize) -> bool {
        match self.values {
            Values::Texts(texts) => texts.text(row) == texts.text(other),
            _ => true,
        }
    }
}
