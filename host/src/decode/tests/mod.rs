//! What the decoder takes and refuses, and that it agrees with a plain reference over generated records.

mod plain;
mod reference;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal64Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use expect_test::expect;

use super::*;
use crate::schema::{Column, ColumnType, TimestampEncoding};

fn column(name: &str, kind: ColumnType) -> Column {
    Column { name: name.to_owned(), kind, nullable: false, path: vec![name.to_owned()] }
}

fn nullable(column: Column) -> Column {
    Column { nullable: true, ..column }
}

fn at(path: &[&str], column: Column) -> Column {
    Column { path: path.iter().map(|&key| key.to_owned()).collect(), ..column }
}

fn decode(columns: &[Column], records: &[&str]) -> Decoded {
    let schema = Schema { columns: columns.to_vec() };
    let wanted: Vec<_> = (0..columns.len()).collect();
    let values: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    Decoder::new(&schema, &wanted).decode(&values, 0..records.len())
}

/// The reason for each record, `ok` for the decoded ones, one a line.
fn verdicts(columns: &[Column], records: &[&str]) -> String {
    let decoded = decode(columns, records);
    let mut lines = String::new();
    for index in 0..records.len() {
        let index = u32::try_from(index).unwrap();
        let reason = decoded.rejects.iter().find(|(record, _)| *record == index);
        lines += reason.map_or("ok", |(_, reason)| reason);
        lines.push('\n');
    }
    lines
}

#[test]
fn the_ordinary_record_becomes_a_row() {
    let columns = [
        column("store", ColumnType::String),
        column("price", ColumnType::Decimal { precision: 18, scale: 2 }),
        column("ts", ColumnType::Timestamp(TimestampEncoding::UnixSeconds)),
        nullable(at(&["address", "city"], column("city", ColumnType::String))),
    ];
    let decoded = decode(
        &columns,
        &[
            r#"{"store":"store-17","item":"item-423","price":287,"ts":1756809000}"#,
            r#"{"ts":1756809001.25,"address":{"zip":[1,{"city":"no"}],"city":"Köln"},"price":"12.50","store":"a\"b"}"#,
        ],
    );
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    assert_eq!(decoded.records, None);
    let batch = &decoded.batch;
    assert_eq!(batch.column(0).as_string::<i32>().value(1), "a\"b");
    assert_eq!(batch.column(1).as_primitive::<Decimal64Type>().values(), &[28700, 1250]);
    let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values(), &[1_756_809_000_000_000, 1_756_809_001_250_000]);
    assert!(batch.column(3).is_null(0));
    assert_eq!(batch.column(3).as_string::<i32>().value(1), "Köln");
}

#[test]
fn every_type_takes_its_forms() {
    let columns = [
        column("i", ColumnType::Int64),
        column("f", ColumnType::Float64),
        column("b", ColumnType::Bool),
        column("d", ColumnType::Date),
        column("ms", ColumnType::Timestamp(TimestampEncoding::UnixMillis)),
        column("us", ColumnType::Timestamp(TimestampEncoding::UnixMicros)),
        column("rfc", ColumnType::Timestamp(TimestampEncoding::Rfc3339)),
    ];
    let record = r#" { "i" : -9223372036854775808, "f": 7, "b": true, "d": "1969-12-31",
        "ms": -1, "us": 5, "rfc": "2026-11-21T11:00:00.0000015+01:00" }
"#;
    let batch = decode(&columns, &[record]).batch;
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), i64::MIN);
    assert_eq!(batch.column(1).as_primitive::<Float64Type>().values(), &[7.0]);
    assert!(batch.column(2).as_boolean().value(0));
    assert_eq!(batch.column(3).as_primitive::<Date32Type>().value(0), -1);
    assert_eq!(batch.column(4).as_primitive::<TimestampMicrosecondType>().value(0), -1000);
    assert_eq!(batch.column(5).as_primitive::<TimestampMicrosecondType>().value(0), 5);
    let rfc = batch.column(6).as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!(rfc, 1_795_255_200_000_001);
}

