//! The values of one column as they are decoded: plain vectors that become Arrow arrays without a copy.

mod arena;
mod coded;
mod texts;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal64Array, Decimal128Array, Float64Array, Int64Array,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};

use arena::Arena;
use coded::{CodedTexts, Coding};

use super::number::{self, NumberFault, POWERS};
use super::plain_number::PlainNumber;
use sluicegate_model::schema::{Column, ColumnType, DECIMAL64_DIGITS_MAX, TextForm};

/// Collects one value a row.
pub(super) struct ColumnBuilder {
    name: String,
    kind: ColumnType,
    nullable: bool,
    form: TextForm,
    plain: Option<Scaled>,
    values: Values,
    /// None: rows never have codes.
    coding: Option<Coding>,
    /// A text without its escapes. Its memory is used again.
    unescaped: Vec<u8>,
    /// Rows that are null, ascending: nothing is spent on rows that are not.
    null_rows: Vec<u32>,
}

/// How a column of integers takes a number in its ordinary form.
#[derive(Clone, Copy)]
pub(super) struct Scaled {
    /// Its point moves by so many places, and an integer must come of it.
    pub(super) scale: u8,
    /// What is not below it, whatever its sign, does not fit.
    pub(super) limit: u64,
    /// Zeros behind the point are nothing: `5.0` is five.
    takes_zeros: bool,
}

enum Values {
    /// Also timestamps and decimals.
    Int64(Vec<i64>),
    /// Decimals of more than 18 digits.
    Int128(Vec<i128>),
    Float64(Vec<f64>),
    Bool(Vec<bool>),
    Date(Vec<i32>),
    Text(Arena),
    Coded(CodedTexts),
}

/// What came of offering a value to a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is the row's value now.
    Taken,
    /// Not the kind of value this column holds.
    Mismatch,
    /// The right kind, but it does not fit; says why.
    Unfit(&'static str),
}

impl Offer {
    #[inline]
    pub(super) fn is_taken(self) -> bool {
        self == Self::Taken
    }
}

impl ColumnBuilder {
    pub(super) fn new(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            kind: column.kind,
            nullable: column.nullable,
            form: column.form.clone(),
            plain: Scaled::of(column.kind),
            values: Values::new(column.kind),
            coding: None,
            unescaped: Vec::new(),
            null_rows: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> ColumnType {
        self.kind
    }

    /// Whether the column wants a number's text and not its value, so that nothing goes through a float.
    #[inline]
    pub(super) fn wants_text_of_numbers(&self) -> bool {
        match self.kind {
            ColumnType::Decimal { .. } | ColumnType::Int64 => true,
            ColumnType::Timestamp(encoding) => encoding.digits().is_some(),
            _ => false,
        }
    }

    /// Whether its values are texts.
    pub(super) fn has_texts(&self) -> bool {
        self.kind == ColumnType::String
    }

    /// Whether a number in its ordinary form is a value of it.
    pub(super) fn has_plain_numbers(&self) -> bool {
        self.plain.is_some()
    }

    /// Its rows have codes from now on wherever they share texts, if it has any.
    pub(super) fn code(&mut self) {
        self.coding = self.has_texts().then(Coding::default);
    }

    /// Begins a batch, with room for that many rows.
    pub(super) fn begin(&mut self, rows: usize) {
        if let Some(coded) = self.coding.as_mut().and_then(|coding| coding.begin(rows)) {
            self.values = Values::Coded(coded);
        }
        match &mut self.values {
            Values::Int64(values) => values.reserve(rows),
            Values::Int128(values) => values.reserve(rows),
            Values::Float64(values) => values.reserve(rows),
            Values::Bool(values) => values.reserve(rows),
            Values::Date(values) => values.reserve(rows),
            Values::Text(texts) => texts.reserve(rows),
            Values::Coded(_) => {}
        }
    }

    /// Rows so far.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Int64(values) => values.len(),
            Values::Int128(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Date(values) => values.len(),
            Values::Text(texts) => texts.len(),
            Values::Coded(texts) => texts.len(),
        }
    }

