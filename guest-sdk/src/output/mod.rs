//! Rows that a plugin makes, built column by column.

mod decimals;

pub use decimals::{Decimal38Builder, DecimalBuilder};

use crate::varlen::Varlen;
use crate::{Column, ColumnSpec, ColumnType, Date, Timestamp, Values};

/// A row that a map makes, an aggregate evaluates to or a process plugin emits. Derive it:
///
/// ```
/// use sluicegate_sdk::prelude::*;
///
/// #[derive(OutputRow)]
/// pub struct Total<'a> {
///     item: &'a str,
///     #[column(decimal(18, 2))]
///     revenue: Decimal,
///     sales: i64,
/// }
/// ```
///
/// The types of a [`Row`](crate::Row), and `String` and `Vec<u8>`. A [`Decimal`](crate::Decimal) must say its digits, and so
/// must a [`Decimal38`](crate::Decimal38): those of its column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an output",
    note = "put `#[derive(OutputRow)]` on it"
)]
pub trait OutputRow: Sized {
    /// The same struct, borrowing for `'a`.
    type At<'a>;
    /// One builder a column.
    type Builders;
    /// The columns, in the order of the fields.
    const COLUMNS: &'static [ColumnSpec];
    /// Empty columns.
    fn builders() -> Self::Builders;
    /// Appends a row.
    fn push(row: Self::At<'_>, builders: &mut Self::Builders);
    /// Forgets all rows but the first `rows`.
    fn truncate(builders: &mut Self::Builders, rows: usize);
    /// The finished columns.
    fn finish(builders: Self::Builders) -> Vec<OwnedColumn>;
}

/// Where a map or an aggregate puts its rows.
pub struct Emit<O: OutputRow> {
    builders: O::Builders,
    sources: Vec<u32>,
    source: u32,
}

/// A column that a plugin made.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedColumn {
    /// The values; where a row is null its place holds a default.
    pub values: OwnedValues,
    /// Bit set: the row has a value. None: all have.
    pub validity: Option<Vec<u8>>,
}

/// The values of a column that a plugin made. The twin of [`Values`].
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValues {
    /// One bit a row, least significant first.
    Boolean(Vec<u8>),
    /// 64-bit integers.
    Int64(Vec<i64>),
    /// Doubles.
    Float64(Vec<f64>),
    /// Microseconds since 1970 UTC.
    TimestampUs(Vec<i64>),
    /// Days since 1970.
    Date(Vec<i32>),
    /// Unscaled decimals of at most 18 digits.
    Decimal(Vec<i64>),
    /// Longer ones, two words a row: the low half of its 128 bits, then the high one.
    Decimal38(Vec<i64>),
    /// UTF-8 texts.
    Utf8(Varlen),
    /// Byte strings.
    Binary(Varlen),
}

impl OwnedColumn {
    /// The same column as a plugin reads it.
    pub fn borrow(&self) -> Column<'_> {
        let values = match &self.values {
            OwnedValues::Boolean(bits) => Values::Boolean(bits),
            OwnedValues::Int64(values) => Values::Int64(values),
            OwnedValues::Float64(values) => Values::Float64(values),
            OwnedValues::TimestampUs(values) => Values::TimestampUs(values),
            OwnedValues::Date(values) => Values::Date(values),
            OwnedValues::Decimal(values) => Values::Decimal(values),
            OwnedValues::Decimal38(words) => Values::Decimal38(words),
            OwnedValues::Utf8(Varlen { offsets, bytes }) => {
                let text = std::str::from_utf8(bytes).expect("texts are built of texts");
                Values::Utf8 { offsets, text }
            }
            OwnedValues::Binary(Varlen { offsets, bytes }) => Values::Binary { offsets, bytes },
        };
        Column { values, validity: self.validity.as_deref() }
    }
}

impl<O: OutputRow> Emit<O> {
    pub(crate) fn new() -> Self {
        Self { builders: O::builders(), sources: Vec::new(), source: 0 }
    }

    /// Adds a row.
    ///
    /// Traps if a decimal does not fit its column exactly; [`Decimal::rescale`](crate::Decimal::rescale) and the checked arithmetic tell
    /// before.
    #[inline]
    pub fn push(&mut self, row: O::At<'_>) {
        O::push(row, &mut self.builders);
        self.sources.push(self.source);
    }

    /// From now on rows belong to this row of the input, or to this group.
    pub(crate) fn begin(&mut self, source: usize) {
        self.source = crate::varlen::offset(source);
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.sources.len()
    }

    /// Forgets all rows but the first `rows`.
    pub(crate) fn truncate(&mut self, rows: usize) {
        O::truncate(&mut self.builders, rows);
        self.sources.truncate(rows);
    }

    /// The columns, and for each row what it belongs to.
    pub(crate) fn finish(self) -> (Vec<OwnedColumn>, Vec<u32>) {
        (O::finish(self.builders), self.sources)
    }
}

/// A type that a field of an output can have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of a column",
    note = "a field of an output is a `bool`, `i64`, `f64`, `&str`, `String`, `&[u8]`, `Vec<u8>`, `Timestamp`, `Date`, `Decimal`, `Decimal38` or an `Option` of one of these"
)]
pub trait OutputValue {
    /// Builds its column.
    type Builder: ColumnBuilder;
    /// Type of the column.
    const TYPE: ColumnType;
    /// Whether the value may be missing.
    const NULLABLE: bool = false;
    /// Appends the value.
    fn append_to(self, column: &mut Self::Builder);
}

