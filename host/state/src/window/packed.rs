//! Values of a key column as 128 bits each, to be compared and hashed without a look at memory.
//!
//! ```text
//!  text of up to 15 bytes    its bytes, then zeros to byte 14; byte 15 is its length
//!  longer text               a hash of it in bytes 0 to 7; byte 15 is 254: whether two are equal, the texts must say
//!  null                      byte 15 is 255
//!  anything else             its 64 bits in bytes 0 to 7
//! ```

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, GenericByteArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ByteArrayType, DataType, Date32Type, Decimal64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use super::hash::TableHash;
use super::key::canonical_bits;

/// Bytes of a text that are packed as they are.
const TEXT_BYTES_MAX: usize = 15;

/// Where the last byte stands, which says what the others are.
const TAG_SHIFT: u32 = 8 * TEXT_BYTES_MAX as u32;

/// A value. Those of one column are equal if what they stand for is, and only then if they are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed(u128);

impl Packed {
    const NULL: Self = Self(0xff << TAG_SHIFT);
    const LONG_TEXT: u128 = 0xfe << TAG_SHIFT;

    /// Two codes as one value.
    #[inline]
    pub(super) fn pair(left: u32, right: u32) -> Self {
        Self(u128::from(left) | u128::from(right) << 32)
    }

    /// The value that begins at `at` in `bytes` and has `length` bytes.
    #[inline(always)]
    fn text(bytes: &[u8], at: usize, length: usize) -> Self {
        if length > TEXT_BYTES_MAX {
            return Self::long_text(&bytes[at..at + length]);
        }
        // What lies behind the text is its neighbour, and is masked.
        let word = match bytes[at..].first_chunk::<16>() {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => last_word(&bytes[at..]),
        };
        let bits = 8 * length as u32;
        Self(word & ((1 << bits) - 1) | (length as u128) << TAG_SHIFT)
    }

    #[inline(never)]
    fn long_text(text: &[u8]) -> Self {
        Self(Self::LONG_TEXT | u128::from(TableHash::of(text).get()))
    }

    /// Whether the value is all in here.
    #[inline]
    pub(super) fn is_whole(self) -> bool {
        self.0 >> TAG_SHIFT != Self::LONG_TEXT >> TAG_SHIFT
    }

    #[inline]
    pub(super) fn halves(self) -> (u64, u64) {
        (self.0 as u64, (self.0 >> 64) as u64)
    }
}

/// Fewer than 16 bytes, with zeros behind them.
fn last_word(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    word[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(word)
}

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
            _ => return None,
        };
        Some(Self { values, nulls: column.nulls().filter(|nulls| nulls.null_count() > 0) })
    }

    #[inline]
    pub(super) fn packed(&self, row: usize) -> Packed {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Packed::NULL;
        }
        let long = |bits: u64| Packed(u128::from(bits));
        match self.values {
            Values::Texts(texts) => texts.packed(row),
            Values::Long(values) => long(values[row].cast_unsigned()),
            Values::Date(values) => long(u64::from(values[row].cast_unsigned())),
            Values::Float64(values) => long(canonical_bits(values.value(row))),
            Values::Boolean(values) => long(u64::from(values.value(row))),
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
