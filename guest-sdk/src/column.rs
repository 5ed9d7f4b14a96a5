//! Columns as they come in: borrowed slices, and the typed readers that a batch is read through.

use crate::decimal::{Decimal, Decimal38};
use crate::moment::{Date, Timestamp};

/// Rows as columns, in the order of the plugin's inputs.
///
/// In a plugin it borrows the memory the host wrote; a native host or test makes one of its own slices.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// How many rows; every column has as many values.
    pub rows: usize,
    /// One a column.
    pub columns: Vec<Column<'a>>,
}

/// A column of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The values; where a row is null its place holds any value.
    pub values: Values<'a>,
    /// Bit set: the row has a value. None: all have.
    pub validity: Option<&'a [u8]>,
}

/// The values of a column, in Arrow's layout.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// One bit a row, least significant first.
    Boolean(&'a [u8]),
    /// 64-bit integers.
    Int64(&'a [i64]),
    /// Doubles.
    Float64(&'a [f64]),
    /// Microseconds since 1970 UTC.
    TimestampUs(&'a [i64]),
    /// Days since 1970.
    Date(&'a [i32]),
    /// Unscaled decimals of at most 18 digits.
    Decimal(&'a [i64]),
    /// Longer ones, two words a row: the low half of its 128 bits, then the high one.
    Decimal38(&'a [i64]),
    /// Value `i` is `text[offsets[i] .. offsets[i + 1]]`.
    Utf8 {
        /// One more than rows.
        offsets: &'a [u32],
        /// All values.
        text: &'a str,
    },
    /// Texts that rows share, for fields that are a [`Text`](crate::Text): row `i` has value `codes[i]`.
    Coded {
        /// One a row, each less than the number of values.
        codes: &'a [u32],
        /// One more than values: value `i` is `text[offsets[i] .. offsets[i + 1]]`.
        offsets: &'a [u32],
        /// All values.
        text: &'a str,
    },
    /// Value `i` is `bytes[offsets[i] .. offsets[i + 1]]`.
    Binary {
        /// One more than rows.
        offsets: &'a [u32],
        /// All values.
        bytes: &'a [u8],
    },
}

/// A type that a field of a row can have: it says which column it needs and how to read it.
///
/// Implemented for `bool`, `i64`, `f64`, `&str`, [`Text`](crate::Text), `&[u8]`, [`Timestamp`], [`Date`], [`Decimal`], [`Decimal38`] and
/// `Option` of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of a column",
    note = "a field of a row is a `bool`, `i64`, `f64`, `&str`, `Text`, `&[u8]`, `Timestamp`, `Date`, `Decimal`, `Decimal38` or an `Option` of one of these"
)]
pub trait Value {
    /// The value, borrowing from a batch that lives for `'a`.
    type At<'a>;
    /// The column, taken apart once per batch.
    type Reader<'a>;
    /// Type of the column.
    const TYPE: crate::ColumnType;
    /// Whether the value may be missing.
    const NULLABLE: bool = false;
    /// Takes a column apart. None if it has another type or too few values.
    fn reader<'a>(column: &Column<'a>, rows: usize, scale: u8) -> Option<Self::Reader<'a>>;
    /// The value in `row`, which is less than the `rows` of the reader.
    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::At<'a>;
}

macro_rules! plain_column {
    ($value:ty, $kind:ident, $raw:ty, $make:expr) => {
        impl Value for $value {
            type At<'a> = Self;
            type Reader<'a> = &'a [$raw];
            const TYPE: crate::ColumnType = crate::ColumnType::$kind;

            #[inline]
            fn reader<'a>(column: &Column<'a>, rows: usize, _: u8) -> Option<&'a [$raw]> {
                match column.values {
                    Values::$kind(values) => values.get(..rows),
                    _ => None,
                }
            }

            #[inline(always)]
            fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::At<'a> {
                $make(reader[row])
            }
        }
    };
}

plain_column!(i64, Int64, i64, |value| value);
plain_column!(f64, Float64, f64, |value| value);
plain_column!(Timestamp, TimestampUs, i64, Timestamp);
plain_column!(Date, Date, i32, Date);