/// A growing column.
pub trait ColumnBuilder {
    /// An empty column.
    fn new(spec: &'static ColumnSpec) -> Self;
    /// Appends what stands in the place of a null.
    fn push_default(&mut self);
    /// Forgets all values but the first `rows`.
    fn truncate(&mut self, rows: usize);
    /// The finished column.
    fn finish(self) -> OwnedColumn;
}

macro_rules! plain_output {
    ($value:ty, $kind:ident, $raw:ty, $builder:ident, |$from:ident| $to:expr) => {
        #[doc = concat!("A growing column of `", stringify!($value), "`.")]
        pub struct $builder(Vec<$raw>);

        impl ColumnBuilder for $builder {
            fn new(_: &'static ColumnSpec) -> Self {
                Self(Vec::new())
            }
            fn push_default(&mut self) {
                self.0.push(<$raw>::default());
            }
            fn truncate(&mut self, rows: usize) {
                self.0.truncate(rows);
            }
            fn finish(self) -> OwnedColumn {
                OwnedColumn { values: OwnedValues::$kind(self.0), validity: None }
            }
        }

        impl OutputValue for $value {
            type Builder = $builder;
            const TYPE: ColumnType = ColumnType::$kind;
            #[inline]
            fn append_to(self, column: &mut $builder) {
                let $from = self;
                column.0.push($to);
            }
        }
    };
}

plain_output!(i64, Int64, i64, Int64Builder, |value| value);
plain_output!(f64, Float64, f64, Float64Builder, |value| value);
plain_output!(Timestamp, TimestampUs, i64, TimestampBuilder, |value| value.0);
plain_output!(Date, Date, i32, DateBuilder, |value| value.0);

/// A growing column of bits.
pub struct BitBuilder {
    bytes: Vec<u8>,
    rows: usize,
}

impl BitBuilder {
    #[inline]
    pub(crate) fn push_bit(&mut self, bit: bool) {
        if self.rows.is_multiple_of(8) {
            self.bytes.push(0);
        }
        let last = self.bytes.last_mut().expect("a byte was pushed for these eight bits");
        *last |= u8::from(bit) << (self.rows % 8);
        self.rows += 1;
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl ColumnBuilder for BitBuilder {
    fn new(_: &'static ColumnSpec) -> Self {
        Self { bytes: Vec::new(), rows: 0 }
    }
    fn push_default(&mut self) {
        self.push_bit(false);
    }
    fn truncate(&mut self, rows: usize) {
        self.bytes.truncate(rows.div_ceil(8));
        self.rows = self.rows.min(rows);
        if let (Some(last), 1..) = (self.bytes.last_mut(), self.rows % 8) {
            *last &= (1 << (self.rows % 8)) - 1;
        }
    }
    fn finish(self) -> OwnedColumn {
        OwnedColumn { values: OwnedValues::Boolean(self.bytes), validity: None }
    }
}

impl OutputValue for bool {
    type Builder = BitBuilder;
    const TYPE: ColumnType = ColumnType::Boolean;
    #[inline]
    fn append_to(self, column: &mut BitBuilder) {
        column.push_bit(self);
    }
}

/// A growing column of texts or byte strings.
pub struct VarlenBuilder<const TEXT: bool>(Varlen);

impl<const TEXT: bool> ColumnBuilder for VarlenBuilder<TEXT> {
    fn new(_: &'static ColumnSpec) -> Self {
        Self(Varlen::new())
    }
    fn push_default(&mut self) {
        self.0.push(&[]);
    }
    fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }
    fn finish(self) -> OwnedColumn {
        let values = if TEXT { OwnedValues::Utf8(self.0) } else { OwnedValues::Binary(self.0) };
        OwnedColumn { values, validity: None }
    }
}

macro_rules! varlen_output {
    ($value:ty, $kind:ident, $text:literal, |$from:ident| $to:expr) => {
        impl OutputValue for $value {
            type Builder = VarlenBuilder<$text>;
            const TYPE: ColumnType = ColumnType::$kind;
            #[inline]
            fn append_to(self, column: &mut Self::Builder) {
                let $from = self;
                column.0.push($to);
            }
        }
    };
}

varlen_output!(&str, Utf8, true, |value| value.as_bytes());
varlen_output!(String, Utf8, true, |value| value.as_bytes());
varlen_output!(&[u8], Binary, false, |value| value);
varlen_output!(Vec<u8>, Binary, false, |value| &value);

/// A growing column with nulls.
pub struct NullableBuilder<B> {
    values: B,
    validity: BitBuilder,
}

impl<B: ColumnBuilder> ColumnBuilder for NullableBuilder<B> {
    fn new(spec: &'static ColumnSpec) -> Self {
        Self { values: B::new(spec), validity: BitBuilder::new(spec) }
    }
    fn push_default(&mut self) {
        self.values.push_default();
        self.validity.push_bit(false);
    }
    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }
    fn finish(self) -> OwnedColumn {
        OwnedColumn { validity: Some(self.validity.bytes), ..self.values.finish() }
    }
}

impl<T: OutputValue> OutputValue for Option<T> {
    type Builder = NullableBuilder<T::Builder>;
    const TYPE: ColumnType = T::TYPE;
    const NULLABLE: bool = true;
    #[inline]
    fn append_to(self, column: &mut Self::Builder) {
        match self {
            Some(value) => {
                value.append_to(&mut column.values);
                column.validity.push_bit(true);
            }
            None => column.push_default(),
        }
    }
}
