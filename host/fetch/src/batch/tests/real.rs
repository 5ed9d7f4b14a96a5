//! Segments of Kafka 4.3.1, as librdkafka 2 filled them: the walk sees what librdkafka's consumer saw of the same topics.
//!
//! `senders` has five compressions and four transactions, two of which were aborted; `broker` has the broker's times. A line
//! says offset, timestamp, whose clock set it, leader epoch, key, value and headers; the last one where the consumer stood.

use std::fmt::Write;

use super::Answer;
use crate::batch::{AbortedTransaction, Record, Unpacker};

/// The broker's own list, from the index that lies beside the segment.
const ABORTED: [AbortedTransaction; 2] = [
    AbortedTransaction { producer_id: 3007, first_offset: 60 },
    AbortedTransaction { producer_id: 3007, first_offset: 70 },
];

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or("-".to_owned(), |bytes| format!("'{}'", std::str::from_utf8(bytes).unwrap()))
}

fn line(record: &Record<'_>) -> String {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| format!("{}={}", std::str::from_utf8(name).unwrap(), text(value)));
    let headers: Vec<_> = headers.collect();
    format!(
        "{} {} {} {} {} {} [{}]\n",
        record.offset,
        record.timestamp,
        if record.is_append_time { "broker" } else { "sender" },
        record.leader_epoch.unwrap_or(-1),
        text(record.key),
        text(record.value),
        headers.join(",")
    )
}

fn seen(segment: &'static [u8], aborted: &[AbortedTransaction], room: usize) -> String {
    let answer = Answer::new(segment.into(), 0, aborted).with_headers(true);
    let mut lines = String::new();
    let mut unpacker = Unpacker::new(1 << 20);
    let (next, damage) = answer.lend(&mut unpacker, room, |record| lines += &line(record));
    assert_eq!(damage, None);
    writeln!(lines, "end {}", next).unwrap();
    lines
}

#[test]
fn the_walk_sees_what_librdkafka_saw() {
    let senders = include_bytes!("real/senders.log");
    for room in [1, 5, 1000] {
        assert_eq!(seen(senders, &ABORTED, room), include_str!("real/senders.committed.txt"));
        assert_eq!(seen(senders, &[], room), include_str!("real/senders.all.txt"));
        let broker = include_bytes!("real/broker.log");
        assert_eq!(seen(broker, &[], room), include_str!("real/broker.committed.txt"));
    }
}
