//! Files are read back with the parquet crate, as any other reader would: by Parquet's own types.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrayRef, Decimal64Array, Decimal128Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{LogicalType, Type};

use super::*;
use crate::sink::dead_letters::{self, DeadLetter, DeadLetters};
use crate::sink::late;
use sluicegate_chain::folders::of_values;
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::partition::PartitionBy;
use sluicegate_model::schema::timestamp_type;
use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

const DAY: i64 = 86_400_000_000;

fn schema() -> arrow::datatypes::SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("store", DataType::Utf8, true),
        Field::new("n", DataType::Int64, false),
        Field::new("small", DataType::Decimal64(9, 2), false),
        Field::new("large", DataType::Decimal64(18, 4), true),
        Field::new("ts", timestamp_type(), false),
        Field::new("huge", DataType::Decimal128(38, 4), true),
    ]))
}

/// Rows with these times, numbered from `first`.
fn rows(first: i64, times: &[i64]) -> RecordBatch {
    let n: Vec<i64> = (first..).take(times.len()).collect();
    let small = Decimal64Array::from_iter_values(n.iter().map(|n| -n));
    let large = n.iter().map(|n| (*n % 3 != 0).then_some(999_999_999_999_999_000 + n));
    let large: Decimal64Array = large.collect();
    let huge = n.iter().map(|n| (*n != 1).then_some(1 - 10_i128.pow(38) + i128::from(*n)));
    let huge: Decimal128Array = huge.collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            n.iter().map(|n| (n % 2 == 0).then(|| format!("store-{n}"))).collect::<StringArray>(),
        ),
        Arc::new(Int64Array::from(n)),
        Arc::new(small.with_precision_and_scale(9, 2).unwrap()),
        Arc::new(large.with_precision_and_scale(18, 4).unwrap()),
        Arc::new(TimestampMicrosecondArray::from(times.to_vec()).with_timezone("UTC")),
        Arc::new(huge.with_precision_and_scale(38, 4).unwrap()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn table(by_date: bool) -> Table {
    Table {
        id: Arc::from("sales"),
        schema: schema(),
        partition_by: if by_date { vec![PartitionBy::Date] } else { Vec::new() },
        event_time_column: Some("ts".to_owned()),
        file_bytes_max: 1 << 20,
        shape: None,
    }
}

/// The folder of its values.
fn folder(file: &EncodedFile) -> String {
    of_values(file.partition.iter().map(|(column, value)| (&**column, value.as_deref()))).unwrap()
}

fn read(file: &EncodedFile) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes.clone()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

fn numbers(file: &EncodedFile) -> Vec<i64> {
    read(file).column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn decimals_and_timestamps_are_types_that_every_reader_has() {
    let mut tables = Tables::new(vec![table(false)]);
    tables.write(0, &rows(0, &[5, -7, DAY]), None).unwrap();
    let files = tables.freeze().unwrap();
    assert_eq!((files.len(), files[0].rows, files[0].event_time_range), (1, 3, Some((-7, DAY))));
    assert!(files[0].partition.is_empty());

    let reader = ParquetRecordBatchReaderBuilder::try_new(files[0].bytes.clone()).unwrap();
    let metadata = reader.metadata().file_metadata();
    let column = |index| metadata.schema_descr().column(index);
    assert_eq!(column(2).physical_type(), Type::INT32);
    assert_eq!(column(3).physical_type(), Type::INT64);
    assert_eq!(column(3).logical_type_ref(), Some(&LogicalType::decimal(4, 18)));
    assert_eq!(column(5).physical_type(), Type::FIXED_LEN_BYTE_ARRAY);
    assert_eq!(column(5).logical_type_ref(), Some(&LogicalType::decimal(4, 38)));
    assert!(metadata.key_value_metadata().is_none(), "no Arrow schema beside Parquet's");
    assert!(metadata.created_by().unwrap().starts_with("sluicegate "));
    let row_group = reader.metadata().row_group(0);
    assert!(row_group.columns().iter().all(|chunk| chunk.statistics().is_some()));

    let rows = read(&files[0]);
    assert_eq!(rows.column(3).data_type(), &DataType::Decimal128(18, 4));
    let large = rows.column(3).as_primitive::<Decimal128Type>();
    assert!(large.is_null(0));
    assert_eq!(large.value_as_string(2), "99999999999999.9002");
    let small = rows.column(2).as_primitive::<Decimal128Type>();
    assert_eq!(small.value_as_string(2), "-0.02");
    let huge = rows.column(5).as_primitive::<Decimal128Type>();
    assert_eq!(huge.value_as_string(0), "-9999999999999999999999999999999999.9999");
    assert!(huge.is_null(1));
    assert_eq!(
        rows.column(4).data_type(),
        &DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
    );
}

#[test]
fn rows_of_several_days_go_to_their_folders_in_order() {
    let mut tables = Tables::new(vec![table(true)]);
    tables.write(0, &rows(0, &[DAY + 5, 0, -1, DAY, 1]), None).unwrap();
    tables.write(0, &rows(5, &[2, 3]), None).unwrap();
    let files = tables.freeze().unwrap();
    let by_folder: BTreeMap<_, _> =
        files.iter().map(|file| (folder(file), (numbers(file), file.event_time_range))).collect();
    let expected = BTreeMap::from([
        ("date=1969-12-31".to_owned(), (vec![2], Some((-1, -1)))),
        ("date=1970-01-01".to_owned(), (vec![1, 4, 5, 6], Some((0, 3)))),
        ("date=1970-01-02".to_owned(), (vec![0, 3], Some((DAY, DAY + 5)))),
    ]);
    assert_eq!(by_folder, expected);
}

#[test]
fn event_times_beside_the_rows_win_over_their_column() {
    let mut tables = Tables::new(vec![table(true)]);
    tables.write(0, &rows(0, &[0, 0]), Some(&[DAY, DAY])).unwrap();
    let files = tables.freeze().unwrap();
    assert_eq!(folder(&files[0]), "date=1970-01-02");
}

#[test]
fn folders_of_several_columns_lie_in_the_order_that_was_asked_for() {
    let store = PartitionBy::Column("store".to_owned());
    let by = vec![store, PartitionBy::Hour, PartitionBy::Date];
    let mut tables = Tables::new(vec![Table { partition_by: by, ..table(false) }]);
    const HOUR: i64 = DAY / 24;
    tables.write(0, &rows(0, &[0, HOUR, HOUR - 1, 2 * HOUR, -1]), None).unwrap();
    let files = tables.freeze().unwrap();
    let found: BTreeMap<_, _> = files.iter().map(|file| (folder(file), numbers(file))).collect();
    let expected = BTreeMap::from([
        ("store=store-0/hour=0/date=1970-01-01".to_owned(), vec![0]),
        ("store=store-2/hour=0/date=1970-01-01".to_owned(), vec![2]),
        ("store=store-4/hour=23/date=1969-12-31".to_owned(), vec![4]),
        ("store=__HIVE_DEFAULT_PARTITION__/hour=1/date=1970-01-01".to_owned(), vec![1]),
        ("store=__HIVE_DEFAULT_PARTITION__/hour=2/date=1970-01-01".to_owned(), vec![3]),
    ]);
    assert_eq!(found, expected);
    assert!(read(&files[0]).column_by_name("store").is_none());
}

#[test]
fn a_table_without_event_times_has_no_range() {
    let unknown = Table { event_time_column: None, ..table(false) };
    let mut tables = Tables::new(vec![unknown]);
    tables.write(0, &rows(0, &[0, 0]), None).unwrap();
    assert_eq!(tables.freeze().unwrap()[0].event_time_range, None);
}

#[test]
fn a_file_is_closed_at_its_size_and_no_file_spans_a_barrier() {
    let small = Table { file_bytes_max: 20_000, ..table(false) };
    let mut tables = Tables::new(vec![table(false), small]);
    assert!(tables.freeze().unwrap().is_empty(), "nothing was written");
    for batch in 0..20 {
        let times: Vec<i64> = (0..1_000).map(|time| time * 7_919 % 1_000).collect();
        tables.write(1, &rows(batch * 1_000, &times), None).unwrap();
    }
    assert!(tables.buffered_bytes() > 20_000);
    let mut files = tables.take_full();
    assert!(files.len() > 1, "{} files", files.len());
    assert!(files.iter().all(|file| file.bytes.len() < 40_000));
    files.extend(tables.freeze().unwrap());
    let rows: Vec<i64> = files.iter().flat_map(numbers).collect();
    assert_eq!(rows, (0..20_000).collect::<Vec<_>>());
    assert_eq!(tables.buffered_bytes(), 0);
    assert!(tables.freeze().unwrap().is_empty());
}

#[test]
fn beyond_the_limit_of_open_folders_the_oldest_is_closed_and_no_row_is_lost() {
    let mut tables = Tables::new(vec![table(true)]);
    let days = OPEN_FOLDERS_MAX as i64 + 8;
    let times: Vec<i64> = (0..days).map(|day| day * DAY).collect();
    tables.write(0, &rows(0, &times), None).unwrap();
    tables.write(0, &rows(days, &times), None).unwrap();
    assert!(tables.tables[0].files.len() <= OPEN_FOLDERS_MAX);
    let files = tables.freeze().unwrap();
    let mut all: Vec<i64> = files.iter().flat_map(numbers).collect();
    all.sort_unstable();
    assert_eq!(all, (0..2 * days).collect::<Vec<_>>());
}

#[test]
fn rows_with_other_columns_are_the_wirings_fault_and_named() {
    let mut tables = Tables::new(vec![table(false)]);
    let other = rows(0, &[1]).project(&[1, 2]).unwrap();
    let error = tables.write(0, &other, None).unwrap_err();
    assert_eq!(error.to_string(), "encode rows of table `sales`");
}

#[test]
fn dead_letters_and_late_rows_are_read_back() {
    let rows = rows(0, &[5, 6]);
    let late_table =
        Table { id: Arc::from("late"), schema: late::schema(&rows.schema()), ..table(true) };
    let late_table = Table { event_time_column: Some("window_start".to_owned()), ..late_table };
    let dead_table =
        Table { id: Arc::from("dead_letters"), schema: dead_letters::schema(), ..table(true) };
    let dead_table = Table { event_time_column: Some("at".to_owned()), ..dead_table };
    let mut tables = Tables::new(vec![late_table, dead_table]);

    let window = WindowBounds { start: EventTime(DAY), end: EventTime(DAY + 30_000_000) };
    let missed = late::Missed {
        covers: true,
        by: late::JudgedBy::Partition,
        first: window,
        last_end: window.end,
        windows: 1,
        watermark: window.end.plus(1_500_000),
    };
    tables.write(0, &late::late_rows(&rows, &[missed; 2]), None).unwrap();

    let mut letters = DeadLetters::default();
    assert!(letters.is_empty());
    let letter = DeadLetter {
        stage: "valid",
        kind: DeadLetterKind::Trap,
        reason: "trap: unreachable",
        topic: Some("sales"),
        partition: Some(3),
        offset: Some(17),
        record_timestamp: Some(EventTime(5)),
        key: None,
        value: Some(&[0xff, 0x00]),
        headers: None,
        module: Some(ModuleDigest([0xab; 32])),
        rows: Some(3),
        at: EventTime(5),
    };
    letters.push(&letter);
    letters.push(&DeadLetter { kind: DeadLetterKind::Decode, value: None, module: None, ..letter });
    tables.write(1, &letters.finish(), None).unwrap();
    assert!(letters.is_empty());

    let files = tables.freeze().unwrap();
    let late = read(&files[0]);
    assert_eq!(folder(&files[0]), "date=1970-01-02");
    let reason = late.column_by_name("late_reason").unwrap().as_string::<i32>();
    assert_eq!(
        reason.value(1),
        "the watermark of its partition was 1.500 s past the end of its window; the session that it touches would \
         cover a closed one with it"
    );
    let dead = read(&files[1]);
    let text = |name: &str, row| {
        dead.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned()
    };
    assert_eq!(
        (text("trap", 0), text("stage", 1)),
        ("trap: unreachable".to_owned(), "valid".to_owned())
    );
    assert_eq!(text("module", 0), "ab".repeat(32));
    assert!(dead.column_by_name("trap").unwrap().is_null(1));
    assert_eq!(dead.column_by_name("value").unwrap().as_binary::<i32>().value(0), [0xff, 0x00]);
    assert_eq!(dead.column_by_name("headers").unwrap().null_count(), 2);
}

#[test]
fn files_of_a_table_with_a_log_tell_what_readers_may_skip() {
    let shape = Some(Arc::new(sluicegate_chain::shape::TableShape::default()));
    let mut tables = Tables::new(vec![Table { shape: shape.clone(), ..table(false) }]);
    tables.write(0, &rows(0, &[1, -1_500_000, 3_000_000]), None).unwrap();
    tables.write(0, &rows(3, &[86_400_000_000_123]), None).unwrap();
    let files = tables.freeze().unwrap();
    assert_eq!(files[0].shape, shape);
    let known = |column: &str| {
        let of = &files[0].statistics[column];
        (of.min.clone().unwrap_or_default(), of.max.clone().unwrap_or_default(), of.nulls)
    };
    let text = |min: &str, max: &str, nulls| (min.to_owned(), max.to_owned(), nulls);
    assert_eq!(known("store"), text("store-0", "store-2", 2));
    assert_eq!(known("n"), text("0", "3", 0));
    assert_eq!(known("small"), text("-0.03", "0.00", 0));
    assert_eq!(known("large"), text("99999999999999.9001", "99999999999999.9002", 2));
    let (first, last) = ("1969-12-31T23:59:58.500000Z", "2972-11-17T00:00:00.000123Z");
    assert_eq!(known("ts").0, first);
    assert_eq!(known("ts").1.len(), last.len());
    assert_eq!(known("huge").0, format!("-{}.{}", "9".repeat(34), "9999"));
    assert_eq!(known("huge").2, 1);
}

#[test]
fn files_of_a_plain_table_tell_nothing_more_than_before() {
    let mut tables = Tables::new(vec![table(false)]);
    tables.write(0, &rows(0, &[1]), None).unwrap();
    let files = tables.freeze().unwrap();
    assert!(files[0].shape.is_none() && files[0].statistics.is_empty());
}

#[test]
fn what_has_no_order_for_all_readers_is_not_told() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("bytes", DataType::Binary, false),
        Field::new("text", DataType::Utf8, false),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(arrow::array::Float64Array::from(vec![Some(f64::NAN), Some(1.5), None])),
        Arc::new(arrow::array::BinaryArray::from(vec![&b"a"[..], b"b", b"c"])),
        Arc::new(StringArray::from(vec!["a".repeat(300), "b".to_owned(), "z".repeat(300)])),
    ];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let shape = Some(Arc::new(sluicegate_chain::shape::TableShape::default()));
    let plain = table(false);
    let table = Table { shape, schema, event_time_column: None, ..plain };
    let mut tables = Tables::new(vec![table]);
    tables.write(0, &rows, None).unwrap();
    let known = &tables.freeze().unwrap()[0].statistics;
    let x = &known["x"];
    assert_eq!((x.min.as_deref(), x.max.as_deref(), x.nulls), (Some("1.5"), None, 1));
    assert_eq!((&known["bytes"].min, &known["bytes"].max), (&None, &None));
    let text = &known["text"];
    let (min, max) = (text.min.clone().unwrap(), text.max.clone().unwrap());
    assert!(min.len() <= 64 && min < "a".repeat(300), "{min}");
    assert!(max.len() <= 64 && max > "z".repeat(300), "{max}");
}
