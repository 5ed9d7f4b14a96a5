//! Rows by the values of columns that part a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::temporal_conversions::as_datetime;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::periods::Period;
use sluicegate_model::partition::{PartitionBy, PartitionValues};

/// As logs of Delta tables write them; none for null.
type Value = Option<String>;

/// The columns of the files of a table that is parted by some.
pub(super) fn without(schema: &SchemaRef, partition_by: &[PartitionBy]) -> SchemaRef {
    let is_left_out =
        |name: &String| partition_by.iter().any(|by| by.column() == Some(name.as_str()));
    if !schema.fields().iter().any(|field| is_left_out(field.name())) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().filter(|field| !is_left_out(field.name()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// The values of a file whose rows have these in the columns of their own, and times of this period.
pub(super) fn partition(
    partition_by: &[PartitionBy],
    values: &[Value],
    period: Option<Period>,
) -> PartitionValues {
    let mut values = values.iter().cloned();
    let value = |by: &PartitionBy| match by {
        PartitionBy::Date => period.map(Period::date),
        PartitionBy::Hour => period.map(|period| period.hour().to_string()),
        PartitionBy::Column(_) => values.next().flatten(),
    };
    let values: Vec<Value> = partition_by.iter().map(value).collect();
    let names = partition_by.iter().map(|by| by.name().to_owned());
    names.zip(values).collect()
}

/// Rows of one value in each column, without these columns.
pub(super) struct OfValues {
    /// In the order of the columns.
    pub(super) values: Vec<Value>,
    pub(super) rows: RecordBatch,
    /// Of each row, µs, where they were given.
    pub(super) times: Option<Vec<i64>>,
}

/// The rows by their values, each in the order they had.
///
/// # Errors
///
/// A column that is not there, or has a type without text.
pub(super) fn split_by_values(
    rows: &RecordBatch,
    partition_by: &[PartitionBy],
    times: Option<&[i64]>,
) -> Result<Vec<OfValues>, ArrowError> {
    let texts = partition_by.iter().filter_map(PartitionBy::column).map(|name| {
        let absent = || ArrowError::SchemaError(format!("the rows have no column `{name}`"));
        texts(rows.column_by_name(name).ok_or_else(absent)?)
    });
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let mut of_values: BTreeMap<Vec<&Value>, Vec<u32>> = BTreeMap::new();
    for (row, number) in (0..rows.num_rows()).zip(0..) {
        let values = texts.iter().map(|column| &column[row]).collect();
        of_values.entry(values).or_default().push(number);
    }
    let schema = without(rows.schema_ref(), partition_by);
    let kept = schema.fields().iter().map(|field| rows.schema_ref().index_of(field.name()));
    let narrow = rows.project(&kept.collect::<Result<Vec<_>, _>>()?)?;
    let split = of_values.into_iter().map(|(values, picked)| {
        let values = values.into_iter().cloned().collect();
        let of = |times: &[i64]| picked.iter().map(|row| times[*row as usize]).collect();
        let times = times.map(of);
        let rows = take_record_batch(&narrow, &UInt32Array::from(picked))?;
        Ok(OfValues { values, rows, times })
    });
    split.collect()
}

/// A cell as text. An empty one is null to every reader of a Delta table.
fn texts(column: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    if let DataType::Timestamp(..) = column.data_type() {
        let text = |micros: Option<i64>| {
            let time = as_datetime::<TimestampMicrosecondType>(micros?)?;
            Some(time.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        };
        return Ok(column.as_primitive::<TimestampMicrosecondType>().iter().map(text).collect());
    }
    let options = FormatOptions::default();
    let cells = ArrayFormatter::try_new(column, &options)?;
    let text = |row: usize| {
        let text = column.is_valid(row).then(|| cells.value(row).try_to_string()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    };
    (0..column.len()).map(text).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };

    use super::*;

    #[test]
    fn rows_are_parted_by_values_as_delta_tables_write_them() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
            (
                "store",
                Arc::new(StringArray::from(vec![Some("a/ü%"), None, Some("a/ü%"), Some("")])),
            ),
            ("day", Arc::new(Date32Array::from(vec![0, 1, 0, 1]))),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from(vec![1, 0, 1, 0]).with_timezone("UTC")),
            ),
            ("paid", Arc::new(BooleanArray::from(vec![true, false, true, false]))),
            (
                "price",
                Arc::new(
                    Decimal64Array::from(vec![-5, 1250, -5, 1250])
                        .with_precision_and_scale(9, 2)
                        .unwrap(),
                ),
            ),
        ];
        let rows = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let by = ["store", "day", "at", "paid", "price"];
        let by = by.map(|name| PartitionBy::Column(name.to_owned()));
        let split = split_by_values(&rows, &by, Some(&[10, 20, 30, 40])).unwrap();
        let shown: Vec<_> = split
            .iter()
            .map(|of| {
                let values: Vec<_> = of.values.iter().map(Option::as_deref).collect();
                let n = of
                    .rows
                    .column(0)
                    .as_primitive::<arrow::datatypes::Int64Type>()
                    .values()
                    .to_vec();
                assert_eq!(of.rows.num_columns(), 1);
                (values, n, of.times.clone().unwrap())
            })
            .collect();
        let of_null = vec![
            None,
            Some("1970-01-02"),
            Some("1970-01-01 00:00:00.000000"),
            Some("false"),
            Some("12.50"),
        ];
        let of_a = vec![
            Some("a/ü%"),
            Some("1970-01-01"),
            Some("1970-01-01 00:00:00.000001"),
            Some("true"),
            Some("-0.05"),
        ];
        assert_eq!(shown, [(of_null, vec![2, 4], vec![20, 40]), (of_a, vec![1, 3], vec![10, 30])]);
    }
}
