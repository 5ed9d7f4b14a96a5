//! The row that a plugin's code sees: a struct whose fields are read out of the columns of a batch.

use crate::{Batch, ColumnSpec, ColumnType, Config, DecimalType};

/// A row read from the columns of a batch. Derive it:
///
/// ```
/// use sluicegate_sdk::prelude::*;
///
/// #[derive(Row)]
/// pub struct Sale<'a> {
///     store: &'a str,
///     price: Decimal,
///     item: Option<&'a str>,
///     #[column(name = "ts")]
///     at: Timestamp,
/// }
/// ```
///
/// Each field is a column of the pipeline with the field's name, or that of `#[column(name = "…")]`. An `Option`
/// takes nullable columns. `#[column(decimal(18, 2))]` insists on one scale and at most that precision; without it a
/// [`Decimal`](crate::Decimal) takes every decimal of at most 18 digits, and a [`Decimal38`](crate::Decimal38) all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row",
    note = "put `#[derive(Row)]` on it"
)]
pub trait Row: Sized {
    /// The same struct, borrowing from a batch that lives for `'a`.
    type At<'a>;
    /// The columns of a batch, taken apart once, so that reading a row looks at no type.
    type Reader<'a>;
    /// The columns, in the order of the fields.
    const COLUMNS: &'static [ColumnSpec];
    /// Takes a batch apart; `scales[i]` is the scale of column `i` if it is a decimal. Panics if the batch has
    /// other columns than `COLUMNS`, which no host sends.
    fn reader<'a>(batch: &Batch<'a>, scales: &[u8]) -> Self::Reader<'a>;
    /// The row with that index, which is less than the batch's `rows`.
    fn read<'a>(reader: &Self::Reader<'a>, row: usize) -> Self::At<'a>;
}

/// The scale of each column: declared, or as the host gives it. 0 for what is no decimal.
///
/// An error is a sentence about a column that has more digits than its field has room for.
pub(crate) fn scales(columns: &[ColumnSpec], config: &Config) -> Result<Vec<u8>, String> {
    let scale = |column: &ColumnSpec| match column.column_type {
        ColumnType::Decimal(Some(DecimalType { scale, .. }))
        | ColumnType::Decimal38(Some(DecimalType { scale, .. })) => Ok(scale),
        ColumnType::Decimal(None) => short(column.name, config),
        ColumnType::Decimal38(None) => Ok(config.decimal_digits(column.name)?.scale),
        _ => Ok(0),
    };
    columns.iter().map(scale).collect()
}

/// The scale of a column that a `Decimal` has room for.
fn short(column: &str, config: &Config) -> Result<u8, String> {
    let digits = config.decimal_digits(column)?;
    if digits.is_long() {
        let DecimalType { precision, scale } = digits;
        return Err(format!(
            "the field of `{column}` is a `Decimal`, which has room for 18 digits, and its column is \
             decimal({precision},{scale}): make the field a `Decimal38`"
        ));
    }
    Ok(digits.scale)
}

/// Column `index` of a batch, read as `T`. For the derive.
#[doc(hidden)]
pub fn column<'a, T: crate::column::Value>(
    batch: &Batch<'a>,
    scales: &[u8],
    index: usize,
) -> T::Reader<'a> {
    let reader = batch.columns.get(index).and_then(|c| T::reader(c, batch.rows, scales[index]));
    reader.unwrap_or_else(|| panic!("column {index} of the batch is not as `describe` declares it"))
}