impl Value for Decimal {
    type At<'a> = Self;
    type Reader<'a> = (&'a [i64], u8);
    const TYPE: crate::ColumnType = crate::ColumnType::Decimal(None);

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, scale: u8) -> Option<(&'a [i64], u8)> {
        match column.values {
            Values::Decimal(values) if u32::from(scale) <= Self::DIGITS_MAX => {
                Some((values.get(..rows)?, scale))
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn get<'a>((values, scale): &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        Self::of_column(values[row], *scale)
    }
}

impl Value for Decimal38 {
    type At<'a> = Self;
    type Reader<'a> = (Words<'a>, u8);
    const TYPE: crate::ColumnType = crate::ColumnType::Decimal38(None);

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, scale: u8) -> Option<Self::Reader<'a>> {
        let words = match column.values {
            Values::Decimal(values) => Words::One(values.get(..rows)?),
            Values::Decimal38(values) => Words::Two(values.get(..2 * rows)?),
            _ => return None,
        };
        (u32::from(scale) <= Self::DIGITS_MAX).then_some((words, scale))
    }

    #[inline(always)]
    fn get<'a>((words, scale): &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        let unscaled = match words {
            Words::One(values) => values[row].into(),
            Words::Two(values) => {
                let (low, high) = (values[2 * row], values[2 * row + 1]);
                i128::from(high) << 64 | i128::from(low.cast_unsigned())
            }
        };
        Self::of_column(unscaled, *scale)
    }
}

/// The words of a column of decimals, as many a row as its precision takes.
#[derive(Clone, Copy, Debug)]
pub enum Words<'a> {
    /// The value.
    One(&'a [i64]),
    /// The low half of the value, then the high one.
    Two(&'a [i64]),
}

impl Value for bool {
    type At<'a> = Self;
    type Reader<'a> = &'a [u8];
    const TYPE: crate::ColumnType = crate::ColumnType::Boolean;

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, _: u8) -> Option<&'a [u8]> {
        match column.values {
            Values::Boolean(bits) => bits.get(..rows.div_ceil(8)),
            _ => None,
        }
    }

    #[inline(always)]
    fn get<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        bit(reader, row)
    }
}

impl Value for &str {
    type At<'a> = &'a str;
    type Reader<'a> = (&'a [u32], &'a str);
    const TYPE: crate::ColumnType = crate::ColumnType::Utf8;

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, _: u8) -> Option<(&'a [u32], &'a str)> {
        match column.values {
            Values::Utf8 { offsets, text } => Some((offsets.get(..=rows)?, text)),
            _ => None,
        }
    }

    #[inline(always)]
    fn get<'a>((offsets, text): &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        text_at(offsets, text, row)
    }
}

impl Value for &[u8] {
    type At<'a> = &'a [u8];
    type Reader<'a> = (&'a [u32], &'a [u8]);
    const TYPE: crate::ColumnType = crate::ColumnType::Binary;

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, _: u8) -> Option<(&'a [u32], &'a [u8])> {
        match column.values {
            Values::Binary { offsets, bytes } => Some((offsets.get(..=rows)?, bytes)),
            _ => None,
        }
    }

    #[inline(always)]
    fn get<'a>((offsets, bytes): &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        bytes.get(offsets[row] as usize..offsets[row + 1] as usize).unwrap_or_else(|| crooked(row))
    }
}

impl<T: Value> Value for Option<T> {
    type At<'a> = Option<T::At<'a>>;
    type Reader<'a> = (T::Reader<'a>, Option<&'a [u8]>);
    const TYPE: crate::ColumnType = T::TYPE;
    const NULLABLE: bool = true;

    #[inline]
    fn reader<'a>(column: &Column<'a>, rows: usize, scale: u8) -> Option<Self::Reader<'a>> {
        let validity = match column.validity {
            Some(bits) => Some(bits.get(..rows.div_ceil(8))?),
            None => None,
        };
        Some((T::reader(column, rows, scale)?, validity))
    }

    #[inline(always)]
    fn get<'a>((values, validity): &Self::Reader<'a>, row: usize) -> Self::At<'a> {
        validity.is_none_or(|bits| bit(bits, row)).then(|| T::get(values, row))
    }
}

/// Text `index` of those that lie behind one another.
#[inline(always)]
pub(crate) fn text_at<'a>(offsets: &[u32], text: &'a str, index: usize) -> &'a str {
    let ends = offsets[index] as usize..offsets[index + 1] as usize;
    text.get(ends).unwrap_or_else(|| crooked(index))
}

/// Bit `row`, least significant first.
#[inline(always)]
fn bit(bits: &[u8], row: usize) -> bool {
    bits[row / 8] >> (row % 8) & 1 == 1
}

/// Offsets that go back, leave the column or cut a character: no host sends them. The panics of slicing would say
/// as much with 4 KB of code in every plugin.
#[cold]
fn crooked(row: usize) -> ! {
    panic!("the offsets of row {row} do not fit the column")
}
