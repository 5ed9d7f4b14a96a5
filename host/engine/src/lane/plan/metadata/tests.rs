//! What a record has beside its value stands in its row, and what it lacks is null or refuses it.

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use expect_test::expect;

use super::*;
use sluicegate_connect::source::{Absent, Headers, NO_TIMESTAMP, RecordBlock};
use sluicegate_formats::json::decode::Decoder;
use sluicegate_model::position::{NextOffset, Partition, Position};
use sluicegate_model::schema::{Origin, TextForm, TimestampEncoding};
use sluicegate_model::varlen::Varlen;

fn column(name: &str, kind: ColumnType, nullable: bool, origin: Origin) -> Column {
    Column { name: name.to_owned(), kind, nullable, origin, form: TextForm::default() }
}

/// Made of what stands beside the value.
fn beside(name: &str, kind: ColumnType, nullable: bool, metadata: Metadata) -> Column {
    column(name, kind, nullable, Origin::Metadata(metadata))
}

fn of_value(name: &str) -> Column {
    column(name, ColumnType::Int64, false, Origin::Value(vec![name.to_owned()]))
}

fn header(name: &str) -> Metadata {
    Metadata::Header(name.to_owned())
}

const MILLIS: ColumnType = ColumnType::Timestamp(TimestampEncoding::UnixMillis);

