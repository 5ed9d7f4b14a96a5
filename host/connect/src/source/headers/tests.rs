//! Headers are found again by their record, and dead letters tell none from unknown.

use arrow::array::{Array, AsArray};

use crate::sink::dead_letters::{DeadLetter, DeadLetters};
use crate::source::{Header, Headers};
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::time::EventTime;

/// Records 1 and 3 have some.
fn headers() -> Headers {
    let mut headers = Headers::default();
    let of_records =
        [(1, "other", Some("x")), (3, "hop", Some("b")), (3, "hop", Some("")), (3, "hop", None)];
    for (record, name, value) in of_records {
        let header = Header { name: name.as_bytes(), value: value.map(str::as_bytes) };
        let bytes = headers.push(record, header);
        assert_eq!(bytes, name.len() + value.unwrap_or_default().len());
    }
    headers
}

#[test]
fn each_record_has_its_own() {
    let headers = headers();
    let counts = [0, 1, 2, 3, 4].map(|record| headers.of(record).iter().len());
    assert_eq!(counts, [0, 1, 0, 3, 0]);
    let values: Vec<_> = headers.of(3).iter().map(|header| header.value).collect();
    assert_eq!(values, [Some(&b"b"[..]), Some(&b""[..]), None], "in the order of the record");
    assert_eq!(headers.of(1).iter().next(), Some(Header { name: b"other", value: Some(b"x") }));
}

#[test]
fn a_dead_letter_lists_them() {
    let headers = headers();
    let mut letters = DeadLetters::default();
    for headers in [Some(headers.of(3)), Some(headers.of(2)), None] {
        letters.push(&DeadLetter {
            stage: "decode",
            kind: DeadLetterKind::Decode,
            reason: "no JSON",
            topic: Some("sales"),
            partition: Some(3),
            offset: Some(17),
            record_timestamp: Some(EventTime(5)),
            key: None,
            value: Some(b"{"),
            headers,
            module: None,
            rows: None,
            at: EventTime(5),
        });
    }
    let rows = letters.finish();
    let lists = rows.column_by_name("headers").unwrap().as_list::<i32>();
    let own = lists.value(0);
    let (names, values) = (own.as_struct().column(0), own.as_struct().column(1));
    assert_eq!(names.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("hop"); 3]);
    let values: Vec<_> = values.as_binary::<i32>().iter().collect();
    assert_eq!(values, [Some(&b"b"[..]), Some(&b""[..]), None]);
    assert!(lists.is_valid(1) && lists.value(1).is_empty(), "known to have none");
    assert!(lists.is_null(2), "not known");
}