#[test]
fn reasons_name_the_column_what_was_found_and_what_is_expected() {
    let columns = [
        column("price", ColumnType::Decimal { precision: 18, scale: 2 }),
        column("n", ColumnType::Int64),
        nullable(at(&["address", "city"], column("city", ColumnType::String))),
    ];
    let long = format!(r#"{{"price":"{}","n":1}}"#, "ä".repeat(1000));
    expect![[r#"
        ok
        column `price`: expected decimal(18,2), found "abc"
        column `price`: expected decimal(18,2), found 1.234, which has too many digits behind the point
        column `price`: expected decimal(18,2), found 100000000000000000, which has too many digits before the point
        column `price`: expected decimal(18,2), found null
        column `price`: expected decimal(18,2), found an array
        column `price` is missing
        column `n`: expected int64, found 1.5
        column `n`: expected int64, found 18446744073709551615, which needs more than 64 bits
        column `n`: expected int64, found "1"
        column `n`: expected int64, found an object
        column `n`: its key occurs twice
        column `city`: expected an object around it, found "Köln"
        ok
        expected a JSON object, found an array
        expected a JSON object, found null
        not JSON: EOF while parsing at line 1 column 22
        not JSON: EOF while parsing at line 1 column 11
        not JSON: JSON has non-whitespace trailing characters after the value at line 1 column 20
        the value is empty
        column `price`: expected decimal(18,2), found "ääääääääääääääääääääääääääääääääääääääää…"
    "#]]
    .assert_eq(&verdicts(
        &columns,
        &[
            "{\"price\":1.230,\"n\":1}\r\n",
            r#"{"price":"abc","n":1}"#,
            r#"{"price":1.234,"n":1}"#,
            r#"{"price":100000000000000000,"n":1}"#,
            r#"{"price":null,"n":1}"#,
            r#"{"price":[1],"n":1}"#,
            r#"{"n":1}"#,
            r#"{"price":1,"n":1.5}"#,
            r#"{"price":1,"n":18446744073709551615}"#,
            r#"{"price":1,"n":"1"}"#,
            r#"{"price":1,"n":{}}"#,
            r#"{"price":1,"n":2,"n":2}"#,
            r#"{"price":1,"n":2,"address":"Köln"}"#,
            r#"{"price":1,"n":2,"address":null}"#,
            "[1]",
            "null",
            r#"{"price":1,"n":2,"x":3"#,
            r#"{"price":1,"#,
            r#"{"price":1,"n":2}  x"#,
            "",
            &long,
        ],
    ));
}

#[test]
fn a_refused_record_leaves_no_trace_in_its_neighbours() {
    let columns = [
        nullable(column("s", ColumnType::String)),
        nullable(column("a", ColumnType::Int64)),
        column("b", ColumnType::Bool),
    ];
    let decoded = decode(
        &columns,
        &[
            r#"{"s":"one","a":1,"b":true}"#,
            r#"{"s":"two","a":null,"b":7}"#,
            r#"{"s":null,"a":3,"b":false}"#,
            r#"{"s":"gone","a":4"#,
            r#"{"s":"five","b":true}"#,
        ],
    );
    assert_eq!(decoded.records, Some(vec![0, 2, 4]));
    assert_eq!(decoded.rejects.iter().map(|(record, _)| *record).collect::<Vec<_>>(), [1, 3]);
    let strings: Vec<_> = decoded.batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(strings, [Some("one"), None, Some("five")]);
    let numbers: Vec<_> = decoded.batch.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(numbers, [Some(1), Some(3), None]);
}

#[test]
fn a_path_may_lead_through_arrays_and_several_columns_may_read_one_value() {
    let columns = [
        at(&["items", "1", "sku"], column("second", ColumnType::String)),
        at(&["n"], column("as_int", ColumnType::Int64)),
        at(&["n"], column("as_decimal", ColumnType::Decimal { precision: 5, scale: 1 })),
    ];
    let decoded = decode(&columns, &[r#"{"items":[{"sku":"a"},{"sku":"b"},7],"n":12}"#]);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    assert_eq!(decoded.batch.column(0).as_string::<i32>().value(0), "b");
    assert_eq!(decoded.batch.column(1).as_primitive::<Int64Type>().value(0), 12);
    assert_eq!(decoded.batch.column(2).as_primitive::<Decimal64Type>().value(0), 120);
}

#[test]
fn bytes_that_are_no_utf8_spoil_only_their_record() {
    let schema = Schema { columns: vec![column("s", ColumnType::String)] };
    let good = "{\"s\":\"ü\"}".as_bytes();
    let mut bad = good.to_vec();
    bad[6] = 0xff;
    let values: Varlen = [good, &bad, good].into_iter().collect();
    let decoded = Decoder::new(&schema, &[0]).decode(&values, 0..3);
    assert_eq!(decoded.records, Some(vec![0, 2]));
    assert_eq!(decoded.rejects, [(1, "not UTF-8 from byte 6 on".to_owned())]);

    // A character that two records share: the arena is UTF-8, neither record is.
    let values: Varlen = [&b"{\"s\":\"\xc3"[..], &b"\xbc\"}"[..]].into_iter().collect();
    assert_eq!(Decoder::new(&schema, &[0]).decode(&values, 0..2).rejects.len(), 2);
}

#[test]
fn nesting_without_end_is_refused_before_it_eats_the_stack() {
    let columns = [column("n", ColumnType::Int64)];
    let deep =
        |levels: usize| format!(r#"{{"x":{}{},"n":1}}"#, "[".repeat(levels), "]".repeat(levels));
    let flat = format!(r#"{{"x":[{}[]],"s":"{}","n":1}}"#, "[],".repeat(500), "[".repeat(5000));
    let bottomless = format!(r#"{{"x":{}"#, "[".repeat(3_000_000));
    expect![[r#"
        ok
        nested more than 128 objects and arrays deep
        ok
        nested more than 128 objects and arrays deep
    "#]]
    .assert_eq(&verdicts(&columns, &[&deep(127), &deep(200), &flat, &bottomless]));
}

#[test]
fn a_decimal_is_exact_or_refused() {
    use number::NumberFault::{NotANumber, Unfit};
    let decimal = |text: &str| number::decimal(text.as_bytes(), 18, 4);
    for (text, value) in [
        ("0", 0),
        ("-0.0", 0),
        ("1", 10_000),
        ("-12.3400", -123_400),
        ("1.5e2", 1_500_000),
        ("15E-1", 15_000),
        ("0.00010000000000000000000000000000", 1),
        ("99999999999999.9999", 999_999_999_999_999_999),
        ("-99999999999999.9999", -999_999_999_999_999_999),
        ("000000000000000000000000000001", 10_000),
        ("0e99999999999999999999999", 0),
    ] {
        assert_eq!(decimal(text), Ok(value), "{text}");
    }
    for text in ["100000000000000", "1e14", "123456789012345678901234567890", "1e99999999999999"] {
        let reason = "which has too many digits before the point";
        assert_eq!(decimal(text), Err(Unfit(reason)), "{text}");
    }
    for text in [
        "0.00001",
        "1e-5",
        "1.000000000000000000000000001",
        "1.23456789012345678901234567890",
        "1e-99999999999999",
    ] {
        let reason = "which has too many digits behind the point";
        assert_eq!(decimal(text), Err(Unfit(reason)), "{text}");
    }
    for text in ["", "-", ".5", "5.", "1.2.3", "1e", "1e+", "+1", " 1", "1 ", "0x1", "NaN", "--1"] {
        assert_eq!(decimal(text), Err(NotANumber), "{text}");
    }
}

#[test]
fn seconds_are_cut_to_the_microsecond_towards_the_past() {
    let seconds = |text: &str| number::seconds(text.as_bytes()).ok();
    for (text, micros) in [
        ("1756809000", Some(1_756_809_000_000_000)),
        ("1756809000.123456", Some(1_756_809_000_123_456)),
        ("1756809000.1234567890123456789012345", Some(1_756_809_000_123_456)),
        ("-1.000000000000000000000000001", Some(-1_000_001)),
        ("-6833317184193.728164153", Some(-6_833_317_184_193_728_165)),
        ("1.756809e9", Some(1_756_809_000_000_000)),
        ("-1.5", Some(-1_500_000)),
        ("-0.0000001", Some(-1)),
        ("0.0000009", Some(0)),
        ("-1e-25", Some(-1)),
        ("9223372036854.775807", Some(i64::MAX)),
        ("9223372036854.775808", None),
        ("1e30", None),
    ] {
        assert_eq!(seconds(text), micros, "{text}");
    }
}

#[test]
fn days_are_real_days() {
    assert_eq!(number::days("1970-01-01"), Some(0));
    assert_eq!(number::days("2024-02-29"), Some(19_782));
    for text in ["2023-02-29", "2024-13-01", "2024-1-01", "2024-01-01T", "+024-01-01", "20240101"] {
        assert_eq!(number::days(text), None, "{text}");
    }
}