/// Five records at the offsets 10, 12, … of partition 3 of a topic: the second is no JSON, the third has no key, the
/// fourth one that is no text, the last no timestamp. Their headers: see below.
fn block() -> RecordBlock {
    let values = [r#"{"n":1}"#, "no JSON", r#"{"n":3}"#, r#"{"n":4}"#, r#"{"n":5}"#];
    let keys: [&[u8]; 5] = [b"a", b"b", b"", b"\xff\x00", b""];
    let mut headers = Headers::default();
    let all: [(usize, &str, Option<&[u8]>); 7] = [
        (0, "trace", Some(b"first")),
        (0, "other", Some(b"x")),
        (0, "trace", Some(b"last")),
        (2, "trace", None),
        (2, "Trace", Some(b"another name")),
        (3, "trace", Some(b"")),
        (4, "trace", Some(b"\x80")),
    ];
    for (record, name, value) in all {
        headers.push(record, Header { name: name.as_bytes(), value });
    }
    RecordBlock {
        partition: Partition { stream: "sales".into(), number: 3 },
        values: Arc::new(values.iter().map(|value| value.as_bytes()).collect()),
        no_value: Absent::default(),
        keys: Some(Arc::new(keys.into_iter().collect::<Varlen>())),
        no_key: [2].into_iter().collect(),
        offsets: vec![10, 12, 14, 16, 18],
        timestamps: Some(vec![1_000, 2_000, 3_000, 4_000, NO_TIMESTAMP]),
        headers: Some(headers),
        next: Position::at(NextOffset::at(19)),
    }
}

/// The records from `first` on, as a lane decodes them.
fn decode(columns: Vec<Column>, block: &RecordBlock, first: u32) -> Decoded {
    let wanted: Vec<usize> = (0..columns.len()).collect();
    let schema = Schema { columns };
    let range = first as usize..block.len();
    let decoded = Decoder::new(&schema, &wanted).decode(&block.values, range);
    MetadataColumns::new(&schema, &wanted).unwrap().add(decoded, block, first)
}

fn reasons(decoded: &Decoded) -> String {
    let line = |(record, reason): &(u32, String)| format!("{record}: {reason}\n");
    decoded.rejects.iter().map(line).collect()
}

fn texts(decoded: &Decoded, name: &str) -> Vec<Option<String>> {
    let column = decoded.batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn each_stands_in_its_column_in_the_order_of_the_schema() {
    let columns = vec![
        beside("topic", ColumnType::String, false, Metadata::Topic),
        beside("part", ColumnType::Int64, false, Metadata::Partition),
        of_value("n"),
        beside("at", MILLIS, true, Metadata::Timestamp),
        beside("place", ColumnType::Int64, false, Metadata::Offset),
        beside("who", ColumnType::Binary, true, Metadata::Key),
        beside("trace", ColumnType::Binary, true, header("trace")),
        beside("all", ColumnType::Json, false, Metadata::Headers),
    ];
    let decoded = decode(columns, &block(), 0);
    let names = decoded.batch.schema();
    let names: Vec<&str> = names.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["topic", "part", "n", "at", "place", "who", "trace", "all"]);
    assert_eq!(decoded.records, Some(vec![0, 2, 3, 4]));
    assert_eq!(decoded.rejects.len(), 1, "{:?}", decoded.rejects);

    let longs = |name: &str| {
        decoded.batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    assert_eq!(texts(&decoded, "topic"), vec![Some("sales".to_owned()); 4]);
    assert_eq!(longs("part"), [3; 4]);
    assert_eq!(longs("n"), [1, 3, 4, 5]);
    assert_eq!(longs("place"), [10, 14, 16, 18]);
    let at = decoded.batch.column_by_name("at").unwrap();
    let at: Vec<_> = at.as_primitive::<TimestampMicrosecondType>().iter().collect();
    assert_eq!(at, [Some(1_000), Some(3_000), Some(4_000), None]);
    let bytes = |name: &str| {
        let column = decoded.batch.column_by_name(name).unwrap().as_binary::<i32>();
        column.iter().map(|bytes| bytes.map(<[u8]>::to_vec)).collect::<Vec<_>>()
    };
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    assert_eq!(bytes("who"), [some(b"a"), None, some(b"\xff\x00"), some(b"")]);
    assert_eq!(bytes("trace"), [some(b"last"), None, some(b""), some(b"\x80")]);
    expect![[r#"
        [{"name":"trace","value":"first"},{"name":"other","value":"x"},{"name":"trace","value":"last"}]
        [{"name":"trace","value":null},{"name":"Trace","value":"another name"}]
        [{"name":"trace","value":""}]
        [{"hex":"80","name":"trace"}]
    "#]]
    .assert_eq(&texts(&decoded, "all").into_iter().map(|text| text.unwrap() + "\n").collect::<String>());
}

#[test]
fn a_record_that_lacks_what_may_not_be_null_is_refused_and_the_others_stay() {
    let columns = vec![
        beside("who", ColumnType::String, false, Metadata::Key),
        beside("trace", ColumnType::String, false, header("trace")),
        of_value("n"),
        beside("at", MILLIS, false, Metadata::Timestamp),
    ];
    let decoded = decode(columns, &block(), 0);
    expect![[r#"
        1: not JSON: Invalid literal (`true`, `false`, or a `null`) while parsing at line 1 column 4
        2: column `who` is missing: the record has no key
        3: column `who`: the key of the record is not UTF-8 from byte 0 on; the type "binary" takes any bytes
        4: column `trace`: the header `trace` of the record is not UTF-8 from byte 0 on; the type "binary" takes any bytes
    "#]]
    .assert_eq(&reasons(&decoded));
    assert_eq!(decoded.records, Some(vec![0]));
    assert_eq!(texts(&decoded, "who"), [Some("a".to_owned())]);
    assert_eq!(texts(&decoded, "trace"), [Some("last".to_owned())]);
    assert_eq!(decoded.batch.num_rows(), 1);
}

#[test]
fn reasons_name_what_is_not_there() {
    let columns = vec![
        of_value("n"),
        beside("trace", ColumnType::Binary, false, header("trace")),
        beside("at", MILLIS, false, Metadata::Timestamp),
        beside("hop", ColumnType::Binary, false, header("hop")),
    ];
    let mut block = block();
    block.values = Arc::new([&br#"{"n":0}"#[..]; 5].into_iter().collect());
    let decoded = decode(columns, &block, 1);
    expect![[r#"
        1: column `trace` is missing: the record has no header `trace`
        2: column `trace` is missing: header `trace` of the record has no value
        3: column `hop` is missing: the record has no header `hop`
        4: column `at` is missing: the record has no timestamp
    "#]]
    .assert_eq(&reasons(&decoded));
    assert_eq!((decoded.records, decoded.batch.num_rows()), (Some(Vec::new()), 0));
}

/// A nullable column is null where there is nothing, and still refuses what is no text.
#[test]
fn text_is_text_also_where_it_may_be_null() {
    let columns = vec![
        of_value("n"),
        beside("who", ColumnType::String, true, Metadata::Key),
        beside("trace", ColumnType::String, true, header("trace")),
    ];
    let decoded = decode(columns, &block(), 2);
    let refused: Vec<u32> = decoded.rejects.iter().map(|(record, _)| *record).collect();
    assert_eq!(refused, [3, 4]);
    assert_eq!(decoded.records, Some(vec![2]));
    assert_eq!((texts(&decoded, "who"), texts(&decoded, "trace")), (vec![None], vec![None]));
}

#[test]
fn a_line_of_a_file_has_its_place_and_nobody_else_pays() {
    let columns = vec![
        beside("file", ColumnType::String, false, Metadata::Path),
        of_value("n"),
        beside("byte", ColumnType::Int64, false, Metadata::Offset),
    ];
    let line = RecordBlock {
        partition: Partition { stream: "in/a.ndjson".into(), number: 0 },
        keys: None,
        timestamps: None,
        headers: None,
        ..block()
    };
    let decoded = decode(columns.clone(), &line, 2);
    assert_eq!(decoded.records, None, "all of the range");
    assert_eq!(texts(&decoded, "file"), vec![Some("in/a.ndjson".to_owned()); 3]);
    let schema = Schema { columns };
    assert!(MetadataColumns::new(&schema, &[1]).is_none());
}