    /// Forgets the rows from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Int64(values) => values.truncate(rows),
            Values::Int128(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Bool(values) => values.truncate(rows),
            Values::Date(values) => values.truncate(rows),
            Values::Text(texts) => texts.truncate(rows),
            Values::Coded(texts) => texts.truncate(rows),
        }
        while self.null_rows.last().is_some_and(|row| *row as usize >= rows) {
            self.null_rows.pop();
        }
    }

    /// A null row; false if the column may not be null.
    #[inline]
    pub(super) fn push_null(&mut self) -> bool {
        if self.nullable {
            self.null_rows.push(u32::try_from(self.len()).expect("batches have fewer rows"));
            match &mut self.values {
                Values::Int64(values) => values.push(0),
                Values::Int128(values) => values.push(0),
                Values::Float64(values) => values.push(0.0),
                Values::Bool(values) => values.push(false),
                Values::Date(values) => values.push(0),
                Values::Text(texts) => texts.push(&[]),
                Values::Coded(texts) => {
                    if !texts.push_null() {
                        self.end_codes().push(&[]);
                    }
                }
            }
        }
        self.nullable
    }

    #[inline]
    pub(super) fn push_bool(&mut self, value: bool) -> Offer {
        match &mut self.values {
            Values::Bool(values) => {
                values.push(value);
                Offer::Taken
            }
            _ => Offer::Mismatch,
        }
    }

    /// A number by its value, for columns that do not want its text.
    #[inline]
    pub(super) fn push_float(&mut self, value: f64) -> Offer {
        match &mut self.values {
            Values::Float64(values) => {
                values.push(value);
                Offer::Taken
            }
            _ => Offer::Mismatch,
        }
    }

    /// A number as it is written, for columns that want it so.
    #[inline]
    pub(super) fn push_number_text(&mut self, text: &str) -> Offer {
        let text = text.as_bytes();
        let value = match self.kind {
            ColumnType::Decimal { precision, scale } => {
                return self.push_decimal(text, precision, scale);
            }
            ColumnType::Int64 => number::integer(text),
            ColumnType::Timestamp(encoding) => match encoding.digits() {
                Some(digits) => number::micros(text, digits),
                None => Err(NumberFault::NotANumber),
            },
            _ => Err(NumberFault::NotANumber),
        };
        self.push_number(value)
    }

    /// A number in its ordinary form. False if it does not fit as it stands: another way may know what to do.
    #[inline(always)]
    pub(super) fn push_plain_number(&mut self, number: PlainNumber) -> bool {
        let (Values::Int64(values), Some(scaled)) = (&mut self.values, &self.plain) else {
            return self.push_wide_number(number);
        };
        let integer = || number.integer().filter(|_| scaled.takes_zeros);
        let value = number.scaled(scaled).or_else(integer);
        value.map(|value| values.push(value)).is_some()
    }

    /// The same for columns of other numbers.
    #[inline(never)]
    fn push_wide_number(&mut self, number: PlainNumber) -> bool {
        match (&mut self.values, self.kind) {
            (Values::Int128(values), ColumnType::Decimal { precision, scale }) => {
                number.long_scaled(precision, scale).map(|value| values.push(value)).is_some()
            }
            (Values::Float64(values), _) => {
                number.float().map(|value| values.push(value)).is_some()
            }
            _ => false,
        }
    }

    /// A decimal, in as many bits as its column has.
    #[inline]
    fn push_decimal(&mut self, text: &[u8], precision: u8, scale: u8) -> Offer {
        let Values::Int128(values) = &mut self.values else {
            return self.push_number(number::decimal(text, precision, scale));
        };
        match number::long_decimal(text, precision, scale) {
            Ok(value) => {
                values.push(value);
                Offer::Taken
            }
            Err(NumberFault::Unfit(why)) => Offer::Unfit(why),
            Err(NumberFault::NotANumber) => Offer::Mismatch,
        }
    }

    #[inline]
    fn push_number(&mut self, value: Result<i64, NumberFault>) -> Offer {
        match (&mut self.values, value) {
            (Values::Int64(values), Ok(value)) => {
                values.push(value);
                Offer::Taken
            }
            (_, Err(NumberFault::Unfit(why))) => Offer::Unfit(why),
            _ => Offer::Mismatch,
        }
    }

    /// The rows so far as an array; the builder is empty afterwards.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        let nulls = self.take_nulls(rows);
        let taken = std::mem::replace(&mut self.values, Values::new(self.kind));
        match taken {
            Values::Int64(values) => self.finish_int64(ScalarBuffer::from(values), nulls),
            Values::Int128(values) => Arc::new(
                Decimal128Array::new(values.into(), nulls).with_data_type(self.kind.data_type()),
            ),
            Values::Float64(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Bool(values) => {
                Arc::new(BooleanArray::new(BooleanBuffer::from(values.as_slice()), nulls))
            }
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Text(texts) => texts.finish(nulls),
            Values::Coded(texts) => self.coding.get_or_insert_default().finish(texts, nulls),
        }
    }

    fn finish_int64(&self, values: ScalarBuffer<i64>, nulls: Option<NullBuffer>) -> ArrayRef {
        let kind = self.kind.data_type();
        match self.kind {
            ColumnType::Decimal { .. } => {
                Arc::new(Decimal64Array::new(values, nulls).with_data_type(kind))
            }
            ColumnType::Timestamp(_) => {
                Arc::new(TimestampMicrosecondArray::new(values, nulls).with_data_type(kind))
            }
            _ => Arc::new(Int64Array::new(values, nulls)),
        }
    }

    fn take_nulls(&mut self, rows: usize) -> Option<NullBuffer> {
        if self.null_rows.is_empty() {
            return None;
        }
        let mut bits = arrow::array::BooleanBufferBuilder::new(rows);
        bits.append_n(rows, true);
        for row in self.null_rows.drain(..) {
            bits.set_bit(row as usize, false);
        }
        Some(NullBuffer::new(bits.finish()))
    }
}

impl Scaled {
    /// None: a column of this kind takes no numbers, or in another way.
    fn of(kind: ColumnType) -> Option<Self> {
        match kind {
            ColumnType::Decimal { precision, scale } if precision <= DECIMAL64_DIGITS_MAX => {
                let limit = POWERS[usize::from(precision)].unsigned_abs();
                Some(Self { scale, limit, takes_zeros: false })
            }
            ColumnType::Timestamp(encoding) => encoding.digits().map(|scale| Self {
                scale,
                limit: u64::MAX,
                takes_zeros: scale == 0,
            }),
            ColumnType::Int64 => Some(Self { scale: 0, limit: u64::MAX, takes_zeros: true }),
            _ => None,
        }
    }
}

impl Values {
    fn new(kind: ColumnType) -> Self {
        match kind {
            // No record has bytes in its JSON; a column of them is never offered a value.
            ColumnType::String | ColumnType::Json | ColumnType::Binary => Self::Text(Arena::new()),
            ColumnType::Float64 => Self::Float64(Vec::new()),
            ColumnType::Bool => Self::Bool(Vec::new()),
            ColumnType::Date => Self::Date(Vec::new()),
            ColumnType::Decimal { precision, .. } if precision > DECIMAL64_DIGITS_MAX => {
                Self::Int128(Vec::new())
            }
            ColumnType::Int64 | ColumnType::Timestamp(_) | ColumnType::Decimal { .. } => {
                Self::Int64(Vec::new())
            }
        }
    }
}
