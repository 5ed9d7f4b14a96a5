//! Letters in short: bounded, and the same from the lane's hand as from the table.

use super::letter::*;
use crate::sink::dead_letters::{DeadLetter, DeadLetters};
use crate::source::{Header, Headers};
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;

fn read_back(letter: &DeadLetter<'_>) -> Letter {
    let mut letters = DeadLetters::default();
    letters.push(letter);
    Letter::read(&letters.finish(), 0)
}

#[test]
fn a_letter_is_the_same_in_short_whether_it_is_written_or_read_back() {
    let mut headers = Headers::default();
    headers.push(0, Header { name: b"trace", value: Some(b"\x00\xff") });
    headers.push(0, Header { name: b"hop", value: None });
    let full = DeadLetter {
        topic: Some("sales"),
        partition: Some(3),
        offset: Some(17),
        record_timestamp: Some(EventTime(1_700_000_000_000_000)),
        key: Some(b"store-1"),
        value: Some(b"<script>\x1b[2J"),
        headers: Some(headers.of(0)),
        module: Some(ModuleDigest([7; 32])),
        rows: Some(2),
        at: EventTime(1_700_000_000_000_000),
        ..DeadLetter::of("valid", DeadLetterKind::Trap, "wasm trap: \u{1b}[2J")
    };
    let short = Letter::of(&full);
    assert_eq!(short.reason, "wasm trap: \\u{1b}[2J");
    assert_eq!(short.headers.as_ref().unwrap().len(), 2);
    assert!(short.is_trap);
    assert_eq!(read_back(&full), short);

    let group = DeadLetter::of("revenue", DeadLetterKind::Evaluate, "no sum");
    assert_eq!(read_back(&group), Letter::of(&group));
    assert_eq!(Letter::of(&group).headers, None);
}

#[test]
fn a_letter_of_a_megabyte_is_short_and_says_how_long_it_was() {
    let mut headers = Headers::default();
    let long = vec![b'h'; 1 << 20];
    for _ in 0..100 {
        headers.push(0, Header { name: &long, value: Some(&long) });
    }
    let reason = "\u{1b}é".repeat(1 << 19);
    let letter = DeadLetter {
        topic: Some(&reason),
        key: Some(&long),
        value: Some(&long),
        headers: Some(headers.of(0)),
        ..DeadLetter::of(&reason, DeadLetterKind::Decode, &reason)
    };
    for short in [Letter::of(&letter), read_back(&letter)] {
        let value = short.value.as_ref().unwrap();
        assert_eq!((value.begin.len(), value.bytes), (VALUE_BYTES_MAX, 1 << 20));
        assert_eq!(short.key.as_ref().unwrap().bytes, 1 << 20);
        assert_eq!(short.headers.as_ref().unwrap().len(), HEADERS_MAX);
        assert_eq!(short.headers_left_out, 100 - HEADERS_MAX);
        assert!(short.reason.ends_with('…') && short.reason.len() < REASON_BYTES_MAX + 4);
        assert!(short.bytes() < 64 << 10, "{}", short.bytes());
    }
}
