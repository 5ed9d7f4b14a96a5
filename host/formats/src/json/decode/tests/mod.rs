//! What the decoder takes and refuses, and that it agrees with a plain reference over generated records.

mod coded;
mod leads;
mod numbers;
mod plain;
mod reference;
mod templates;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal64Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use expect_test::expect;

use super::*;
use sluicegate_model::schema::{Column, ColumnType, Origin, TextForm, TimestampEncoding};
use sluicegate_model::time_text::{self, TimeFormat};

fn column(name: &str, kind: ColumnType) -> Column {
    let form = TextForm::default();
    let origin = Origin::Value(vec![name.to_owned()]);
    Column { name: name.to_owned(), kind, nullable: false, origin, form }
}

fn nullable(column: Column) -> Column {
    Column { nullable: true, ..column }
}

fn at(path: &[&str], column: Column) -> Column {
    Column { origin: Origin::Value(path.iter().map(|&key| key.to_owned()).collect()), ..column }
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
fn reasons_say_what_a_file_looks_like_that_has_no_object_a_line() {
    let records = [
        "[",
        r#"{"n":1},"#,
        r#"  "n": 1,"#,
        "}",
        r#"[{"n":1}]"#,
        "\0{\0\"\0n\0\"\0:\x001\0}\0",
        "{\0\"\0n\0\"\0:\x001\0}\0",
    ];
    expect![[r#"
        not JSON by itself: `[` is a part of a value over several lines: write each object on one line
        not JSON by itself: `{"n":1},` is a part of a value over several lines: write each object on one line
        not JSON by itself: `"n": 1,` is a part of a value over several lines: write each object on one line
        not JSON by itself: `}` is a part of a value over several lines: write each object on one line
        expected a JSON object, found an array: write each of its elements as a record, or a line, of its own
        looks like UTF-16: records are UTF-8, let the sender write that
        looks like UTF-16: records are UTF-8, let the sender write that
    "#]].assert_eq(&verdicts(&[column("n", ColumnType::Int64)], &records));
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
        column `n`: expected int64, found "1", a number in quotes, which `quoted = true` takes
        column `n`: expected int64, found an object
        column `n`: its key occurs twice
        column `city`: expected an object around it, found "Köln"
        ok
        expected a JSON object, found an array: write each of its elements as a record, or a line, of its own
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
fn a_value_of_any_kind_is_kept_as_its_text() {
    let columns = [
        nullable(column("v", ColumnType::Json)),
        nullable(at(&["v", "n"], column("n", ColumnType::Int64))),
        nullable(at(&["v", "n"], column("n_text", ColumnType::Json))),
    ];
    let decoded = decode(
        &columns,
        &[
            r#"{"v":{"n":7, "tags":["a","\u00fc"]}}"#,
            r#"{"v":null}"#,
            "{}",
            r#"{"v":{"n":-0.50e1}}"#,
        ],
    );
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let texts = |column: usize| -> Vec<Option<String>> {
        let array = decoded.batch.column(column).as_string::<i32>();
        array.iter().map(|text| text.map(str::to_owned)).collect()
    };
    let whole = r#"{"n":7, "tags":["a","\u00fc"]}"#;
    assert_eq!(
        texts(0),
        [Some(whole), None, None, Some(r#"{"n":-0.50e1}"#)].map(|t| t.map(str::to_owned))
    );
    assert_eq!(texts(2), [Some("7"), None, None, Some("-0.50e1")].map(|t| t.map(str::to_owned)));
    let numbers: Vec<_> = decoded.batch.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(numbers, [Some(7), None, None, Some(-5)]);
    // Alone, so that nobody else looks into it.
    let damaged = verdicts(
        &[column("v", ColumnType::Json)],
        &[r#"{"v":[1,]}"#, r#"{"v":"\x"}"#, r#"{"v":{"a":01}}"#, r#"{"v":null}"#, r#"{"v":[]}"#],
    );
    assert_eq!(damaged.matches("not JSON: ").count(), 3, "{damaged}");
    assert!(damaged.ends_with("column `v`: expected json, found null\nok\n"), "{damaged}");
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
fn a_long_decimal_is_exact_or_refused() {
    use number::NumberFault::{NotANumber, Unfit};
    let nines = 10_i128.pow(38) - 1;
    let decimal = |text: &str| number::long_decimal(text.as_bytes(), 38, 4);
    for (text, value) in [
        ("0", 0),
        ("-0.0", 0),
        ("12.34", 123_400),
        ("-99999999999999999", -999_999_999_999_999_990_000),
        ("9999999999999999999999999999999999.9999", nines),
        ("-9999999999999999999999999999999999.9999", -nines),
        ("99999999999999999999999999999999999999e-4", nines),
        ("1.8446744073709551616e19", 184_467_440_737_095_516_160_000),
        ("00000000000000000000000000000000000000000000000001", 10_000),
        ("0.00010000000000000000000000000000000000000000000000", 1),
        ("0e99999999999999999999999", 0),
    ] {
        assert_eq!(decimal(text), Ok(value), "{text}");
    }
    for text in [
        "10000000000000000000000000000000000",
        "1e34",
        "1e35",
        "17014118346046923173168730371588410.5728",
        "34028236692093846346337460743176821.1456",
        "123456789012345678901234567890123456789012345",
    ] {
        let reason = "which has too many digits before the point";
        assert_eq!(decimal(text), Err(Unfit(reason)), "{text}");
    }
    for text in ["0.00001", "1e-5", "1e-39", "1.00000000000000000000000000000000000000000000001"] {
        let reason = "which has too many digits behind the point";
        assert_eq!(decimal(text), Err(Unfit(reason)), "{text}");
    }
    for text in ["", "-", ".5", "1.2.3", "1e", "NaN"] {
        assert_eq!(decimal(text), Err(NotANumber), "{text}");
    }
    let all = number::long_decimal(b"0.99999999999999999999999999999999999999", 38, 38);
    assert_eq!(all, Ok(nines));
    assert_eq!(
        number::long_decimal(b"1", 38, 38),
        Err(Unfit("which has too many digits before the point"))
    );
    assert_eq!(number::long_decimal(b"1000000000000000000", 19, 0), Ok(10_i128.pow(18)));
    assert!(number::long_decimal(b"10000000000000000000", 19, 0).is_err());
}

#[test]
fn long_decimals_come_from_numbers_and_texts() {
    let decimal = ColumnType::Decimal { precision: 38, scale: 4 };
    let columns = [nullable(column("d", decimal))];
    let records = [
        r#"{"d":9999999999999999999999999999999999.9999}"#,
        r#"{"d":"-9999999999999999999999999999999999.9999"}"#,
        r#"{"d":1.5}"#,
        r#"{"d":"25"}"#,
        r#"{"d":null}"#,
    ];
    let decoded = decode(&columns, &records);
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let column = decoded.batch.column(0);
    assert_eq!(column.data_type(), &DataType::Decimal128(38, 4));
    let nines = 10_i128.pow(38) - 1;
    let values: Vec<_> = column.as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(values, [Some(nines), Some(-nines), Some(15_000), Some(250_000), None]);
    expect![[r#"
        column `d`: expected decimal(38,4), found 10000000000000000000000000000000000, which has too many digits before the point
        column `d`: expected decimal(38,4), found "1e-5", which has too many digits behind the point
        column `d`: expected decimal(38,4), found "12 €"
        column `d`: expected decimal(38,4), found true
    "#]]
    .assert_eq(&verdicts(
        &columns,
        &[
            r#"{"d":10000000000000000000000000000000000}"#,
            r#"{"d":"1e-5"}"#,
            r#"{"d":"12 €"}"#,
            r#"{"d":true}"#,
        ],
    ));
}

#[test]
fn seconds_are_cut_to_the_microsecond_towards_the_past() {
    let seconds = |text: &str| number::micros(text.as_bytes(), 6).ok();
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
        ("-9223372036854.775808", Some(i64::MIN)),
        ("-9223372036854.7758081", None),
        ("1e30", None),
    ] {
        assert_eq!(seconds(text), micros, "{text}");
    }
}

#[test]
fn times_in_other_units_take_what_seconds_take() {
    let moment = |text: &str, digits| number::micros(text.as_bytes(), digits).ok();
    for (text, digits, micros) in [
        ("1795258800000.0", 3, Some(1_795_258_800_000_000)),
        ("1795258800123.456", 3, Some(1_795_258_800_123_456)),
        ("1.7952588E12", 3, Some(1_795_258_800_000_000)),
        ("-0.0001", 3, Some(-1)),
        ("5.0", 0, Some(5)),
        ("5.9", 0, Some(5)),
        ("-5.1", 0, Some(-6)),
        ("1e3", 0, Some(1_000)),
        ("9223372036854775808", 0, None),
        ("9223372036854775.808", 3, None),
    ] {
        assert_eq!(moment(text, digits), micros, "{text}");
    }
}

#[test]
fn an_integer_may_be_written_as_a_float_if_it_is_one() {
    let columns = [column("n", ColumnType::Int64)];
    let texts =
        ["5.0", "1e3", "-0", "-0.0", "1.5e1", "9223372036854775807", "-9223372036854775808.0"];
    let records = texts.map(|text| format!(r#"{{"n":{text}}}"#));
    let decoded = decode(&columns, &records.each_ref().map(String::as_str));
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let values = decoded.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(values, [5, 1000, 0, 0, 15, i64::MAX, i64::MIN]);
}

#[test]
fn numbers_in_quotes_are_taken_where_the_column_says_so() {
    let quoted = |column: Column| Column {
        form: TextForm { quoted: true, ..TextForm::default() },
        ..column
    };
    let millis = ColumnType::Timestamp(TimestampEncoding::UnixMillis);
    let columns = [
        quoted(column("n", ColumnType::Int64)),
        quoted(column("f", ColumnType::Float64)),
        quoted(column("ms", millis)),
    ];
    let decoded = decode(
        &columns,
        &[
            r#"{"n":"5","f":"2.5","ms":"1.5"}"#,
            r#"{"n":6,"f":1e1,"ms":2}"#,
            r#"{"n":"\u0037","f":"-0","ms":"3e0"}"#,
        ],
    );
    assert!(decoded.rejects.is_empty(), "{:?}", decoded.rejects);
    let batch = &decoded.batch;
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[5, 6, 7]);
    assert_eq!(batch.column(1).as_primitive::<Float64Type>().values(), &[2.5, 10.0, 0.0]);
    let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values(), &[1_500, 2_000, 3_000]);
    expect![[r#"
        column `n`: expected int64, found ""
        column `n`: expected int64, found "5 "
        column `n`: expected int64, found "0x5"
        column `f`: expected float64, found "inf"
        column `ms`: expected timestamp(ms), found "now"
    "#]]
    .assert_eq(&verdicts(
        &columns,
        &[
            r#"{"n":"","f":1,"ms":1}"#,
            r#"{"n":"5 ","f":1,"ms":1}"#,
            r#"{"n":"0x5","f":1,"ms":1}"#,
            r#"{"n":1,"f":"inf","ms":1}"#,
            r#"{"n":1,"f":1,"ms":"now"}"#,
        ],
    ));
}

fn local(zone: i32, format: Option<&str>) -> Column {
    let format = format.map(|format| TimeFormat::new(format).unwrap());
    let kind = ColumnType::Timestamp(TimestampEncoding::Local);
    Column { form: TextForm { zone, format, quoted: false }, ..column("at", kind) }
}

/// The times that a column makes of texts, as RFC 3339, or the reason.
fn times(column: &Column, texts: &[&str]) -> String {
    let records: Vec<_> =
        texts.iter().map(|text| serde_json::json!({ "at": text }).to_string()).collect();
    let records: Vec<_> = records.iter().map(String::as_str).collect();
    let decoded = decode(std::slice::from_ref(column), &records);
    let mut times = decoded.batch.column(0).as_primitive::<TimestampMicrosecondType>().iter();
    let mut lines = String::new();
    for index in 0..u32::try_from(texts.len()).unwrap() {
        lines += &match decoded.rejects.iter().find(|(record, _)| *record == index) {
            Some((_, reason)) => reason.clone(),
            None => sluicegate_model::time::EventTime(times.next().unwrap().unwrap()).to_string(),
        };
        lines.push('\n');
    }
    lines
}

#[test]
fn a_time_without_a_zone_is_in_the_zone_that_is_declared() {
    let texts = ["2020-01-01T00:00:00", "2020-01-01 00:00:00.25", "2020-01-01T00:00:00Z"];
    expect![[r#"
        2020-01-01T00:00:00Z
        2020-01-01T00:00:00.250Z
        2020-01-01T00:00:00Z
    "#]]
    .assert_eq(&times(&local(0, None), &texts));
    expect![[r#"
        2019-12-31T22:00:00Z
        2019-12-31T22:00:00.250Z
        2020-01-01T00:00:00Z
    "#]]
    .assert_eq(&times(&local(7200, None), &texts));
}

#[test]
fn times_are_taken_as_python_spark_java_and_databases_write_them() {
    expect![[r#"
        2020-01-01T00:00:00.123456Z
        2020-01-01T00:00:00Z
        2020-01-01T12:30:00Z
        2020-01-01T00:00:00.123Z
        2019-12-31T22:00:00Z
        2019-12-31T22:00:00Z
        2019-12-31T22:00:00Z
        2020-01-01T00:00:00Z
        2016-12-31T23:59:60Z is 2017
    "#]]
    .assert_eq(
        &times(
            &local(0, None),
            &[
                "2020-01-01 00:00:00.123456789",
                "2020-01-01T00:00",
                "2020-01-01t12:30",
                "2020-01-01 00:00:00,123",
                "2020-01-01 00:00:00+02",
                "2020-01-01T00:00:00.000+0200",
                "2020-01-01 00:00:00+02:00",
                "2020-01-01 00:00:00 UTC",
                "2016-12-31T23:59:60",
            ],
        )
        .replace("2017-01-01T00:00:00Z", "2016-12-31T23:59:60Z is 2017"),
    );
}

#[test]
fn what_is_no_time_is_shown_with_what_would_be_one() {
    expect![[r#"
        column `at`: expected timestamp(local), found "2020-01-01", which is a day: `format = "%Y-%m-%d"` takes it for its midnight
        column `at`: expected timestamp(local), found "2020-02-30 00:00:00", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01 24:00:00", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01 10:00:60", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01 10:00:00.", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01 10:00:00 CET", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01 1:00:00", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "2020-01-01ä00:00:00", which is not a time like `2026-11-21T10:00:00`
        column `at`: expected timestamp(local), found "", which is not a time like `2026-11-21T10:00:00`
    "#]]
    .assert_eq(&times(
        &local(0, None),
        &[
            "2020-01-01",
            "2020-02-30 00:00:00",
            "2020-01-01 24:00:00",
            "2020-01-01 10:00:60",
            "2020-01-01 10:00:00.",
            "2020-01-01 10:00:00 CET",
            "2020-01-01 1:00:00",
            "2020-01-01ä00:00:00",
            "",
        ],
    ));
    let rfc = column("at", ColumnType::Timestamp(TimestampEncoding::Rfc3339));
    expect![[r#"
        column `at`: expected timestamp(rfc3339), found "2020-01-01T00:00:00", which has no zone, or not as RFC 3339 writes it: timestamp(local) takes it
        column `at`: expected timestamp(rfc3339), found "now", which is not a time like `2026-11-21T10:00:00Z`
        column `at`: expected timestamp(rfc3339), found "2020-01-01T10:00:60Z", which is not a time like `2026-11-21T10:00:00Z`
        2017-01-01T00:00:00.500Z
    "#]]
    .assert_eq(&times(
        &rfc,
        &["2020-01-01T00:00:00", "now", "2020-01-01T10:00:60Z", "2017-01-01T00:59:60.5+01:00"],
    ));
}

#[test]
fn a_declared_format_is_what_is_taken() {
    expect![[r#"
        2020-01-31T22:15:00Z
        column `at`: expected timestamp(local), found "2020-02-01 00:15:00", which is not written as its `format` says
    "#]]
    .assert_eq(&times(
        &local(7200, Some("%d.%m.%Y %H:%M")),
        &["01.02.2020 00:15", "2020-02-01 00:15:00"],
    ));
    let day = local(-3600, Some("%d/%b/%Y"));
    assert_eq!(times(&day, &["01/Feb/2020"]), "2020-02-01T01:00:00Z\n");
    let apache = local(7200, Some("%d/%b/%Y:%H:%M:%S %z"));
    assert_eq!(times(&apache, &["01/Feb/2020:10:00:00 -0500"]), "2020-02-01T15:00:00Z\n");

    let format = TimeFormat::new("%d.%m.%Y").ok();
    let form = TextForm { format, ..TextForm::default() };
    let day = Column { form, ..column("d", ColumnType::Date) };
    let decoded = decode(&[day], &[r#"{"d":"02.01.1970"}"#, r#"{"d":"1970-01-02"}"#]);
    assert_eq!(decoded.batch.column(0).as_primitive::<Date32Type>().values(), &[1]);
    assert_eq!(decoded.rejects.len(), 1);
}

#[test]
fn a_reason_shows_the_number_that_was_read() {
    let columns = [
        column("s", ColumnType::String),
        nullable(column("n", ColumnType::Int64)),
        nullable(at(&["a", "b"], column("b", ColumnType::Bool))),
    ];
    expect![[r#"
        column `s`: expected string, found 5.0
        column `n`: expected int64, found 1.50
        column `n`: expected int64, found 1e30, which needs more than 64 bits
        column `b`: expected bool, found -1.0e0
        column `b`: expected an object around it, found 7.0
        expected a JSON object, found 5.0
        column `s`: expected string, found -0
    "#]]
    .assert_eq(&verdicts(
        &columns,
        &[
            r#"{"s":5.0}"#,
            r#"{"s":"","n":1.50}"#,
            r#"{"s":"","n":1e30}"#,
            r#"{"s":"","a":{"b":-1.0e0}}"#,
            r#"{"s":"","a":7.0}"#,
            " 5.0 ",
            r#"{"s":-0}"#,
        ],
    ));
}

#[test]
fn what_is_sent_before_the_json_has_its_own_sentence() {
    let schema = Schema { columns: vec![column("n", ColumnType::Int64)] };
    let records: [&[u8]; 4] = [
        b"\xef\xbb\xbf{\"n\":1}",
        b"\xff\xfe{\0\"\0n\0",
        b"\0\0\0\0\x2a{\"n\":1}",
        b"\0\0\0\xff\x2a\x02\x80",
    ];
    let values: Varlen = records.into_iter().collect();
    let decoded = Decoder::new(&schema, &[0]).decode(&values, 0..4);
    let reasons: String = decoded.rejects.iter().map(|(_, reason)| format!("{reason}\n")).collect();
    expect![[r#"
        begins with a byte-order mark (U+FEFF), which JSON does not have: let the sender leave it out
        begins with a byte-order mark of UTF-16: records are UTF-8, let the sender write that
        begins with the prefix of a schema registry (schema 42): records are plain JSON, let the sender use a serializer without the registry
        begins with the prefix of a schema registry (schema 65322): records are plain JSON, let the sender use a serializer without the registry
    "#]]
    .assert_eq(&reasons);
}

#[test]
fn days_are_real_days() {
    assert_eq!(time_text::days("1970-01-01"), Some(0));
    assert_eq!(time_text::days("2024-02-29"), Some(19_782));
    for text in ["2023-02-29", "2024-13-01", "2024-1-01", "2024-01-01T", "+024-01-01", "20240101"] {
        assert_eq!(time_text::days(text), None, "{text}");
    }
}

#[test]
fn null_in_the_place_of_an_object_is_as_good_as_a_missing_key() {
    let columns = [
        nullable(at(&["to", "city"], column("city", ColumnType::String))),
        at(&["by", "name"], column("name", ColumnType::String)),
    ];
    let said = verdicts(
        &columns,
        &[r#"{"to":null,"by":{"name":"a"}}"#, r#"{"to":{"city":"b"},"by":null}"#, r#"{"to":{}}"#],
    );
    let said: Vec<&str> = said.lines().collect();
    assert_eq!((said[0], said[1]), ("ok", said[2]));
    assert_ne!(said[2], "ok");
}
