//! Growing columns of decimals.

use super::{ColumnBuilder, OutputValue, OwnedColumn, OwnedValues};
use crate::{ColumnSpec, ColumnType, Decimal, Decimal38, DecimalType};

/// A growing column of decimals of at most 18 digits.
pub struct DecimalBuilder {
    values: Vec<i64>,
    name: &'static str,
    digits: DecimalType,
}

impl ColumnBuilder for DecimalBuilder {
    fn new(spec: &'static ColumnSpec) -> Self {
        let ColumnType::Decimal(Some(digits)) = spec.column_type else {
            panic!("column `{}` is not a decimal with digits", spec.name)
        };
        Self { values: Vec::new(), name: spec.name, digits }
    }
    fn push_default(&mut self) {
        self.values.push(0);
    }
    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
    }
    fn finish(self) -> OwnedColumn {
        OwnedColumn { values: OwnedValues::Decimal(self.values), validity: None }
    }
}

impl OutputValue for Decimal {
    type Builder = DecimalBuilder;
    const TYPE: ColumnType = ColumnType::Decimal(None);
    #[inline]
    fn append_to(self, column: &mut DecimalBuilder) {
        let DecimalType { precision, scale } = column.digits;
        match self.rescale(scale).filter(|d| Self::fits(d.unscaled(), precision.into())) {
            Some(value) => column.values.push(value.unscaled()),
            None => panic!("{self} does not fit `{}`: decimal({precision},{scale})", column.name),
        }
    }
}

/// A growing column of decimals of any length, with one word a value or two.
pub struct Decimal38Builder {
    words: Vec<i64>,
    name: &'static str,
    digits: DecimalType,
}

impl Decimal38Builder {
    /// An empty column.
    pub(crate) fn of(name: &'static str, digits: DecimalType) -> Self {
        Self { words: Vec::new(), name, digits }
    }

    /// Words of a value.
    fn width(&self) -> usize {
        if self.digits.is_long() { 2 } else { 1 }
    }
}

impl ColumnBuilder for Decimal38Builder {
    fn new(spec: &'static ColumnSpec) -> Self {
        let ColumnType::Decimal38(Some(digits)) = spec.column_type else {
            panic!("column `{}` is not a decimal with digits", spec.name)
        };
        Self::of(spec.name, digits)
    }
    fn push_default(&mut self) {
        self.words.resize(self.words.len() + self.width(), 0);
    }
    fn truncate(&mut self, rows: usize) {
        self.words.truncate(rows * self.width());
    }
    fn finish(self) -> OwnedColumn {
        let values = match self.digits.is_long() {
            false => OwnedValues::Decimal(self.words),
            true => OwnedValues::Decimal38(self.words),
        };
        OwnedColumn { values, validity: None }
    }
}

impl OutputValue for Decimal38 {
    type Builder = Decimal38Builder;
    const TYPE: ColumnType = ColumnType::Decimal38(None);
    #[inline]
    fn append_to(self, column: &mut Decimal38Builder) {
        let DecimalType { precision, scale } = column.digits;
        match self.rescale(scale).filter(|d| Self::fits(d.unscaled(), precision.into())) {
            Some(value) => {
                // Of a short one the lower half is all there is.
                column.words.push(value.unscaled() as i64);
                if column.digits.is_long() {
                    column.words.push((value.unscaled() >> 64) as i64);
                }
            }
            None => panic!("{self} does not fit `{}`: decimal({precision},{scale})", column.name),
        }
    }
}
