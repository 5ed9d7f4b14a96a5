//! A dead letter holds all of its record, so that it can be mended and sent again as it was
//! (docs/design/decisions.md#d14).

use arrow::array::{Array, AsArray, ListArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::harness::host::{Host, ended, run_to_end, sluicegate};
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::topic::{HeaderList, Topic};
use crate::harness::{eventually, services};

const BAD: &[u8] = b"\xff no JSON";
const GOOD: &[u8] = br#"{"store":"store-1","price":1,"ts":1700000000}"#;
const SENT_MS: i64 = 1_700_000_000_000;

/// A dead letter as it is to be sent again.
#[derive(Debug)]
struct Letter {
    offset: i64,
    value: Vec<u8>,
    headers: HeaderList,
}

fn letters(place: &Place) -> Vec<Letter> {
    let mut letters = Vec::new();
    for path in place.list("dead") {
        let reader = ParquetRecordBatchReaderBuilder::try_new(place.read(&path)).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap();
            letters.extend((0..batch.num_rows()).map(|row| Letter {
                offset: column("offset").as_primitive::<Int64Type>().value(row),
                value: column("value").as_binary::<i32>().value(row).to_vec(),
                headers: headers(column("headers").as_list(), row),
            }));
        }
    }
    letters.sort_by_key(|letter| letter.offset);
    letters
}

fn headers(lists: &ListArray, row: usize) -> HeaderList {
    assert!(lists.is_valid(row), "the headers of a record are known");
    let list = lists.value(row);
    let columns = list.as_struct();
    let names = columns.column_by_name("name").unwrap().as_string::<i32>();
    let values = columns.column_by_name("value").unwrap().as_binary::<i32>();
    let header = |(name, value): (Option<&str>, Option<&[u8]>)| {
        (name.unwrap().to_owned(), value.map(<[u8]>::to_vec))
    };
    names.iter().zip(values).map(header).collect()
}

fn header(name: &str, value: Option<&[u8]>) -> (String, Option<Vec<u8>>) {
    (name.to_owned(), value.map(<[u8]>::to_vec))
}

/// Names that repeat, an order that is not the alphabet's, bytes that are no text, an empty value and none: all of it
/// comes back from the table, with good records and dead ones without headers between them.
#[test]
fn dead_letters_keep_their_headers_and_can_be_sent_again() {
    let topic = Topic::create(services::kafka(), "headers", 1);
    let several = vec![
        header("trace", Some(&[0x00, 0xff, 0xfe, 0x80])),
        header("hop", Some(b"b")),
        header("größe", Some(b"")),
        header("hop", Some(b"a")),
        header("hop", None),
    ];
    let one = vec![header("tenant", Some(b"north"))];
    topic.send_with_headers(0, SENT_MS, GOOD, &one);
    topic.send_with_headers(0, SENT_MS, BAD, &several);
    topic.send(0, SENT_MS, BAD);
    topic.send_with_headers(0, SENT_MS, GOOD, &several);
    topic.send_with_headers(0, SENT_MS, BAD, &one);
    topic.flush();
    let place = Place::local();
    run_to_end(&place, &Pipeline::sales(kafka_bounded(&topic)).write(&place));

    let dead = letters(&place);
    let offsets: Vec<i64> = dead.iter().map(|letter| letter.offset).collect();
    assert_eq!(offsets, [1, 2, 4]);
    let again = Topic::create(services::kafka(), "headers-again", 1);
    for Letter { value, headers, .. } in &dead {
        again.send_with_headers(0, SENT_MS, value, headers);
    }
    again.flush();
    let sent = topic.read_back();
    for (letter, copy) in dead.iter().zip(again.read_back()) {
        let record = &sent[usize::try_from(letter.offset).unwrap()];
        assert_eq!((&copy.value, &copy.headers), (&record.value, &record.headers));
    }
    assert_eq!([&dead[0].headers, &dead[2].headers], [&several, &one]);

    let folder = format!("{}/dead", place.url);
    let shown = ended(sluicegate(&place).arg("table").arg(folder));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("{name: tenant, value: 6e6f727468}"), "{shown}");
}

/// Why a record is not in the table: over HTTP, before its epoch is committed and after, with a record of a megabyte and markup
/// among them.
#[test]
fn dead_letters_and_late_rows_are_shown_before_they_are_committed_and_after() {
    let topic = Topic::create_for_large(services::kafka(), "letters-shown", 1);
    let place = Place::local();
    let pipeline = Pipeline { checkpoint: "3s", ..Pipeline::sales(kafka(&topic)) };
    let host = Host::serve(&place, &pipeline.write(&place));
    let markup = format!("<script>alert(1)</script>\u{1b}[2J{}", "x".repeat(1 << 20));
    let sale = |ts: i64| format!(r#"{{"store":"store-1","price":1,"ts":{ts}}}"#);
    topic.send(0, SENT_MS, sale(1_700_001_000).as_bytes());
    topic.send_with_headers(0, SENT_MS, markup.as_bytes(), &vec![header("trace", Some(&[0, 255]))]);
    topic.send(0, SENT_MS, sale(1_700_000_000).as_bytes());
    topic.send(0, SENT_MS, BAD);
    topic.flush();
    let letters = |query: &str| host.get(&format!("/v1/pipelines/sales/dead-letters{query}"));
    let check = |committed: bool| {
        let shown = eventually("both dead letters are shown", || {
            let shown = letters("?kind=decode");
            let rows = shown["rows"].as_array().unwrap();
            let is_there = rows.len() == 2 && rows.iter().all(|row| row["committed"] == committed);
            // What is not committed is so soon.
            (is_there || !committed && rows.iter().any(|row| row["committed"] == true))
                .then_some(shown)
        });
        let (bad, large) = (&shown["rows"][0], &shown["rows"][1]);
        assert_eq!(
            (&bad["offset"], &bad["record"]["hex"]),
            (&3.into(), &"ff206e6f204a534f4e".into())
        );
        assert_eq!(
            (&bad["stage"], &bad["stream"]),
            (&"sluicegate".into(), &topic.name.as_str().into())
        );
        let record = &large["record"];
        assert_eq!((&record["bytes"], &record["cut"]), (&markup.len().into(), &true.into()));
        let text = record["text"].as_str().unwrap();
        assert!(markup.starts_with(text) && text.len() == 4 << 10, "{} bytes", text.len());
        assert_eq!(large["headers"][0]["hex"], "00ff");
        assert_eq!(shown["reasons"][0]["kind"], "decode");
    };
    check(false);
    check(true);
    assert_eq!(letters("?stage=valid")["rows"].as_array().unwrap().len(), 0);
    let first = letters("?limit=1");
    assert_eq!(first["rows"][0]["offset"], 3);
    let second = letters(&format!("?limit=1&before={}", first["older"].as_str().unwrap()));
    assert_eq!(second["rows"][0]["offset"], 1);

    let late = host.get("/v1/pipelines/sales/late-rows");
    let (columns, row) = (late["columns"].as_array().unwrap(), &late["rows"][0]);
    let store = columns.iter().position(|column| column == "store").unwrap();
    assert_eq!(row["values"][store], "store-1");
    assert!(row["late_reason"].as_str().unwrap().contains("past the end"), "{row}");
    assert_eq!((&row["committed"], late["rows"].as_array().unwrap().len()), (&true.into(), 1));
    host.stop();
}
