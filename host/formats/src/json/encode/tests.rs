//! Rows are written cell by cell; what comes out is what a tree of values would print. Readers compare the bytes.

use std::sync::Arc;

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal64Array, Decimal128Array, Float64Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use proptest::prelude::*;

use super::*;

/// A row: every type that a table can have, and one that none has yet.
type Row = (
    (Option<String>, Option<bool>, Option<i64>, Option<f64>),
    (Option<i64>, Option<i128>, Option<i64>, Option<i32>, Option<Vec<u8>>),
);

fn float() -> impl Strategy<Value = f64> {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e16, 1e21, 1e-7, 5e-324];
    prop_oneof![
        any::<f64>(),
        prop::sample::select(special.to_vec()),
        (-1000_i32..1000).prop_map(f64::from)
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let option = prop::option::of::<BoxedStrategy<i64>>;
    let day_micros = 400_000_000_000_000_000_i64;
    (
        (
            prop::option::of("\\PC*|[\\x00-\\x20\"\\\\\u{7f}\u{2028}é€]{0,8}"),
            any::<Option<bool>>(),
            any::<Option<i64>>(),
            prop::option::of(float()),
        ),
        (
            option((-999_999_999_999_999_999..=999_999_999_999_999_999_i64).boxed()),
            prop::option::of(-(10_i128.pow(38) - 1)..10_i128.pow(38)),
            option((-day_micros..day_micros).boxed()),
            any::<Option<i32>>(),
            any::<Option<Vec<u8>>>(),
        ),
    )
}

fn batch(rows: &[Row]) -> RecordBatch {
    let one = |row: &Row| row.0.clone();
    let other = |row: &Row| row.1.clone();
    let decimal = Decimal64Array::from_iter(rows.iter().map(|row| other(row).0));
    let wide = Decimal128Array::from_iter(rows.iter().map(|row| other(row).1));
    let time = TimestampMicrosecondArray::from_iter(rows.iter().map(|row| other(row).2));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(rows.iter().map(|row| one(row).0))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| one(row).1))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| one(row).2))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| one(row).3))),
        Arc::new(decimal.with_precision_and_scale(18, 4).unwrap()),
        Arc::new(wide.with_precision_and_scale(38, 9).unwrap()),
        Arc::new(time.with_timezone("UTC")),
        Arc::new(Date32Array::from_iter(rows.iter().map(|row| other(row).3))),
        Arc::new(BinaryArray::from_iter(rows.iter().map(|row| other(row).4))),
    ];
    let names = ["a", "b\"", "\u{1}", "é", "e", "f", "g", "h", "i"];
    let fields = names.iter().zip(&columns);
    let fields = fields.map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns).unwrap()
}

/// A row as a tree of values prints it.
fn printed(batch: &RecordBatch, row: usize, of_key: bool, more: &[(&str, Value)]) -> String {
    let cell = |(field, column): (&Arc<Field>, &ArrayRef)| {
        let number = column.as_primitive_opt::<Float64Type>().filter(|it| it.is_valid(row));
        let value = match number.map(|column| column.value(row)) {
            Some(number) if of_key && !number.is_finite() => Value::from(number.to_string()),
            _ => json_value(column, row),
        };
        format!("{}:{value}", Value::from(field.name().as_str()))
    };
    let cells = batch.schema_ref().fields().iter().zip(batch.columns()).map(cell);
    let more = more.iter().map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", cells.chain(more).collect::<Vec<_>>().join(","))
}

proptest! {
    #[test]
    fn a_row_is_written_as_a_tree_of_values_prints_it(rows in prop::collection::vec(row(), 1..8)) {
        let batch = batch(&rows);
        let more = [("revision", Value::from(7)), ("final", Value::from(true))];
        let all = 0..batch.num_columns();
        let objects = [
            (JsonObject::new(&batch.schema(), all.clone()), false),
            (JsonObject::key(&batch.schema(), all), true),
        ];
        for (object, of_key) in &objects {
            let mut written = object.of(&batch);
            for (row, more) in (0..batch.num_rows()).flat_map(|row| [(row, &[][..]), (row, &more)]) {
                let mut text = Vec::new();
                written.write(row, more, &mut text);
                prop_assert_eq!(String::from_utf8(text).unwrap(), printed(&batch, row, *of_key, more));
            }
        }
    }
}

#[test]
fn an_object_without_columns_is_an_object() {
    let batch = batch(&[((None, None, None, None), (None, None, None, None, None))]);
    let none = JsonObject::new(&batch.schema(), []);
    let mut text = Vec::new();
    none.of(&batch).write(0, &[], &mut text);
    none.of(&batch).write(0, &[("final", Value::from(false))], &mut text);
    assert_eq!(String::from_utf8(text).unwrap(), "{}{\"final\":false}");
}

#[test]
fn each_row_shows_its_own_time() {
    let times = [Some(0), Some(0), Some(30_000_000), None, Some(0)];
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter(times));
    let column = JsonColumn::new(&times);
    let shown: Vec<Value> =
        (0..5).map(|row| serde_json::to_value(column.cell(row)).unwrap()).collect();
    let (begin, later) = ("1970-01-01T00:00:00Z", "1970-01-01T00:00:30Z");
    assert_eq!(shown, [begin.into(), begin.into(), later.into(), Value::Null, begin.into()]);
}
