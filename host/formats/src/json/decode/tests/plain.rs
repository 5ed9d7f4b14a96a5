//! The plain way against the parser: whatever it takes, the parser takes with the same values.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

use super::{at, column, nullable};
use crate::json::decode::Decoder;
use sluicegate_model::schema::{Column, ColumnType, Schema, TextForm, TimestampEncoding};
use sluicegate_model::varlen::Varlen;

const ORDINARY: &str = r#"{"store":"store-1","price":4.20,"n":-7,"a key of more than eight bytes":0.5,"ok":true,"ts":1767225600,"ms":5,"us":5.0,"q":"7","qf":"0.5","at":"2026-11-21 10:00:00","deep":{"x":"y","er":-3},"flat":{"a":[1,"b",[]],"c":{}}}"#;

fn quoted(column: Column) -> Column {
    Column { form: TextForm { quoted: true, ..TextForm::default() }, ..column }
}

fn columns() -> Vec<Column> {
    let decimal = ColumnType::Decimal { precision: 9, scale: 2 };
    vec![
        column("store", ColumnType::String),
        column("price", decimal),
        nullable(column("n", ColumnType::Int64)),
        nullable(column("a key of more than eight bytes", ColumnType::Float64)),
        nullable(column("ok", ColumnType::Bool)),
        nullable(column("ts", ColumnType::Timestamp(TimestampEncoding::UnixSeconds))),
        nullable(column("ms", ColumnType::Timestamp(TimestampEncoding::UnixMillis))),
        nullable(quoted(column("us", ColumnType::Timestamp(TimestampEncoding::UnixMicros)))),
        nullable(quoted(column("q", ColumnType::Int64))),
        nullable(quoted(column("qf", ColumnType::Float64))),
        nullable(column("at", ColumnType::Timestamp(TimestampEncoding::Local))),
        nullable(at(&["deep", "er"], column("deeper", ColumnType::Int64))),
        nullable(at(&["deep", "er"], column("deeper_text", ColumnType::Json))),
        nullable(at(&["deep", "in", "a"], column("deepest", ColumnType::String))),
        nullable(at(&["deep", "z"], column("z", ColumnType::Int64))),
        nullable(at(&["flat"], column("raw", ColumnType::Json))),
        nullable(at(&["price"], column("price_text", ColumnType::Json))),
        nullable(at(&["n"], column("n_again", ColumnType::Float64))),
    ]
}

/// Columns of all kinds, and the indexes of all of them.
pub(super) fn schema() -> (Schema, Vec<usize>) {
    let columns = columns();
    let wanted = (0..columns.len()).collect();
    (Schema { columns }, wanted)
}

pub(super) fn decoder() -> Decoder {
    let (schema, wanted) = schema();
    Decoder::new(&schema, &wanted)
}

/// A record by the parser alone: its row, or why it has none.
pub(super) fn parsed(record: &str) -> Result<RecordBatch, String> {
    let mut decoder = decoder();
    decoder.parse_record(record, 0)?;
    decoder.fill(0)?;
    Ok(decoder.finish(1))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,3})?",
        2 => "-?[0-9]{1,20}(\\.[0-9]{0,20})?",
        1 => "-?[0-9]{1,3}(\\.[0-9]{1,2})?[eE][+-]?[0-9]{1,2}",
        1 => Just("-0.0".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z0-9-]{0,20}".prop_map(|text| format!("\"{text}\"")),
        2 => "\\PC{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => "[ -~\\x01é]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("true"),
        Just("false"),
        Just("null"),
        Just("truth"),
        Just("{\"er\":1}"),
        Just("{\"er\":1,\"er\":2}"),
        Just("{\"er\" : [ ] , \"a\":{\"b\":null} }"),
        Just("{}"),
        Just("[1]"),
        Just("[1,]"),
        Just("[[[[[[[[[[{}]]]]]]]]]]"),
        Just("")
    ];
    prop_oneof![6 => number(), 4 => text(), 1 => word.prop_map(str::to_owned)]
}

/// In the order of the columns, so that a second record looks like the first.
fn record() -> impl Strategy<Value = String> {
    let other = ("\"[a-z]{1,3}\"", value());
    let time = prop_oneof![
        4 => "\"20[0-9]{2}-0[1-9]-[0-2][1-9][T ][01][0-9]:[0-5][0-9](:[0-6][0-9])?(\\.[0-9]{1,9})?(Z|\\+02:00)?\"",
        1 => value(),
    ];
    let quoted =
        || prop_oneof![3 => number().prop_map(|number| format!("\"{number}\"")), 1 => value()];
    let inner = (value(), number(), value(), number(), quoted(), quoted(), time);
    let entries = (text(), number(), number(), number(), value(), number(), value(), inner);
    let space = prop_oneof![9 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")];
    (entries, prop::collection::vec(other, 0..2), space.clone(), space).prop_map(
        |((store, price, n, f, ok, ts, ms, (x, er, flat, us, q, qf, at)), others, before, behind)| {
            let mut text = format!(
                "{before}{{\"store\":{before}{store},\"price\":{price}{behind},\"n\":{n},\
                 \"a key of more than eight bytes\":{f},\"ok\":{ok},{before}\"ts\":{ts},\"ms\":{ms},\
                 \"us\":{us},\"q\":{q},\"qf\":{qf},\"at\":{at},\
                 \"deep\":{behind}{{\"x\":{x},\"er\":{before}{er}}}{before},\"flat\":{flat}"
            );
            for (key, value) in others {
                text += &format!(",{key}:{value}");
            }
            text + "}" + behind
        },
    )
}

/// Another byte somewhere, or a byte less.
fn damaged() -> impl Strategy<Value = (String, prop::sample::Index, Option<u8>)> {
    (record(), any::<prop::sample::Index>(), prop::option::of(0x20_u8..0x7f))
}

fn damage((record, place, byte): (String, prop::sample::Index, Option<u8>)) -> String {
    let mut bytes = record.clone().into_bytes();
    let place = place.index(bytes.len());
    match byte {
        Some(byte) => bytes[place] = byte,
        None => drop(bytes.remove(place)),
    }
    String::from_utf8(bytes).unwrap_or(record)
}

/// Decodes records that lie behind one another, and compares what becomes of each with what the parser makes of it alone.
pub(super) fn each_as_alone(records: &[String]) -> Result<(), TestCaseError> {
    let values: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    let decoded = decoder().decode(&values, 0..records.len());
    let mut rows = 0;
    for (index, record) in records.iter().enumerate() {
        let reject = decoded.rejects.iter().find(|(reject, _)| *reject as usize == index);
        let row = match reject {
            Some((_, reason)) => Err(reason.clone()),
            None => Ok(decoded.batch.slice(rows, 1)),
        };
        rows += usize::from(row.is_ok());
        prop_assert_eq!(row, parsed(record), "{}", record);
    }
    prop_assert_eq!(rows, decoded.batch.num_rows());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_the_plain_way_takes_the_parser_takes_with_the_same_values(
        records in prop::collection::vec(prop_oneof![record(), damaged().prop_map(damage)], 1..12),
    ) {
        // An ordinary one before each, so that its keys are expected whatever is wrong with it; and twice each, so
        // that further keys are.
        let around = |one: &String| [ORDINARY.to_owned(), one.clone(), one.clone()];
        let records: Vec<String> = records.iter().flat_map(around).collect();
        each_as_alone(&records)?;
    }
}

/// How many of some records the parser reads.
fn given_up(records: &[&str]) -> u64 {
    let values: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    decoder().decode(&values, 0..records.len()).reread
}

#[test]
fn what_streams_are_made_of_is_read_in_one_pass() {
    // The last one has nothing behind it, so words of it are cut short.
    let others = [
        r#"{"price":1,"store":"s"}"#,
        r#" { "store" : "s" , "price" : 1.5 } "#,
        r#"{"store":"an \"escape\", \u00fc\n","price":1,"unknown":1,"x":[{"y":"\t"},-1.5e-3,[]]}"#,
        r#"{"store":"a text of more than sixteen bytes","price":1,"ok":null,"deep":{},"flat":{"a":"\\"}}"#,
        r#"{"store":"","price":-0.5,"n":123456789012345678}"#,
        r#"{"store":"s","price":1234567.25,"n":123456789,"x":1,"x":2,"ts":17641926,"ms":-123456789012345}"#,
        r#"{"store":"s","price":1,"deep":null}"#,
        r#"{"store":"s","deep" : null ,"price":1}"#,
        r#"{"store":"s","price":1,"deep":{"in":null,"er":1}}"#,
        "{\"store\":\"s\",\"price\":1}\r\n",
    ];
    for other in others {
        assert_eq!(given_up(&[ORDINARY, other, ORDINARY, other]), 0, "{other}");
        assert_eq!(given_up(&[other]), 0, "{other} by itself");
    }
}

#[test]
fn what_needs_the_parser_is_counted() {
    let few = [
        r#"{"store":"half a pair: \ud83d\ude00","price":1}"#,
        r#"{"store":"s","price":1e2}"#,
        r#"{"store":"s","price":1,"n":1234567890123456789}"#,
        r#"{"store":"s","price":1,"price":1}"#,
        r#"{"store":"s","x":1,"price":1,"x":2,"price":1}"#,
        r#"{"store":"s","price":1,"deep":{},"deep":{}}"#,
        r#"{"store":"s","price":1,"deep":null,"deep":{}}"#,
        r#"{"store":"s","price":1,"deep":nul}"#,
        r#"{"store":"s","price":1,"deep":nullx}"#,
        r#"{"store":"s","\u0070rice":1}"#,
        r#"{"store":"s"#,
        "",
    ];
    let among: Vec<&str> = few.iter().flat_map(|one| [ORDINARY, one]).collect();
    assert_eq!(given_up(&among), few.len() as u64);
}

#[test]
fn a_record_does_not_go_on_in_the_next_one() {
    let cut = [
        r#"{"store":"s","price":1"#,
        "}",
        r#"{"store":"s","price":1,"#,
        r#""n":2}"#,
        r#"{"store":"s","price":1,"n":2"#,
        "0}",
        r#"{"store":"s"#,
        r#"","price":1}"#,
        r#"{"store":"s","price":1,"x":["#,
        "]}",
        r#"{"store":"#,
        r#""\n","price":1}"#,
        r#"{"store""#,
        r#":"\n"}"#,
        r#"{"price":1,"store":"a\n"#,
        r#"\n"}"#,
    ];
    let values: Varlen = cut.iter().map(|part| part.as_bytes()).collect();
    let decoded = decoder().decode(&values, 0..cut.len());
    assert_eq!(decoded.rejects.len(), cut.len(), "{:?}", decoded.batch);
}

#[test]
fn keys_beyond_those_that_are_remembered_are_found() {
    let junk: String = (0..200).map(|number| format!("\"k{number}\":{number},")).collect();
    let first = format!("{{{junk}\"store\":\"s\",\"price\":1,\"n\":2}}");
    let last = format!("{{\"n\":3,{junk}\"price\":1,\"store\":\"t\"}}");
    let values: Varlen = [&first, &last, &first].iter().map(|it| it.as_bytes()).collect();
    let decoded = decoder().decode(&values, 0..3);
    assert_eq!((decoded.reread, &decoded.rejects), (0, &Vec::new()));
    let numbers = decoded.batch.column(2).as_primitive::<Int64Type>();
    assert_eq!(numbers.values(), &[2, 3, 2]);
}
